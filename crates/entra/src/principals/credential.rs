//! The credentials of applications and managed identities beside client secrets: certificates, and trust in the tokens of
//! another identity provider.

use std::ops::Bound;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use futures_util::TryStreamExt as _;
use jiff::Timestamp;
use rsa::{PublicKey, pkcs8::DecodePublicKey as _, traits::PublicKeyParts as _};
use sealock_core::{ApplicationName, ClientId, excerpt};
use sealock_store::{Batch, Table};
use serde::{Deserialize, Serialize};
use sha1::Sha1;
use sha2::{Digest as _, Sha256};

use crate::{Directory, Error, Result};

const CREDENTIALS: Table<Credential> = Table::control("credentials");

/// The limit of credentials of one principal, as for federated credentials in Azure.
///
/// <https://learn.microsoft.com/entra/workload-id/workload-identity-federation-considerations#general-federated-identity-credential-considerations>
const CREDENTIALS_LIMIT: usize = 20;

/// The limit of keys of an issuer. A record holds them.
const KEYS_LIMIT: usize = 4;

/// The limit of the length of a key's modulus in base64: 4096 bits.
const MODULUS_LIMIT: usize = 683;

/// The limit of the length of an issuer, subject or audience in Azure.
///
/// <https://learn.microsoft.com/graph/api/resources/federatedidentitycredential#properties>
const TEXT_LIMIT: usize = 600;

/// The audience of tokens for the exchange.
///
/// <https://learn.microsoft.com/entra/workload-id/workload-identity-federation-create-trust>
const EXCHANGE_AUDIENCE: &str = "api://AzureADTokenExchange";

/// A credential with which a client signs a JWT instead of sending a secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Credential {
    /// A certificate.
    Certificate(Certificate),
    /// Trust in the tokens of another identity provider.
    Federated(FederatedCredential),
}

/// A certificate whose private key signs a client's JWTs.
///
/// <https://learn.microsoft.com/entra/identity-platform/certificate-credentials>
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// Its SHA-1 hash, in hexadecimal with capital letters.
    pub thumbprint: String,
    /// Its SHA-256 hash, in hexadecimal with capital letters.
    pub sha256: String,
    /// The end of its validity.
    pub expires: Timestamp,
    pub(crate) key: VerifyingKey,
}

/// Trust in the tokens that an issuer issues to a subject.
///
/// <https://learn.microsoft.com/entra/workload-id/workload-identity-federation>
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FederatedCredential {
    /// Its name.
    pub name: String,
    /// The claim `iss` of the tokens.
    pub issuer: String,
    /// The claim `sub` of the tokens.
    pub subject: String,
    /// The claim `aud` of the tokens.
    pub audience: String,
    /// The keys of the issuer. None for the emulator's own tenant.
    pub(crate) keys: Vec<VerifyingKey>,
}

/// An RSA key, in the notation of JSON Web Keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct VerifyingKey {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) kid: Option<String>,
    pub(crate) n: String,
    pub(crate) e: String,
}

/// A JSON Web Key Set (RFC 7517, 5).
#[derive(Deserialize)]
struct KeySet {
    keys: Vec<PublishedKey>,
}

#[derive(Deserialize)]
struct PublishedKey {
    kty: String,
    kid: Option<String>,
    n: Option<String>,
    e: Option<String>,
}

impl Credential {
    /// Returns the name by which it is removed: a thumbprint, or a federated credential's name.
    pub fn name(&self) -> &str {
        match self {
            Self::Certificate(certificate) => &certificate.thumbprint,
            Self::Federated(federated) => &federated.name,
        }
    }
}

impl Certificate {
    /// Reads a certificate with an RSA key, in PEM.
    ///
    /// # Errors
    /// [`Error::CertificateInvalid`].
    pub fn from_pem(text: &str) -> Result<Self> {
        let (_, pem) = x509_parser::pem::parse_x509_pem(text.as_bytes())
            .map_err(|_| Error::CertificateInvalid("it is not PEM"))?;
        let certificate = pem
            .parse_x509()
            .map_err(|_| Error::CertificateInvalid("it is not an X.509 certificate"))?;
        let key = PublicKey::from_public_key_der(certificate.public_key().raw)
            .map_err(|_| Error::CertificateInvalid("its key is not an RSA key"))?;
        let expires = Timestamp::from_second(certificate.validity().not_after.timestamp())
            .unwrap_or(Timestamp::MAX);
        Ok(Self {
            thumbprint: hex::encode_upper(Sha1::digest(&pem.contents)),
            sha256: hex::encode_upper(Sha256::digest(&pem.contents)),
            expires,
            key: VerifyingKey {
                kid: None,
                n: URL_SAFE_NO_PAD.encode(key.n_bytes()),
                e: URL_SAFE_NO_PAD.encode(key.e_bytes()),
            },
        })
    }
}

impl FederatedCredential {
    /// Creates a federated credential. `keys` is the issuer's JSON Web Key Set; the emulator's own tenant needs none.
    ///
    /// # Errors
    /// [`Error::FederatedCredentialInvalid`].
    pub fn new(
        name: String,
        issuer: String,
        subject: String,
        audience: Option<String>,
        keys: Option<&str>,
    ) -> Result<Self> {
        let audience = audience.unwrap_or_else(|| EXCHANGE_AUDIENCE.to_owned());
        let invalid = |why: &str| Error::FederatedCredentialInvalid(why.to_owned());
        for text in [&name, &issuer, &subject, &audience] {
            if text.is_empty() || text.len() > TEXT_LIMIT {
                return Err(invalid(
                    "name, issuer, subject and audience must have 1 to 600 characters",
                ));
            }
        }
        if name.len() > 120
            || !name
                .bytes()
                .all(|it| it.is_ascii_alphanumeric() || b"-_".contains(&it))
        {
            return Err(invalid(
                "the name must have up to 120 letters, digits, hyphens and underscores",
            ));
        }
        let keys = match keys {
            Some(text) => read_keys(text)?,
            None => Vec::new(),
        };
        Ok(Self {
            name,
            issuer,
            subject,
            audience,
            keys,
        })
    }
}

/// Reads the RSA keys of a JSON Web Key Set.
fn read_keys(text: &str) -> Result<Vec<VerifyingKey>> {
    let invalid = |why: String| Error::FederatedCredentialInvalid(why);
    let set: KeySet = serde_json::from_str(text)
        .map_err(|error| invalid(format!("the keys are not a JSON Web Key Set: {error}")))?;
    let keys = set.keys.into_iter().filter(|key| key.kty == "RSA");
    let keys: Vec<_> = keys
        .filter_map(|key| {
            let kid = key.kid.map(|kid| excerpt(&kid).to_owned());
            let (n, e) = (key.n?, key.e?);
            (n.len() <= MODULUS_LIMIT && e.len() <= 8).then_some(VerifyingKey { kid, n, e })
        })
        .collect();
    match keys.len() {
        0 => Err(invalid(
            "the keys include no RSA key of up to 4096 bits".to_owned(),
        )),
        1..=KEYS_LIMIT => Ok(keys),
        _ => Err(invalid(format!(
            "there are more than {KEYS_LIMIT} RSA keys"
        ))),
    }
}

impl Directory {
    /// Adds a credential to an application, or replaces the one of that name.
    ///
    /// # Errors
    /// [`Error::ApplicationNotFound`], [`Error::TooManyCredentials`], or the store fails.
    pub async fn add_credential(
        &self,
        application: &ApplicationName,
        credential: &Credential,
    ) -> Result<()> {
        let client = self.application(application).await?.client_id;
        let existing = self.credentials(client).await?;
        let is_new = !existing.iter().any(|it| it.name() == credential.name());
        if is_new && existing.len() >= CREDENTIALS_LIMIT {
            return Err(Error::TooManyCredentials(CREDENTIALS_LIMIT));
        }
        let key = [client.to_string(), credential.name().to_owned()];
        let key = key.each_ref().map(String::as_str);
        let batch = Batch::new().put(&CREDENTIALS, &key, credential);
        let _unconditional = self.store.commit(batch).await?;
        Ok(())
    }

    /// Removes a credential of an application.
    ///
    /// # Errors
    /// [`Error::ApplicationNotFound`], [`Error::CredentialNotFound`], or the store fails.
    pub async fn remove_credential(&self, application: &ApplicationName, name: &str) -> Result<()> {
        let client = self.application(application).await?.client_id.to_string();
        let key = [client.as_str(), name];
        if self.store.get(&CREDENTIALS, &key).await?.is_none() {
            return Err(Error::CredentialNotFound(excerpt(name).to_owned()));
        }
        let batch = Batch::new().delete(&CREDENTIALS, &key);
        let _unconditional = self.store.commit(batch).await?;
        Ok(())
    }

    /// Returns the credentials of the principal with this client id. Those of a deleted one have no effect, since no other
    /// gets its id.
    ///
    /// # Errors
    /// The store fails.
    pub async fn credentials(&self, client: ClientId) -> Result<Vec<Credential>> {
        let client = client.to_string();
        let entries = self.store.scan(&CREDENTIALS, &[&client], Bound::Unbounded);
        let credentials = entries.map_ok(|entry| entry.record.value);
        Ok(credentials.try_collect().await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_cannot_verify_are_refused() {
        let key = |n: &str| serde_json::json!({"kty": "RSA", "kid": "1", "n": n, "e": "AQAB"});
        let set = |keys: Vec<serde_json::Value>| serde_json::json!({ "keys": keys }).to_string();
        assert_eq!(
            read_keys(&set(vec![key("AQ"), key("Ag")])).unwrap().len(),
            2
        );
        let elliptic = serde_json::json!({"kty": "EC", "crv": "P-256", "x": "", "y": ""});
        for bad in [
            String::new(),
            "{}".to_owned(),
            set(vec![]),
            set(vec![elliptic]),
            set(vec![key(&"A".repeat(1000))]),
            set(vec![key("AQ"); 5]),
        ] {
            assert!(read_keys(&bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn certificate_that_is_none_is_refused() {
        for bad in [
            "",
            "x",
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        ] {
            assert!(Certificate::from_pem(bad).is_err(), "{bad}");
        }
    }
}

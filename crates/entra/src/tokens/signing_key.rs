//! The key that signs the tenant's tokens.
//!
//! It is generated on first use, because that takes a while, and stored under the service key.

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use jsonwebtoken::{DecodingKey, EncodingKey};
use rsa::{
    PrivateKey,
    pkcs1::{DecodeRsaPrivateKey as _, EncodeRsaPrivateKey as _},
    traits::PublicKeyParts as _,
};
use sealock_core::TenantId;
use sealock_envelope::ServiceKey;
use sealock_store::{Batch, Store, Table};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::{Error, Result};

const SIGNING_KEYS: Table<SealedKey> = Table::content("signing-keys");

const BITS: usize = 2048;

/// The stored record of the private key, sealed and in base64.
#[derive(Serialize, Deserialize)]
struct SealedKey {
    sealed: String,
}

/// An RSA key, ready to sign and verify. The process holds a single copy.
pub(crate) struct SigningKey {
    pub(crate) signing: EncodingKey,
    pub(crate) verifying: DecodingKey,
    pub(crate) public: PublicKey,
}

/// The public half, as a JSON Web Key (RFC 7517).
#[derive(Clone, Debug, Serialize)]
pub(crate) struct PublicKey {
    kty: &'static str,
    #[serde(rename = "use")]
    usage: &'static str,
    alg: &'static str,
    pub(crate) kid: String,
    n: String,
    e: String,
}

impl SigningKey {
    /// Loads the tenant's key, or generates and stores it.
    pub(crate) async fn load_or_create(
        store: &Store,
        service_key: &ServiceKey,
        tenant: TenantId,
    ) -> Result<Self> {
        let tenant = tenant.to_string();
        let purpose = format!("signing key {tenant}");
        let stored = async || {
            let Some(record) = store.get(&SIGNING_KEYS, &[&tenant]).await? else {
                return Ok(None);
            };
            let damaged = || Error::Internal("the signing key for tokens is damaged".into());
            let sealed = STANDARD.decode(&record.sealed).map_err(|_| damaged())?;
            let der = service_key.record_key().open(purpose.as_bytes(), &sealed);
            Self::read(&der.map_err(|_| damaged())?).map(Some)
        };
        if let Some(key) = stored().await? {
            return Ok(key);
        }
        let der = tokio::task::spawn_blocking(generate)
            .await
            .map_err(|error| Error::Internal(error.to_string()))??;
        let sealed = service_key.record_key().seal(purpose.as_bytes(), &der);
        let sealed = SealedKey {
            sealed: STANDARD.encode(sealed),
        };
        let key = store.update(|| async {
            if let Some(key) = stored().await? {
                return Ok((Batch::new(), key));
            }
            let batch = Batch::new().expect_absent(&SIGNING_KEYS, &[&tenant]).put(
                &SIGNING_KEYS,
                &[&tenant],
                &sealed,
            );
            Ok((batch, Self::read(&der)?))
        });
        key.await
    }

    fn read(der: &[u8]) -> Result<Self> {
        let key = PrivateKey::from_pkcs1_der(der)
            .map_err(|error| Error::Internal(format!("the signing key for tokens: {error}")))?;
        let (n, e) = (key.n_bytes(), key.e_bytes());
        Ok(Self {
            signing: EncodingKey::from_rsa_der(der),
            verifying: DecodingKey::from_rsa_raw_components(&n, &e),
            public: PublicKey::new(&n, &e),
        })
    }
}

impl PublicKey {
    fn new(n: &[u8], e: &[u8]) -> Self {
        let (n, e) = (URL_SAFE_NO_PAD.encode(n), URL_SAFE_NO_PAD.encode(e));
        // The key's thumbprint: RFC 7638, 3.
        let thumbprint = Sha256::digest(format!(r#"{{"e":"{e}","kty":"RSA","n":"{n}"}}"#));
        Self {
            kty: "RSA",
            usage: "sig",
            alg: "RS256",
            kid: URL_SAFE_NO_PAD.encode(thumbprint),
            n,
            e,
        }
    }
}

/// Generates a key, in PKCS #1.
fn generate() -> Result<Zeroizing<Vec<u8>>> {
    let failed = |error: &dyn std::fmt::Display| {
        Error::Internal(format!(
            "cannot generate the signing key for tokens: {error}"
        ))
    };
    let key = PrivateKey::new(&mut rand::rng(), BITS).map_err(|error| failed(&error))?;
    let der = key.to_pkcs1_der().map_err(|error| failed(&error))?;
    Ok(Zeroizing::new(der.as_bytes().to_vec()))
}

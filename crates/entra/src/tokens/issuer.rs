use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::URL_SAFE};
use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::{Algorithm, Header, Validation, errors::ErrorKind};
use sealock_core::{ClientId, PrincipalId, TenantId};
use sealock_envelope::ServiceKey;
use serde::{Deserialize, Serialize};
use tokio::sync::OnceCell;
use zeroize::Zeroizing;

use super::{
    grants::Grants,
    signing_key::{PublicKey, SigningKey},
};
use crate::{Directory, Error, InvalidToken, Principal, Result};

/// The lifetime of a managed identity's token, as in Azure.
///
/// <https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/managed-identity-best-practice-recommendations>
const IDENTITY_VALID_FOR: SignedDuration = SignedDuration::from_hours(24);

/// The lifetime of an application's token, as in Entra's documentation. In Azure it is 60 to 90 minutes.
///
/// <https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow#successful-response-1>
const APPLICATION_VALID_FOR: SignedDuration = SignedDuration::from_secs(3599);

/// The limit of an audience's length in bytes.
const AUDIENCE_LIMIT: usize = 256;

/// The claims of a token, as in version 1.0 of Entra's access tokens.
///
/// <https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference>
#[derive(Serialize, Deserialize)]
struct Claims {
    aud: String,
    iss: String,
    iat: i64,
    nbf: i64,
    exp: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    acr: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    amr: Option<Vec<String>>,
    appid: ClientId,
    appidacr: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    idp: Option<String>,
    idtyp: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    oid: PrincipalId,
    #[serde(skip_serializing_if = "Option::is_none")]
    scp: Option<String>,
    sub: PrincipalId,
    tid: TenantId,
    #[serde(skip_serializing_if = "Option::is_none")]
    unique_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    upn: Option<String>,
    ver: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    xms_mirid: Option<String>,
}

/// The permission that a client has on behalf of every user who signs in through it. Claim `scp`.
pub(crate) const DELEGATED: &str = "user_impersonation";

/// An access token.
pub struct AccessToken {
    /// The token itself, a JWT.
    pub token: Zeroizing<String>,
    /// The service that accepts it.
    pub audience: String,
    /// The client id of its principal.
    pub client_id: ClientId,
    /// The start of its lifetime.
    pub not_before: Timestamp,
    /// The end of its lifetime.
    pub expires: Timestamp,
}

/// Issues tokens to the tenant's principals, and verifies them. Clones share the key.
#[derive(Clone)]
pub struct TokenIssuer {
    pub(super) directory: Directory,
    pub(super) service_key: Arc<ServiceKey>,
    key: Arc<OnceCell<SigningKey>>,
    pub(crate) grants: Arc<Grants>,
}

impl TokenIssuer {
    /// Creates the issuer of the directory's tenant. Its key is loaded or generated on first use.
    pub fn new(directory: Directory, service_key: Arc<ServiceKey>) -> Self {
        Self {
            directory,
            service_key,
            key: Arc::default(),
            grants: Arc::default(),
        }
    }

    /// Returns the directory of the principals that get tokens.
    pub fn directory(&self) -> &Directory {
        &self.directory
    }

    /// Returns the claim `iss` of its tokens, which does not depend on the emulator's own name.
    ///
    /// <https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference>
    pub fn name(&self) -> String {
        format!("https://sts.windows.net/{}/", self.directory.tenant())
    }

    /// Issues a token of `principal` for the service `audience`.
    ///
    /// # Errors
    /// [`Error::AudienceInvalid`], or the store fails.
    pub async fn issue(&self, principal: &Principal, audience: &str) -> Result<AccessToken> {
        self.issue_by(principal, audience, principal.appidacr())
            .await
    }

    /// Issues a token of `principal`, whose client has logged in with the kind of credential that `appidacr` says.
    pub(crate) async fn issue_by(
        &self,
        principal: &Principal,
        audience: &str,
        appidacr: &str,
    ) -> Result<AccessToken> {
        if audience.is_empty() || audience.len() > AUDIENCE_LIMIT {
            return Err(Error::AudienceInvalid);
        }
        let valid_for = match principal {
            Principal::ManagedIdentity(_) => IDENTITY_VALID_FOR,
            Principal::Application(_) | Principal::User(_) => APPLICATION_VALID_FOR,
        };
        let user = match principal {
            Principal::User(user) => Some(user),
            _ => None,
        };
        let text = |text: &str| text.to_owned();
        let now = self.directory.clock.now();
        let expires = now.checked_add(valid_for).unwrap_or(Timestamp::MAX);
        let claims = Claims {
            aud: audience.to_owned(),
            iss: self.name(),
            iat: now.as_second(),
            nbf: now.as_second(),
            exp: expires.as_second(),
            acr: user.map(|_| text("1")),
            amr: user.map(|_| vec![text("pwd")]),
            appid: principal.client_id(),
            appidacr: appidacr.to_owned(),
            idp: user.is_none().then(|| self.name()),
            idtyp: principal.idtyp().to_owned(),
            name: user.map(|user| text(user.display_name)),
            oid: principal.principal_id(),
            scp: user.map(|_| text(DELEGATED)),
            sub: principal.principal_id(),
            tid: principal.tenant_id(),
            unique_name: user.map(|user| text(user.name)),
            upn: user.map(|user| text(user.name)),
            ver: "1.0".to_owned(),
            xms_mirid: principal.resource_id(),
        };
        Ok(AccessToken {
            token: self.sign(&claims).await?,
            audience: claims.aud,
            client_id: principal.client_id(),
            not_before: now,
            expires,
        })
    }

    /// Signs claims as a JWT.
    pub(super) async fn sign(&self, claims: &impl Serialize) -> Result<Zeroizing<String>> {
        let key = self.key().await?;
        let header = Header {
            kid: Some(key.public.kid.clone()),
            ..Header::new(Algorithm::RS256)
        };
        let token = jsonwebtoken::encode(&header, claims, &key.signing)
            .map_err(|error| Error::Internal(error.to_string()))?;
        Ok(Zeroizing::new(token))
    }

    /// Returns the claims, in base64, that a challenge asks for after a refused token: one that is valid now. With them, a
    /// client requests a new token, though its own clock says that the old one is still good.
    ///
    /// <https://learn.microsoft.com/entra/identity-platform/claims-challenge>
    pub fn claims_challenge(&self) -> String {
        let now = self.directory.clock.now().as_second();
        let claims =
            format!(r#"{{"access_token":{{"nbf":{{"essential":true,"value":"{now}"}}}}}}"#);
        URL_SAFE.encode(claims)
    }

    /// Verifies a token for one of `audiences`, and returns its principal.
    ///
    /// The deletion of a principal invalidates its tokens. In Azure they stay valid until they expire.
    ///
    /// # Errors
    /// [`Error::TokenInvalid`], or the store fails.
    pub async fn verify(&self, token: &str, audiences: &[&str]) -> Result<Principal> {
        let mut validation = Validation::new(Algorithm::RS256);
        // Checked below, by the emulator's clock and with a reason for each refusal.
        validation.validate_exp = false;
        validation.validate_aud = false;
        let key = self.key().await?;
        let claims: Claims = jsonwebtoken::decode(token, &key.verifying, &validation)
            .map_err(|error| match error.kind() {
                ErrorKind::InvalidSignature | ErrorKind::InvalidAlgorithm => {
                    InvalidToken::Signature
                }
                _ => InvalidToken::Malformed,
            })?
            .claims;
        if claims.iss != self.name() {
            return Err(InvalidToken::Issuer(claims.iss).into());
        }
        if !audiences.contains(&claims.aud.as_str()) {
            return Err(InvalidToken::Audience(claims.aud).into());
        }
        let now = self.directory.clock.now().as_second();
        if now < claims.nbf {
            return Err(InvalidToken::NotYetValid.into());
        }
        if claims.exp <= now {
            return Err(InvalidToken::Expired.into());
        }
        let principal = self.directory.principal(claims.oid).await?;
        match principal.ok_or(InvalidToken::PrincipalUnknown)? {
            Principal::User(user) => Ok(user.through(claims.appid).into()),
            principal => Ok(principal),
        }
    }

    /// Returns the public key that verifies its tokens.
    pub(crate) async fn public_key(&self) -> Result<&PublicKey> {
        Ok(&self.key().await?.public)
    }

    pub(super) async fn key(&self) -> Result<&SigningKey> {
        let Directory { store, .. } = &self.directory;
        let tenant = self.directory.tenant();
        let load = || SigningKey::load_or_create(store, &self.service_key, tenant);
        self.key.get_or_try_init(load).await
    }
}

#[cfg(test)]
mod tests {
    use sealock_core::Clock;
    use sealock_store::Store;

    use super::*;

    const AUDIENCE: &str = "https://vault.azure.net";

    async fn issuer(store: &Store, service_key: &Arc<ServiceKey>, clock: &Clock) -> TokenIssuer {
        let directory = Directory::open(store.clone(), clock.clone()).await.unwrap();
        TokenIssuer::new(directory, Arc::clone(service_key))
    }

    #[tokio::test]
    async fn token_of_an_identity_is_valid_for_a_day_and_one_audience() {
        let (store, clock) = (
            Store::ephemeral(),
            Clock::frozen_at(Timestamp::from_second(1_800_000_000).unwrap()),
        );
        let service_key = Arc::new(ServiceKey::random());
        let tokens = issuer(&store, &service_key, &clock).await;
        let name = "registry-identity".parse().unwrap();
        let (identity, _) = tokens.directory().create_identity(name).await.unwrap();
        let principal = Principal::from(identity.clone());
        let issued = tokens.issue(&principal, AUDIENCE).await.unwrap();
        let verify = async |tokens: &TokenIssuer, audience: &str| {
            tokens.verify(&issued.token, &[audience]).await.ok()
        };
        assert_eq!(verify(&tokens, AUDIENCE).await, Some(principal.clone()));
        assert_eq!(verify(&tokens, "https://vault.azure.net/").await, None);
        // The key survives a restart. Another service key does not open it.
        let again = issuer(&store, &service_key, &clock).await;
        assert_eq!(verify(&again, AUDIENCE).await, Some(principal.clone()));
        let other = issuer(&store, &Arc::new(ServiceKey::random()), &clock).await;
        assert!(matches!(
            other.verify(&issued.token, &[AUDIENCE]).await,
            Err(Error::Internal(_))
        ));
        // Another tenant has another key.
        let elsewhere = issuer(&Store::ephemeral(), &service_key, &clock).await;
        assert_eq!(verify(&elsewhere, AUDIENCE).await, None);

        clock.advance(SignedDuration::from_secs(86_399)).unwrap();
        assert!(verify(&tokens, AUDIENCE).await.is_some());
        clock.advance(SignedDuration::from_secs(1)).unwrap();
        assert_eq!(verify(&tokens, AUDIENCE).await, None);
        clock.advance(SignedDuration::from_secs(-86_401)).unwrap();
        assert_eq!(verify(&tokens, AUDIENCE).await, None, "not yet");
        clock.advance(SignedDuration::from_secs(1)).unwrap();
        assert!(verify(&tokens, AUDIENCE).await.is_some());
        let deleted = tokens.directory().delete_identity(&identity).await;
        deleted.unwrap();
        assert_eq!(verify(&tokens, AUDIENCE).await, None);
    }

    #[tokio::test]
    async fn empty_or_overlong_audience_is_refused() {
        let clock = Clock::system();
        let tokens = issuer(&Store::ephemeral(), &Arc::new(ServiceKey::random()), &clock).await;
        let name = "registry-identity".parse().unwrap();
        let (identity, _) = tokens.directory().create_identity(name).await.unwrap();
        for audience in ["", &"x".repeat(257)] {
            assert!(matches!(
                tokens.issue(&identity.clone().into(), audience).await,
                Err(Error::AudienceInvalid)
            ));
        }
    }
}

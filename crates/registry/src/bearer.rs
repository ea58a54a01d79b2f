use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use uuid::Uuid;

use crate::{
    Error, Registry,
    access::{Permissions, Scope},
};

const ISSUER: &str = "Azure Container Registry";

/// As long as ACR's.
const ACCESS_VALID_FOR: SignedDuration = SignedDuration::from_mins(75);

/// What a token that a registry issues says of itself.
///
/// <https://github.com/Azure/acr/blob/main/docs/AAD-OAuth.md>
#[derive(Serialize, Deserialize)]
struct Claims<T> {
    jti: Uuid,
    sub: String,
    nbf: i64,
    exp: i64,
    iat: i64,
    iss: String,
    /// The login server.
    aud: String,
    version: String,
    /// The registry's id.
    rid: String,
    grant_type: String,
    #[serde(flatten)]
    rights: T,
    roles: [String; 0],
}

/// What an access token is good for.
#[derive(Serialize, Deserialize)]
struct Access {
    access: Vec<Scope>,
}

impl Access {
    const GRANT_TYPE: &str = "access_token";
}

impl Registry {
    /// A token with which `subject` may do what `access` says, for a while.
    pub(crate) fn issue_access_token(
        &self,
        login_server: &str,
        subject: &str,
        access: Vec<Scope>,
    ) -> Result<String, Error> {
        let now = self.clock.now();
        let claims = Claims {
            jti: Uuid::new_v4(),
            sub: subject.to_owned(),
            nbf: now.as_second(),
            iat: now.as_second(),
            exp: seconds_after(now, ACCESS_VALID_FOR),
            iss: ISSUER.to_owned(),
            aud: login_server.to_owned(),
            version: "2.0".to_owned(),
            rid: hex::encode(self.record.id.as_bytes()),
            grant_type: Access::GRANT_TYPE.to_owned(),
            rights: Access { access },
            roles: [],
        };
        let key = self.service_key.token_key(self.record.id);
        let key = EncodingKey::from_secret(key.expose());
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &key)
            .map_err(|error| Error::Internal(error.to_string()))
    }

    /// What the bearer of `token` may do. None if it is not one that this registry issued, or has ended.
    pub(crate) fn bearer(&self, login_server: &str, token: &str) -> Option<Permissions> {
        let claims: Claims<Access> = self.claims(login_server, token, Access::GRANT_TYPE)?;
        Some(Permissions::granted(&claims.rights.access))
    }

    fn claims<T: DeserializeOwned>(
        &self,
        login_server: &str,
        token: &str,
        grant_type: &str,
    ) -> Option<Claims<T>> {
        let key = self.service_key.token_key(self.record.id);
        let mut validation = Validation::new(Algorithm::HS256);
        // By the emulator's clock, below.
        validation.validate_exp = false;
        validation.set_audience(&[login_server]);
        validation.set_issuer(&[ISSUER]);
        let key = DecodingKey::from_secret(key.expose());
        let claims: Claims<T> = jsonwebtoken::decode(token, &key, &validation).ok()?.claims;
        let now = self.clock.now().as_second();
        let is_current = claims.nbf <= now && now < claims.exp;
        (is_current && claims.grant_type == grant_type).then_some(claims)
    }
}

fn seconds_after(now: Timestamp, duration: SignedDuration) -> i64 {
    now.as_second().saturating_add(duration.as_secs())
}

use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Header, TokenData, Validation, errors::ErrorKind,
};
use sealock_core::{ClientId, TenantId, excerpt};
use sealock_entra::InvalidToken;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::{
    Error, LoginRefusal, Registry,
    access::permissions::{Action, Caller, Permissions, Scope},
};

const ISSUER: &str = "Azure Container Registry";

/// The validity of ACR's access tokens.
const ACCESS_VALID_FOR: SignedDuration = SignedDuration::from_mins(75);

/// The validity of ACR's refresh tokens: three hours and a quarter.
const REFRESH_VALID_FOR: SignedDuration = SignedDuration::from_secs(11_700);

/// The claims of a token that a registry issues.
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
    /// The login server, or `localhost` at the friendly door.
    aud: String,
    version: String,
    /// The registry's id.
    rid: String,
    grant_type: String,
    /// The client id of the caller, if Entra knows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    appid: Option<ClientId>,
    #[serde(flatten)]
    rights: T,
    roles: [String; 0],
}

/// A kind of token, with its own rights and validity.
trait TokenKind: Serialize + DeserializeOwned {
    const GRANT_TYPE: &str;
    const VERSION: &str;
    const VALID_FOR: SignedDuration;

    /// Returns the refusal of an invalid token of this kind.
    fn invalid(why: InvalidToken) -> LoginRefusal;
}

/// The rights of an access token.
#[derive(Serialize, Deserialize)]
struct Access {
    access: Vec<Scope>,
}

impl TokenKind for Access {
    const GRANT_TYPE: &str = "access_token";
    const VERSION: &str = "2.0";
    const VALID_FOR: SignedDuration = ACCESS_VALID_FOR;

    fn invalid(why: InvalidToken) -> LoginRefusal {
        LoginRefusal::AccessTokenInvalid(why)
    }
}

/// The rights of a refresh token. They only inform its client: each use looks up the current rights.
#[derive(Serialize, Deserialize)]
struct Refresh {
    tenant: TenantId,
    permissions: RefreshPermissions,
}

#[derive(Serialize, Deserialize)]
struct RefreshPermissions {
    actions: Vec<String>,
}

impl TokenKind for Refresh {
    const GRANT_TYPE: &str = "refresh_token";
    const VERSION: &str = "1.0";
    const VALID_FOR: SignedDuration = REFRESH_VALID_FOR;

    fn invalid(why: InvalidToken) -> LoginRefusal {
        LoginRefusal::RefreshTokenInvalid(why)
    }
}

impl Action {
    /// Returns the name of the action in refresh tokens.
    const fn as_permission(self) -> &'static str {
        match self {
            Self::Pull => "read",
            Self::Push => "write",
            Self::Delete => "delete",
            Self::MetadataRead => "metadata/read",
            Self::MetadataWrite => "metadata/write",
        }
    }
}

impl Registry {
    /// Issues a token that lets `caller` use the scopes in `access` for a while.
    pub(crate) fn issue_access_token(
        &self,
        audience: &str,
        caller: &Caller,
        access: Vec<Scope>,
    ) -> Result<String, Error> {
        self.issue(audience, caller, Access { access })
    }

    /// Issues a token that `caller` exchanges for access tokens for a while.
    pub(crate) fn issue_refresh_token(
        &self,
        login_server: &str,
        caller: &Caller,
    ) -> Result<String, Error> {
        let actions = Action::ALL.into_iter();
        let actions = actions.filter(|action| caller.permissions.allows_everywhere(*action));
        let rights = Refresh {
            tenant: self.entra.directory().tenant(),
            permissions: RefreshPermissions {
                actions: actions
                    .map(|action| action.as_permission().to_owned())
                    .collect(),
            },
        };
        self.issue(login_server, caller, rights)
    }

    fn issue<K: TokenKind>(
        &self,
        audience: &str,
        caller: &Caller,
        rights: K,
    ) -> Result<String, Error> {
        let now = self.clock.now();
        let claims = Claims {
            jti: Uuid::new_v4(),
            sub: caller.name.clone(),
            nbf: now.as_second(),
            iat: now.as_second(),
            exp: seconds_after(now, K::VALID_FOR),
            iss: ISSUER.to_owned(),
            aud: audience.to_owned(),
            version: K::VERSION.to_owned(),
            rid: hex::encode(self.record.id.as_bytes()),
            grant_type: K::GRANT_TYPE.to_owned(),
            appid: caller.application,
            rights,
            roles: [],
        };
        let key = self.service_key.token_key(self.record.id);
        let key = EncodingKey::from_secret(key.expose());
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &key)
            .map_err(|error| Error::Internal(error.to_string()))
    }

    /// Verifies an access token that this registry issued for one of `audiences`. Returns its user and permissions.
    pub(crate) fn verify_access_token(
        &self,
        audiences: &[&str],
        token: &str,
    ) -> Result<(String, Permissions), LoginRefusal> {
        let (claims, Access { access }) = self.claims(audiences, token)?;
        Ok((claims.sub, Permissions::granted(&access)))
    }

    /// Verifies a refresh token that this registry issued for `login_server`. Returns its client.
    pub(crate) fn verify_refresh_token(
        &self,
        login_server: &str,
        token: &str,
    ) -> Result<ClientId, LoginRefusal> {
        let (claims, _): (_, Refresh) = self.claims(&[login_server], token)?;
        let client = claims.appid;
        client.ok_or(Refresh::invalid(InvalidToken::Malformed))
    }

    fn claims<K: TokenKind>(
        &self,
        audiences: &[&str],
        token: &str,
    ) -> Result<(Claims<Map<String, Value>>, K), LoginRefusal> {
        let key = self.service_key.token_key(self.record.id);
        let mut validation = Validation::new(Algorithm::HS256);
        // Checked below, by the emulator's clock and with a reason for each.
        validation.validate_exp = false;
        validation.validate_aud = false;
        let key = DecodingKey::from_secret(key.expose());
        let decoded = jsonwebtoken::decode::<Claims<Map<_, _>>>(token, &key, &validation);
        let mut claims = decoded
            .map_err(|error| K::invalid(defect(&error, audiences, token)))?
            .claims;
        if claims.iss != ISSUER {
            return Err(K::invalid(InvalidToken::Issuer(claims.iss)));
        }
        if !audiences.contains(&claims.aud.as_str()) {
            return Err(K::invalid(InvalidToken::Audience(claims.aud)));
        }
        let now = self.clock.now().as_second();
        if now < claims.nbf {
            return Err(K::invalid(InvalidToken::NotYetValid));
        }
        if claims.exp <= now {
            return Err(K::invalid(InvalidToken::Expired));
        }
        if claims.grant_type != K::GRANT_TYPE {
            return Err(LoginRefusal::TokenKindWrong {
                found: claims.grant_type,
                expected: K::GRANT_TYPE,
            });
        }
        let rights = Value::Object(std::mem::take(&mut claims.rights));
        let rights = serde_json::from_value(rights);
        let rights = rights.map_err(|_| K::invalid(InvalidToken::Malformed))?;
        Ok((claims, rights))
    }
}

/// The claims of a token whose signature is not verified.
#[derive(Deserialize)]
struct Unverified {
    iss: String,
    aud: String,
}

/// Finds the defect of a token that does not verify. Its unverified claims may show that another registry or Entra
/// issued it. They go only to the log.
fn defect(error: &jsonwebtoken::errors::Error, audiences: &[&str], token: &str) -> InvalidToken {
    if !matches!(
        error.kind(),
        ErrorKind::InvalidSignature | ErrorKind::InvalidAlgorithm
    ) {
        return InvalidToken::Malformed;
    }
    let mut validation = Validation::default();
    validation.insecure_disable_signature_validation();
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    let no_key = DecodingKey::from_secret(&[]);
    match jsonwebtoken::decode::<Unverified>(token, &no_key, &validation) {
        Ok(TokenData { claims, .. }) if claims.iss != ISSUER => {
            InvalidToken::Issuer(excerpt(&claims.iss).to_owned())
        }
        Ok(TokenData { claims, .. }) if !audiences.contains(&claims.aud.as_str()) => {
            InvalidToken::Audience(excerpt(&claims.aud).to_owned())
        }
        _ => InvalidToken::Signature,
    }
}

fn seconds_after(now: Timestamp, duration: SignedDuration) -> i64 {
    now.as_second().saturating_add(duration.as_secs())
}

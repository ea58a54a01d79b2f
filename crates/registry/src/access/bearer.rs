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
    access::permissions::{Action, Permissions, Scope, Subject},
};

const ISSUER: &str = "Azure Container Registry";

/// As long as ACR's.
const ACCESS_VALID_FOR: SignedDuration = SignedDuration::from_mins(75);

/// As long as ACR's: three hours and a quarter.
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
    /// The login server, or the open door.
    aud: String,
    version: String,
    /// The registry's id.
    rid: String,
    grant_type: String,
    /// The client that it belongs to, if Entra knows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    appid: Option<ClientId>,
    #[serde(flatten)]
    rights: T,
    roles: [String; 0],
}

/// A kind of token, which says what it is good for.
trait Kind: Serialize + DeserializeOwned {
    const GRANT_TYPE: &str;
    const VERSION: &str;
    const VALID_FOR: SignedDuration;

    /// The refusal of a token of this kind.
    fn invalid(why: InvalidToken) -> LoginRefusal;
}

/// The rights of an access token.
#[derive(Serialize, Deserialize)]
struct Access {
    access: Vec<Scope>,
}

impl Kind for Access {
    const GRANT_TYPE: &str = "access_token";
    const VERSION: &str = "2.0";
    const VALID_FOR: SignedDuration = ACCESS_VALID_FOR;

    fn invalid(why: InvalidToken) -> LoginRefusal {
        LoginRefusal::AccessTokenInvalid(why)
    }
}

/// The rights of a refresh token. They are looked up again when it is used.
#[derive(Serialize, Deserialize)]
struct Refresh {
    tenant: TenantId,
    permissions: RefreshPermissions,
}

#[derive(Serialize, Deserialize)]
struct RefreshPermissions {
    actions: Vec<String>,
}

impl Kind for Refresh {
    const GRANT_TYPE: &str = "refresh_token";
    const VERSION: &str = "1.0";
    const VALID_FOR: SignedDuration = REFRESH_VALID_FOR;

    fn invalid(why: InvalidToken) -> LoginRefusal {
        LoginRefusal::RefreshTokenInvalid(why)
    }
}

impl Action {
    /// As refresh tokens write it.
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
    /// A token with which `subject` may do what `access` says, for a while.
    pub(crate) fn issue_access_token(
        &self,
        audience: &str,
        subject: &Subject,
        access: Vec<Scope>,
    ) -> Result<String, Error> {
        self.issue(audience, subject, Access { access })
    }

    /// A token with which `subject` gets access tokens, for a while.
    pub(crate) fn issue_refresh_token(
        &self,
        login_server: &str,
        subject: &Subject,
    ) -> Result<String, Error> {
        let actions = Action::ALL.into_iter();
        let actions = actions.filter(|action| subject.permissions.allow_everywhere(*action));
        let rights = Refresh {
            tenant: self.entra.directory().tenant(),
            permissions: RefreshPermissions {
                actions: actions
                    .map(|action| action.as_permission().to_owned())
                    .collect(),
            },
        };
        self.issue(login_server, subject, rights)
    }

    fn issue<K: Kind>(
        &self,
        audience: &str,
        subject: &Subject,
        rights: K,
    ) -> Result<String, Error> {
        let now = self.clock.now();
        let claims = Claims {
            jti: Uuid::new_v4(),
            sub: subject.name.clone(),
            nbf: now.as_second(),
            iat: now.as_second(),
            exp: seconds_after(now, K::VALID_FOR),
            iss: ISSUER.to_owned(),
            aud: audience.to_owned(),
            version: K::VERSION.to_owned(),
            rid: hex::encode(self.record.id.as_bytes()),
            grant_type: K::GRANT_TYPE.to_owned(),
            appid: subject.application,
            rights,
            roles: [],
        };
        let key = self.service_key.token_key(self.record.id);
        let key = EncodingKey::from_secret(key.expose());
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &key)
            .map_err(|error| Error::Internal(error.to_string()))
    }

    /// The bearer of `token`, with its name and permissions, if this registry issued the token for one of these
    /// audiences, and it serves now.
    pub(crate) fn bearer(
        &self,
        audiences: &[&str],
        token: &str,
    ) -> Result<(String, Permissions), LoginRefusal> {
        let (claims, Access { access }) = self.claims(audiences, token)?;
        Ok((claims.sub, Permissions::granted(&access)))
    }

    /// The client that a refresh token belongs to, on the terms of [`Self::bearer`].
    pub(crate) fn refresher(
        &self,
        login_server: &str,
        token: &str,
    ) -> Result<ClientId, LoginRefusal> {
        let (claims, _): (_, Refresh) = self.claims(&[login_server], token)?;
        let client = claims.appid;
        client.ok_or(Refresh::invalid(InvalidToken::Malformed))
    }

    fn claims<K: Kind>(
        &self,
        audiences: &[&str],
        token: &str,
    ) -> Result<(Claims<Map<String, Value>>, K), LoginRefusal> {
        let key = self.service_key.token_key(self.record.id);
        let mut validation = Validation::new(Algorithm::HS256);
        // Below: by the emulator's clock, and with a reason for each.
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

/// The claims of a token that anybody may have signed.
#[derive(Deserialize)]
struct Unverified {
    iss: String,
    aud: String,
}

/// Finds the defect of a token that does not verify. One that another registry or Entra issued says so itself; that it
/// says so is for the log alone.
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
    let nobodys = DecodingKey::from_secret(&[]);
    match jsonwebtoken::decode::<Unverified>(token, &nobodys, &validation) {
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

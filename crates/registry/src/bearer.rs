use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use sealock_core::{ClientId, TenantId};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use uuid::Uuid;

use crate::{
    Error, Registry,
    access::{Action, Permissions, Scope, Subject},
};

const ISSUER: &str = "Azure Container Registry";

/// As long as ACR's.
const ACCESS_VALID_FOR: SignedDuration = SignedDuration::from_mins(75);

/// As long as ACR's: three hours and a quarter.
const REFRESH_VALID_FOR: SignedDuration = SignedDuration::from_secs(11_700);

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
    /// The login server, or the open door.
    aud: String,
    version: String,
    /// The registry's id.
    rid: String,
    grant_type: String,
    /// Whose it is, if Entra knows them.
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
}

/// What an access token is good for.
#[derive(Serialize, Deserialize)]
struct Access {
    access: Vec<Scope>,
}

impl Kind for Access {
    const GRANT_TYPE: &str = "access_token";
    const VERSION: &str = "2.0";
    const VALID_FOR: SignedDuration = ACCESS_VALID_FOR;
}

/// What a refresh token says of its bearer's rights. They are looked up again when it is used.
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

    /// The permissions of the bearer of `token`. None if it is not one that this registry issued for one of these
    /// audiences, or has ended.
    pub(crate) fn bearer(&self, audiences: &[&str], token: &str) -> Option<Permissions> {
        let claims: Claims<Access> = self.claims(audiences, token)?;
        Some(Permissions::granted(&claims.rights.access))
    }

    /// Whose refresh token it is. None as for [`Self::bearer`].
    pub(crate) fn refresher(&self, login_server: &str, token: &str) -> Option<ClientId> {
        let claims: Claims<Refresh> = self.claims(&[login_server], token)?;
        claims.appid
    }

    fn claims<K: Kind>(&self, audiences: &[&str], token: &str) -> Option<Claims<K>> {
        let key = self.service_key.token_key(self.record.id);
        let mut validation = Validation::new(Algorithm::HS256);
        // By the emulator's clock, below.
        validation.validate_exp = false;
        validation.set_audience(audiences);
        validation.set_issuer(&[ISSUER]);
        let key = DecodingKey::from_secret(key.expose());
        let claims: Claims<K> = jsonwebtoken::decode(token, &key, &validation).ok()?.claims;
        let now = self.clock.now().as_second();
        let is_current = claims.nbf <= now && now < claims.exp;
        (is_current && claims.grant_type == K::GRANT_TYPE).then_some(claims)
    }
}

fn seconds_after(now: Timestamp, duration: SignedDuration) -> i64 {
    now.as_second().saturating_add(duration.as_secs())
}

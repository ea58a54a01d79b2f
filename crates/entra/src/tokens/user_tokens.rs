//! The tokens that a client gets when a person has signed in.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::{SignedDuration, Timestamp};
use sealock_core::{ClientId, PrincipalId, TenantId};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{
    issuer::{AccessToken, DELEGATED, TokenIssuer},
    scope::Requested,
};
use crate::{Error, Principal, Result, TENANT, User};

/// The lifetime of a refresh token.
///
/// <https://learn.microsoft.com/entra/identity-platform/refresh-tokens#token-lifetime>
const REFRESH_VALID_FOR: SignedDuration = SignedDuration::from_hours(90 * 24);

/// The lifetime of an ID token.
///
/// <https://learn.microsoft.com/entra/identity-platform/id-tokens#token-lifetime>
const ID_VALID_FOR: SignedDuration = SignedDuration::from_hours(1);

/// The associated data of a sealed refresh token.
const PURPOSE: &[u8] = b"refresh token";

/// The tokens of a user.
pub(crate) struct UserTokens {
    pub(crate) access: AccessToken,
    /// The permissions of the access token, as the client may name them.
    pub(crate) scope: String,
    pub(crate) id_token: Option<Zeroizing<String>>,
    pub(crate) refresh_token: Option<Zeroizing<String>>,
    /// The user's id in the format of MSAL.
    pub(crate) client_info: String,
}

/// The content of a refresh token. Only the issuer reads it.
#[derive(Serialize, Deserialize)]
struct RefreshToken {
    client: ClientId,
    user: PrincipalId,
    issued: Timestamp,
}

/// <https://learn.microsoft.com/entra/identity-platform/id-token-claims-reference>
#[derive(Serialize)]
struct IdClaims<'a> {
    aud: ClientId,
    iss: &'a str,
    iat: i64,
    nbf: i64,
    exp: i64,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    nonce: Option<&'a str>,
    oid: PrincipalId,
    preferred_username: &'a str,
    sub: PrincipalId,
    tid: TenantId,
    upn: &'a str,
    ver: &'a str,
}

impl TokenIssuer {
    /// Issues the requested tokens to the client through which the user signed in. `issuer` is the authority's name in
    /// the ID token.
    pub(crate) async fn issue_to_user(
        &self,
        user: User,
        requested: &Requested,
        nonce: Option<&str>,
        issuer: &str,
    ) -> Result<UserTokens> {
        let client_info = serde_json::json!({"uid": user.principal_id, "utid": user.tenant_id});
        let id_token = if requested.id_token {
            Some(self.issue_id_token(&user, nonce, issuer).await?)
        } else {
            None
        };
        let refresh_token = if requested.refresh_token {
            Some(self.seal_refresh_token(&user)?)
        } else {
            None
        };
        let resource = &requested.resource;
        Ok(UserTokens {
            access: self.issue(&Principal::from(user), resource).await?,
            scope: format!("{resource}/{DELEGATED} {resource}/.default"),
            id_token,
            refresh_token,
            client_info: URL_SAFE_NO_PAD.encode(client_info.to_string()),
        })
    }

    /// Returns the user of a refresh token, as it signed in through the client.
    ///
    /// # Errors
    /// [`Error::CodeInvalid`] or [`Error::RefreshTokenExpired`].
    pub(crate) fn open_refresh_token(&self, token: &str, client: ClientId) -> Result<User> {
        let invalid = |_| Error::CodeInvalid;
        let sealed = URL_SAFE_NO_PAD
            .decode(token)
            .map_err(|_| Error::CodeInvalid)?;
        let opened = self.service_key.record_key().open(PURPOSE, &sealed);
        let opened = opened.map_err(|_| Error::CodeInvalid)?;
        let content: RefreshToken = serde_json::from_slice(&opened).map_err(invalid)?;
        if content.client != client {
            return Err(Error::CodeInvalid);
        }
        let now = self.directory.clock.now();
        if now.duration_since(content.issued) >= REFRESH_VALID_FOR {
            return Err(Error::RefreshTokenExpired(content.issued));
        }
        let mut users = self.directory.users().into_iter();
        let user = users.find(|user| user.principal_id == content.user);
        Ok(user.ok_or(Error::CodeInvalid)?.through(client))
    }

    fn seal_refresh_token(&self, user: &User) -> Result<Zeroizing<String>> {
        let content = RefreshToken {
            client: user.client_id,
            user: user.principal_id,
            issued: self.directory.clock.now(),
        };
        let content =
            serde_json::to_vec(&content).map_err(|error| Error::Internal(error.to_string()))?;
        let sealed = self.service_key.record_key().seal(PURPOSE, &content);
        Ok(Zeroizing::new(URL_SAFE_NO_PAD.encode(sealed)))
    }

    async fn issue_id_token(
        &self,
        user: &User,
        nonce: Option<&str>,
        issuer: &str,
    ) -> Result<Zeroizing<String>> {
        let now = self.directory.clock.now();
        let expires = now.checked_add(ID_VALID_FOR).unwrap_or(Timestamp::MAX);
        let claims = IdClaims {
            aud: user.client_id,
            iss: issuer,
            iat: now.as_second(),
            nbf: now.as_second(),
            exp: expires.as_second(),
            name: user.display_name,
            nonce,
            oid: user.principal_id,
            preferred_username: user.name,
            sub: user.principal_id,
            tid: TENANT,
            upn: user.name,
            ver: "2.0",
        };
        self.sign(&claims).await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use sealock_core::Clock;
    use sealock_envelope::ServiceKey;
    use sealock_store::Store;

    use super::*;
    use crate::Directory;

    #[tokio::test]
    async fn refresh_token_is_good_for_its_client_for_90_days() {
        let clock = Clock::frozen_at(Timestamp::from_second(1_800_000_000).unwrap());
        let directory = Directory::open(Store::ephemeral(), clock.clone())
            .await
            .unwrap();
        let tokens = TokenIssuer::new(directory, Arc::new(ServiceKey::random()));
        let client = ClientId::random();
        let user = User::developer().through(client);
        let requested = Requested::parse("offline_access").unwrap();
        let issued = tokens.issue_to_user(user.clone(), &requested, None, "");
        let refresh = issued.await.unwrap().refresh_token.unwrap();
        assert_eq!(tokens.open_refresh_token(&refresh, client).unwrap(), user);
        for (token, client) in [
            (&refresh[1..], client),
            ("", client),
            (&refresh, ClientId::random()),
        ] {
            let refused = tokens.open_refresh_token(token, client);
            assert!(matches!(refused, Err(Error::CodeInvalid)));
        }
        clock.advance(REFRESH_VALID_FOR).unwrap();
        let refused = tokens.open_refresh_token(&refresh, client);
        assert!(matches!(refused, Err(Error::RefreshTokenExpired(_))));
    }
}

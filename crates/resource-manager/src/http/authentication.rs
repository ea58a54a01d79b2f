use axum::http::{HeaderMap, header};
use sealock_entra::{InvalidToken, Principal, resource_manager_audiences};
use sealock_http::Credentials;

use crate::{Error, ResourceManager, Result};

/// Authenticates a request by its token.
///
/// <https://learn.microsoft.com/rest/api/azure/#create-the-request>
pub(super) async fn authenticate(
    manager: &ResourceManager,
    headers: &HeaderMap,
) -> Result<Principal> {
    let authorization = headers.get(header::AUTHORIZATION);
    let token = match authorization.and_then(Credentials::parse) {
        Some(Credentials::Bearer(token)) if !token.is_empty() => token,
        _ => {
            return Err(Error::Unauthenticated {
                code: "AuthenticationFailed",
                text: "Authentication failed. The 'Authorization' header is missing.".to_owned(),
                is_untimely: false,
            });
        }
    };
    let audiences = resource_manager_audiences(&manager.names);
    let audiences: Vec<_> = audiences.iter().map(String::as_str).collect();
    match manager.tokens.verify(token, &audiences).await {
        Ok(principal) => Ok(principal),
        Err(sealock_entra::Error::TokenInvalid(why)) => Err(refusal(&why)),
        Err(error) => Err(error.into()),
    }
}

/// Returns Azure's text where it is public, and otherwise ours.
fn refusal(why: &InvalidToken) -> Error {
    let (code, text) = match why {
        InvalidToken::Expired => (
            "ExpiredAuthenticationToken",
            "The access token has expired by the emulator's clock.".to_owned(),
        ),
        InvalidToken::Audience(found) => (
            "InvalidAuthenticationTokenAudience",
            format!(
                "The access token has been obtained for wrong audience or resource '{}'. It should exactly match with one of the allowed audiences such as 'https://management.azure.com/'.",
                sealock_core::excerpt(found)
            ),
        ),
        other => (
            "InvalidAuthenticationToken",
            format!("The access token is invalid: {other}."),
        ),
    };
    Error::Unauthenticated {
        code,
        text,
        is_untimely: matches!(why, InvalidToken::Expired | InvalidToken::NotYetValid),
    }
}

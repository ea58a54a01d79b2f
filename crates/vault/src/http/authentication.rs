use axum::{
    http::{HeaderMap, header},
    response::Response,
};
use sealock_core::{PublicName, excerpt};
use sealock_entra::{Caller, InvalidToken, TokenIssuer};
use sealock_http::{Credentials, LoginRefusalReason, header_value};

use super::{VaultHost, error};
use crate::{Client, Error, KeyVault, Requester, Result};

/// The audiences of Azure's own tokens, by name and by application id.
const AZURE: [&str; 3] = [
    "https://vault.azure.net",
    "https://vault.azure.net/",
    "cfa8b339-82a2-471a-a3c9-0fc0be7a4093",
];

/// The result of authenticating a request.
pub(super) enum Authentication {
    Accepted(Box<Requester>),
    Challenged(Challenge),
}

/// A refusal that asks the client for a valid token.
pub(super) struct Challenge {
    /// Azure's text, for the client.
    text: String,
    /// The reason, for the log.
    reason: LoginRefusalReason,
    /// True if the token is refused for its time alone, so that the client needs another one.
    is_untimely: bool,
}

/// Authenticates a request by its token. Each refusal is audited, even that of a client's first request, which comes
/// without a token in order to get the challenge.
///
/// <https://learn.microsoft.com/azure/key-vault/general/authentication-requests-and-responses>
pub(super) async fn authenticate(
    vaults: &KeyVault,
    tokens: &TokenIssuer,
    host: &VaultHost,
    client: Client,
    headers: &HeaderMap,
) -> Result<Authentication> {
    let authorization = headers.get(header::AUTHORIZATION);
    let (text, reason, is_untimely) = match authorization.and_then(Credentials::parse) {
        Some(Credentials::Bearer(token)) if !token.is_empty() => {
            match verify(tokens, &host.resource, token).await {
                Ok(caller) => {
                    return Ok(Authentication::Accepted(Box::new(Requester {
                        caller,
                        client,
                    })));
                }
                Err(sealock_entra::Error::TokenInvalid(why)) => (
                    text(&why, tokens, token),
                    LoginRefusalReason::new(format_args!("the token is not valid: {why}")),
                    matches!(why, InvalidToken::Expired | InvalidToken::NotYetValid),
                ),
                Err(error) => return Err(error.into()),
            }
        }
        _ => (
            "AKV10000: Request is missing a Bearer or PoP token.".to_owned(),
            LoginRefusalReason::new("no token"),
            false,
        ),
    };
    vaults
        .record_unauthenticated(&client, &host.vault, &text)
        .await?;
    Ok(Authentication::Challenged(Challenge {
        text,
        reason,
        is_untimely,
    }))
}

async fn verify(
    tokens: &TokenIssuer,
    resource: &str,
    token: &str,
) -> std::result::Result<Caller, sealock_entra::Error> {
    let slash = format!("{resource}/");
    let [name, name_slash, number] = AZURE;
    let audiences = [
        resource,
        &slash,
        without_port(resource),
        name,
        name_slash,
        number,
    ];
    let principal = tokens.verify(token, &audiences).await?;
    Ok(Caller::Principal(principal))
}

/// Shortens `https://HOST:PORT` to `https://HOST`.
fn without_port(resource: &str) -> &str {
    match resource.rsplit_once(':') {
        Some((host, port)) if super::is_digits(port) => host,
        _ => resource,
    }
}

/// Returns Azure's text where it is public, and otherwise ours, which has no number. The text for an expired token is from
/// <https://github.com/Azure/azure-sdk-for-python/issues/27266>.
fn text(why: &InvalidToken, tokens: &TokenIssuer, token: &str) -> String {
    match why {
        InvalidToken::Audience(found) => {
            format!(
                "AKV10022: Invalid audience. Expected https://vault.azure.net, found: {}.",
                excerpt(found)
            )
        }
        InvalidToken::Issuer(found) => format!(
            "AKV10032: Invalid issuer. Expected one of {}, found {}.",
            tokens.name(),
            excerpt(found)
        ),
        InvalidToken::Signature => format!(
            "AKV10046: Unable to resolve the key used for signature validation. EncodedJwtHeader: '{}'.",
            excerpt(token.split('.').next().unwrap_or_default())
        ),
        InvalidToken::Expired => "[TokenExpired] Error validating token: 'S2S12086'.".to_owned(),
        InvalidToken::NotYetValid => "The token is not valid yet.".to_owned(),
        InvalidToken::Malformed => "The token is not a JWT from Entra.".to_owned(),
        InvalidToken::PrincipalUnknown => "The principal of the token no longer exists.".to_owned(),
    }
}

impl Challenge {
    /// Renders the challenge. Clients take the tenant from `authorization`. They request a token for `resource` only if the
    /// vault's host, with its port, is a subdomain of it.
    pub(super) fn render(
        self,
        tokens: &TokenIssuer,
        names: &PublicName,
        resource: &str,
    ) -> Response {
        let tenant = tokens.directory().tenant();
        let claims = if self.is_untimely {
            format!(
                ", error=\"insufficient_claims\", claims=\"{}\"",
                tokens.claims_challenge()
            )
        } else {
            String::new()
        };
        let challenge = format!(
            "Bearer authorization=\"https://login.{names}/{tenant}\", resource=\"{resource}\"{claims}"
        );
        let mut response = error::render(&Error::Unauthorized(self.text));
        response.extensions_mut().insert(self.reason);
        if let Some(challenge) = header_value(challenge) {
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

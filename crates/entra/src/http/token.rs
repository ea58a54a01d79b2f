//! `POST /{tenant}/oauth2[/v2.0]/token`, the login of applications.
//!
//! <https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow>

use axum::{
    Json,
    body::Body,
    http::{HeaderMap, header},
    response::{IntoResponse as _, Response},
};
use percent_encoding::percent_decode_str;
use sealock_core::excerpt;
use sealock_http::{Credentials, Query};
use serde_json::json;
use zeroize::Zeroizing;

use super::{
    call::Call,
    discovery::{Version, check_tenant},
    endpoint::TenantName,
};
use crate::{AccessToken, Error, Result};

/// The suffix of a scope that requests all permissions of the application at the resource.
///
/// <https://learn.microsoft.com/entra/identity-platform/scopes-oidc#the-default-scope>
const DEFAULT: &str = "/.default";

/// Issues a token to an application. Like Entra, checks all parameters before the credentials.
pub(super) async fn answer(
    call: &Call<'_>,
    tenant: &TenantName,
    version: Version,
    body: Body,
) -> Result<Response> {
    check_tenant(call, tenant)?;
    let form = Query::read_form(body).await;
    let form = form.map_err(|unread| Error::BodyIncomplete(unread.to_string()))?;
    let grant = required(&form, "grant_type")?;
    if grant != "client_credentials" {
        return Err(Error::GrantUnsupported(excerpt(grant).to_owned()));
    }
    let (client, secret) = credentials(&form, &call.headers)?;
    let resource = match version {
        Version::V1 => required(&form, "resource")?,
        Version::V2 => {
            let scope = required(&form, "scope")?;
            let resource = scope.strip_suffix(DEFAULT);
            resource
                .filter(|resource| !resource.is_empty() && !resource.contains(' '))
                .ok_or_else(|| Error::ScopeNotDefault(excerpt(scope).to_owned()))?
        }
    };
    let application = call.issuer.directory().log_in(&client, &secret).await?;
    let issued = call.issuer.issue(&application.into(), resource).await?;
    Ok(render(&issued, version))
}

/// Renders a token. Version 1.0 writes numbers as strings.
///
/// <https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow#successful-response-1>
fn render(issued: &AccessToken, version: Version) -> Response {
    let (from, until) = (issued.not_before.as_second(), issued.expires.as_second());
    let seconds = until - from;
    let body = match version {
        Version::V1 => json!({
            "token_type": "Bearer",
            "expires_in": seconds.to_string(),
            "ext_expires_in": seconds.to_string(),
            "expires_on": until.to_string(),
            "not_before": from.to_string(),
            "resource": issued.audience,
            "access_token": *issued.token,
        }),
        Version::V2 => json!({
            "token_type": "Bearer",
            "expires_in": seconds,
            "ext_expires_in": seconds,
            "access_token": *issued.token,
        }),
    };
    Json(body).into_response()
}

/// Reads the client's id and secret from the form or the header (RFC 6749, 2.3.1).
fn credentials(
    form: &Query,
    headers: &HeaderMap,
) -> Result<(Zeroizing<String>, Zeroizing<String>)> {
    let given = |text: &str| Zeroizing::new(text.to_owned());
    if form.non_empty("client_secret").is_none()
        && let Some(basic) = basic(headers)
    {
        return Ok(basic);
    }
    let client = required(form, "client_id")?;
    match form.non_empty("client_secret") {
        Some(secret) => Ok((given(client), given(secret))),
        None if form.non_empty("client_assertion").is_some() => {
            Err(Error::ClientAssertionUnsupported)
        }
        None => Err(Error::ClientCredentialMissing),
    }
}

/// Reads the client's id and secret from the header, where each is encoded as in a form.
fn basic(headers: &HeaderMap) -> Option<(Zeroizing<String>, Zeroizing<String>)> {
    let Credentials::Basic(client, secret) =
        Credentials::parse(headers.get(header::AUTHORIZATION)?)?
    else {
        return None;
    };
    let decode = |text: &str| {
        let text = Zeroizing::new(text.replace('+', " "));
        let decoded = percent_decode_str(&text).decode_utf8().ok()?;
        Some(Zeroizing::new(decoded.into_owned()))
    };
    Some((decode(&client)?, decode(&secret)?))
}

fn required<'a>(form: &'a Query, name: &'static str) -> Result<&'a str> {
    form.non_empty(name).ok_or(Error::ParameterMissing(name))
}

//! `POST /{tenant}/oauth2[/v2.0]/token`: where applications log in.
//!
//! <https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow>

use axum::{
    Json,
    body::Body,
    http::{HeaderMap, header},
    response::{IntoResponse as _, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http_body_util::{BodyExt as _, Limited};
use percent_encoding::percent_decode_str;
use sealock_core::excerpt;
use serde_json::json;
use zeroize::Zeroizing;

use super::{
    Call,
    discovery::{Version, check_tenant},
};
use crate::{AccessToken, Error, Result};

/// The largest form: everybody may send one, and a few short fields are all that it holds.
const FORM_LIMIT: usize = 64 * 1024;

/// Behind the resource in a scope: everything there that the application may do.
///
/// <https://learn.microsoft.com/entra/identity-platform/scopes-oidc#the-default-scope>
const DEFAULT: &str = "/.default";

/// What is wrong with the parameters is said before anything is said of the client.
pub(super) async fn answer(
    call: &Call<'_>,
    tenant: &str,
    version: Version,
    body: Body,
) -> Result<Response> {
    call.expect("POST")?;
    check_tenant(call, tenant)?;
    let form = Form::read(body).await?;
    let grant = form.expect("grant_type")?;
    if grant != "client_credentials" {
        return Err(Error::GrantUnsupported(excerpt(grant).to_owned()));
    }
    let (client, secret) = credentials(&form, &call.headers)?;
    let resource = match version {
        Version::V1 => form.expect("resource")?,
        Version::V2 => {
            let scope = form.expect("scope")?;
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

/// Numbers are strings in version 1.0.
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

/// The client's id and secret, from the form or from the header (RFC 6749, 2.3.1).
fn credentials(form: &Form, headers: &HeaderMap) -> Result<(Zeroizing<String>, Zeroizing<String>)> {
    let given = |text: &str| Zeroizing::new(text.to_owned());
    if form.get("client_secret").is_none()
        && let Some(basic) = basic(headers)
    {
        return Ok(basic);
    }
    let client = form.expect("client_id")?;
    match form.get("client_secret") {
        Some(secret) => Ok((given(client), given(secret))),
        None if form.get("client_assertion").is_some() => Err(Error::ClientAssertionUnsupported),
        None => Err(Error::ClientCredentialMissing),
    }
}

/// Each of the two is encoded as in a form.
fn basic(headers: &HeaderMap) -> Option<(Zeroizing<String>, Zeroizing<String>)> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = Zeroizing::new(STANDARD.decode(encoded.trim()).ok()?);
    let (client, secret) = std::str::from_utf8(&decoded).ok()?.split_once(':')?;
    let decode = |text: &str| {
        let text = Zeroizing::new(text.replace('+', " "));
        let decoded = percent_decode_str(&text).decode_utf8().ok()?;
        Some(Zeroizing::new(decoded.into_owned()))
    };
    Some((decode(client)?, decode(secret)?))
}

/// A form's fields. The secret is one of them.
struct Form(Vec<(String, Zeroizing<String>)>);

impl Form {
    async fn read(body: Body) -> Result<Self> {
        let body = match Limited::new(body, FORM_LIMIT).collect().await {
            Ok(body) => Zeroizing::new(body.to_bytes().to_vec()),
            Err(error) => return Err(Error::BodyIncomplete(error.to_string())),
        };
        let fields = url::form_urlencoded::parse(&body).into_owned();
        let fields = fields.map(|(name, value)| (name, Zeroizing::new(value)));
        Ok(Self(fields.collect()))
    }

    /// The first field of this name, if it has a value.
    fn get(&self, name: &str) -> Option<&str> {
        let mut fields = self.0.iter();
        let (_, value) = fields.find(|(field, _)| field == name)?;
        (!value.is_empty()).then_some(value.as_str())
    }

    fn expect(&self, name: &'static str) -> Result<&str> {
        self.get(name).ok_or(Error::ParameterMissing(name))
    }
}

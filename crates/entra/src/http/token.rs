//! `POST /{tenant}/oauth2[/v2.0]/token`, the login of applications and of people.
//!
//! <https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow>,
//! <https://learn.microsoft.com/entra/identity-platform/v2-oauth2-auth-code-flow>,
//! <https://learn.microsoft.com/entra/identity-platform/v2-oauth2-device-code>,
//! <https://learn.microsoft.com/entra/identity-platform/v2-oauth-ropc>

use axum::{
    Json,
    body::Body,
    response::{IntoResponse as _, Response},
};
use sealock_core::excerpt;
use sealock_http::Query;
use serde_json::{Value, json};

use super::{
    call::{Call, required},
    client::{ClientLogin, public_client},
    discovery::{Version, check_tenant, issuer_in_id_tokens},
    endpoint::TenantName,
};
use crate::{
    AccessToken, Error, Result, User,
    tokens::{
        scope::{Requested, resource_of_application},
        user_tokens::UserTokens,
    },
};

/// The grant of a device (RFC 8628, 3.4).
const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// Issues tokens. Like Entra, checks all parameters before the credentials.
pub(super) async fn answer(
    call: &Call<'_>,
    tenant: &TenantName,
    version: Version,
    body: Body,
) -> Result<Response> {
    check_tenant(call, tenant)?;
    let form = read(body).await?;
    match required(&form, "grant_type")? {
        "client_credentials" => application(call, &form, version).await,
        grant => user(call, tenant, &form, version, grant).await,
    }
}

/// Reads a form.
pub(super) async fn read(body: Body) -> Result<Query> {
    let form = Query::read_form(body).await;
    form.map_err(|unread| Error::BodyIncomplete(unread.to_string()))
}

/// Issues a token to an application.
async fn application(call: &Call<'_>, form: &Query, version: Version) -> Result<Response> {
    let login = ClientLogin::read(form, &call.headers)?;
    let resource = match version {
        Version::V1 => required(form, "resource")?,
        Version::V2 => resource_of_application(required(form, "scope")?)?,
    };
    let (principal, appidacr) = login.verify(call).await?;
    let issued = call.issuer.issue_by(&principal, resource, appidacr);
    Ok(Json(render(&issued.await?, version)).into_response())
}

/// Issues tokens to the client of a person who signed in.
async fn user(
    call: &Call<'_>,
    tenant: &TenantName,
    form: &Query,
    version: Version,
    grant: &str,
) -> Result<Response> {
    let now = call.issuer.directory().now();
    let grants = &call.issuer.grants;
    let (user, requested, nonce): (User, Requested, Option<String>) = match grant {
        "authorization_code" => {
            let code = required(form, "code")?;
            let client = public_client(call, form).await?;
            let (redirect, verifier) = (form.first("redirect_uri"), form.first("code_verifier"));
            let granted = grants.redeem(code, client, redirect, verifier, now)?;
            let requested = Requested {
                resource: match requested(form)? {
                    Some(requested) => requested.resource,
                    None => granted.requested.resource,
                },
                ..granted.requested
            };
            (granted.user, requested, granted.nonce)
        }
        DEVICE_CODE | "device_code" => {
            let code = form.non_empty("device_code").or(form.non_empty("code"));
            let code = code.ok_or(Error::ParameterMissing("device_code"))?;
            let client = public_client(call, form).await?;
            let (user, requested) = grants.redeem_device(code, client, now)?;
            (user.through(client), requested, None)
        }
        "refresh_token" => {
            let token = required(form, "refresh_token")?;
            let client = public_client(call, form).await?;
            let user = call.issuer.open_refresh_token(token, client)?;
            let requested = requested(form)?.map_or_else(|| Requested::parse(""), Ok)?;
            // A refresh token brings its successor, even if nobody asks for it.
            let refresh_token = true;
            let requested = Requested {
                refresh_token,
                ..requested
            };
            (user, requested, None)
        }
        "password" => {
            let (name, password) = (required(form, "username")?, required(form, "password")?);
            let client = public_client(call, form).await?;
            let requested = requested(form)?.map_or_else(|| Requested::parse(""), Ok)?;
            let user = call.issuer.directory().sign_in(name, password)?;
            (user.through(client), requested, None)
        }
        other => return Err(Error::GrantUnsupported(excerpt(other).to_owned())),
    };
    let issuer = issuer_in_id_tokens(call, tenant);
    let issued = call
        .issuer
        .issue_to_user(user, &requested, nonce.as_deref(), &issuer);
    let wants_info = form.first("client_info") == Some("1");
    Ok(Json(render_user(&issued.await?, version, wants_info)).into_response())
}

/// Returns what the client requests, by `scope` or, as in version 1.0, by `resource`.
fn requested(form: &Query) -> Result<Option<Requested>> {
    match (form.non_empty("resource"), form.non_empty("scope")) {
        (Some(resource), _) => Ok(Some(Requested::of_resource(resource))),
        (None, Some(scope)) => Requested::parse(scope).map(Some),
        (None, None) => Ok(None),
    }
}

/// Renders a token. Version 1.0 writes numbers as strings.
///
/// <https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow#successful-response-1>
fn render(issued: &AccessToken, version: Version) -> Value {
    let (from, until) = (issued.not_before.as_second(), issued.expires.as_second());
    let seconds = until - from;
    match version {
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
    }
}

/// <https://learn.microsoft.com/entra/identity-platform/v2-oauth2-auth-code-flow#successful-response-2>
fn render_user(issued: &UserTokens, version: Version, wants_info: bool) -> Value {
    let mut body = render(&issued.access, version);
    body["scope"] = match version {
        Version::V1 => "user_impersonation".into(),
        Version::V2 => issued.scope.as_str().into(),
    };
    if let Some(token) = &issued.id_token {
        body["id_token"] = token.as_str().into();
    }
    if let Some(token) = &issued.refresh_token {
        body["refresh_token"] = token.as_str().into();
    }
    if wants_info {
        body["client_info"] = issued.client_info.as_str().into();
    }
    body
}

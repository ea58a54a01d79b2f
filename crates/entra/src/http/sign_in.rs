//! The pages on which people sign in: for a client that sent their browser here, and for a device whose code they type.
//!
//! <https://learn.microsoft.com/entra/identity-platform/v2-oauth2-auth-code-flow>,
//! <https://learn.microsoft.com/entra/identity-platform/v2-oauth2-device-code>

use axum::{
    Json,
    body::Body,
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
};
use sealock_core::{ClientId, excerpt};
use sealock_http::Query;
use serde_json::json;
use url::Url;

use super::{
    call::{Call, SignIn, required},
    client::{client_id, public_client},
    discovery::{Version, check_tenant},
    endpoint::TenantName,
    page,
    token::read,
};
use crate::{
    DEVELOPER_USER, Error, Result, User,
    tokens::{
        grants::{Challenge, CodeGrant, DEVICE_CODE_VALID_FOR},
        scope::Requested,
    },
};

/// The limit of the length of what a client gives to get it back: its redirect URI, state and nonce.
const ECHO_LIMIT: usize = 4096;

/// The seconds that a device waits between its requests.
const INTERVAL: u32 = 5;

/// The redirect URI of clients without a web server, which read the code out of the browser's address.
const OUT_OF_BAND: &str = "urn:ietf:wg:oauth:2.0:oob";

/// The request of a client that sent a person's browser here.
struct AuthorizationRequest {
    client: ClientId,
    redirect_uri: String,
    mode: ResponseMode,
    requested: Requested,
    state: Option<String>,
    nonce: Option<String>,
    challenge: Option<Challenge>,
}

/// The way in which the browser takes the code to the client.
#[derive(Clone, Copy, PartialEq)]
enum ResponseMode {
    Query,
    Fragment,
    FormPost,
}

impl AuthorizationRequest {
    fn read(query: &Query) -> Result<Self> {
        let response_type = required(query, "response_type")?;
        if response_type != "code" {
            let other = excerpt(response_type).to_owned();
            return Err(Error::ResponseTypeUnsupported(other));
        }
        let client = client_id(required(query, "client_id")?)?;
        let redirect_uri = required(query, "redirect_uri")?.to_owned();
        if !may_redirect_to(&redirect_uri) {
            return Err(Error::RedirectRefused(excerpt(&redirect_uri).to_owned()));
        }
        let requested = match query.non_empty("resource") {
            Some(resource) => Requested::of_resource(resource),
            None => Requested::parse(query.first("scope").unwrap_or_default())?,
        };
        let echo = |name: &'static str| match query.non_empty(name) {
            Some(text) if text.len() > ECHO_LIMIT => Err(Error::ParameterMissing(name)),
            text => Ok(text.map(ToOwned::to_owned)),
        };
        let challenge = echo("code_challenge")?;
        let is_hashed = query.first("code_challenge_method") == Some("S256");
        Ok(Self {
            client,
            redirect_uri,
            mode: match query.first("response_mode") {
                Some("form_post") => ResponseMode::FormPost,
                Some("fragment") => ResponseMode::Fragment,
                _ => ResponseMode::Query,
            },
            requested,
            state: echo("state")?,
            nonce: echo("nonce")?,
            challenge: challenge.map(if is_hashed {
                Challenge::S256
            } else {
                Challenge::Plain
            }),
        })
    }
}

/// Returns true for a redirect to this machine, where the client listens. Any other one could take the code to a stranger.
///
/// <https://learn.microsoft.com/entra/identity-platform/reply-url#localhost-exceptions>
fn may_redirect_to(uri: &str) -> bool {
    if uri == OUT_OF_BAND {
        return true;
    }
    let Ok(url) = Url::parse(uri) else {
        return false;
    };
    let is_http = ["http", "https"].contains(&url.scheme());
    let is_here = ["localhost", "127.0.0.1", "[::1]"].contains(&url.host_str().unwrap_or_default());
    is_http && is_here && url.username().is_empty() && uri.len() <= ECHO_LIMIT
}

/// `GET /{tenant}/oauth2[/v2.0]/authorize`: shows the page on which the person signs in.
pub(super) fn authorize(call: &Call<'_>, tenant: &TenantName) -> Result<Response> {
    check_tenant(call, tenant)?;
    let request = AuthorizationRequest::read(&call.query)?;
    let resource = &request.requested.resource;
    Ok(page::sign_in(call.sign_in, request.client, resource, None))
}

/// `POST` of the form on that page. Its address has the request.
pub(super) async fn grant(call: &Call<'_>, tenant: &TenantName, body: Body) -> Result<Response> {
    check_tenant(call, tenant)?;
    let request = AuthorizationRequest::read(&call.query)?;
    let form = read(body).await?;
    let user = match user(call, &form) {
        Ok(user) => user.through(request.client),
        Err(error) => {
            let resource = &request.requested.resource;
            let again = page::sign_in(call.sign_in, request.client, resource, Some(&error));
            return Ok(again);
        }
    };
    let AuthorizationRequest {
        client,
        redirect_uri,
        mode,
        requested,
        state,
        nonce,
        challenge,
    } = request;
    let now = call.issuer.directory().now();
    let grant = CodeGrant::new(
        client,
        redirect_uri.clone(),
        requested,
        nonce,
        challenge,
        user,
    );
    let code = call.issuer.grants.grant(grant, now);
    let mut answer = vec![("code", code)];
    answer.extend(state.map(|state| ("state", state)));
    if redirect_uri == OUT_OF_BAND {
        let (_, code) = &answer[0];
        return Ok(page::message("Signed in", &format!("The code is {code}")));
    }
    if mode == ResponseMode::FormPost {
        return Ok(page::post_back(&redirect_uri, &answer));
    }
    let mut url = Url::parse(&redirect_uri)
        .map_err(|_| Error::RedirectRefused(excerpt(&redirect_uri).to_owned()))?;
    if mode == ResponseMode::Fragment {
        let fragment = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(answer)
            .finish();
        url.set_fragment(Some(&fragment));
    } else {
        url.query_pairs_mut().extend_pairs(answer);
    }
    let location = [(header::LOCATION, url.to_string())];
    Ok((StatusCode::FOUND, location).into_response())
}

/// Returns the user who filled in the form: on an open door the only one, by a click; elsewhere with the password.
fn user(call: &Call<'_>, form: &Query) -> Result<User> {
    let directory = call.issuer.directory();
    let name = form.non_empty("username").unwrap_or(DEVELOPER_USER);
    match call.sign_in {
        SignIn::Click => directory.user(name).ok_or(Error::UserUnknown {
            tenant: directory.tenant(),
        }),
        SignIn::Password => directory.sign_in(name, form.first("password").unwrap_or_default()),
    }
}

/// `POST /{tenant}/oauth2[/v2.0]/devicecode`
pub(super) async fn begin_device_login(
    call: &Call<'_>,
    tenant: &TenantName,
    version: Version,
    body: Body,
) -> Result<Response> {
    check_tenant(call, tenant)?;
    let form = read(body).await?;
    let requested = match version {
        Version::V1 => Requested::of_resource(required(&form, "resource")?),
        Version::V2 => Requested::parse(required(&form, "scope")?)?,
    };
    let client = public_client(call, &form).await?;
    let now = call.issuer.directory().now();
    let codes = call
        .issuer
        .grants
        .begin_device_login(client, requested, now);
    let page = format!("{}/common/oauth2/deviceauth", call.connection.origin());
    let user_code = &codes.user_code;
    let complete = format!("{page}?user_code={user_code}");
    let mut answer = json!({
        "user_code": user_code,
        "device_code": codes.device_code,
        "message": format!("To sign in, use a web browser to open the page {complete} and enter the code {user_code} to authenticate."),
    });
    let seconds = DEVICE_CODE_VALID_FOR.as_secs();
    match version {
        Version::V1 => {
            answer["verification_url"] = page.into();
            answer["expires_in"] = seconds.to_string().into();
            answer["interval"] = INTERVAL.to_string().into();
        }
        Version::V2 => {
            answer["verification_uri"] = page.into();
            answer["verification_uri_complete"] = complete.into();
            answer["expires_in"] = seconds.into();
            answer["interval"] = INTERVAL.into();
        }
    }
    Ok(Json(answer).into_response())
}

/// `GET /common/oauth2/deviceauth`: shows the page on which the person types the code of the device.
pub(super) fn device(call: &Call<'_>) -> Response {
    let code = call.query.first("user_code").unwrap_or_default();
    page::device(call.sign_in, excerpt(code), None)
}

/// `POST` of the form on that page.
pub(super) async fn approve_device(call: &Call<'_>, body: Body) -> Result<Response> {
    let form = read(body).await?;
    let code = form.first("user_code").unwrap_or_default();
    let now = call.issuer.directory().now();
    let approved =
        user(call, &form).and_then(|user| call.issuer.grants.approve_device(code, user, now));
    Ok(match approved {
        Ok(()) => page::message("Signed in", "The device has its tokens in a moment."),
        Err(error) => page::device(call.sign_in, excerpt(code), Some(&error)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_is_sent_to_this_machine_only() {
        for (uri, expected) in [
            ("http://localhost:8400/", true),
            ("http://localhost", true),
            ("http://127.0.0.1:1/x", true),
            ("http://[::1]:1", true),
            (OUT_OF_BAND, true),
            ("http://localhost.evil.test/", false),
            ("http://localhost@evil.test/", false),
            ("http://user@localhost/", false),
            ("https://evil.test/", false),
            ("javascript:alert(1)", false),
            ("//localhost", false),
            ("", false),
        ] {
            assert_eq!(may_redirect_to(uri), expected, "{uri}");
        }
    }
}

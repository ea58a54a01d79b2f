//! Where tokens are issued.
//!
//! <https://github.com/Azure/acr/blob/main/docs/AAD-OAuth.md>,
//! <https://github.com/Azure/acr/blob/main/docs/Token-BasicAuth.md>

use axum::{Json, body::Body, http::Method, response::IntoResponse as _};
use http_body_util::{BodyExt as _, Limited};
use serde_json::json;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::{
    Answer, Call,
    login::{Credentials, NULL_GUID},
};
use crate::{Error, Registry, Scope, access::Permissions};

const FORM_LIMIT: usize = 64 * 1024;

/// How many scopes one token may be asked for.
const SCOPES_LIMIT: usize = 100;

/// Whom a token is for.
struct Subject {
    name: String,
    permissions: Permissions,
}

/// `GET` with a user and a password, or `POST` with a form: an access token.
pub(super) async fn token(mut call: Call) -> Answer {
    match call.method {
        Method::GET => {}
        Method::POST => call = with_form(call).await?,
        _ => return Err(call.method_not_allowed("GET, POST")),
    }
    check_service(&call)?;
    let scopes = scopes(&call)?;
    let Some(subject) = subject(&call)? else {
        return Err(Error::LoginRefused {
            correlation_id: Uuid::new_v4(),
        });
    };
    let access = scopes
        .iter()
        .filter_map(|scope| subject.permissions.grant(scope))
        .collect();
    let token = call
        .registry
        .issue_access_token(&call.door.login_server, &subject.name, access)?;
    Ok(Json(json!({ "access_token": token })).into_response())
}

/// Entra's token for one of the registry's own. There is no Entra yet.
pub(super) fn exchange(call: &Call) -> Answer {
    if call.method != Method::POST {
        return Err(call.method_not_allowed("POST"));
    }
    Err(Error::GrantUnsupported(
        "this version of the emulator takes no tokens of Entra ID; log in as the admin user or with a token: sealock registry credential show, sealock registry token create"
            .to_owned(),
    ))
}

/// None for whoever gets no token.
fn subject(call: &Call) -> Result<Option<Subject>, Error> {
    let registry = &call.registry;
    if let Ok(Some(Credentials::Basic(user, password))) = Credentials::of(&call.headers) {
        return by_password(registry, user, &password);
    }
    if call.headers.contains_key(axum::http::header::AUTHORIZATION) {
        return Ok(None);
    }
    match call.query("grant_type") {
        None if call.method == Method::GET => anonymous(call),
        // Microsoft's clients ask so for a token without a user, with an empty refresh token.
        Some("password") => match (call.query("username"), call.query("password")) {
            (Some(user), Some(password)) if !user.is_empty() => {
                by_password(registry, user.to_owned(), password)
            }
            _ => anonymous(call),
        },
        // None was ever issued.
        Some("refresh_token") => Ok(None),
        _ => Err(Error::GrantUnsupported(
            "expected the grant_type refresh_token or password".to_owned(),
        )),
    }
}

fn by_password(
    registry: &Registry,
    user: String,
    password: &str,
) -> Result<Option<Subject>, Error> {
    if user == NULL_GUID {
        // Its password is a refresh token, and none was ever issued.
        return Ok(None);
    }
    let permissions = registry.login(&user, password)?;
    Ok(permissions.map(|permissions| Subject {
        name: user,
        permissions,
    }))
}

fn anonymous(call: &Call) -> Result<Option<Subject>, Error> {
    let permissions = if call.door.is_open {
        Permissions::admin()
    } else if call.registry.login_settings()?.anonymous_pull_enabled {
        Permissions::anonymous_pull()
    } else {
        return Ok(None);
    };
    Ok(Some(Subject {
        name: "anonymous".to_owned(),
        permissions,
    }))
}

/// A token for another registry is not to be had here.
fn check_service(call: &Call) -> Result<(), Error> {
    let known = [&call.door.authority, &call.door.login_server];
    match call.query("service") {
        Some(service) if known.iter().all(|known| *known != service) => {
            let service: String = service.chars().take(120).collect();
            Err(Error::GrantUnsupported(format!(
                "the service '{service}' is not served here; expected {}",
                call.door.authority
            )))
        }
        _ => Ok(()),
    }
}

fn scopes(call: &Call) -> Result<Vec<Scope>, Error> {
    let parameters = call.query.iter().filter(|(name, _)| name == "scope");
    let scopes = parameters.flat_map(|(_, scopes)| scopes.split_ascii_whitespace());
    let scopes: Vec<Scope> = scopes
        .take(SCOPES_LIMIT + 1)
        .map(str::parse)
        .collect::<Result<_, _>>()?;
    if scopes.len() > SCOPES_LIMIT {
        return Err(Error::GrantUnsupported(format!(
            "more than {SCOPES_LIMIT} scopes; ask for fewer at once"
        )));
    }
    Ok(scopes)
}

/// The fields of a form stand before those of the query, where some clients leave an `api-version`.
async fn with_form(mut call: Call) -> Result<Call, Error> {
    let body = std::mem::replace(&mut call.body, Body::empty());
    let form = match Limited::new(body, FORM_LIMIT).collect().await {
        Ok(form) => Zeroizing::new(form.to_bytes().to_vec()),
        Err(error) => return Err(Error::BodyIncomplete(error.to_string())),
    };
    let fields = url::form_urlencoded::parse(&form).into_owned();
    call.query = fields.chain(std::mem::take(&mut call.query)).collect();
    Ok(call)
}

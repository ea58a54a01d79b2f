//! The endpoints that issue tokens.
//!
//! <https://github.com/Azure/acr/blob/main/docs/AAD-OAuth.md>,
//! <https://github.com/Azure/acr/blob/main/docs/Token-BasicAuth.md>
//!
//! Clients put the same parameters into a query or a form. They are read here, after both are merged into one
//! [`Query`].

use axum::{Json, http::Method, response::IntoResponse as _};
use sealock_core::{PublicName, excerpt};
use sealock_http::{Credentials, Query};
use serde_json::json;
use uuid::Uuid;

use super::{
    call::{Answer, Call, RegistryHost},
    login::{Unreadable, credentials, log_in},
};
use crate::{
    Error, LoginRefusal, Registry, Scope,
    access::permissions::{Caller, Permissions},
};

/// The limit of scopes in one token request.
const SCOPES_LIMIT: usize = 100;

/// `GET` of an access token with a user and a password.
pub(super) async fn token(call: Call, query: Query) -> Answer {
    check_service(&call, &query)?;
    let scopes = scopes(&query)?;
    let (call, caller) = authenticate(call, &query).await?;
    let caller = caller.map_err(refused)?;
    let access = scopes
        .iter()
        .filter_map(|scope| caller.permissions.grant(scope))
        .collect();
    let audience = call.host.audience_of(&caller);
    let token = call
        .registry
        .issue_access_token(audience, &caller, access)?;
    Ok(Json(json!({ "access_token": token })).into_response())
}

/// `POST` of a form for an access token.
pub(super) async fn token_for_form(mut call: Call, query: Query) -> Answer {
    let query = merge_form(&mut call, query).await?;
    token(call, query).await
}

/// `POST` of a form that exchanges Entra's token for a refresh token of the registry.
///
/// <https://github.com/Azure/acr/blob/main/docs/AAD-OAuth.md#calling-post-oauth2exchange-to-get-an-acr-refresh-token>
pub(super) async fn exchange(mut call: Call, names: &PublicName, query: Query) -> Answer {
    let query = merge_form(&mut call, query).await?;
    check_service(&call, &query)?;
    let token = match query.first("grant_type") {
        // Entra issues no refresh tokens here, so the one beside the access token is ignored.
        Some("access_token" | "access_token_refresh_token") => query.first("access_token"),
        // Entra issues no refresh tokens here.
        Some("refresh_token") => None,
        _ => {
            return Err(Error::GrantUnsupported(
                "expected the grant_type access_token, access_token_refresh_token or refresh_token"
                    .to_owned(),
            ));
        }
    };
    let token = token.ok_or_else(|| refused(LoginRefusal::EntraTokenMissing))?;
    let (registry, login_server) = (&call.registry, &call.host.login_server);
    let exchanged = registry
        .exchange(names, login_server, query.first("tenant"), token)
        .await?;
    let token = exchanged.map_err(refused)?;
    Ok(Json(json!({ "refresh_token": token })).into_response())
}

fn refused(why: LoginRefusal) -> Error {
    Error::LoginRefused {
        why,
        correlation_id: Uuid::new_v4(),
    }
}

/// Authenticates the caller who requests a token.
async fn authenticate(
    call: Call,
    query: &Query,
) -> Result<(Call, Result<Caller, LoginRefusal>), Error> {
    let (registry, host) = (&call.registry, &call.host);
    match credentials(&call.headers) {
        Ok(None) => {}
        Ok(Some(Credentials::Basic(user, password))) => {
            let caller = log_in(registry, host, &user, &password).await?;
            return Ok((call, caller));
        }
        Ok(Some(Credentials::Bearer(_))) => {
            return Ok((call, Err(LoginRefusal::BearerUnexpected)));
        }
        Err(Unreadable) => return Ok((call, Err(LoginRefusal::HeaderUnreadable))),
    }
    let caller = match query.first("grant_type") {
        None if call.method == Method::GET => anonymous_caller(registry, host).await?,
        // Microsoft's clients request an anonymous token in this way, with an empty refresh token.
        Some("password") => match (query.first("username"), query.first("password")) {
            (Some(user), Some(password)) if !user.is_empty() => {
                log_in(registry, host, user, password).await?
            }
            _ => anonymous_caller(registry, host).await?,
        },
        Some("refresh_token") => match query.first("refresh_token") {
            Some(token) => {
                registry
                    .log_in_with_refresh_token(&host.login_server, token)
                    .await?
            }
            None => Err(LoginRefusal::RefreshTokenMissing),
        },
        _ => {
            return Err(Error::GrantUnsupported(
                "expected the grant_type refresh_token or password".to_owned(),
            ));
        }
    };
    Ok((call, caller))
}

async fn anonymous_caller(
    registry: &Registry,
    host: &RegistryHost,
) -> Result<Result<Caller, LoginRefusal>, Error> {
    let permissions = if host.is_friendly {
        Permissions::admin()
    } else if registry.login_settings().await?.anonymous_pull_enabled {
        Permissions::anonymous_pull()
    } else {
        return Ok(Err(LoginRefusal::AnonymousPullDisabled));
    };
    Ok(Ok(Caller::anonymous(permissions)))
}

/// Checks that the token is requested for this registry.
fn check_service(call: &Call, query: &Query) -> Result<(), Error> {
    let known = [&call.connection.authority, &call.host.login_server];
    match query.first("service") {
        Some(service) if known.iter().all(|known| *known != service) => {
            let service = excerpt(service);
            Err(Error::GrantUnsupported(format!(
                "the service '{service}' is not served here; expected {}",
                call.connection.authority
            )))
        }
        _ => Ok(()),
    }
}

fn scopes(query: &Query) -> Result<Vec<Scope>, Error> {
    let parameters = query.all("scope");
    let scopes = parameters.flat_map(str::split_ascii_whitespace);
    let scopes: Vec<Scope> = scopes
        .take(SCOPES_LIMIT + 1)
        .map(str::parse)
        .collect::<Result<_, _>>()?;
    if scopes.len() > SCOPES_LIMIT {
        return Err(Error::GrantUnsupported(format!(
            "the request has more than {SCOPES_LIMIT} scopes; split it"
        )));
    }
    Ok(scopes)
}

/// Merges the form in the body with the query. The fields of the form come first, since some clients leave an
/// `api-version` in the query.
async fn merge_form(call: &mut Call, query: Query) -> Result<Query, Error> {
    let form = Query::read_form(std::mem::take(&mut call.body)).await;
    let form = form.map_err(|unread| Error::BodyIncomplete(unread.to_string()))?;
    Ok(form.followed_by(query))
}

//! Where tokens are issued.
//!
//! <https://github.com/Azure/acr/blob/main/docs/AAD-OAuth.md>,
//! <https://github.com/Azure/acr/blob/main/docs/Token-BasicAuth.md>
//!
//! Clients put the same parameters into a query or a form, so that they are read here, once both are one [`Query`].

use axum::{Json, http::Method, response::IntoResponse as _};
use sealock_core::excerpt;
use sealock_http::{Credentials, Query};
use serde_json::json;
use uuid::Uuid;

use super::{
    call::{Answer, Call, RegistryHost},
    login::{Unreadable, by_password, credentials},
};
use crate::{
    Error, LoginRefusal, Registry, Scope,
    access::permissions::{Permissions, Subject},
};

/// How many scopes one token may be asked for.
const SCOPES_LIMIT: usize = 100;

/// `GET` with a user and a password: an access token.
pub(super) async fn token(call: Call, query: Query) -> Answer {
    check_service(&call, &query)?;
    let scopes = scopes(&query)?;
    let (call, subject) = subject(call, &query).await?;
    let subject = subject.map_err(refused)?;
    let access = scopes
        .iter()
        .filter_map(|scope| subject.permissions.grant(scope))
        .collect();
    let audience = call.host.audience_of(&subject);
    let token = call
        .registry
        .issue_access_token(audience, &subject, access)?;
    Ok(Json(json!({ "access_token": token })).into_response())
}

/// `POST` with a form: an access token.
pub(super) async fn token_for_form(mut call: Call, query: Query) -> Answer {
    let query = with_form(&mut call, query).await?;
    token(call, query).await
}

/// `POST` with a form: Entra's token for a refresh token of the registry.
///
/// <https://github.com/Azure/acr/blob/main/docs/AAD-OAuth.md#calling-post-oauth2exchange-to-get-an-acr-refresh-token>
pub(super) async fn exchange(mut call: Call, query: Query) -> Answer {
    let query = with_form(&mut call, query).await?;
    check_service(&call, &query)?;
    let token = match query.first("grant_type") {
        // The refresh token beside it would serve once it has expired; there are none.
        Some("access_token" | "access_token_refresh_token") => query.first("access_token"),
        // Entra gives managed identities none, so that no refresh token of Entra's is one.
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
        .exchange(login_server, query.first("tenant"), token)
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

/// Finds out who gets a token, or the reason for which nobody does.
async fn subject(
    call: Call,
    query: &Query,
) -> Result<(Call, Result<Subject, LoginRefusal>), Error> {
    let (registry, host) = (&call.registry, &call.host);
    match credentials(&call.headers) {
        Ok(None) => {}
        Ok(Some(Credentials::Basic(user, password))) => {
            let subject = by_password(registry, host, &user, &password).await?;
            return Ok((call, subject));
        }
        Ok(Some(Credentials::Bearer(_))) => {
            return Ok((call, Err(LoginRefusal::BearerUnexpected)));
        }
        Err(Unreadable) => return Ok((call, Err(LoginRefusal::HeaderUnreadable))),
    }
    let subject = match query.first("grant_type") {
        None if call.method == Method::GET => anonymous(registry, host).await?,
        // Microsoft's clients ask so for a token without a user, with an empty refresh token.
        Some("password") => match (query.first("username"), query.first("password")) {
            (Some(user), Some(password)) if !user.is_empty() => {
                by_password(registry, host, user, password).await?
            }
            _ => anonymous(registry, host).await?,
        },
        Some("refresh_token") => match query.first("refresh_token") {
            Some(token) => registry.refreshed(&host.login_server, token).await?,
            None => Err(LoginRefusal::RefreshTokenMissing),
        },
        _ => {
            return Err(Error::GrantUnsupported(
                "expected the grant_type refresh_token or password".to_owned(),
            ));
        }
    };
    Ok((call, subject))
}

async fn anonymous(
    registry: &Registry,
    host: &RegistryHost,
) -> Result<Result<Subject, LoginRefusal>, Error> {
    let permissions = if host.is_open {
        Permissions::admin()
    } else if registry.login_settings().await?.anonymous_pull_enabled {
        Permissions::anonymous_pull()
    } else {
        return Ok(Err(LoginRefusal::AnonymousPullDisabled));
    };
    Ok(Ok(Subject::anonymous(permissions)))
}

/// A token for another registry is not to be had here.
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
            "more than {SCOPES_LIMIT} scopes; ask for fewer at once"
        )));
    }
    Ok(scopes)
}

/// The fields of a form stand before those of the query, where some clients leave an `api-version`.
async fn with_form(call: &mut Call, query: Query) -> Result<Query, Error> {
    let form = Query::read_form(std::mem::take(&mut call.body)).await;
    let form = form.map_err(|unread| Error::BodyIncomplete(unread.to_string()))?;
    Ok(form.followed_by(query))
}

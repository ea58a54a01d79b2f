//! Entra's HTTP: the managed identity endpoint, where workloads get their tokens, and the authority, where
//! applications get theirs, and which says how to verify them.

mod call;
mod discovery;
mod endpoint;
mod error;
mod managed_identity;
mod token;

use axum::{
    body::Body,
    extract::Request,
    http::{HeaderValue, header},
    response::Response,
};
use sealock_http::{Connection, Found};

pub use self::call::IdentityHeader;
pub use self::endpoint::{is_authority_path, is_managed_identity_path};
use self::{
    call::Call,
    discovery::Version,
    endpoint::{AuthorityEndpoint, IdentityEndpoint},
    error::{Shape, render},
};
use crate::{Result, TokenIssuer};

/// Answers a request to the managed identity endpoint: the Instance Metadata Service's, or App Service's. With a
/// `header`, it answers only whoever shows that.
///
/// <https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token>,
/// <https://learn.microsoft.com/azure/app-service/overview-managed-identity#rest-endpoint-reference>
pub async fn managed_identity(
    issuer: &TokenIssuer,
    connection: Connection,
    header: Option<&IdentityHeader>,
    request: Request,
) -> Response {
    let url = format!("{}/msi/token", connection.origin());
    let (parts, _) = request.into_parts();
    let call = Call::new(issuer, connection, parts.headers, &parts.uri);
    let found = IdentityEndpoint::TABLE.find(&parts.method, parts.uri.path(), &call.query);
    let shape = match &found {
        Ok(found) if found.endpoint == IdentityEndpoint::AppService => Shape::AppService(&url),
        _ => Shape::OAuth,
    };
    let answer = match found {
        Ok(found) => managed_identity::answer(&call, found, header).await,
        Err(error) => Err(error),
    };
    finish(answer, shape)
}

/// Answers a request to the authority, `/{tenant}/...`.
pub async fn authority(issuer: &TokenIssuer, connection: Connection, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let call = Call::new(issuer, connection, parts.headers, &parts.uri);
    let found = AuthorityEndpoint::TABLE.find(&parts.method, parts.uri.path(), &call.query);
    let answer = match found {
        Ok(found) => dispatch(&call, found, body).await,
        Err(error) => Err(error),
    };
    finish(answer, Shape::Entra(issuer.directory().clock.now()))
}

/// Calls the function that answers at an endpoint of the authority.
async fn dispatch(
    call: &Call<'_>,
    found: Found<AuthorityEndpoint>,
    body: Body,
) -> Result<Response> {
    found.allowed?;
    match found.endpoint {
        AuthorityEndpoint::GetConfiguration { tenant } => {
            discovery::configuration(call, &tenant, Version::V1)
        }
        AuthorityEndpoint::GetConfigurationV2 { tenant } => {
            discovery::configuration(call, &tenant, Version::V2)
        }
        AuthorityEndpoint::IssueToken { tenant } => {
            token::answer(call, &tenant, Version::V1, body).await
        }
        AuthorityEndpoint::IssueTokenV2 { tenant } => {
            token::answer(call, &tenant, Version::V2, body).await
        }
        AuthorityEndpoint::ListKeys { tenant } => discovery::keys(call, &tenant).await,
    }
}

fn finish(answer: Result<Response>, shape: Shape<'_>) -> Response {
    let mut response = answer.unwrap_or_else(|error| render(&error, shape));
    // Tokens are nobody's to keep but their client's.
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

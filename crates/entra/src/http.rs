//! The HTTP front of Entra.
//!
//! Workloads get their tokens at the managed identity endpoint, and applications at the authority. The authority also
//! publishes the keys that verify tokens, and has the pages on which people sign in.

mod call;
mod client;
mod discovery;
mod endpoint;
mod error;
mod graph;
mod instance;
mod managed_identity;
mod page;
mod sign_in;
mod token;

use axum::{
    body::Body,
    extract::Request,
    http::{HeaderValue, header},
    response::Response,
};
use sealock_http::{Connection, Found};

pub use self::call::{IdentityHeader, SignIn};
pub use self::endpoint::{is_authority_path, is_managed_identity_path};
pub use self::graph::{graph, is_graph_path};
use self::{
    call::Call,
    discovery::Version,
    endpoint::{AuthorityEndpoint, IdentityEndpoint},
    error::{ErrorFormat, render},
};
use crate::{Result, TokenIssuer};

/// Answers a request to the managed identity endpoint, either of the Instance Metadata Service or of App Service. If
/// `header` is given, a request must carry it.
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
    let (parts, body) = request.into_parts();
    let call = Call::new(
        issuer,
        connection,
        SignIn::Password,
        parts.headers,
        &parts.uri,
    );
    let found = IdentityEndpoint::TABLE.find(&parts.method, parts.uri.path(), &call.query);
    let format = match &found {
        Ok(found)
            if [IdentityEndpoint::AppService, IdentityEndpoint::CloudShell]
                .contains(&found.endpoint) =>
        {
            ErrorFormat::AppService(&url)
        }
        _ => ErrorFormat::OAuth,
    };
    let answer = match found {
        Ok(found) => managed_identity::answer(&call, found, header, body).await,
        Err(error) => Err(error),
    };
    finish(answer, format)
}

/// Answers a request to the authority, `/{tenant}/...`. People sign in as `sign_in` says.
pub async fn authority(
    issuer: &TokenIssuer,
    connection: Connection,
    sign_in: SignIn,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let call = Call::new(issuer, connection, sign_in, parts.headers, &parts.uri);
    let found = AuthorityEndpoint::TABLE.find(&parts.method, parts.uri.path(), &call.query);
    let answer = match found {
        Ok(found) => dispatch(&call, found, body).await,
        Err(error) => Err(error),
    };
    finish(answer, ErrorFormat::Entra(issuer.directory().clock.now()))
}

/// Calls the handler of an endpoint of the authority.
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
        AuthorityEndpoint::DiscoverInstance { tenant } => discovery::instance(call, &tenant),
        AuthorityEndpoint::ShowUserRealm { user } => Ok(discovery::user_realm(&user)),
        AuthorityEndpoint::Authorize { tenant } => sign_in::authorize(call, &tenant),
        AuthorityEndpoint::Grant { tenant } => sign_in::grant(call, &tenant, body).await,
        AuthorityEndpoint::BeginDeviceLogin { tenant } => {
            sign_in::begin_device_login(call, &tenant, Version::V1, body).await
        }
        AuthorityEndpoint::BeginDeviceLoginV2 { tenant } => {
            sign_in::begin_device_login(call, &tenant, Version::V2, body).await
        }
        AuthorityEndpoint::ShowDevicePage => Ok(sign_in::device(call)),
        AuthorityEndpoint::ApproveDevice => sign_in::approve_device(call, body).await,
    }
}

fn finish(answer: Result<Response>, format: ErrorFormat<'_>) -> Response {
    let mut response = answer.unwrap_or_else(|error| render(&error, format));
    // Caches must not keep tokens.
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

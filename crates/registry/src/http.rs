//! The HTTP interface of the registry: the endpoints of OCI Distribution, Docker's additions, and ACR's own.
//!
//! <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#endpoints>

mod accept;
mod acr;
mod blobs;
mod call;
mod catalog;
mod endpoint;
mod error;
mod login;
mod manifests;
mod oauth2;
mod page;
mod parameter;
mod range;
mod referrers;
mod tags;
mod uploads;

use axum::{
    Json,
    extract::Request,
    http::{HeaderValue, Method, Uri, header},
    response::{IntoResponse as _, Response},
};
use sealock_core::PublicName;
use sealock_http::{Connection, Found, Query, header_value};
use serde_json::json;
use uuid::Uuid;

#[doc(hidden)]
pub use self::range::parse as parse_range;
pub use self::{call::RegistryHost, error::render};
use self::{
    call::{Answer, Call},
    endpoint::Endpoint,
    error::CORRELATION_ID,
};
use crate::{Error, Registry, access::permissions::Permissions};

/// Answers a request to `registry`.
pub async fn answer(
    registry: Registry,
    names: &PublicName,
    connection: Connection,
    host: RegistryHost,
    request: Request,
) -> Response {
    let answer = route(registry, names, connection, host, request).await;
    with_common_headers(answer.unwrap_or_else(|error| render(&error, names)))
}

/// Adds the headers that every response of a registry carries.
pub fn with_common_headers(mut response: Response) -> Response {
    let headers = response.headers_mut();
    // Old Docker engines recognize a v2 registry by it, on any response.
    headers.insert(
        "docker-distribution-api-version",
        HeaderValue::from_static("registry/2.0"),
    );
    headers.insert(
        header::ACCESS_CONTROL_EXPOSE_HEADERS,
        HeaderValue::from_static(
            "Docker-Content-Digest, WWW-Authenticate, Link, X-Ms-Correlation-Request-Id",
        ),
    );
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    if !headers.contains_key(CORRELATION_ID)
        && let Some(id) = header_value(Uuid::new_v4().to_string())
    {
        headers.insert(CORRELATION_ID, id);
    }
    response
}

async fn route(
    registry: Registry,
    names: &PublicName,
    connection: Connection,
    host: RegistryHost,
    request: Request,
) -> Answer {
    // As in ACR, the firewall comes before the login.
    registry
        .client_is_allowed(connection.client_address())
        .await?;
    let (parts, body) = request.into_parts();
    check_slashes(&parts.uri, &parts.method)?;
    let query = Query::from_uri(&parts.uri);
    let found = Endpoint::TABLE.find(&parts.method, parts.uri.path(), &query)?;
    let Found { endpoint, allowed } = found;
    let permissions = match endpoint.required_access(&parts.method) {
        Some(required_access) => {
            login::authorize(
                &registry,
                &connection,
                &host,
                &parts.headers,
                &required_access,
            )
            .await?
        }
        None => Permissions::default(),
    };
    if endpoint.is_content() {
        // A revoked registry refuses before anything is looked up.
        registry.lease().await?;
    }
    allowed?;
    let call = Call {
        registry,
        connection,
        host,
        method: parts.method,
        headers: parts.headers,
        body,
        permissions,
    };
    dispatch(call, names, query, endpoint).await
}

/// Calls the function that answers at an endpoint. The functions of `oauth2` read the query themselves, together with a
/// form.
async fn dispatch(call: Call, names: &PublicName, query: Query, endpoint: Endpoint) -> Answer {
    match endpoint {
        Endpoint::AcrChangeManifest { repository, digest } => {
            acr::manifests::change(call, &repository, &digest).await
        }
        Endpoint::AcrChangeRepository { repository } => {
            acr::repositories::change(call, &repository).await
        }
        Endpoint::AcrChangeTag { repository, tag } => {
            acr::tags::change(call, &repository, &tag).await
        }
        Endpoint::AcrDeleteRepository { repository } => {
            acr::repositories::delete(call, &repository).await
        }
        Endpoint::AcrDeleteTag { repository, tag } => {
            acr::tags::delete(call, &repository, &tag).await
        }
        Endpoint::AcrGetManifest { repository, digest } => {
            acr::manifests::get(call, &repository, &digest).await
        }
        Endpoint::AcrGetSoftDeleted { content } => match content {},
        Endpoint::AcrGetStreaming { streaming } => match streaming {},
        Endpoint::AcrGetRepository { repository } => {
            acr::repositories::get(call, &repository).await
        }
        Endpoint::AcrGetTag { repository, tag } => acr::tags::get(call, &repository, &tag).await,
        Endpoint::AcrListManifests {
            repository,
            order,
            page,
        } => acr::manifests::list(call, &repository, order, page).await,
        Endpoint::AcrListRepositories { page } => acr::repositories::list(call, page).await,
        Endpoint::AcrListTags {
            repository,
            order,
            filter,
            page,
        } => acr::tags::list(call, &repository, order, filter, page).await,
        // Clients take 200 as the sign of a registry.
        Endpoint::Base => Ok(Json(json!({})).into_response()),
        Endpoint::BeginUpload {
            repository,
            mount,
            digest,
            algorithm,
        } => uploads::begin(call, &repository, mount, digest, algorithm).await,
        Endpoint::CancelUpload { repository, id } => uploads::cancel(call, &repository, id).await,
        Endpoint::ContinueUpload { repository, id } => uploads::resume(call, &repository, id).await,
        Endpoint::DeleteBlob { repository, digest } => {
            blobs::delete(call, &repository, digest).await
        }
        Endpoint::DeleteManifest {
            repository,
            reference,
        } => manifests::delete(call, &repository, &reference).await,
        Endpoint::Exchange => oauth2::exchange(call, names, query).await,
        Endpoint::FinishUpload {
            repository,
            id,
            digest,
        } => uploads::finish(call, &repository, id, digest).await,
        Endpoint::GetBlob { repository, digest } => blobs::get(call, &repository, digest).await,
        Endpoint::GetManifest {
            repository,
            reference,
        } => manifests::get(call, &repository, &reference).await,
        Endpoint::GetToken => oauth2::token(call, query).await,
        Endpoint::GetUpload { repository, id } => uploads::get(call, &repository, id).await,
        Endpoint::ListReferrers {
            repository,
            subject,
            artifact_type,
            page,
        } => referrers::list(call, &repository, subject, artifact_type, page).await,
        Endpoint::ListRepositories { page } => catalog::list(call, page).await,
        Endpoint::ListTags { repository, page } => tags::list(call, &repository, page).await,
        Endpoint::PostToken => oauth2::token_for_form(call, query).await,
        Endpoint::PutManifest {
            repository,
            reference,
            tags,
        } => manifests::put(call, &repository, &reference, tags).await,
    }
}

/// Refuses a doubled slash. Clients make one when they join an address that ends with a slash and a path that starts
/// with one.
fn check_slashes(uri: &Uri, method: &Method) -> Result<(), Error> {
    let path = uri.path();
    if !path.contains("//") {
        return Ok(());
    }
    let segments = path.split('/').filter(|segment| !segment.is_empty());
    let mut single: String = segments.flat_map(|segment| ["/", segment]).collect();
    if path.ends_with('/') {
        single.push('/');
    }
    if let Some(query) = uri.query() {
        single.push('?');
        single.push_str(query);
    }
    Err(Error::SlashDoubled {
        single,
        redirects: method.is_safe(),
    })
}

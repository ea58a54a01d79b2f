//! The managed identity endpoint, which issues tokens to workloads on this machine. Unless it requires a secret, every
//! workload that reaches it can get a token of every identity, as in Azure.

use axum::{
    Json,
    body::Body,
    response::{IntoResponse as _, Response},
};
use sealock_core::excerpt;
use sealock_http::Found;
use serde_json::json;

use super::{
    call::{Call, IdentityHeader},
    endpoint::IdentityEndpoint,
    instance,
    token::read as read_form,
};
use crate::{AccessToken, DEVELOPER_USER, Error, ManagedIdentity, Result};

/// The oldest versions with all fields of the responses below.
const IMDS_VERSION: &str = "2018-02-01";
const APP_SERVICE_VERSION: &str = "2019-08-01";
const INSTANCE_VERSION: &str = "2017-04-02";

/// The version of App Service's endpoint with other names.
const OLD_APP_SERVICE_VERSION: &str = "2017-09-01";

/// Answers requests from this machine. A request through a proxy may come from elsewhere, so it is refused.
pub(super) async fn answer(
    call: &Call<'_>,
    found: Found<IdentityEndpoint>,
    secret: Option<&IdentityHeader>,
    body: Body,
) -> Result<Response> {
    if !call.connection.is_local() {
        return Err(Error::NotFromHere);
    }
    if call.headers.contains_key("x-forwarded-for") {
        return Err(Error::Forwarded);
    }
    found.allowed?;
    match found.endpoint {
        IdentityEndpoint::AppService => app_service(call, secret).await,
        IdentityEndpoint::CloudShell => cloud_shell(call, secret, body).await,
        IdentityEndpoint::Imds => {
            check_metadata(call, secret)?;
            imds(call).await
        }
        IdentityEndpoint::Instance { path } => {
            check_metadata(call, secret)?;
            check_version(call, INSTANCE_VERSION)?;
            instance::show(call, &path.0)
        }
        IdentityEndpoint::Versions => {
            check_metadata(call, secret)?;
            Ok(Json(json!({"apiVersions": instance::VERSIONS})).into_response())
        }
    }
}

/// `GET /metadata/identity/oauth2/token`
///
/// <https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token#get-a-token-using-http>
async fn imds(call: &Call<'_>) -> Result<Response> {
    check_version(call, IMDS_VERSION)?;
    let issued = issue(call).await?;
    let (from, until) = (issued.not_before.as_second(), issued.expires.as_second());
    // Azure writes these numbers as strings.
    let seconds = (until - from).to_string();
    Ok(Json(json!({
        "access_token": *issued.token,
        "client_id": issued.client_id,
        "expires_in": seconds,
        "expires_on": until.to_string(),
        "ext_expires_in": seconds,
        "not_before": from.to_string(),
        "resource": issued.audience,
        "token_type": "Bearer",
    }))
    .into_response())
}

/// Checks that a request to the Instance Metadata Service may be answered. A web page cannot send its header.
fn check_metadata(call: &Call<'_>, secret: Option<&IdentityHeader>) -> Result<()> {
    if secret.is_some() {
        return Err(Error::ImdsClosed);
    }
    let metadata = call.headers.get("metadata");
    if metadata.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"true")) {
        Ok(())
    } else {
        Err(Error::MetadataHeaderMissing)
    }
}

/// `POST /msi/token`, the value of `MSI_ENDPOINT` in Cloud Shell, where the token is that of the person who opened it.
///
/// <https://learn.microsoft.com/azure/cloud-shell/msi-authorization>
async fn cloud_shell(
    call: &Call<'_>,
    secret: Option<&IdentityHeader>,
    body: Body,
) -> Result<Response> {
    check_metadata(call, secret)?;
    let form = read_form(body).await?;
    let resource = form.non_empty("resource").ok_or(Error::AudienceMissing)?;
    let directory = call.issuer.directory();
    let user = directory.user(DEVELOPER_USER);
    let user = user.ok_or(Error::IdentityUnavailable)?;
    let issued = call.issuer.issue(&user.into(), resource).await?;
    let (from, until) = (issued.not_before.as_second(), issued.expires.as_second());
    Ok(Json(json!({
        "access_token": *issued.token,
        "refresh_token": "",
        "expires_in": (until - from).to_string(),
        "expires_on": until.to_string(),
        "not_before": from.to_string(),
        "resource": issued.audience,
        "token_type": "Bearer",
    }))
    .into_response())
}

/// `GET /msi/token`, the value of `IDENTITY_ENDPOINT`. Without a `secret`, any `IDENTITY_HEADER` is accepted: web pages
/// cannot send the header. The version 2017-09-01 has `MSI_ENDPOINT`, and `MSI_SECRET` in the header `secret`; its
/// `expires_on` is a number of seconds here, as in Azure Machine Learning, since MSAL reads nothing else.
///
/// <https://learn.microsoft.com/azure/app-service/overview-managed-identity#rest-endpoint-reference>,
/// <https://github.com/AzureAD/microsoft-authentication-library-for-python/blob/dev/msal/managed_identity.py>
async fn app_service(call: &Call<'_>, secret: Option<&IdentityHeader>) -> Result<Response> {
    let is_old = call.query.first("api-version") == Some(OLD_APP_SERVICE_VERSION);
    let name = if is_old {
        "secret"
    } else {
        "x-identity-header"
    };
    let header = call.headers.get(name);
    let header = header.ok_or(Error::MetadataHeaderMissing)?;
    if secret.is_some_and(|secret| !secret.matches(header)) {
        return Err(Error::IdentityHeaderWrong);
    }
    if !is_old {
        check_version(call, APP_SERVICE_VERSION)?;
    }
    let issued = issue(call).await?;
    Ok(Json(json!({
        "access_token": *issued.token,
        "client_id": issued.client_id,
        "expires_on": issued.expires.as_second().to_string(),
        "resource": issued.audience,
        "token_type": "Bearer",
    }))
    .into_response())
}

/// Checks `api-version`. Versions are dates, so later ones compare greater.
fn check_version(call: &Call<'_>, oldest: &'static str) -> Result<()> {
    let given = call
        .query
        .non_empty("api-version")
        .ok_or(Error::ApiVersionMissing)?;
    let is_date = given.parse::<jiff::civil::Date>().is_ok();
    if is_date && given >= oldest {
        return Ok(());
    }
    Err(Error::ApiVersionUnsupported {
        given: excerpt(given).to_owned(),
        expected: oldest,
    })
}

async fn issue(call: &Call<'_>) -> Result<AccessToken> {
    let audience = call
        .query
        .non_empty("resource")
        .ok_or(Error::AudienceMissing)?;
    call.issuer
        .issue(&identity(call).await?.into(), audience)
        .await
}

/// Returns the identity that the query selects. Without a selection, returns the only identity.
async fn identity(call: &Call<'_>) -> Result<ManagedIdentity> {
    let directory = call.issuer.directory();
    let names = [
        "client_id",
        "clientid",
        "object_id",
        "principal_id",
        "msi_res_id",
        "mi_res_id",
    ];
    let mut named = names
        .into_iter()
        .filter_map(|name| Some((name, call.query.non_empty(name)?)));
    let found = match (named.next(), named.next()) {
        (Some(_), Some(_)) => return Err(Error::SelectorAmbiguous),
        (Some((name, value)), None) => {
            directory
                .identities()
                .await?
                .into_iter()
                .find(|identity| match name {
                    "client_id" | "clientid" => value.parse() == Ok(identity.client_id),
                    "object_id" | "principal_id" => value.parse() == Ok(identity.principal_id),
                    _ => value.eq_ignore_ascii_case(&identity.resource_id()),
                })
        }
        (None, _) => {
            let mut all = directory.identities().await?;
            if all.len() > 1 {
                return Err(Error::IdentityAmbiguous);
            }
            all.pop()
        }
    };
    found.ok_or(Error::IdentityUnavailable)
}

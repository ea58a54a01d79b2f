//! The authority's metadata, as in `OpenID` Connect Discovery.
//!
//! <https://learn.microsoft.com/entra/identity-platform/v2-protocols-oidc>

use axum::{
    Json,
    response::{IntoResponse as _, Response},
};
use sealock_core::excerpt;
use serde_json::json;

use super::{
    call::Call,
    endpoint::{ADFS, TenantName},
};
use crate::{Error, Result};

/// The tenant names that stand for any tenant.
const ANY_TENANT: [&str; 3] = ["common", "organizations", ADFS];

/// The version of the authority's endpoints.
#[derive(Clone, Copy)]
pub(super) enum Version {
    V1,
    V2,
}

/// `GET /{tenant}[/v2.0]/.well-known/openid-configuration`
///
/// The issuer in version 1.0 is the one in tokens. The emulator issues no tokens of version 2.0.
pub(super) fn configuration(
    call: &Call<'_>,
    tenant: &TenantName,
    version: Version,
) -> Result<Response> {
    check_tenant(call, tenant)?;
    let base = format!("{}/{}", call.connection.origin(), tenant.0);
    let (issuer, oauth2, keys) = match version {
        Version::V1 => (
            call.issuer.name(),
            format!("{base}/oauth2"),
            format!("{base}/discovery/keys"),
        ),
        Version::V2 => (
            format!("{base}/v2.0"),
            format!("{base}/oauth2/v2.0"),
            format!("{base}/discovery/v2.0/keys"),
        ),
    };
    Ok(Json(json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{oauth2}/authorize"),
        "token_endpoint": format!("{oauth2}/token"),
        "jwks_uri": keys,
        "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
        "grant_types_supported": ["client_credentials"],
        "response_types_supported": ["token"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "claims_supported": ["sub", "iss", "aud", "exp", "iat", "nbf", "tid", "ver"],
    }))
    .into_response())
}

/// `GET /{tenant}/discovery[/v2.0]/keys`, a JSON Web Key Set (RFC 7517, 5)
pub(super) async fn keys(call: &Call<'_>, tenant: &TenantName) -> Result<Response> {
    check_tenant(call, tenant)?;
    let key = call.issuer.public_key().await?;
    Ok(Json(json!({ "keys": [key] })).into_response())
}

/// Checks that a request names the emulator's tenant.
pub(super) fn check_tenant(call: &Call<'_>, TenantName(tenant): &TenantName) -> Result<()> {
    let ours = call.issuer.directory().tenant();
    if ANY_TENANT.contains(&&**tenant) || tenant.parse() == Ok(ours) {
        return Ok(());
    }
    Err(Error::TenantNotFound(excerpt(tenant).to_owned()))
}

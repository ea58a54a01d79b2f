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
    endpoint::{ADFS, TenantName, UserName},
};
use crate::{Error, Result};

/// The tenant names that stand for any tenant.
const ANY_TENANT: [&str; 4] = ["common", "organizations", "consumers", ADFS];

/// The version of the authority's endpoints.
#[derive(Clone, Copy)]
pub(super) enum Version {
    V1,
    V2,
}

/// `GET /{tenant}[/v2.0]/.well-known/openid-configuration`
///
/// The issuer in version 1.0 is the one in access tokens, that in version 2.0 the one in ID tokens.
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
            issuer_in_id_tokens(call, tenant),
            format!("{base}/oauth2/v2.0"),
            format!("{base}/discovery/v2.0/keys"),
        ),
    };
    Ok(Json(json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{oauth2}/authorize"),
        "token_endpoint": format!("{oauth2}/token"),
        "jwks_uri": keys,
        "device_authorization_endpoint": format!("{oauth2}/devicecode"),
        "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
        "grant_types_supported": [
            "client_credentials",
            "authorization_code",
            "refresh_token",
            "password",
            "urn:ietf:params:oauth:grant-type:device_code",
        ],
        "response_modes_supported": ["query", "fragment", "form_post"],
        "response_types_supported": ["code"],
        "code_challenge_methods_supported": ["plain", "S256"],
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "claims_supported": [
            "sub", "iss", "aud", "exp", "iat", "nbf", "tid", "ver", "oid", "name", "upn", "nonce", "preferred_username",
        ],
        "tenant_region_scope": "NA",
        "cloud_instance_name": "microsoftonline.com",
    }))
    .into_response())
}

/// `GET /{tenant}/discovery[/v2.0]/keys`, a JSON Web Key Set (RFC 7517, 5)
pub(super) async fn keys(call: &Call<'_>, tenant: &TenantName) -> Result<Response> {
    check_tenant(call, tenant)?;
    let key = call.issuer.public_key().await?;
    Ok(Json(json!({ "keys": [key] })).into_response())
}

/// Returns the claim `iss` of ID tokens, which is the authority's name in its metadata.
pub(super) fn issuer_in_id_tokens(call: &Call<'_>, TenantName(tenant): &TenantName) -> String {
    format!("{}/{tenant}/v2.0", call.connection.origin())
}

/// `GET /common/discovery/instance`: the emulator is the only instance of its cloud.
///
/// <https://learn.microsoft.com/entra/msal/dotnet/advanced/instance-discovery>
pub(super) fn instance(call: &Call<'_>, tenant: &TenantName) -> Result<Response> {
    check_tenant(call, tenant)?;
    let (authority, host) = (call.connection.origin(), &call.connection.authority);
    let tenant = call.issuer.directory().tenant();
    Ok(Json(json!({
        "tenant_discovery_endpoint": format!("{authority}/{tenant}/v2.0/.well-known/openid-configuration"),
        "api-version": "1.1",
        "metadata": [{
            "preferred_network": host,
            "preferred_cache": host,
            "aliases": [host],
        }],
    }))
    .into_response())
}

/// `GET /common/userrealm/{user}`: the tenant itself checks passwords.
pub(super) fn user_realm(UserName(user): &UserName) -> Response {
    let domain = user.split_once('@').map_or("", |(_, domain)| domain);
    Json(json!({
        "ver": "1.0",
        "account_type": "Managed",
        "domain_name": domain,
        "cloud_instance_name": "microsoftonline.com",
        "cloud_audience_urn": "urn:federation:MicrosoftOnline",
    }))
    .into_response()
}

/// Checks that a request names the emulator's tenant.
pub(super) fn check_tenant(call: &Call<'_>, TenantName(tenant): &TenantName) -> Result<()> {
    let ours = call.issuer.directory().tenant();
    if ANY_TENANT.contains(&&**tenant) || tenant.parse() == Ok(ours) {
        return Ok(());
    }
    Err(Error::TenantNotFound(excerpt(tenant).to_owned()))
}

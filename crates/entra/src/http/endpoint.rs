use sealock_http::{MatchedRequest, Parameter, Spelling};

use crate::{Error, Result};

/// The tenant name in URLs of Active Directory Federation Services. Clients treat such an authority as private, and do not
/// look it up at Microsoft.
pub(super) const ADFS: &str = "adfs";

/// The Java SDK doubles the slash before a path of the managed identity endpoint. MSAL for JavaScript appends a slash.
const SPELLING: Spelling = Spelling {
    ignores_empty_segments: true,
    ..Spelling::EXACT
};

sealock_http::endpoints! {
    /// An endpoint for workloads.
    #[derive(Debug, PartialEq)]
    pub(super) enum IdentityEndpoint or Error, spelled SPELLING;

    GET "/metadata/identity/oauth2/token" => Imds,
    GET "/metadata/instance" | "/metadata/instance/{path...}" => Instance { path: InstancePath },
    GET "/metadata/versions" => Versions,
    GET "/msi/token" => AppService,
    POST "/msi/token" => CloudShell,
}

// The only token endpoint of Federation Services works like version 2.0.
sealock_http::endpoints! {
    /// An endpoint of the authority.
    #[derive(Debug, PartialEq)]
    pub(super) enum AuthorityEndpoint or Error, spelled Spelling::EXACT;

    GET "/{tenant}/.well-known/openid-configuration" => GetConfiguration { tenant: TenantName },
    GET "/{tenant}/v2.0/.well-known/openid-configuration" => GetConfigurationV2 { tenant: TenantName },
    GET "/{tenant}/discovery/instance" => DiscoverInstance { tenant: TenantName },
    GET "/{tenant}/userrealm/{user}" | "/{tenant}/UserRealm/{user}" => ShowUserRealm { user: UserName },
    GET "/{tenant}/oauth2/deviceauth" => ShowDevicePage,
    POST "/{tenant}/oauth2/deviceauth" => ApproveDevice,
    GET "/{tenant}/discovery/keys" | "/{tenant}/discovery/v2.0/keys" => ListKeys { tenant: TenantName },
    POST "/adfs/oauth2/token" | "/{tenant}/oauth2/v2.0/token" => IssueTokenV2 { tenant: TenantName },
    POST "/{tenant}/oauth2/token" => IssueToken { tenant: TenantName },
    GET "/{tenant}/oauth2/v2.0/authorize" | "/{tenant}/oauth2/authorize" => Authorize { tenant: TenantName },
    POST "/{tenant}/oauth2/v2.0/authorize" | "/{tenant}/oauth2/authorize" => Grant { tenant: TenantName },
    POST "/adfs/oauth2/devicecode" | "/{tenant}/oauth2/v2.0/devicecode" => BeginDeviceLoginV2 { tenant: TenantName },
    POST "/{tenant}/oauth2/devicecode" => BeginDeviceLogin { tenant: TenantName },
}

/// The name of a tenant in a request.
#[derive(Debug, PartialEq)]
pub(super) struct TenantName(pub(super) String);

impl Parameter<Error> for TenantName {
    fn read(request: &MatchedRequest<'_>, name: &'static str) -> Result<Self> {
        Ok(Self(request.captured(name).unwrap_or(ADFS).to_owned()))
    }
}

/// The part of the instance's metadata that a request asks for.
#[derive(Debug, PartialEq)]
pub(super) struct InstancePath(pub(super) String);

impl Parameter<Error> for InstancePath {
    fn read(request: &MatchedRequest<'_>, name: &'static str) -> Result<Self> {
        Ok(Self(request.captured(name).unwrap_or_default().to_owned()))
    }
}

/// The name of a user in a path.
#[derive(Debug, PartialEq)]
pub(super) struct UserName(pub(super) String);

impl Parameter<Error> for UserName {
    fn read(request: &MatchedRequest<'_>, name: &'static str) -> Result<Self> {
        Ok(Self(request.segment(name).to_owned()))
    }
}

/// Returns true for a path of the managed identity endpoint.
pub fn is_managed_identity_path(path: &str) -> bool {
    IdentityEndpoint::TABLE.has_first_segment_of(path)
}

/// Returns true if the segment after the tenant begins an endpoint of the authority.
pub fn is_authority_path(path: &str) -> bool {
    let second = path.split('/').nth(2).unwrap_or_default();
    [
        ".well-known",
        "discovery",
        "oauth2",
        "userrealm",
        "UserRealm",
        "v2.0",
    ]
    .contains(&second)
}

#[cfg(test)]
mod tests {
    use axum::http::Method;
    use sealock_http::Query;

    use super::*;

    #[test]
    fn extra_slashes_in_managed_identity_paths_are_ignored() {
        let find = |path| {
            let found = IdentityEndpoint::TABLE.find(&Method::GET, path, &Query::default());
            found.ok().map(|found| found.endpoint)
        };
        for path in ["/msi/token", "//msi/token", "/msi/token/"] {
            assert_eq!(find(path), Some(IdentityEndpoint::AppService), "{path}");
            assert!(is_managed_identity_path(path), "{path}");
        }
        let imds = find("/metadata/identity/oauth2/token");
        assert_eq!(imds, Some(IdentityEndpoint::Imds));
        for path in ["/", "/msi", "/MSI/token", "/metadata/identity/oauth2"] {
            assert_eq!(find(path), None, "{path}");
        }
        assert!(is_managed_identity_path("/msi") && is_managed_identity_path("/metadata/x"));
        assert!(!is_managed_identity_path("/MSI") && !is_managed_identity_path("/msis"));
    }

    #[test]
    fn federation_services_use_the_version_2_token_endpoint() {
        let find = |path| {
            let found = AuthorityEndpoint::TABLE.find(&Method::POST, path, &Query::default());
            found
                .ok()
                .map(|found| (found.endpoint, found.allowed.is_ok()))
        };
        let tenant = |name: &str| TenantName(name.to_owned());
        for (path, endpoint, is_allowed) in [
            (
                "/t/oauth2/token",
                AuthorityEndpoint::IssueToken {
                    tenant: tenant("t"),
                },
                true,
            ),
            (
                "/t/oauth2/v2.0/token",
                AuthorityEndpoint::IssueTokenV2 {
                    tenant: tenant("t"),
                },
                true,
            ),
            (
                "/adfs/oauth2/token",
                AuthorityEndpoint::IssueTokenV2 {
                    tenant: tenant("adfs"),
                },
                true,
            ),
            (
                "/t/discovery/keys",
                AuthorityEndpoint::ListKeys {
                    tenant: tenant("t"),
                },
                false,
            ),
        ] {
            assert_eq!(find(path), Some((endpoint, is_allowed)), "{path}");
        }
        for path in ["/", "/t/oauth2/token/", "//oauth2/v2.0", "/t/OAuth2/token"] {
            assert_eq!(find(path), None, "{path}");
        }
    }
}

use sealock_core::excerpt;

use crate::{Error, Result};

/// Microsoft Graph, the resource of a request that names none.
pub(crate) const GRAPH: &str = "00000003-0000-0000-c000-000000000000";

/// The suffix of a scope that requests all permissions of the client at the resource.
///
/// <https://learn.microsoft.com/entra/identity-platform/scopes-oidc#the-default-scope>
const DEFAULT: &str = "/.default";

/// The access that a client requests on behalf of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Requested {
    /// The audience of the access token.
    pub(crate) resource: String,
    /// True if it wants to know who signed in.
    pub(crate) id_token: bool,
    /// True if it wants a refresh token.
    pub(crate) refresh_token: bool,
}

impl Requested {
    /// Parses a list of scopes: those of `OpenID` Connect, and the permissions at one resource.
    ///
    /// <https://learn.microsoft.com/entra/identity-platform/scopes-oidc>
    pub(crate) fn parse(scopes: &str) -> Result<Self> {
        let mut resource: Option<&str> = None;
        let (mut id_token, mut refresh_token) = (false, false);
        for scope in scopes.split(' ').filter(|scope| !scope.is_empty()) {
            let requested = match scope {
                "openid" | "profile" | "email" => {
                    id_token |= scope == "openid";
                    continue;
                }
                "offline_access" => {
                    refresh_token = true;
                    continue;
                }
                scope => resource_of(scope),
            };
            if resource.is_some_and(|known| known != requested) {
                return Err(Error::ScopeOfSeveralResources(excerpt(scopes).to_owned()));
            }
            resource = Some(requested);
        }
        Ok(Self {
            resource: resource.unwrap_or(GRAPH).to_owned(),
            id_token,
            refresh_token,
        })
    }

    /// Returns the request for a resource by its identifier, as in version 1.0.
    pub(crate) fn of_resource(resource: &str) -> Self {
        Self {
            resource: resource.to_owned(),
            id_token: true,
            refresh_token: true,
        }
    }
}

/// Returns the resource of a permission: all before the last slash. A permission without a resource is one of Graph's.
fn resource_of(scope: &str) -> &str {
    let resource = scope.strip_suffix(DEFAULT);
    let resource = resource.or_else(|| Some(scope.rsplit_once('/')?.0));
    resource.filter(|it| !it.is_empty()).unwrap_or(GRAPH)
}

/// Returns the resource of an application's only scope, which must request all its permissions there.
///
/// <https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow#first-case-access-token-request-with-a-shared-secret>
pub(crate) fn resource_of_application(scope: &str) -> Result<&str> {
    let resource = scope.strip_suffix(DEFAULT);
    resource
        .filter(|resource| !resource.is_empty() && !resource.contains(' '))
        .ok_or_else(|| Error::ScopeNotDefault(excerpt(scope).to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_name_one_resource_and_what_else_the_client_wants() {
        for (scopes, resource, id_token, refresh_token) in [
            (
                "https://vault.azure.net/.default",
                "https://vault.azure.net",
                false,
                false,
            ),
            (
                "https://management.localhost//.default openid profile offline_access",
                "https://management.localhost/",
                true,
                true,
            ),
            (
                "https://vault.azure.net/user_impersonation https://vault.azure.net/.default",
                "https://vault.azure.net",
                false,
                false,
            ),
            ("openid", GRAPH, true, false),
            ("User.Read profile", GRAPH, false, false),
            ("", GRAPH, false, false),
        ] {
            let requested = Requested::parse(scopes).unwrap();
            assert_eq!(
                (
                    &*requested.resource,
                    requested.id_token,
                    requested.refresh_token
                ),
                (resource, id_token, refresh_token),
                "{scopes}"
            );
        }
        let several = Requested::parse("https://a.test/.default https://b.test/.default");
        assert!(matches!(several, Err(Error::ScopeOfSeveralResources(_))));
    }
}

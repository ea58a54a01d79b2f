use sealock_http::{MatchedRequest, Parameter, Spelling};

use crate::{Error, Result};

sealock_http::endpoints! {
    /// An endpoint of Graph.
    #[derive(Debug, PartialEq)]
    pub(super) enum GraphEndpoint or Error, spelled Spelling::EXACT;

    GET "/v1.0/me" => ShowMe,
    GET "/v1.0/me/ownedObjects" => ListOwnedObjects,
    GET "/v1.0/servicePrincipals" => ListServicePrincipals,
    GET "/v1.0/servicePrincipals/{id}" => ShowServicePrincipal { id: String },
    GET "/v1.0/applications" => ListApplications,
    GET "/v1.0/applications/{id}" => ShowApplication { id: String },
    GET "/v1.0/users" => ListUsers,
    GET "/v1.0/users/{id}" => ShowUser { id: String },
    GET "/v1.0/groups" => ListGroups,
    GET "/v1.0/groups/{id}" => ShowGroup { id: String },
    POST "/v1.0/directoryObjects/getByIds" => ListObjectsByIds,
    GET "/v1.0/directoryObjects/{id}" => ShowObject { id: String },
}

impl Parameter<Error> for String {
    fn read(request: &MatchedRequest<'_>, name: &'static str) -> Result<Self> {
        Ok(request.segment(name).to_owned())
    }
}

/// Returns true for a path of Graph.
pub fn is_graph_path(path: &str) -> bool {
    path.split('/').nth(1) == Some("v1.0")
}

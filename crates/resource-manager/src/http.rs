//! The HTTP front of Resource Manager.
//!
//! A request is judged in Azure's order: token, path, api-version, role, parameters. So a body is read only after a role
//! permits the action.

mod authentication;
mod body;
mod cloud;
mod deleted_vaults;
mod endpoint;
mod error;
mod groups;
mod identities;
mod operations;
mod precondition;
mod providers;
mod registries;
mod resources;
mod roles;
mod subscriptions;
mod vaults;

use std::sync::Arc;

use axum::{
    body::Body,
    extract::Request,
    http::{HeaderName, HeaderValue, header},
    response::Response,
};
use sealock_core::excerpt;
use sealock_entra::{Caller, Principal};
use sealock_http::{Connection, Found, Query, header_value};
use sealock_vault::{Client, Origin, Requester};
use uuid::Uuid;

pub use self::endpoint::is_resource_manager_path;
use self::{
    endpoint::Endpoint,
    precondition::Precondition,
    registries::{RegistryCall, scope_maps, tokens},
    vaults::PolicyUpdate,
};
use crate::{Error, ResourceManager, Result, resource_type::ApiVersion};

/// A request from an authenticated caller.
struct Call {
    manager: Arc<ResourceManager>,
    connection: Connection,
    principal: Principal,
    user_agent: String,
    api_version: ApiVersion,
    precondition: Precondition,
    query: Query,
}

type Answer = Result<Response>;

/// Answers a request to Resource Manager.
pub async fn answer(
    manager: &Arc<ResourceManager>,
    connection: Connection,
    request: Request,
) -> Response {
    let client_request_id = sealock_http::client_request_id(request.headers());
    let answer = match route(manager, connection, request).await {
        Ok(response) => response,
        Err(error) => error::render(&error, manager),
    };
    with_common_headers(answer, client_request_id)
}

async fn route(manager: &Arc<ResourceManager>, connection: Connection, request: Request) -> Answer {
    let (parts, body) = request.into_parts();
    let query = Query::from_uri(&parts.uri);
    let found = Endpoint::TABLE.find(&parts.method, parts.uri.path(), &query);
    if let Ok(Found {
        endpoint: Endpoint::ShowCloud,
        allowed: Ok(()),
    }) = found
    {
        return Ok(cloud::show(manager, &query));
    }
    let principal = authentication::authenticate(manager, &parts.headers).await?;
    let Found { endpoint, allowed } = found?;
    allowed.map_err(|not_allowed| Error::MethodNotAllowed {
        method: not_allowed.method,
        allowed: not_allowed.allowed,
    })?;
    let user_agent = parts.headers.get(header::USER_AGENT);
    let user_agent = user_agent.and_then(|value| value.to_str().ok());
    let call = Call {
        manager: Arc::clone(manager),
        connection,
        principal,
        user_agent: excerpt(user_agent.unwrap_or_default()).to_owned(),
        api_version: ApiVersion::parse(query.first_ignoring_case("api-version"))?,
        precondition: Precondition::of(&parts.headers),
        query,
    };
    Box::pin(dispatch(call, body, endpoint)).await
}

/// Calls the function of an endpoint.
#[expect(clippy::too_many_lines, reason = "one arm for each endpoint")]
async fn dispatch(call: Call, body: Body, endpoint: Endpoint) -> Answer {
    let of = |call, group, registry| RegistryCall {
        call,
        group,
        registry,
    };
    match endpoint {
        Endpoint::AddPolicies { group, vault, .. } => {
            vaults::update_policies(call, body, (group, vault), PolicyUpdate::Add).await
        }
        Endpoint::CheckGroup { group, .. } => groups::check(call, group).await,
        Endpoint::CheckRegistryName { .. } => registries::check_name(call, body).await,
        Endpoint::CheckVaultName { .. } => vaults::check_name(call, body).await,
        Endpoint::DeleteGroup { group, .. } => groups::delete(call, group).await,
        Endpoint::DeleteIdentity {
            group, identity, ..
        } => identities::delete(call, group, identity).await,
        Endpoint::DeleteRegistry {
            group, registry, ..
        } => registries::delete(call, group, registry).await,
        Endpoint::DeleteRoleAssignment { scope, assignment } => {
            roles::delete(call, scope.0, assignment).await
        }
        Endpoint::DeleteScopeMap {
            group,
            registry,
            scope_map,
            ..
        } => scope_maps::delete(of(call, group, registry), scope_map).await,
        Endpoint::DeleteToken {
            group,
            registry,
            token,
            ..
        } => tokens::delete(of(call, group, registry), token).await,
        Endpoint::DeleteVault { group, vault, .. } => vaults::delete(call, group, vault).await,
        Endpoint::GenerateCredentials {
            group, registry, ..
        } => tokens::generate(of(call, group, registry), body).await,
        Endpoint::ListAssociatedResources {
            group, identity, ..
        } => identities::list_associated(call, group, identity).await,
        Endpoint::ListCredentials {
            group, registry, ..
        } => registries::credentials(call, group, registry).await,
        Endpoint::ListDeletedManagedHsms { .. }
        | Endpoint::ListManagedHsms { .. }
        | Endpoint::ListManagedHsmsOfGroup { .. } => Ok(vaults::list_managed_hsms()),
        Endpoint::ListDeletedVaults { .. } => deleted_vaults::list(call).await,
        Endpoint::ListGroups { .. } => groups::list(call).await,
        Endpoint::ListIdentities { .. } => identities::list(call, None).await,
        Endpoint::ListIdentitiesOfGroup { group, .. } => identities::list(call, Some(group)).await,
        Endpoint::ListKeyVersions {
            group, vault, key, ..
        } => vaults::keys::list_versions(call, group, vault, key).await,
        Endpoint::ListKeys { group, vault, .. } => vaults::keys::list(call, group, vault).await,
        Endpoint::ListLocations { .. } => subscriptions::locations(call).await,
        Endpoint::ListNoChildren {
            group, registry, ..
        } => registries::no_children(call, group, registry).await,
        Endpoint::ListProviders { .. } => Ok(providers::list()),
        Endpoint::ListRegistries { .. } => registries::list(call, None).await,
        Endpoint::ListRegistriesOfGroup { group, .. } => registries::list(call, Some(group)).await,
        Endpoint::ListResources { .. } => resources::list(call, None).await,
        Endpoint::ListResourcesOfGroup { group, .. } => resources::list(call, Some(group)).await,
        Endpoint::ListRoleAssignments { scope } => roles::list(call, scope.0).await,
        Endpoint::ListRoleDefinitions { scope } => roles::list_definitions(&call, &scope),
        Endpoint::ListScopeMaps {
            group, registry, ..
        } => scope_maps::list(of(call, group, registry)).await,
        Endpoint::ListSubscriptions => subscriptions::list(call).await,
        Endpoint::ListTenants => Ok(subscriptions::tenants(&call)),
        Endpoint::ListTokens {
            group, registry, ..
        } => tokens::list(of(call, group, registry)).await,
        Endpoint::ListUsages {
            group, registry, ..
        } => registries::usages(call, group, registry).await,
        Endpoint::ListVaults { .. } => vaults::list(call, None).await,
        Endpoint::ListVaultsOfGroup { group, .. } => vaults::list(call, Some(group)).await,
        Endpoint::PatchGroup { group, .. } => groups::patch(call, body, group).await,
        Endpoint::PatchIdentity {
            group, identity, ..
        } => identities::patch(call, body, group, identity).await,
        Endpoint::PatchRegistry {
            group, registry, ..
        } => registries::patch(call, body, group, registry).await,
        Endpoint::PatchScopeMap {
            group,
            registry,
            scope_map,
            ..
        } => scope_maps::put(of(call, group, registry), body, scope_map, true).await,
        Endpoint::PatchToken {
            group,
            registry,
            token,
            ..
        } => tokens::put(of(call, group, registry), body, token, true).await,
        Endpoint::PatchVault { group, vault, .. } => vaults::patch(call, body, group, vault).await,
        Endpoint::PurgeVault {
            location, vault, ..
        } => deleted_vaults::purge(call, location, vault).await,
        Endpoint::PutGroup { group, .. } => groups::put(call, body, group).await,
        Endpoint::PutIdentity {
            group, identity, ..
        } => identities::put(call, body, group, identity).await,
        Endpoint::PutKey {
            group, vault, key, ..
        } => vaults::keys::put(call, body, group, vault, key).await,
        Endpoint::PutRegistry {
            group, registry, ..
        } => registries::put(call, body, group, registry).await,
        Endpoint::PutRoleAssignment { scope, assignment } => {
            roles::put(call, body, scope.0, assignment).await
        }
        Endpoint::PutScopeMap {
            group,
            registry,
            scope_map,
            ..
        } => scope_maps::put(of(call, group, registry), body, scope_map, false).await,
        Endpoint::PutToken {
            group,
            registry,
            token,
            ..
        } => tokens::put(of(call, group, registry), body, token, false).await,
        Endpoint::PutVault { group, vault, .. } => vaults::put(call, body, group, vault).await,
        Endpoint::RegenerateCredential {
            group, registry, ..
        } => registries::regenerate(call, body, group, registry).await,
        // Every provider is registered already.
        Endpoint::RegisterProvider { namespace, .. } | Endpoint::ShowProvider { namespace, .. } => {
            providers::show(&namespace)
        }
        Endpoint::RemovePolicies { group, vault, .. } => {
            vaults::update_policies(call, body, (group, vault), PolicyUpdate::Remove).await
        }
        Endpoint::ReplacePolicies { group, vault, .. } => {
            vaults::update_policies(call, body, (group, vault), PolicyUpdate::Replace).await
        }
        Endpoint::ShowCloud => Ok(cloud::show(&call.manager, &call.query)),
        Endpoint::ShowDeletedVault {
            location, vault, ..
        } => deleted_vaults::show(call, location, vault).await,
        Endpoint::ShowGroup { group, .. } => groups::show(call, group).await,
        Endpoint::ShowIdentity {
            group, identity, ..
        } => identities::show(call, group, identity).await,
        Endpoint::ShowKey {
            group, vault, key, ..
        } => vaults::keys::show(call, group, vault, key, None).await,
        Endpoint::ShowKeyVersion {
            group,
            vault,
            key,
            version,
            ..
        } => vaults::keys::show(call, group, vault, key, Some(version)).await,
        Endpoint::ShowOperationResult { operation, .. } => {
            operations::show_result(call, operation).await
        }
        Endpoint::ShowOperationStatus { operation, .. } => {
            operations::show_status(call, operation).await
        }
        Endpoint::ShowPurgeResult { operation, .. } => {
            deleted_vaults::show_result(call, operation).await
        }
        Endpoint::ShowRegistry {
            group, registry, ..
        } => registries::show(call, group, registry).await,
        Endpoint::ShowRoleAssignment { scope, assignment } => {
            roles::show(call, scope.0, assignment).await
        }
        Endpoint::ShowRoleDefinition { role } => roles::show_definition(&role),
        Endpoint::ShowScopeMap {
            group,
            registry,
            scope_map,
            ..
        } => scope_maps::show(of(call, group, registry), scope_map).await,
        Endpoint::ShowSubscription { .. } => subscriptions::show(call).await,
        Endpoint::ShowToken {
            group,
            registry,
            token,
            ..
        } => tokens::show(of(call, group, registry), token).await,
        Endpoint::ShowVault { group, vault, .. } => vaults::show(call, group, vault).await,
    }
}

impl Call {
    /// Checks that a role permits the caller an action at a scope.
    async fn authorize(&self, action: &'static str, scope: &str) -> Result<()> {
        let manager = &self.manager;
        manager
            .check_permitted(&self.principal, action, scope)
            .await
    }

    /// Returns the items at whose ids a role permits the caller an action.
    async fn permitted<T>(
        &self,
        action: &str,
        items: Vec<T>,
        id: impl Fn(&T) -> String,
    ) -> Result<Vec<T>> {
        let mut permitted = Vec::new();
        for item in items {
            let scope = id(&item);
            let is_permitted = self.manager.is_permitted(&self.principal, action, &scope);
            if is_permitted.await? {
                permitted.push(item);
            }
        }
        Ok(permitted)
    }

    fn caller(&self) -> Caller {
        Caller::Principal(self.principal.clone())
    }

    /// Returns the caller as a vault sees it. The caller's roles must be checked already.
    fn requester(&self) -> Requester {
        Requester {
            caller: self.caller(),
            client: Client {
                origin: Origin::ResourceManager(self.connection.client_address()),
                user_agent: self.user_agent.clone(),
                api_version: Some(self.api_version.as_str().to_owned()),
                correlation_id: Uuid::new_v4(),
            },
        }
    }

    /// Returns the absolute URL of a path, with the request's version. Clients poll it.
    fn url(&self, path: &str) -> String {
        let origin = self.connection.origin();
        format!("{origin}{path}?api-version={}", self.api_version.as_str())
    }
}

/// Adds the headers of every answer.
///
/// <https://github.com/Azure/azure-resource-manager-rpc/blob/master/v1.0/common-api-details.md#client-request-headers>
fn with_common_headers(mut response: Response, client_request_id: Option<HeaderValue>) -> Response {
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CACHE_CONTROL, "no-cache"),
        (header::PRAGMA, "no-cache"),
        (header::EXPIRES, "-1"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if headers.contains_key(header::CONTENT_TYPE) {
        let json = HeaderValue::from_static("application/json; charset=utf-8");
        headers.insert(header::CONTENT_TYPE, json);
    }
    let id = Uuid::new_v4().to_string();
    for name in ["x-ms-request-id", "x-ms-correlation-request-id"] {
        if let Some(id) = header_value(&id) {
            headers.insert(HeaderName::from_static(name), id);
        }
    }
    if let Some(id) = client_request_id {
        headers.insert(HeaderName::from_static("x-ms-client-request-id"), id);
    }
    response
}

use sealock_core::{
    IdentityName, KeyName, KeyVersion, Location, RegistryName, ResourceGroupName, ScopeMapName,
    TokenName, VaultName, excerpt,
};
use sealock_entra::{RoleScope, SUBSCRIPTION};
use sealock_http::{MatchedRequest, Parameter, Spelling};

use crate::{Error, Result, groups};

/// Azure ignores the case of paths, and superfluous slashes.
const SPELLING: Spelling = Spelling {
    is_encoded: true,
    ignores_case: true,
    ignores_empty_segments: true,
};

sealock_http::endpoints! {
    /// An endpoint of Resource Manager.
    #[derive(Debug, PartialEq)]
    pub(super) enum Endpoint or Error, spelled SPELLING;

    GET "/metadata/endpoints" => ShowCloud,
    GET "/tenants" => ListTenants,
    GET "/subscriptions" => ListSubscriptions,
    GET "/subscriptions/{subscription}" => ShowSubscription { subscription: Subscription },
    GET "/subscriptions/{subscription}/locations" => ListLocations { subscription: Subscription },
    GET "/subscriptions/{subscription}/operationresults/{operation}"
        => ShowOperationResult { subscription: Subscription, operation: Word },
    GET "/subscriptions/{subscription}/resources" => ListResources { subscription: Subscription },

    GET "/subscriptions/{subscription}/resourceGroups" => ListGroups { subscription: Subscription },
    HEAD "/subscriptions/{subscription}/resourceGroups/{group}"
        => CheckGroup { subscription: Subscription, group: ResourceGroupName },
    GET "/subscriptions/{subscription}/resourceGroups/{group}"
        => ShowGroup { subscription: Subscription, group: ResourceGroupName },
    PUT "/subscriptions/{subscription}/resourceGroups/{group}"
        => PutGroup { subscription: Subscription, group: ResourceGroupName },
    PATCH "/subscriptions/{subscription}/resourceGroups/{group}"
        => PatchGroup { subscription: Subscription, group: ResourceGroupName },
    DELETE "/subscriptions/{subscription}/resourceGroups/{group}"
        => DeleteGroup { subscription: Subscription, group: ResourceGroupName },
    GET "/subscriptions/{subscription}/resourceGroups/{group}/resources"
        => ListResourcesOfGroup { subscription: Subscription, group: ResourceGroupName },

    GET "/subscriptions/{subscription}/providers" => ListProviders { subscription: Subscription },
    GET "/subscriptions/{subscription}/providers/{namespace}"
        => ShowProvider { subscription: Subscription, namespace: Word },
    POST "/subscriptions/{subscription}/providers/{namespace}/register"
        => RegisterProvider { subscription: Subscription, namespace: Word },

    GET "/subscriptions/{subscription}/providers/Microsoft.ManagedIdentity/userAssignedIdentities"
        => ListIdentities { subscription: Subscription },
    GET "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities"
        => ListIdentitiesOfGroup { subscription: Subscription, group: ResourceGroupName },
    GET "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{identity}"
        => ShowIdentity { subscription: Subscription, group: ResourceGroupName, identity: IdentityName },
    PUT "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{identity}"
        => PutIdentity { subscription: Subscription, group: ResourceGroupName, identity: IdentityName },
    PATCH "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{identity}"
        => PatchIdentity { subscription: Subscription, group: ResourceGroupName, identity: IdentityName },
    DELETE "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{identity}"
        => DeleteIdentity { subscription: Subscription, group: ResourceGroupName, identity: IdentityName },
    POST "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{identity}/listAssociatedResources"
        => ListAssociatedResources { subscription: Subscription, group: ResourceGroupName, identity: IdentityName },

    POST "/subscriptions/{subscription}/providers/Microsoft.ContainerRegistry/checkNameAvailability"
        => CheckRegistryName { subscription: Subscription },
    GET "/subscriptions/{subscription}/providers/Microsoft.ContainerRegistry/registries"
        => ListRegistries { subscription: Subscription },
    GET "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.ContainerRegistry/registries"
        => ListRegistriesOfGroup { subscription: Subscription, group: ResourceGroupName },
    GET "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.ContainerRegistry/registries/{registry}"
        => ShowRegistry { subscription: Subscription, group: ResourceGroupName, registry: RegistryName },
    PUT "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.ContainerRegistry/registries/{registry}"
        => PutRegistry { subscription: Subscription, group: ResourceGroupName, registry: RegistryName },
    PATCH "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.ContainerRegistry/registries/{registry}"
        => PatchRegistry { subscription: Subscription, group: ResourceGroupName, registry: RegistryName },
    DELETE "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.ContainerRegistry/registries/{registry}"
        => DeleteRegistry { subscription: Subscription, group: ResourceGroupName, registry: RegistryName },
    GET "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.ContainerRegistry/registries/{registry}/listUsages"
        => ListUsages { subscription: Subscription, group: ResourceGroupName, registry: RegistryName },
    POST "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.ContainerRegistry/registries/{registry}/listCredentials"
        => ListCredentials { subscription: Subscription, group: ResourceGroupName, registry: RegistryName },
    POST "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.ContainerRegistry/registries/{registry}/regenerateCredential"
        => RegenerateCredential { subscription: Subscription, group: ResourceGroupName, registry: RegistryName },
    POST "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.ContainerRegistry/registries/{registry}/generateCredentials"
        => GenerateCredentials { subscription: Subscription, group: ResourceGroupName, registry: RegistryName },
    GET "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.ContainerRegistry/registries/{registry}/operationStatuses/{operation}"
        | "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.ContainerRegistry/registries/{registry}/tokens/{token}/operationStatuses/{operation}"
        => ShowOperationStatus { subscription: Subscription, group: ResourceGroupName, registry: RegistryName, operation: Word },
    GET "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.ContainerRegistry/registries/{registry}/replications"
        | "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.ContainerRegistry/registries/{registry}/webhooks"
        | "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.ContainerRegistry/registries/{registry}/privateEndpointConnections"
        => ListNoChildren { subscription: Subscription, group: ResourceGroupName, registry: RegistryName },
    GET "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.ContainerRegistry/registries/{registry}/scopeMaps"
        => ListScopeMaps { subscription: Subscription, group: ResourceGroupName, registry: RegistryName },
    GET "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.ContainerRegistry/registries/{registry}/scopeMaps/{scope_map}"
        => ShowScopeMap { subscription: Subscription, group: ResourceGroupName, registry: RegistryName, scope_map: ScopeMapName },
    PUT "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.ContainerRegistry/registries/{registry}/scopeMaps/{scope_map}"
        => PutScopeMap { subscription: Subscription, group: ResourceGroupName, registry: RegistryName, scope_map: ScopeMapName },
    PATCH "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.ContainerRegistry/registries/{registry}/scopeMaps/{scope_map}"
        => PatchScopeMap { subscription: Subscription, group: ResourceGroupName, registry: RegistryName, scope_map: ScopeMapName },
    DELETE "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.ContainerRegistry/registries/{registry}/scopeMaps/{scope_map}"
        => DeleteScopeMap { subscription: Subscription, group: ResourceGroupName, registry: RegistryName, scope_map: ScopeMapName },
    GET "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.ContainerRegistry/registries/{registry}/tokens"
        => ListTokens { subscription: Subscription, group: ResourceGroupName, registry: RegistryName },
    GET "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.ContainerRegistry/registries/{registry}/tokens/{token}"
        => ShowToken { subscription: Subscription, group: ResourceGroupName, registry: RegistryName, token: TokenName },
    PUT "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.ContainerRegistry/registries/{registry}/tokens/{token}"
        => PutToken { subscription: Subscription, group: ResourceGroupName, registry: RegistryName, token: TokenName },
    PATCH "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.ContainerRegistry/registries/{registry}/tokens/{token}"
        => PatchToken { subscription: Subscription, group: ResourceGroupName, registry: RegistryName, token: TokenName },
    DELETE "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.ContainerRegistry/registries/{registry}/tokens/{token}"
        => DeleteToken { subscription: Subscription, group: ResourceGroupName, registry: RegistryName, token: TokenName },

    POST "/subscriptions/{subscription}/providers/Microsoft.KeyVault/checkNameAvailability"
        => CheckVaultName { subscription: Subscription },
    GET "/subscriptions/{subscription}/providers/Microsoft.KeyVault/vaults" => ListVaults { subscription: Subscription },
    GET "/subscriptions/{subscription}/providers/Microsoft.KeyVault/deletedVaults" => ListDeletedVaults { subscription: Subscription },
    GET "/subscriptions/{subscription}/providers/Microsoft.KeyVault/managedHSMs" => ListManagedHsms { subscription: Subscription },
    GET "/subscriptions/{subscription}/providers/Microsoft.KeyVault/deletedManagedHSMs"
        => ListDeletedManagedHsms { subscription: Subscription },
    GET "/subscriptions/{subscription}/providers/Microsoft.KeyVault/locations/{location}/deletedVaults/{vault}"
        => ShowDeletedVault { subscription: Subscription, location: Location, vault: VaultName },
    POST "/subscriptions/{subscription}/providers/Microsoft.KeyVault/locations/{location}/deletedVaults/{vault}/purge"
        => PurgeVault { subscription: Subscription, location: Location, vault: VaultName },
    GET "/subscriptions/{subscription}/providers/Microsoft.KeyVault/locations/{location}/operationResults/{operation}"
        => ShowPurgeResult { subscription: Subscription, operation: Word },
    GET "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.KeyVault/vaults"
        => ListVaultsOfGroup { subscription: Subscription, group: ResourceGroupName },
    GET "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.KeyVault/managedHSMs"
        => ListManagedHsmsOfGroup { subscription: Subscription, group: ResourceGroupName },
    GET "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.KeyVault/vaults/{vault}"
        => ShowVault { subscription: Subscription, group: ResourceGroupName, vault: VaultName },
    PUT "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.KeyVault/vaults/{vault}"
        => PutVault { subscription: Subscription, group: ResourceGroupName, vault: VaultName },
    PATCH "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.KeyVault/vaults/{vault}"
        => PatchVault { subscription: Subscription, group: ResourceGroupName, vault: VaultName },
    DELETE "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.KeyVault/vaults/{vault}"
        => DeleteVault { subscription: Subscription, group: ResourceGroupName, vault: VaultName },
    GET "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.KeyVault/vaults/{vault}/keys"
        => ListKeys { subscription: Subscription, group: ResourceGroupName, vault: VaultName },
    GET "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.KeyVault/vaults/{vault}/keys/{key}"
        => ShowKey { subscription: Subscription, group: ResourceGroupName, vault: VaultName, key: KeyName },
    PUT "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.KeyVault/vaults/{vault}/keys/{key}"
        => PutKey { subscription: Subscription, group: ResourceGroupName, vault: VaultName, key: KeyName },
    GET "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.KeyVault/vaults/{vault}/keys/{key}/versions"
        => ListKeyVersions { subscription: Subscription, group: ResourceGroupName, vault: VaultName, key: KeyName },
    GET "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.KeyVault/vaults/{vault}/keys/{key}/versions/{version}"
        => ShowKeyVersion {
            subscription: Subscription, group: ResourceGroupName, vault: VaultName, key: KeyName, version: KeyVersion
        },
    PUT "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.KeyVault/vaults/{vault}/accessPolicies/add"
        => AddPolicies { subscription: Subscription, group: ResourceGroupName, vault: VaultName },
    PUT "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.KeyVault/vaults/{vault}/accessPolicies/replace"
        => ReplacePolicies { subscription: Subscription, group: ResourceGroupName, vault: VaultName },
    PUT "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.KeyVault/vaults/{vault}/accessPolicies/remove"
        => RemovePolicies { subscription: Subscription, group: ResourceGroupName, vault: VaultName },

    GET "/{scope...}/providers/Microsoft.Authorization/roleDefinitions"
        | "/providers/Microsoft.Authorization/roleDefinitions"
        => ListRoleDefinitions { scope: Scope },
    GET "/{scope...}/providers/Microsoft.Authorization/roleDefinitions/{role}"
        | "/providers/Microsoft.Authorization/roleDefinitions/{role}"
        => ShowRoleDefinition { role: Word },
    GET "/{scope...}/providers/Microsoft.Authorization/roleAssignments"
        => ListRoleAssignments { scope: Scope },
    GET "/{scope...}/providers/Microsoft.Authorization/roleAssignments/{assignment}"
        => ShowRoleAssignment { scope: Scope, assignment: Word },
    PUT "/{scope...}/providers/Microsoft.Authorization/roleAssignments/{assignment}"
        => PutRoleAssignment { scope: Scope, assignment: Word },
    DELETE "/{scope...}/providers/Microsoft.Authorization/roleAssignments/{assignment}"
        => DeleteRoleAssignment { scope: Scope, assignment: Word },
}

/// The emulator's subscription in a path.
#[derive(Debug, PartialEq)]
pub(super) struct Subscription;

impl Parameter<Error> for Subscription {
    fn read(request: &MatchedRequest<'_>, name: &'static str) -> Result<Self> {
        let given = request.segment(name);
        if given.eq_ignore_ascii_case(SUBSCRIPTION) {
            Ok(Self)
        } else {
            Err(Error::SubscriptionNotFound(excerpt(given).to_owned()))
        }
    }
}

impl Parameter<Error> for ResourceGroupName {
    fn read(request: &MatchedRequest<'_>, name: &'static str) -> Result<Self> {
        groups::parse_name(request.segment(name))
    }
}

/// Reads names by their own rules.
macro_rules! names {
    ($($name:ty),+) => {$(
        impl Parameter<Error> for $name {
            fn read(request: &MatchedRequest<'_>, name: &'static str) -> Result<Self> {
                Ok(request.segment(name).parse()?)
            }
        }
    )+};
}

names!(
    IdentityName,
    KeyName,
    KeyVersion,
    Location,
    RegistryName,
    ScopeMapName,
    TokenName
);

impl Parameter<Error> for VaultName {
    fn read(request: &MatchedRequest<'_>, name: &'static str) -> Result<Self> {
        let given = request.segment(name);
        given
            .parse()
            .map_err(|_| Error::VaultNameInvalid(excerpt(given).to_owned()))
    }
}

/// The scope of a role: the ARM id before the provider of roles.
#[derive(Debug, PartialEq)]
pub(super) struct Scope(pub(super) RoleScope);

impl Parameter<Error> for Scope {
    fn read(request: &MatchedRequest<'_>, name: &'static str) -> Result<Self> {
        let Some(path) = request.captured(name) else {
            return Ok(Self(RoleScope::subscription()));
        };
        Ok(Self(format!("/{path}").parse()?))
    }
}

/// A segment that any text may fill.
#[derive(Debug, PartialEq)]
pub(super) struct Word(pub(super) String);

impl Parameter<Error> for Word {
    fn read(request: &MatchedRequest<'_>, name: &'static str) -> Result<Self> {
        Ok(Self(request.segment(name).to_owned()))
    }
}

/// Returns true for a path below which Resource Manager answers.
pub fn is_resource_manager_path(path: &str) -> bool {
    let mut segments = path.split('/').filter(|segment| !segment.is_empty());
    let is = |segment: Option<&str>, words: &[&str]| {
        segment.is_some_and(|it| words.iter().any(|word| it.eq_ignore_ascii_case(word)))
    };
    let first = segments.next();
    is(first, &["subscriptions", "providers", "tenants"])
        || is(first, &["metadata"]) && is(segments.next(), &["endpoints"])
}

#[cfg(test)]
mod tests {
    use axum::http::Method;
    use sealock_http::Query;

    use super::*;

    #[test]
    fn case_and_extra_slashes_of_a_path_are_ignored() {
        for path in [
            format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/rg1"),
            format!("//SUBSCRIPTIONS/{SUBSCRIPTION}/resourcegroups/rg1/"),
        ] {
            let found = Endpoint::TABLE.find(&Method::GET, &path, &Query::default());
            let group = "rg1".parse().unwrap();
            let subscription = Subscription;
            let expected = Endpoint::ShowGroup {
                subscription,
                group,
            };
            assert_eq!(found.unwrap().endpoint, expected, "{path}");
        }
    }

    #[test]
    fn path_of_another_subscription_is_refused() {
        let path = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups";
        let found = Endpoint::TABLE.find(&Method::GET, path, &Query::default());
        assert!(matches!(found, Err(Error::SubscriptionNotFound(_))));
    }

    #[test]
    fn first_segment_decides_about_the_friendly_door() {
        for (path, is_here) in [
            ("/subscriptions", true),
            ("/Subscriptions/x", true),
            ("/providers/Microsoft.X", true),
            ("/tenants", true),
            ("/metadata/endpoints", true),
            ("/metadata/identity/oauth2/token", false),
            ("/metadata", false),
            ("/subscriptionsx", false),
            ("/", false),
        ] {
            assert_eq!(is_resource_manager_path(path), is_here, "{path}");
        }
    }
}

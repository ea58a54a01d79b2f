use axum::http::Method;
use sealock_api::Hint;
use sealock_entra::{RESOURCE_GROUP, SUBSCRIPTION};

use super::row::{Object, Row};

/// Declares rows: method, path, verb, `it` or `them`, object and an optional hint. The fields of a hint are names in the
/// path, by their indexes.
macro_rules! rows {
    ($($method:ident $path:literal => $verb:ident $pronoun:ident $object:literal $(: $hint:tt $fields:tt)?;)*) => {
        &[$(Row {
            method: Method::$method,
            path: $path,
            verb: stringify!($verb),
            object: object!($pronoun $object),
            hint: hint!($($hint $fields)?),
        }),*]
    };
}

macro_rules! object {
    (it $text:literal) => {
        Object::One($text)
    };
    (them $text:literal) => {
        Object::Several($text)
    };
}

macro_rules! hint {
    () => {
        |_| None
    };
    (as ($hint:expr)) => {
        $hint
    };
    ($hint:ident {}) => {
        |_| Some(Hint::$hint)
    };
    ($hint:ident { $($field:ident: $index:literal),+ }) => {
        |names| Some(Hint::$hint { $($field: names.get($index)?),+ })
    };
}

/// The known requests of Resource Manager's clients.
pub(super) const TABLE: &[Row] = rows! {
    GET "subscriptions" => list them "subscriptions": as (|_| Some(subscription()));
    GET "subscriptions/{}" => show it "the subscription {0}": as (|_| Some(subscription()));
    GET "subscriptions/{}/resources" => list them "resources";
    GET "tenants" => list them "tenants";

    GET "subscriptions/{}/resourceGroups" => list them "resource groups": as (|_| Some(resource_group()));
    GET "subscriptions/{}/resourceGroups/{}" => show it "the resource group {1}": as (|_| Some(resource_group()));
    PUT "subscriptions/{}/resourceGroups/{}" => create it "the resource group {1}": as (|_| Some(resource_group()));
    PATCH "subscriptions/{}/resourceGroups/{}" => update it "the resource group {1}": as (|_| Some(resource_group()));
    DELETE "subscriptions/{}/resourceGroups/{}" => delete it "the resource group {1}": as (|_| Some(resource_group()));
    GET "subscriptions/{}/resourceGroups/{}/resources" => list them "resources";
    GET "Microsoft.Resources/deployments" => list them "deployments";
    GET "Microsoft.Resources/deployments/{}" => show it "the deployment {0}";
    PUT "Microsoft.Resources/deployments/{}" => create it "the deployment {0}";
    DELETE "Microsoft.Resources/deployments/{}" => delete it "the deployment {0}";

    POST "Microsoft.ContainerRegistry/checkNameAvailability" => check them "names of registries": ListRegistries {};
    GET "Microsoft.ContainerRegistry/registries" => list them "registries": ListRegistries {};
    GET "Microsoft.ContainerRegistry/registries/{}" => show it "the registry {0}": ShowRegistry { registry: 0 };
    PUT "Microsoft.ContainerRegistry/registries/{}" => create it "the registry {0}": CreateRegistry { registry: 0 };
    PATCH "Microsoft.ContainerRegistry/registries/{}" => update it "the registry {0}": UpdateRegistry { registry: 0 };
    DELETE "Microsoft.ContainerRegistry/registries/{}" => delete it "the registry {0}": DeleteRegistry { registry: 0 };
    GET "Microsoft.ContainerRegistry/registries/{}/listUsages" => show it "the usage of the registry {0}":
        ShowUsage { registry: 0 };
    POST "Microsoft.ContainerRegistry/registries/{}/listCredentials" => show them "the credentials of the registry {0}":
        ShowCredentials { registry: 0 };
    POST "Microsoft.ContainerRegistry/registries/{}/regenerateCredential" => renew it "a password of the registry {0}":
        RenewCredential { registry: 0 };
    POST "Microsoft.ContainerRegistry/registries/{}/generateCredentials" =>
        renew them "the passwords of a token of the registry {0}": RenewPassword { registry: 0 };

    GET "Microsoft.ContainerRegistry/registries/{}/tokens" => list them "the tokens of the registry {0}":
        ListTokens { registry: 0 };
    GET "Microsoft.ContainerRegistry/registries/{}/tokens/{}" => show it "the token {1} of the registry {0}":
        ShowToken { registry: 0, token: 1 };
    PUT "Microsoft.ContainerRegistry/registries/{}/tokens/{}" => create it "the token {1} of the registry {0}":
        CreateToken { registry: 0, token: 1 };
    PATCH "Microsoft.ContainerRegistry/registries/{}/tokens/{}" => update it "the token {1} of the registry {0}":
        UpdateToken { registry: 0, token: 1 };
    DELETE "Microsoft.ContainerRegistry/registries/{}/tokens/{}" => delete it "the token {1} of the registry {0}":
        DeleteToken { registry: 0, token: 1 };
    GET "Microsoft.ContainerRegistry/registries/{}/scopeMaps" => list them "the scope maps of the registry {0}":
        ListScopeMaps { registry: 0 };
    GET "Microsoft.ContainerRegistry/registries/{}/scopeMaps/{}" => show it "the scope map {1} of the registry {0}":
        ShowScopeMap { registry: 0, scope_map: 1 };
    PUT "Microsoft.ContainerRegistry/registries/{}/scopeMaps/{}" => create it "the scope map {1} of the registry {0}":
        CreateScopeMap { registry: 0, scope_map: 1 };
    // The command that creates a scope map also updates an existing one.
    PATCH "Microsoft.ContainerRegistry/registries/{}/scopeMaps/{}" => update it "the scope map {1} of the registry {0}":
        CreateScopeMap { registry: 0, scope_map: 1 };
    DELETE "Microsoft.ContainerRegistry/registries/{}/scopeMaps/{}" => delete it "the scope map {1} of the registry {0}":
        DeleteScopeMap { registry: 0, scope_map: 1 };

    POST "Microsoft.KeyVault/checkNameAvailability" => check them "names of vaults": ListVaults {};
    GET "Microsoft.KeyVault/vaults" => list them "vaults": ListVaults {};
    GET "Microsoft.KeyVault/vaults/{}" => show it "the vault {0}": ShowVault { vault: 0 };
    PUT "Microsoft.KeyVault/vaults/{}" => create it "the vault {0}": CreateVault { vault: 0 };
    PATCH "Microsoft.KeyVault/vaults/{}" => update it "the vault {0}": UpdateVault { vault: 0 };
    DELETE "Microsoft.KeyVault/vaults/{}" => delete it "the vault {0}": DeleteVault { vault: 0 };
    PUT "Microsoft.KeyVault/vaults/{}/accessPolicies/add" => grant it "access to the vault {0}":
        GrantAnyAccess { vault: 0 };
    PUT "Microsoft.KeyVault/vaults/{}/accessPolicies/remove" => revoke it "access to the vault {0}":
        RevokeAnyAccess { vault: 0 };
    PUT "Microsoft.KeyVault/vaults/{}/accessPolicies/replace" => change it "access to the vault {0}":
        GrantAnyAccess { vault: 0 };
    GET "Microsoft.KeyVault/deletedVaults" => list them "deleted vaults": ListVaults {};
    GET "Microsoft.KeyVault/locations/{}/deletedVaults/{}" => show it "the deleted vault {1}": ShowVault { vault: 1 };
    POST "Microsoft.KeyVault/locations/{}/deletedVaults/{}/purge" => purge it "the vault {1}": PurgeVault { vault: 1 };
    GET "Microsoft.KeyVault/vaults/{}/keys" => list them "the keys of the vault {0}": ListKeys { vault: 0 };
    GET "Microsoft.KeyVault/vaults/{}/keys/{}" => show it "the key {1} of the vault {0}": ShowKey { vault: 0, key: 1 };
    PUT "Microsoft.KeyVault/vaults/{}/keys/{}" => create it "the key {1} of the vault {0}":
        CreateKey { vault: 0, key: 1 };
    GET "Microsoft.KeyVault/vaults/{}/keys/{}/versions" => list them "the versions of the key {1} of the vault {0}":
        ShowKey { vault: 0, key: 1 };
    GET "Microsoft.KeyVault/vaults/{}/keys/{}/versions/{}" => show it "a version of the key {1} of the vault {0}":
        ShowKey { vault: 0, key: 1 };

    GET "Microsoft.ManagedIdentity/userAssignedIdentities" => list them "managed identities": ListIdentities {};
    GET "Microsoft.ManagedIdentity/userAssignedIdentities/{}" => show it "the managed identity {0}":
        ShowIdentity { identity: 0 };
    PUT "Microsoft.ManagedIdentity/userAssignedIdentities/{}" => create it "the managed identity {0}":
        CreateIdentity { identity: 0 };
    DELETE "Microsoft.ManagedIdentity/userAssignedIdentities/{}" => delete it "the managed identity {0}":
        DeleteIdentity { identity: 0 };

    GET "Microsoft.Authorization/roleAssignments" => list them "role assignments": ListRoleAssignments {};
    GET "Microsoft.Authorization/roleAssignments/{}" => show it "the role assignment {0}": ListRoleAssignments {};
    PUT "Microsoft.Authorization/roleAssignments/{}" => create it "the role assignment {0}": AssignAnyRole {};
    DELETE "Microsoft.Authorization/roleAssignments/{}" => delete it "the role assignment {0}": RemoveRole {};
    GET "Microsoft.Authorization/roleDefinitions" => list them "role definitions": AssignAnyRole {};
    GET "Microsoft.Authorization/roleDefinitions/{}" => show it "the role definition {0}": AssignAnyRole {};
};

fn subscription() -> Hint {
    let text = format!("the only subscription is '{SUBSCRIPTION}'");
    Hint::Advice { text }
}

fn resource_group() -> Hint {
    let text = format!("the only resource group is '{RESOURCE_GROUP}', which always exists");
    Hint::Advice { text }
}

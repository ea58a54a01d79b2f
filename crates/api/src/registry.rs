use schemars::JsonSchema;
use sealock_core::{ChosenKey, ClientId, Digest, IdentityName, RegistryId, RegistryName};
use serde::{Deserialize, Serialize};

use crate::{Hint, LoginSettings, Time, word::words};

/// The registries.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Registries {
    /// The registries.
    pub registries: Vec<Registry>,
}

/// A registry.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Registry {
    /// Its name.
    pub name: RegistryName,
    /// Its permanent id.
    pub id: RegistryId,
    /// Its host name and port.
    pub login_server: String,
    /// Its SKU.
    pub sku: Sku,
    /// The time of its creation.
    pub created: Time,
    /// Its login settings.
    #[serde(flatten)]
    pub login: LoginSettings,
    /// Its encryption with a customer-managed key.
    pub encryption: Encryption,
    /// Its gate.
    pub gate: Gate,
}

/// The encryption of a registry with a customer-managed key.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "status", rename_all = "lowercase")]
pub enum Encryption {
    /// The registry has no customer-managed key.
    Disabled,
    /// The registry has a customer-managed key.
    Enabled {
        /// The URL of the key. Includes a version if the registry is pinned to it.
        key_identifier: String,
        /// The URL of the key version that wraps the DEK.
        versioned_key_identifier: String,
        /// The identity that uses the key.
        identity: EncryptionIdentity,
        /// True if the registry follows the key's current version.
        key_rotation_enabled: bool,
        /// The time of the last rotation.
        last_key_rotation: Option<Time>,
        /// The reason why a registry that follows its key cannot move to the current version. Null if it can.
        behind: Option<Box<Behind>>,
    },
}

/// The reason why a registry cannot follow its key.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Behind {
    /// The cause.
    pub cause: Cause,
    /// The time of the first failure to follow.
    pub since: Time,
    /// The operation that lets it follow. Null if there is none.
    pub remedy: Option<Hint>,
}

/// The identity that uses a registry's key.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct EncryptionIdentity {
    /// Its name. Null if it is deleted.
    pub name: Option<IdentityName>,
    /// Its client id.
    pub client_id: ClientId,
}

/// The identities of a registry.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct RegistryIdentities {
    /// The identities.
    pub identities: Vec<RegistryIdentity>,
}

/// An identity of a registry.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct RegistryIdentity {
    /// Its name, or `system` for the registry's own. Null if it is deleted.
    pub name: Option<IdentityName>,
    /// Its client id.
    pub client_id: ClientId,
    /// True if the registry uses its key as this identity.
    pub uses_key: bool,
}

/// The gate of a registry, which decides whether its content is served.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "state", rename_all = "lowercase")]
pub enum Gate {
    /// The content is served.
    Available {
        /// The revocation to come, if the vault refuses the key already and the registry still uses a cached DEK. Null
        /// otherwise.
        pending_revocation: Option<PendingRevocation>,
    },
    /// The content is refused.
    Revoked {
        /// The cause.
        cause: Cause,
        /// Azure's text.
        message: String,
        /// The URL of the refused key version.
        key: String,
        /// The time of the revocation.
        since: Time,
        /// The operation that restores the registry. Null if there is none.
        restore: Option<Hint>,
    },
    /// The stored state cannot be read.
    Unknown {
        /// The reason.
        message: String,
    },
}

/// A revocation that takes effect when the cached DEK expires.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct PendingRevocation {
    /// The time of the revocation.
    pub at: Time,
    /// The cause.
    pub cause: Cause,
    /// The operation that prevents it. Null if there is none.
    pub restore: Option<Hint>,
}

/// The properties of a registry to create.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NewRegistry {
    /// Its SKU. By default `Premium`.
    pub sku: Option<Sku>,
    /// The customer-managed key: `VAULT/KEY`, `VAULT/KEY/VERSION` or a URL, which is shown as it is written.
    pub key: Option<ChosenKey>,
    /// The name of the identity that uses the key.
    pub identity: Option<String>,
}

/// A rotation of a registry's key. Absent fields keep their values.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct KeyRotation {
    /// The new key: `VAULT/KEY`, `VAULT/KEY/VERSION` or a URL, which is shown as it is written.
    pub key: Option<ChosenKey>,
    /// The name of the identity that uses the key.
    pub identity: Option<String>,
}

/// The size of a registry's content.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Usage {
    /// The plaintext bytes of all distinct content.
    pub bytes: u64,
    /// The number of distinct blobs and manifests.
    pub objects: u64,
    /// The number of repositories with a manifest.
    pub repositories: u64,
}

/// The blobs that a garbage collection removes.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Garbage {
    /// The blobs.
    pub blobs: Vec<GarbageBlob>,
    /// The bytes that the removal frees. Content that other repositories share is not counted.
    pub freed_bytes: u64,
}

/// A blob that no manifest refers to.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct GarbageBlob {
    /// Its repository.
    pub repository: String,
    /// Its digest.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
}

words! {
    /// The SKU of a registry.
    pub enum Sku, "SKU of a registry" {
        /// The smallest SKU.
        Basic = "Basic",
        /// The medium SKU.
        Standard = "Standard",
        /// The largest SKU, and the only one with customer-managed keys.
        Premium = "Premium",
    }
}

words! {
    /// The cause for which a vault refuses a registry its key.
    pub enum Cause, "cause" {
        /// The identity lacks a permission in the vault's access policies.
        ForbiddenByPolicy = "ForbiddenByPolicy",
        /// The vault cannot be reached from the network.
        ForbiddenByConnection = "ForbiddenByConnection",
        /// The vault's firewall blocks registries.
        ForbiddenByFirewall = "ForbiddenByFirewall",
        /// The identity has no role that permits use of the key.
        ForbiddenByRbac = "ForbiddenByRbac",
        /// The vault's firewall lets registries in with their system-assigned identities only.
        ForbiddenByTrust = "ForbiddenByTrust",
        /// The identity is no longer assigned to the registry.
        IdentityDetached = "IdentityDetached",
        /// The identity no longer exists.
        IdentityNotFound = "IdentityNotFound",
        /// The key is deleted but recoverable.
        KeyDeleted = "KeyDeleted",
        /// The key version is disabled.
        KeyDisabled = "KeyDisabled",
        /// The key version has expired and cannot wrap. Registries that already use it are not affected.
        KeyExpired = "KeyExpired",
        /// The key or the key version does not exist.
        KeyNotFound = "KeyNotFound",
        /// The key version is not valid yet and cannot wrap. Registries that already use it are not affected.
        KeyNotYetValid = "KeyNotYetValid",
        /// The key version does not permit wrapping and unwrapping.
        KeyOperationForbidden = "KeyOperationForbidden",
        /// The key version is not of type RSA, so a registry cannot move to it.
        KeyTypeUnsupported = "KeyTypeUnsupported",
        /// The key exists, but the requested version does not.
        KeyVersionNotFound = "KeyVersionNotFound",
        /// The vault is deleted but recoverable.
        VaultDeleted = "VaultDeleted",
        /// The vault does not exist.
        VaultNotFound = "VaultNotFound",
        /// The vault failed.
        VaultUnavailable = "VaultUnavailable",
    }
}

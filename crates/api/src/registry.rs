use schemars::JsonSchema;
use sealock_core::{ClientId, Digest, IdentityName, KeyIdentifier, RegistryId, RegistryName};
use serde::{Deserialize, Serialize};

use crate::{Hint, LoginSettings, Time, word::words};

/// The registries.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Registries {
    /// Each registry.
    pub registries: Vec<Registry>,
}

/// A registry.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Registry {
    /// Its name.
    pub name: RegistryName,
    /// Its id, which does not change.
    pub id: RegistryId,
    /// The host and port of its own name.
    pub login_server: String,
    /// Its size.
    pub sku: Sku,
    /// The time of its creation.
    pub created: Time,
    /// Its logins besides tokens.
    #[serde(flatten)]
    pub login: LoginSettings,
    /// Its encryption under a customer-managed key.
    pub encryption: Encryption,
    /// The gate before its content.
    pub gate: Gate,
}

/// The encryption of a registry under a customer-managed key.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "status", rename_all = "lowercase")]
pub enum Encryption {
    /// It has no customer-managed key.
    Disabled,
    /// It has one.
    Enabled {
        /// The URL of the key, as it was chosen.
        key_identifier: String,
        /// The URL of the key version that wraps the DEK.
        versioned_key_identifier: String,
        /// The identity that uses the key.
        identity: EncryptionIdentity,
        /// True if the registry follows the key's current version.
        key_rotation_enabled: bool,
        /// The time of the last rotation.
        last_key_rotation: Option<Time>,
        /// The reason for which a registry that follows its key cannot move to the current version. Null if it can.
        behind: Option<Box<Behind>>,
    },
}

/// The reason for which a registry cannot follow its key.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Behind {
    /// The cause.
    pub cause: Cause,
    /// The time since which the registry cannot follow.
    pub since: Time,
    /// The operation that lets it follow. Null if there is none.
    pub remedy: Option<Hint>,
}

/// The identity that uses a registry's key.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct EncryptionIdentity {
    /// Its name. Null if it is gone.
    pub name: Option<IdentityName>,
    /// Its client id.
    pub client_id: ClientId,
}

/// The gate before a registry's content.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "state", rename_all = "lowercase")]
pub enum Gate {
    /// The content is served.
    Available {
        /// The end of that, if the vault refuses the key already: the registry still uses a cached DEK. Null if no end is
        /// in sight.
        ends: Option<End>,
    },
    /// The content is refused.
    Revoked {
        /// The cause.
        cause: Cause,
        /// Azure's text.
        message: String,
        /// The URL of the key version that cannot be used.
        key: String,
        /// The time since which the content is refused.
        since: Time,
        /// The way back. Null if there is none.
        restore: Option<Hint>,
    },
    /// The stored state cannot be read.
    Unknown {
        /// The reason.
        message: String,
    },
}

/// The end of the time for which a cached DEK is used.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct End {
    /// The time from which on the content is refused.
    pub at: Time,
    /// The cause.
    pub cause: Cause,
    /// The operation that prevents it. Null if there is none.
    pub restore: Option<Hint>,
}

/// A registry to be created.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NewRegistry {
    /// Its size: `Premium` unless said.
    pub sku: Option<Sku>,
    /// The customer-managed key: `VAULT/KEY`, `VAULT/KEY/VERSION` or a URL.
    pub key: Option<KeyIdentifier>,
    /// The name of the identity that uses the key.
    pub identity: Option<String>,
}

/// A rotation of a registry's key. What it does not name stays.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct KeyRotation {
    /// The new key: `VAULT/KEY`, `VAULT/KEY/VERSION` or a URL.
    pub key: Option<KeyIdentifier>,
    /// The name of the identity that uses the key.
    pub identity: Option<String>,
}

/// The amount of content in a registry.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Usage {
    /// The bytes of all content, each once, without those that sealing adds.
    pub bytes: u64,
    /// The number of blobs and manifests with different content.
    pub objects: u64,
    /// The number of repositories with a manifest.
    pub repositories: u64,
}

/// The blobs that a collection removes, or would remove.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Garbage {
    /// Each blob.
    pub blobs: Vec<GarbageBlob>,
    /// The bytes of content that go with them. Other repositories may have the same content.
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
    /// The size of a registry.
    pub enum Sku, "SKU of a registry" {
        /// The smallest.
        Basic = "Basic",
        /// The middle one.
        Standard = "Standard",
        /// The one with customer-managed keys.
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
        /// The vault's firewall does not let registries in.
        ForbiddenByFirewall = "ForbiddenByFirewall",
        /// The identity has no role that permits the use of the key.
        ForbiddenByRbac = "ForbiddenByRbac",
        /// The identity does not exist any more.
        IdentityNotFound = "IdentityNotFound",
        /// The key is deleted, and can be recovered.
        KeyDeleted = "KeyDeleted",
        /// The key version is disabled.
        KeyDisabled = "KeyDisabled",
        /// The key version has expired, and wraps nothing any more. Registries that use it already go on.
        KeyExpired = "KeyExpired",
        /// The key version does not exist, or not any more.
        KeyNotFound = "KeyNotFound",
        /// The key version wraps nothing yet. Registries that use it already go on.
        KeyNotYetValid = "KeyNotYetValid",
        /// The key version is not for wrapping and unwrapping.
        KeyOperationForbidden = "KeyOperationForbidden",
        /// The key exists, but not the version that a request names.
        KeyVersionNotFound = "KeyVersionNotFound",
        /// The vault is deleted, and can be recovered.
        VaultDeleted = "VaultDeleted",
        /// The vault does not exist, or not any more.
        VaultNotFound = "VaultNotFound",
        /// The vault failed.
        VaultUnavailable = "VaultUnavailable",
    }
}

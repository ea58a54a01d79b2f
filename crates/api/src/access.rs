use std::collections::BTreeSet;

use schemars::JsonSchema;
use sealock_core::VaultName;
use serde::{Deserialize, Serialize};

use crate::{Principal, word::words};

/// The access policies of a vault.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct AccessPolicies {
    /// The policies.
    pub policies: Vec<AccessPolicy>,
}

/// The permissions of a principal in a vault.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct AccessPolicy {
    /// The vault.
    pub vault: VaultName,
    /// The principal.
    #[serde(flatten)]
    pub principal: Principal,
    /// Its permissions.
    pub permissions: BTreeSet<KeyPermission>,
    /// False if the vault uses roles instead of access policies.
    pub in_effect: bool,
}

/// Permissions to grant or to revoke.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Permissions {
    /// The permissions.
    pub permissions: BTreeSet<KeyPermission>,
}

words! {
    /// A permission of an access policy for keys.
    ///
    /// <https://learn.microsoft.com/rest/api/keyvault/keyvault/vaults/create-or-update#keypermissions>
    pub enum KeyPermission, "key permission" {
        /// Everything.
        All = "all",
        /// Read keys.
        Get = "get",
        /// List keys.
        List = "list",
        /// Create keys.
        Create = "create",
        /// Change keys.
        Update = "update",
        /// Import keys.
        Import = "import",
        /// Delete keys.
        Delete = "delete",
        /// Recover deleted keys.
        Recover = "recover",
        /// Back up keys.
        Backup = "backup",
        /// Restore keys.
        Restore = "restore",
        /// Purge deleted keys.
        Purge = "purge",
        /// Encrypt.
        Encrypt = "encrypt",
        /// Decrypt.
        Decrypt = "decrypt",
        /// Wrap keys.
        WrapKey = "wrapKey",
        /// Unwrap keys.
        UnwrapKey = "unwrapKey",
        /// Sign.
        Sign = "sign",
        /// Verify signatures.
        Verify = "verify",
        /// Release keys.
        Release = "release",
        /// Rotate keys.
        Rotate = "rotate",
        /// Read rotation policies.
        GetRotationPolicy = "getrotationpolicy",
        /// Set rotation policies.
        SetRotationPolicy = "setrotationpolicy",
    }
}

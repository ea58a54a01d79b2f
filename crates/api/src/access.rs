use std::collections::BTreeSet;

use schemars::JsonSchema;
use sealock_core::VaultName;
use serde::{Deserialize, Serialize};

use crate::{Principal, word::words};

/// The access policies of a vault.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct AccessPolicies {
    /// Each policy.
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
    /// False while roles decide in the vault.
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
    #[expect(missing_docs, reason = "they are the names of operations")]
    pub enum KeyPermission, "key permission" {
        All = "all",
        Get = "get",
        List = "list",
        Create = "create",
        Update = "update",
        Import = "import",
        Delete = "delete",
        Recover = "recover",
        Backup = "backup",
        Restore = "restore",
        Purge = "purge",
        Encrypt = "encrypt",
        Decrypt = "decrypt",
        WrapKey = "wrapKey",
        UnwrapKey = "unwrapKey",
        Sign = "sign",
        Verify = "verify",
        Release = "release",
        Rotate = "rotate",
        GetRotationPolicy = "getrotationpolicy",
        SetRotationPolicy = "setrotationpolicy",
    }
}

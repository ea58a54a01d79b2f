use std::collections::BTreeSet;

use sealock_entra::Role;

use crate::KeyPermission;

impl KeyPermission {
    /// Returns the action that a role must permit in a vault with role-based access control.
    ///
    /// <https://learn.microsoft.com/azure/role-based-access-control/permissions/security#microsoftkeyvault>
    pub fn data_action(self) -> &'static str {
        match self {
            Self::All => "Microsoft.KeyVault/vaults/keys/*",
            Self::Get | Self::List => "Microsoft.KeyVault/vaults/keys/read",
            Self::Create => "Microsoft.KeyVault/vaults/keys/create/action",
            Self::Update => "Microsoft.KeyVault/vaults/keys/update/action",
            Self::Import => "Microsoft.KeyVault/vaults/keys/import/action",
            Self::Delete => "Microsoft.KeyVault/vaults/keys/delete",
            Self::Recover => "Microsoft.KeyVault/vaults/keys/recover/action",
            Self::Backup => "Microsoft.KeyVault/vaults/keys/backup/action",
            Self::Restore => "Microsoft.KeyVault/vaults/keys/restore/action",
            Self::Purge => "Microsoft.KeyVault/vaults/keys/purge/action",
            Self::Encrypt => "Microsoft.KeyVault/vaults/keys/encrypt/action",
            Self::Decrypt => "Microsoft.KeyVault/vaults/keys/decrypt/action",
            Self::WrapKey => "Microsoft.KeyVault/vaults/keys/wrap/action",
            Self::UnwrapKey => "Microsoft.KeyVault/vaults/keys/unwrap/action",
            Self::Sign => "Microsoft.KeyVault/vaults/keys/sign/action",
            Self::Verify => "Microsoft.KeyVault/vaults/keys/verify/action",
            Self::Release => "Microsoft.KeyVault/vaults/keys/release/action",
            Self::Rotate => "Microsoft.KeyVault/vaults/keys/rotate/action",
            Self::GetRotationPolicy => "Microsoft.KeyVault/vaults/keyrotationpolicies/read",
            Self::SetRotationPolicy => "Microsoft.KeyVault/vaults/keyrotationpolicies/write",
        }
    }
}

/// Returns true if one of the roles permits the action.
pub(super) fn roles_permit(roles: &BTreeSet<Role>, action: &str) -> bool {
    roles
        .iter()
        .any(|role| role.definition().permits_data(action))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_permits_azures_actions_and_no_others() {
        use KeyPermission::{
            Backup, Decrypt, Encrypt, Get, GetRotationPolicy, List, Release, Sign, UnwrapKey,
            Update, Verify, WrapKey,
        };
        let every: Vec<_> = KeyPermission::EVERY
            .into_iter()
            .filter(|permission| *permission != KeyPermission::All)
            .collect();
        for (role, permitted) in [
            (Role::KeyVaultAdministrator, every.clone()),
            (Role::KeyVaultCryptoOfficer, every.clone()),
            (
                Role::KeyVaultCryptoUser,
                vec![
                    Get, List, Update, Backup, Encrypt, Decrypt, WrapKey, UnwrapKey, Sign, Verify,
                ],
            ),
            (
                Role::KeyVaultCryptoServiceEncryptionUser,
                vec![Get, List, WrapKey, UnwrapKey],
            ),
            (Role::KeyVaultCryptoServiceReleaseUser, vec![Release]),
            (Role::KeyVaultReader, vec![Get, List, GetRotationPolicy]),
            (Role::KeyVaultContributor, vec![]),
            (Role::KeyVaultDataAccessAdministrator, vec![]),
            (Role::KeyVaultSecretsOfficer, vec![]),
            (Role::KeyVaultSecretsUser, vec![]),
            (Role::KeyVaultPurgeOperator, vec![]),
            (Role::Owner, vec![]),
            (Role::Contributor, vec![]),
            (Role::Reader, vec![]),
            (Role::AcrPush, vec![]),
        ] {
            for permission in &every {
                assert_eq!(
                    roles_permit(&BTreeSet::from([role]), permission.data_action()),
                    permitted.contains(permission),
                    "{role}: {permission}"
                );
            }
        }
    }
}

//! The hints that follow a refusal.

use sealock_api::{self as api, Hint, KeyPermission, NamedPrincipal};
use sealock_cmk::{Cause, InaccessibleKey, Refusal as CmkRefusal};
use sealock_core::{IdentityName, KeyIdentifier, KeyName, Kid, RegistryName, VaultName};
use sealock_entra::{ManagedIdentity, Principal, Role};
use sealock_registry::Refusal;
use sealock_vault::{KeyOperation, PendingPurge, State};

use super::translation::Translate as _;

/// Suggests to follow an advice.
pub(crate) fn advice(text: impl Into<String>) -> Hint {
    Hint::Advice { text: text.into() }
}

/// Suggests what to do about an error of the vault. Lacks the errors that the operator never gets: those of permissions and
/// those of using keys.
pub(crate) fn for_vault_error(error: &sealock_vault::Error) -> Vec<Hint> {
    use sealock_vault::Error;
    let one = match error {
        Error::DeletedVaultNotFound {
            vault,
            is_active: true,
        } => Hint::DeleteVault {
            vault: vault.clone(),
        },
        Error::DeletedKeyNotFound {
            vault,
            key,
            is_active: true,
        } => Hint::DeleteKey {
            vault: vault.clone(),
            key: key.clone(),
        },
        Error::VaultNotFound { .. } | Error::DeletedVaultNotFound { .. } => Hint::ListVaults,
        Error::VaultDeleted { vault } => recover_vault(vault),
        Error::VaultNameTaken { vault } => Hint::ShowVault {
            vault: vault.clone(),
        },
        Error::VaultNameReserved { vault } => {
            let purge = Hint::PurgeVault {
                vault: vault.clone(),
            };
            return vec![recover_vault(vault), purge];
        }
        Error::VaultPurgeProtected { vault } => {
            return vec![Hint::AwaitRetention, recover_vault(vault)];
        }
        Error::KeyNotFound {
            vault,
            key,
            version: Some(_),
        } => show_key(vault, key),
        Error::KeyNotFound { vault, .. } | Error::DeletedKeyNotFound { vault, .. } => {
            list_keys(vault)
        }
        Error::KeyDeleted {
            vault, key, state, ..
        } => return recover_key_in_state(vault, key, *state),
        Error::ObjectIsDeletedButRecoverable { vault, key } => {
            return vec![recover_key(vault, key), purge_key(vault, key)];
        }
        Error::ObjectIsBeingDeleted { .. }
        | Error::ObjectIsBeingRecovered { .. }
        | Error::StillBeingDeleted
        | Error::StillBeingRecovered => Hint::AwaitDelay,
        Error::RestoreConflict { key, state, .. } => return resolve_restore_conflict(key, *state),
        Error::PurgeProtected { vault, key, .. } => {
            return vec![Hint::AwaitRetention, recover_key(vault, key)];
        }
        Error::FailedOver { vault } => Hint::FailBack {
            vault: vault.clone(),
        },
        Error::NoReplica { .. } => {
            advice("use a vault in a region with a pair in the same geography, such as eastus")
        }
        Error::KeyTypeNotSupported { .. } => advice("use RSA, RSA-HSM, EC, EC-HSM or oct-HSM"),
        Error::HardwareKeyInStandardVault => {
            return vec![
                advice("use a key type without -HSM"),
                Hint::CreatePremiumVault,
            ];
        }
        Error::BackupNotDecrypted { why } => advice(why),
        Error::ConcurrentChange => advice("try again"),
        Error::Damaged { .. } => advice("restore the data directory from a copy"),
        _ => return Vec::new(),
    };
    vec![one]
}

/// Suggests what to do about an error of the directory.
pub(crate) fn for_directory_error(error: &sealock_entra::Error) -> Vec<Hint> {
    use sealock_entra::Error;
    match error {
        Error::ApplicationNotFound { name } => vec![
            Hint::ListApplications,
            Hint::CreateApplication {
                application: name.clone(),
            },
        ],
        Error::IdentityNotFound { name } => vec![
            Hint::ListIdentities,
            Hint::CreateIdentity {
                identity: name.clone(),
            },
        ],
        Error::RoleAssignmentNotFound { .. } => vec![Hint::ListRoleAssignments],
        _ => Vec::new(),
    }
}

/// Suggests what to do about a broken rule for registries.
pub(crate) fn for_cmk_refusal(refusal: &CmkRefusal) -> Vec<Hint> {
    match refusal {
        CmkRefusal::EncryptionDiffers(registry) => vec![Hint::ChangeEncryption {
            registry: registry.clone(),
        }],
        CmkRefusal::EncryptionPermanent(_) => vec![Hint::NameEncryption],
        CmkRefusal::PropertiesIncomplete(_) => vec![Hint::NameKeyAndIdentity],
        CmkRefusal::IdentityNotAssigned { registry, .. } => vec![
            Hint::ListRegistryIdentities {
                registry: registry.clone(),
            },
            change_identity(registry),
        ],
        CmkRefusal::KeyInaccessible(_) => vec![Hint::ShowAudit],
        _ => Vec::new(),
    }
}

/// Suggests what to do about a key that `registry` cannot use. `cause` may be more precise than the one in `refused`.
pub(crate) fn for_inaccessible_key(
    registry: &RegistryName,
    refused: &InaccessibleKey,
    cause: api::Cause,
    identity: Option<&IdentityName>,
) -> Vec<Hint> {
    let KeyIdentifier { vault, key, .. } = &refused.key;
    let one = match cause {
        api::Cause::KeyNotFound if !refused.is_current => {
            let create = Hint::CreateKey {
                vault: vault.clone(),
                key: key.clone(),
            };
            return vec![list_keys(vault), create];
        }
        api::Cause::KeyVersionNotFound if !refused.is_current => Some(show_key(vault, key)),
        api::Cause::VaultNotFound if !refused.is_current => Some(Hint::ListVaults),
        _ => for_revocation(registry, refused.cause, &refused.key, identity),
    };
    vec![one.unwrap_or(Hint::ShowAudit)]
}

/// Suggests what to do about an error of the registry.
pub(crate) fn for_registry_error(error: &sealock_registry::Error) -> Vec<Hint> {
    use sealock_registry::Error;
    let one = match error {
        Error::Refused(Refusal::AdminDisabled(registry)) => Hint::EnableAdmin {
            registry: registry.clone(),
        },
        Error::Refused(Refusal::ScopeMapUnknown { registry, .. }) => Hint::ListScopeMaps {
            registry: registry.clone(),
        },
        Error::Refused(Refusal::TokenUnknown { registry, .. }) => Hint::ListTokens {
            registry: registry.clone(),
        },
        Error::RegistryUnknown(registry) => {
            let create = Hint::CreateRegistry {
                registry: registry.clone(),
            };
            return vec![Hint::ListRegistries, create];
        }
        Error::Denied(_) => Hint::ShowStatus,
        Error::Damaged { .. } => Hint::Verify,
        _ => return Vec::new(),
    };
    vec![one]
}

/// Suggests the operation that restores a revoked registry, if there is one.
pub(crate) fn for_revocation(
    registry: &RegistryName,
    cause: Cause,
    identifier: &KeyIdentifier,
    identity: Option<&IdentityName>,
) -> Option<Hint> {
    let (vault, key) = (identifier.vault.clone(), identifier.key.clone());
    // An operation on a version must name it.
    let for_version = |hint: fn(&Kid) -> Hint| match &identifier.version {
        Some(version) => hint(&Kid::new(&vault, &key, version.clone())),
        None => show_key(&vault, &key),
    };
    let principal = identity.map(|identity| NamedPrincipal::Identity(identity.clone()));
    Some(match cause {
        Cause::ForbiddenByPolicy => Hint::GrantAccess {
            vault,
            principal: principal?,
            permissions: vec![
                KeyPermission::Get,
                KeyPermission::WrapKey,
                KeyPermission::UnwrapKey,
            ],
        },
        Cause::ForbiddenByConnection | Cause::ForbiddenByFirewall => {
            Hint::AllowAzureServices { vault }
        }
        Cause::ForbiddenByRbac => Hint::AssignRole {
            role: Role::KeyVaultCryptoServiceEncryptionUser.to_string(),
            principal: principal?,
            vault: Some(vault),
        },
        Cause::ForbiddenByTrust => Hint::AllowAllAddresses { vault },
        Cause::IdentityDetached => match identity {
            Some(identity) => Hint::AssignIdentity {
                registry: registry.clone(),
                identity: identity.clone(),
            },
            None => change_identity(registry),
        },
        Cause::IdentityNotFound => change_identity(registry),
        Cause::KeyDeleted => Hint::RecoverKey { vault, key },
        Cause::KeyDisabled => for_version(enable_key),
        Cause::KeyExpired => for_version(expire_key_later),
        Cause::KeyNotFound => Hint::RestoreKey { vault, key },
        Cause::KeyNotYetValid => for_version(start_key_earlier),
        Cause::KeyTypeUnsupported => Hint::CreateKey { vault, key },
        Cause::KeyOperationForbidden => for_version(|kid| {
            permit_operations(kid, &[KeyOperation::WrapKey, KeyOperation::UnwrapKey])
        }),
        Cause::VaultDeleted => Hint::RecoverVault { vault },
        Cause::VaultNotFound => Hint::CreateVaultAndRestoreKey { vault, key },
        Cause::VaultUnavailable => return None,
    })
}

/// Suggests the operation that prevents a purge.
pub(crate) fn for_purge(purge: &PendingPurge) -> Hint {
    let vault = purge.vault.clone();
    match purge.key.clone() {
        None => Hint::RecoverVault { vault },
        Some(key) if purge.vault_is_deleted => Hint::RecoverVaultAndKey { vault, key },
        Some(key) => Hint::RecoverKey { vault, key },
    }
}

/// Returns the name by which commands find an identity. A registry's own identity has the name of the registry, which another
/// identity may have, so it is found by its id.
pub(crate) fn command_name(identity: &ManagedIdentity) -> IdentityName {
    let id = identity.principal_id.to_string().parse().ok();
    id.filter(|_| identity.owner.is_some())
        .unwrap_or_else(|| identity.name.clone())
}

/// Returns the name of a principal, or `None` for a user, which no command names.
pub(crate) fn named_principal(principal: &Principal) -> Option<NamedPrincipal> {
    Some(match principal {
        Principal::ManagedIdentity(identity) => NamedPrincipal::Identity(command_name(identity)),
        Principal::Application(application) => {
            NamedPrincipal::Application(application.name.clone())
        }
        Principal::User(_) => return None,
    })
}

fn recover_vault(vault: &VaultName) -> Hint {
    Hint::RecoverVault {
        vault: vault.clone(),
    }
}

fn recover_key(vault: &VaultName, key: &KeyName) -> Hint {
    Hint::RecoverKey {
        vault: vault.clone(),
        key: key.clone(),
    }
}

fn purge_key(vault: &VaultName, key: &KeyName) -> Hint {
    Hint::PurgeKey {
        vault: vault.clone(),
        key: key.clone(),
    }
}

fn list_keys(vault: &VaultName) -> Hint {
    Hint::ListKeys {
        vault: vault.clone(),
    }
}

fn show_key(vault: &VaultName, key: &KeyName) -> Hint {
    Hint::ShowKey {
        vault: vault.clone(),
        key: key.clone(),
    }
}

fn enable_key(kid: &Kid) -> Hint {
    Hint::EnableKey {
        vault: kid.vault.clone(),
        key: kid.key.clone(),
        version: kid.version.clone(),
    }
}

fn expire_key_later(kid: &Kid) -> Hint {
    Hint::ExpireKeyLater {
        vault: kid.vault.clone(),
        key: kid.key.clone(),
        version: kid.version.clone(),
    }
}

fn start_key_earlier(kid: &Kid) -> Hint {
    Hint::StartKeyEarlier {
        vault: kid.vault.clone(),
        key: kid.key.clone(),
        version: kid.version.clone(),
    }
}

fn permit_operations(kid: &Kid, operations: &[KeyOperation]) -> Hint {
    Hint::PermitOperations {
        vault: kid.vault.clone(),
        key: kid.key.clone(),
        version: kid.version.clone(),
        operations: operations.iter().map(|it| it.translate()).collect(),
    }
}

fn change_identity(registry: &RegistryName) -> Hint {
    Hint::ChangeIdentity {
        registry: registry.clone(),
    }
}

/// Suggests how to recover a key in its current state.
fn recover_key_in_state(vault: &VaultName, key: &KeyName, state: State) -> Vec<Hint> {
    match state {
        State::Active | State::Deleted => vec![recover_key(vault, key)],
        State::Deleting => vec![Hint::AwaitDelayAndRecoverKey {
            vault: vault.clone(),
            key: key.clone(),
        }],
        State::Recovering => vec![Hint::AwaitDelay],
    }
}

/// Suggests what to do about an existing key that prevents the restore of a backup.
fn resolve_restore_conflict(key: &KeyIdentifier, state: State) -> Vec<Hint> {
    let KeyIdentifier { vault, key, .. } = key;
    if state == State::Active {
        return vec![Hint::ReplaceKey {
            vault: vault.clone(),
            key: key.clone(),
        }];
    }
    let mut hints = recover_key_in_state(vault, key, state);
    hints.push(purge_key(vault, key));
    hints
}

#[cfg(test)]
mod tests {
    use sealock_vault::Error;
    use serde_json::{Value, json};

    use super::*;

    fn hints(error: &Error) -> Value {
        serde_json::to_value(for_vault_error(error)).unwrap()
    }

    #[test]
    fn error_of_the_vault_has_its_hints() {
        let (vault, key): (VaultName, KeyName) = ("kv1".parse().unwrap(), "k1".parse().unwrap());
        let kid = Kid::new(&vault, &key, "a".repeat(32).parse().unwrap());
        let named = json!({"vault": "kv1", "key": "k1", "version": "a".repeat(32)});
        let hint = |action: &str, fields: &[&str]| {
            let mut hint = json!({"action": action});
            for field in fields {
                hint[*field] = named[*field].clone();
            }
            hint
        };
        assert_eq!(
            hints(&Error::VaultNameReserved {
                vault: vault.clone()
            }),
            json!([
                hint("recover_vault", &["vault"]),
                hint("purge_vault", &["vault"])
            ])
        );
        let deleted = |state| Error::KeyDeleted {
            vault: vault.clone(),
            key: key.clone(),
            version: None,
            state,
        };
        assert_eq!(
            hints(&deleted(State::Deleted)),
            json!([hint("recover_key", &["vault", "key"])])
        );
        assert_eq!(
            hints(&deleted(State::Deleting)),
            json!([hint("await_delay_and_recover_key", &["vault", "key"])])
        );
        assert_eq!(
            hints(&deleted(State::Recovering)),
            json!([hint("await_delay", &[])])
        );
        let mut permit = hint("permit_operations", &["vault", "key", "version"]);
        permit["operations"] = json!(["wrapKey", "unwrapKey"]);
        let registry = "sealock".parse().unwrap();
        let restore = for_revocation(
            &registry,
            Cause::KeyOperationForbidden,
            &kid.identifier(),
            None,
        );
        assert_eq!(serde_json::to_value(restore).unwrap(), permit);
        assert_eq!(hints(&Error::BadParameter("x".to_owned())), json!([]));
    }
}

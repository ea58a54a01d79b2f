//! What to do next after a refusal: commands as `sealock` takes them.

use sealock_core::{KeyIdentifier, KeyName, Kid, VaultName};

use crate::{Error, KeyOperation, State, rbac::least_role};

/// What to do while a deletion or a recovery takes its time.
const WAIT: &str = "wait for the time of fidelity.keyvault_delete_delay, or advance the clock";

impl Error {
    /// What to do next.
    #[expect(clippy::too_many_lines, reason = "a table")]
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::DeletedVaultNotFound {
                vault,
                is_active: true,
            } => format!(
                "it is not deleted; to purge it, delete it first with: sealock vault delete {vault}"
            ),
            Self::DeletedKeyNotFound {
                vault,
                key,
                is_active: true,
            } => format!(
                "it is not deleted; to purge it, delete it first with: sealock key delete {key} --vault {vault}"
            ),
            Self::VaultNotFound { .. } | Self::DeletedVaultNotFound { .. } => {
                "see the vaults, deleted ones included, with: sealock vault list".to_owned()
            }
            Self::VaultDeleted { vault } => {
                format!("recover it with: sealock vault recover {vault}")
            }
            Self::VaultNameTaken { vault } => {
                format!("choose another name, or see the vault with: sealock vault show {vault}")
            }
            Self::VaultNameHeld { vault } => format!(
                "recover it with: sealock vault recover {vault}; or, for good, remove it with: sealock vault purge {vault}"
            ),
            Self::VaultPurgeProtected { vault } => format!(
                "it is purged once its retention has passed; until then, recover it with: sealock vault recover {vault}"
            ),
            Self::KeyNotFound {
                vault,
                key,
                version: Some(_),
            } => format!("see its versions with: sealock key show {key} --vault {vault}"),
            Self::KeyNotFound { vault, .. } | Self::DeletedKeyNotFound { vault, .. } => format!(
                "see the vault's keys, deleted ones included, with: sealock key list --vault {vault}"
            ),
            Self::KeyDeleted {
                vault, key, state, ..
            } => way_back(vault, key, *state),
            Self::ObjectIsDeletedButRecoverable { vault, key } => format!(
                "recover it with: sealock key recover {key} --vault {vault}; or, for good, remove it with: sealock key purge {key} --vault {vault}"
            ),
            Self::KeyDisabled { kid, .. } => format!(
                "enable it with: sealock key enable {} --vault {} --version {}",
                kid.key, kid.vault, kid.version
            ),
            Self::KeyOperationForbidden {
                kid,
                operation,
                wider,
            } => widening(kid, *operation, wider.as_deref()),
            Self::KeyNotYetValid { kid, .. } | Self::KeyExpired { kid, .. } => format!(
                "rotate the key with: sealock key rotate {} --vault {}; or see the clock: sealock clock show",
                kid.key, kid.vault
            ),
            Self::ObjectIsBeingDeleted { .. }
            | Self::ObjectIsBeingRecovered { .. }
            | Self::StillBeingDeleted
            | Self::StillBeingRecovered => WAIT.to_owned(),
            Self::RestoreConflict { key, state, .. } => instead_of_a_restore(key, *state),
            Self::PurgeProtected { vault, key } => format!(
                "it is purged once its retention has passed; until then, recover it with: sealock key recover {key} --vault {vault}"
            ),
            Self::ForbiddenByPolicy {
                principal,
                permission,
                vault,
            } => format!(
                "grant it with: sealock access grant --vault {vault} {} --permissions {permission}",
                principal.option()
            ),
            Self::ForbiddenByRbac {
                principal,
                action,
                vault,
                ..
            } => format!(
                "assign a role with: sealock role assign --role \"{}\" {} --vault {vault}",
                least_role(action),
                principal.option()
            ),
            Self::Unreachable { vault, .. } => format!(
                "see from where it can be reached, and change it, with: sealock vault network {vault}"
            ),
            Self::FailedOver { vault } => {
                format!("let it fail back with: sealock vault update {vault} --failed-over false")
            }
            Self::Throttled { retry_after } => {
                format!("let the time pass with: sealock clock advance {retry_after}s")
            }
            Self::KeyTypeNotSupported { .. } => {
                "use RSA, RSA-HSM, EC, EC-HSM or oct-HSM".to_owned()
            }
            Self::HardwareKeyInStandardVault => {
                "use a key type without HSM, or create a vault with: sealock vault create NAME --sku premium".to_owned()
            }
            Self::JsonWebKeyIncomplete { missing } => {
                format!("give it the member '{missing}', which is missing")
            }
            Self::BackupNotDecrypted { why } => (*why).to_owned(),
            Self::TagsInvalid { why } => why.clone(),
            Self::RsaKeyInvalid { why } => format!("export it anew: {why}"),
            Self::ConcurrentChange => "try again".to_owned(),
            Self::Damaged { .. } => "restore the data directory from a copy".to_owned(),
            Self::AuthorizationFailed { .. }
            | Self::BadParameter(_)
            | Self::ContactsNotFound
            | Self::KeySizeNotSupported { .. }
            | Self::BackupCorrupt
            | Self::NotSupported(_)
            | Self::Unauthorized(_)
            | Self::NotAnEndpoint(_)
            | Self::MethodNotAllowed { .. }
            | Self::NamesCollide { .. }
            | Self::Storage(_)
            | Self::Directory(_)
            | Self::Rsa(_)
            | Self::Ecdsa(_)
            | Self::Json(_)
            | Self::Interrupted(_) => return None,
        })
    }
}

/// How a key comes back that is not active.
fn way_back(vault: &VaultName, key: &KeyName, state: State) -> String {
    let recover = format!("recover it with: sealock key recover {key} --vault {vault}");
    match state {
        State::Active | State::Deleted => recover,
        State::Deleting => format!("{WAIT}; then {recover}"),
        State::Recovering => WAIT.to_owned(),
    }
}

/// What to do with a key that is in the way of its restore.
fn instead_of_a_restore(key: &KeyIdentifier, state: State) -> String {
    let KeyIdentifier { vault, key, .. } = key;
    let purge = format!("for good, remove it with: sealock key purge {key} --vault {vault}");
    match state {
        State::Active => format!(
            "a key of this name is there, and needs no restore if it is the one; to replace it, delete it with: sealock key delete {key} --vault {vault}; then, {purge}"
        ),
        state => format!("{}; or, {purge}", way_back(vault, key, state)),
    }
}

/// How a version comes to be for an operation, too, if it can.
fn widening(kid: &Kid, operation: KeyOperation, wider: Option<&[KeyOperation]>) -> String {
    let Kid {
        vault,
        key,
        version,
    } = kid;
    let Some(wider) = wider else {
        return format!("see what it is for with: sealock key show {key} --vault {vault}");
    };
    let names: Vec<_> = wider.iter().map(|operation| operation.as_str()).collect();
    format!(
        "have it be for {operation}, too, with: sealock key update {key} --vault {vault} --version {version} --ops {}",
        names.join(",")
    )
}

use sealock_core::{KeyIdentifier, KeyName, Kid, VaultName};
use sealock_entra::{RESOURCE_GROUP, SUBSCRIPTION};

/// The region of every vault.
pub(crate) const LOCATION: &str = "eastus";

/// A resource that an operation acts on.
pub trait Target: Clone + Send + Sync + 'static {
    /// Returns the vault, unless the operation acts on all vaults.
    fn vault(&self) -> Option<&VaultName>;

    /// Returns the key, if the operation acts on one.
    fn key(&self) -> Option<KeyIdentifier> {
        None
    }
}

/// A target in one vault.
pub(super) trait InVault: Target {
    fn vault_name(&self) -> &VaultName;
}

/// All vaults of the emulator.
#[derive(Clone, Copy, Debug)]
pub struct AllVaults;

impl Target for AllVaults {
    fn vault(&self) -> Option<&VaultName> {
        None
    }
}

impl Target for VaultName {
    fn vault(&self) -> Option<&VaultName> {
        Some(self)
    }
}

impl InVault for VaultName {
    fn vault_name(&self) -> &VaultName {
        self
    }
}

/// Without a version, an operation on a version acts on the current one.
impl Target for KeyIdentifier {
    fn vault(&self) -> Option<&VaultName> {
        Some(&self.vault)
    }

    fn key(&self) -> Option<KeyIdentifier> {
        Some(self.clone())
    }
}

impl InVault for KeyIdentifier {
    fn vault_name(&self) -> &VaultName {
        &self.vault
    }
}

impl Target for Kid {
    fn vault(&self) -> Option<&VaultName> {
        Some(&self.vault)
    }

    fn key(&self) -> Option<KeyIdentifier> {
        Some(self.identifier())
    }
}

/// Returns a vault's ARM id.
pub fn resource_id(vault: &VaultName) -> String {
    format!(
        "/subscriptions/{SUBSCRIPTION}/resourceGroups/{RESOURCE_GROUP}/providers/Microsoft.KeyVault/vaults/{vault}"
    )
}

/// Returns the ARM id of a key, to which roles can be assigned.
pub(crate) fn resource_id_of_key(vault: &VaultName, key: &KeyName) -> String {
    format!("{}/keys/{key}", resource_id(vault))
}

use sealock_core::{KeyIdentifier, KeyName, Kid, VaultName};
use sealock_entra::{RESOURCE_GROUP, SUBSCRIPTION};

/// The region of every vault, until a vault can have another.
pub(crate) const LOCATION: &str = "eastus";

/// The thing that an operation is about.
pub trait Target: Clone + Send + Sync + 'static {
    /// The vault, unless the operation is about all of them.
    fn vault(&self) -> Option<&VaultName>;

    /// The key, if the operation is about one.
    fn key(&self) -> Option<KeyIdentifier> {
        None
    }
}

/// A target that lies in one vault.
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

/// Without a version, an operation on versions is about the current one.
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

/// A vault's ARM id.
pub fn resource_id(vault: &VaultName) -> String {
    format!(
        "/subscriptions/{SUBSCRIPTION}/resourceGroups/{RESOURCE_GROUP}/providers/Microsoft.KeyVault/vaults/{vault}"
    )
}

/// The ARM id of a vault's key, to which roles can be assigned.
pub(crate) fn resource_id_of_key(vault: &VaultName, key: &KeyName) -> String {
    format!("{}/keys/{key}", resource_id(vault))
}

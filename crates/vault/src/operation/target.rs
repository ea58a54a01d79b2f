use sealock_core::{KeyIdentifier, Kid, VaultName};

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

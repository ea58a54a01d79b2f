use sealock_core::{KeyIdentifier, Kid, Location, ResourceGroupName, VaultName};
use sealock_entra::TrackedResource;

/// A resource that an operation acts on.
pub trait Target: Clone + Send + Sync + 'static {
    /// Returns the vault, unless the operation acts on all vaults.
    fn vault(&self) -> Option<&VaultName>;

    /// Returns the resource group in which the vault must be, if the request names one.
    fn group(&self) -> Option<&ResourceGroupName> {
        None
    }

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

/// A vault to manage, and the place where it must be. A vault elsewhere counts as missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManagedVault {
    pub(crate) vault: VaultName,
    place: Place,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    Anywhere,
    Group(ResourceGroupName),
    Location(Location),
}

impl ManagedVault {
    /// Returns a vault of a resource group.
    pub fn in_group(vault: VaultName, group: ResourceGroupName) -> Self {
        let place = Place::Group(group);
        Self { vault, place }
    }

    /// Returns a vault in a region.
    pub fn in_location(vault: VaultName, location: Location) -> Self {
        let place = Place::Location(location);
        Self { vault, place }
    }

    /// Returns true if the vault may be at the place of `resource`. Azure ignores the case of resource groups.
    pub(super) fn may_be_at(&self, resource: &TrackedResource) -> bool {
        match &self.place {
            Place::Anywhere => true,
            Place::Group(group) => {
                let actual = resource.resource_group.as_str();
                group.as_str().eq_ignore_ascii_case(actual)
            }
            Place::Location(location) => *location == resource.location,
        }
    }
}

impl From<VaultName> for ManagedVault {
    fn from(vault: VaultName) -> Self {
        let place = Place::Anywhere;
        Self { vault, place }
    }
}

impl Target for ManagedVault {
    fn vault(&self) -> Option<&VaultName> {
        Some(&self.vault)
    }

    fn group(&self) -> Option<&ResourceGroupName> {
        match &self.place {
            Place::Group(group) => Some(group),
            Place::Anywhere | Place::Location(_) => None,
        }
    }
}

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

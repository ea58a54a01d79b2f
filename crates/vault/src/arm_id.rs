//! The ids of vaults in Azure Resource Manager.

use sealock_core::VaultName;
use sealock_entra::{SUBSCRIPTION, TrackedResource};

/// Returns the ARM id of a vault in this place, or of the collection of all vaults.
pub(crate) fn arm_id(vault: Option<&VaultName>, place: &TrackedResource) -> String {
    match vault {
        Some(vault) => resource_id(vault, place),
        None => format!("/subscriptions/{SUBSCRIPTION}/providers/Microsoft.KeyVault/vaults"),
    }
}

/// Returns the ARM id of a vault in this place.
pub(crate) fn resource_id(vault: &VaultName, place: &TrackedResource) -> String {
    place.id("Microsoft.KeyVault/vaults", vault.as_str())
}

/// Returns the ARM id of a deleted vault, which has a location but no resource group.
pub(crate) fn deleted_id(vault: &VaultName, place: &TrackedResource) -> String {
    let location = &place.location;
    format!(
        "/subscriptions/{SUBSCRIPTION}/providers/Microsoft.KeyVault/locations/{location}/deletedVaults/{vault}"
    )
}

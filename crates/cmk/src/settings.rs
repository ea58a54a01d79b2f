use jiff::SignedDuration;
use serde::Deserialize;

/// How long a registry goes on with a key that it has, before it asks the vault again.
///
/// Azure promises a rotated key "within one hour" and says nothing of a revoked one.
/// <https://learn.microsoft.com/azure/container-registry/tutorial-customer-managed-keys>
pub(crate) const AZURE_CACHE: SignedDuration = SignedDuration::from_hours(1);

/// `[cmk]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// When a change in the vault counts.
    pub propagation: Propagation,
}

/// When a change in the vault counts for the registries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Propagation {
    /// For the very next request; and a new key version for every registry that follows the key,
    /// before whoever made it is answered.
    #[default]
    Immediate,
    /// As in Azure, within an hour of the emulator's time.
    Azure,
}

use jiff::SignedDuration;
use serde::Deserialize;

/// The time for which a registry uses a cached key before it asks the vault again.
///
/// Azure promises a rotated key "within one hour" and says nothing of a revoked one.
/// <https://learn.microsoft.com/azure/container-registry/tutorial-customer-managed-keys>
pub(crate) const AZURE_CACHE: SignedDuration = SignedDuration::from_hours(1);

/// `[cmk]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// The time at which a change in the vault takes effect.
    pub propagation: Propagation,
}

/// The time at which a change in the vault takes effect for the registries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Propagation {
    /// At once: before the next request, and for a new key version before the request that creates it is answered.
    #[default]
    Immediate,
    /// Within an hour of the emulator's time, as in Azure.
    Azure,
}

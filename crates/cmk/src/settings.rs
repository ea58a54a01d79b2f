use jiff::SignedDuration;
use serde::{Deserialize, Deserializer, de::Error as _};

/// The time for which a registry uses a cached key before it asks the vault again.
///
/// Azure promises a rotated key "within one hour" and says nothing of a revoked one.
/// <https://learn.microsoft.com/azure/container-registry/tutorial-customer-managed-keys>
pub(crate) const AZURE_CACHE: SignedDuration = SignedDuration::from_hours(1);

/// The time until an identity's credential expires that is not renewed: usually three months.
///
/// <https://learn.microsoft.com/azure/container-registry/tutorial-troubleshoot-customer-managed-keys>
const AZURE_CREDENTIAL_LIFETIME: SignedDuration = SignedDuration::from_hours(90 * 24);

/// `[cmk]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// The time at which a change in the vault takes effect.
    pub propagation: Propagation,
    /// The time for which a detached or deleted identity serves with [`Propagation::Azure`].
    #[serde(deserialize_with = "lifetime")]
    pub identity_credential_lifetime: SignedDuration,
    /// True if the vault of a registry's key needs purge protection.
    #[serde(skip)]
    pub requires_purge_protection: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            propagation: Propagation::default(),
            identity_credential_lifetime: AZURE_CREDENTIAL_LIFETIME,
            requires_purge_protection: false,
        }
    }
}

impl Settings {
    /// Returns the time for which the credential of an identity serves that is detached or deleted.
    pub fn credential_lifetime(&self) -> SignedDuration {
        match self.propagation {
            Propagation::Immediate => SignedDuration::ZERO,
            Propagation::Azure => self.identity_credential_lifetime,
        }
    }
}

fn lifetime<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SignedDuration, D::Error> {
    let lifetime = SignedDuration::deserialize(deserializer)?;
    if lifetime.is_negative() {
        return Err(D::Error::custom("a lifetime cannot be negative"));
    }
    Ok(lifetime)
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

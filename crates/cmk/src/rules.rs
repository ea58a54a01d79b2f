//! Azure's rules for a registry with a customer-managed key: one function for each rule.
//!
//! A text of Azure's that is public stands here to the letter. The other texts are ours (`docs/parity.md`).

use std::{fmt, str::FromStr};

use sealock_core::{ChosenKey, ClientId, KeyIdentifier, RegistryName, VaultName, excerpt};
use serde::{Deserialize, Serialize};

use crate::Cause;

/// A registry's service tier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Sku {
    /// The smallest.
    Basic,
    /// The middle one.
    Standard,
    /// The one with customer-managed keys.
    Premium,
}

impl fmt::Display for Sku {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// The managed identity as which a registry reaches its vault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identity {
    /// The registry's own identity, which exists only after the registry does.
    SystemAssigned,
    /// A user-assigned managed identity.
    UserAssigned(ClientId),
}

/// The encryption that a request asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Encryption {
    /// The key.
    pub key: Option<ChosenKey>,
    /// The identity.
    pub identity: Option<Identity>,
}

impl Encryption {
    /// Returns true if the request asks for a customer-managed key.
    pub fn is_requested(&self) -> bool {
        self.key.is_some() || self.identity.is_some()
    }
}

/// A key that a registry cannot use. Azure's text hides the cause.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "Failed to access KeyId '{kid}'. Verify that identity '{identity}' has 'Get, Wrap Key, Unwrap Key' permission on key '{kid}'. {HELP_BYOK}"
)]
pub struct InaccessibleKey {
    /// The key's URL.
    pub kid: String,
    /// The key, with its version if that is known.
    pub key: KeyIdentifier,
    /// The identity's client id.
    pub identity: ClientId,
    /// The cause of the vault's refusal.
    pub cause: Cause,
    /// True for the key that wraps the registry's DEK, false for a key that the request chooses.
    pub is_current: bool,
}

/// A rule that a request breaks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// [`changed_by_rotation_only`]
    #[error(
        "The registry {0} has another key or identity, and only a rotation changes them. {HELP}"
    )]
    EncryptionDiffers(RegistryName),
    /// [`only_at_creation`]
    #[error(
        "Encryption cannot be enabled for the existing registry {0}: a customer-managed key is set when a registry is created. {HELP}"
    )]
    EncryptionOnlyAtCreation(RegistryName),
    /// [`encryption_is_permanent`]
    #[error(
        "Encryption cannot be disabled for the registry {0}: a registry keeps its customer-managed key for good. {HELP}"
    )]
    EncryptionPermanent(RegistryName),
    /// [`premium_only`]
    #[error(
        "Encryption is not supported for the SKU {sku} of the registry {registry}; it needs the SKU Premium. {HELP}"
    )]
    EncryptionNeedsPremium {
        /// The registry.
        registry: RegistryName,
        /// Its tier.
        sku: Sku,
    },
    /// The identity is not assigned to the registry, or no longer exists.
    #[error(
        "Azure resource '{resource}' does not have access to identity '{identity}' Try forcibly adding the identity to the registry {registry}. {HELP_BYOK}"
    )]
    IdentityNotAssigned {
        /// The registry.
        registry: RegistryName,
        /// The registry's ARM id.
        resource: String,
        /// The identity's client id.
        identity: String,
    },
    /// [`user_assigned_identity_at_creation`]
    #[error(
        "The system-assigned identity cannot be used to create the registry {0}: it does not exist yet. Create the registry with a user-assigned identity, and rotate to the system-assigned one later. {HELP}"
    )]
    IdentityNotUserAssigned(RegistryName),
    /// The key is not found, not enabled, or not permitted to the identity.
    #[error(transparent)]
    KeyInaccessible(Box<InaccessibleKey>),
    /// [`rsa_only`]
    #[error("The key '{kid}' has the type {kty}; a registry takes RSA or RSA-HSM keys. {HELP}")]
    KeyTypeUnsupported {
        /// The key's URL.
        kid: String,
        /// The key's type.
        kty: String,
    },
    /// [`key_and_identity_together`]
    #[error(
        "Invalid encryption key vault property specified for registry {0}. Property Identity and KeyIdentifier must be set when encryption is enabled. {HELP}"
    )]
    PropertiesIncomplete(RegistryName),
    /// [`encrypted_only`]
    #[error(
        "usage error: key rotation is only applicable to registries with CMK enabled; {0} has none"
    )]
    RotationNeedsEncryption(RegistryName),
    /// [`no_content_trust`]
    #[error(
        "this feature 'ContenTrust' is currently not supported when encryption is enable for the resource {0}. {HELP}"
    )]
    ContentTrust(String),
    /// [`purge_protection`]
    #[error(
        "The vault {vault} of the key '{kid}' has no purge protection, which the key of the registry {registry} needs. Enable it, or set fidelity.require_purge_protection = false. {HELP}"
    )]
    PurgeProtectionMissing {
        /// The registry.
        registry: RegistryName,
        /// The vault.
        vault: VaultName,
        /// The key's URL.
        kid: String,
    },
    /// [`no_downgrade`]
    #[error(
        "The registry {registry} cannot be changed to the SKU {sku}: its customer-managed key needs Premium. {HELP}"
    )]
    SkuDowngrade {
        /// The registry.
        registry: RegistryName,
        /// The requested tier.
        sku: Sku,
    },
}

impl From<InaccessibleKey> for Refusal {
    fn from(key: InaccessibleKey) -> Self {
        Self::KeyInaccessible(Box::new(key))
    }
}

const HELP: &str =
    "For more information on customer-managed keys, please visit 'https://aka.ms/acr/cmk'.";
const HELP_BYOK: &str =
    "For more information on bring your own key, please visit 'https://aka.ms/acr/cmk'.";

impl Refusal {
    /// The error code. Only `BlockedForEncryptionEnabledRegistry` and `InvalidEncryptionKeyVaultProperties` are known to
    /// be Azure's.
    pub fn code(&self) -> &'static str {
        match self {
            Self::ContentTrust(_) => "BlockedForEncryptionEnabledRegistry",
            Self::EncryptionDiffers(_) => "EncryptionDiffers",
            Self::EncryptionOnlyAtCreation(_) => "EncryptionOnlyAtCreation",
            Self::EncryptionPermanent(_) => "EncryptionPermanent",
            Self::EncryptionNeedsPremium { .. } => "EncryptionNeedsPremium",
            Self::IdentityNotAssigned { .. } => "IdentityNotAssigned",
            Self::IdentityNotUserAssigned(_) => "IdentityNotUserAssigned",
            Self::KeyInaccessible(_) => "KeyInaccessible",
            Self::KeyTypeUnsupported { .. } => "KeyTypeUnsupported",
            Self::PropertiesIncomplete(_) => "InvalidEncryptionKeyVaultProperties",
            Self::PurgeProtectionMissing { .. } => "PurgeProtectionMissing",
            Self::RotationNeedsEncryption(_) => "RotationNeedsEncryption",
            Self::SkuDowngrade { .. } => "SkuDowngrade",
        }
    }
}

/// Only the Premium tier has customer-managed keys.
///
/// <https://learn.microsoft.com/azure/container-registry/tutorial-customer-managed-keys>
pub fn premium_only(registry: &RegistryName, sku: Sku, encrypted: bool) -> Result<(), Refusal> {
    if encrypted && sku != Sku::Premium {
        return Err(Refusal::EncryptionNeedsPremium {
            registry: registry.clone(),
            sku,
        });
    }
    Ok(())
}

/// A customer-managed key is set at creation, never later.
///
/// <https://learn.microsoft.com/azure/container-registry/tutorial-customer-managed-keys>
pub fn only_at_creation(
    registry: &RegistryName,
    encrypted: bool,
    requested: bool,
) -> Result<(), Refusal> {
    if requested && !encrypted {
        return Err(Refusal::EncryptionOnlyAtCreation(registry.clone()));
    }
    Ok(())
}

/// A registry never gives up its customer-managed key.
///
/// <https://learn.microsoft.com/azure/container-registry/tutorial-customer-managed-keys>
pub fn encryption_is_permanent(
    registry: &RegistryName,
    encrypted: bool,
    requested: bool,
) -> Result<(), Refusal> {
    if encrypted && !requested {
        return Err(Refusal::EncryptionPermanent(registry.clone()));
    }
    Ok(())
}

/// A registry with a customer-managed key stays Premium.
///
/// <https://learn.microsoft.com/azure/container-registry/container-registry-skus#changing-tiers>
pub fn no_downgrade(registry: &RegistryName, encrypted: bool, sku: Sku) -> Result<(), Refusal> {
    if encrypted && sku < Sku::Premium {
        return Err(Refusal::SkuDowngrade {
            registry: registry.clone(),
            sku,
        });
    }
    Ok(())
}

/// A request gives both key and identity, or neither.
///
/// <https://aka.ms/acr/cmk>
pub fn key_and_identity_together(
    registry: &RegistryName,
    encryption: &Encryption,
) -> Result<(ChosenKey, Identity), Refusal> {
    match (&encryption.key, encryption.identity) {
        (Some(key), Some(identity)) => Ok((key.clone(), identity)),
        _ => Err(Refusal::PropertiesIncomplete(registry.clone())),
    }
}

/// A registry is created with a user-assigned identity, since its own does not exist yet.
///
/// <https://learn.microsoft.com/azure/container-registry/tutorial-enable-customer-managed-keys>
pub fn user_assigned_identity_at_creation(
    registry: &RegistryName,
    identity: Identity,
) -> Result<ClientId, Refusal> {
    match identity {
        Identity::UserAssigned(client_id) => Ok(client_id),
        Identity::SystemAssigned => Err(Refusal::IdentityNotUserAssigned(registry.clone())),
    }
}

/// A registry takes RSA and RSA-HSM keys.
///
/// <https://learn.microsoft.com/azure/container-registry/tutorial-customer-managed-keys>
pub fn rsa_only(kid: &str, kty: &str) -> Result<(), Refusal> {
    if matches!(kty, "RSA" | "RSA-HSM") {
        return Ok(());
    }
    Err(Refusal::KeyTypeUnsupported {
        kid: kid.to_owned(),
        kty: kty.to_owned(),
    })
}

/// A registry with a customer-managed key has no Content Trust. The misspellings are the service's.
///
/// <https://github.com/Azure/PSRule.Rules.Azure/issues/1810>
pub fn no_content_trust(
    resource_id: &str,
    encrypted: bool,
    content_trust: bool,
) -> Result<(), Refusal> {
    if encrypted && content_trust {
        return Err(Refusal::ContentTrust(resource_id.to_owned()));
    }
    Ok(())
}

/// The vault of a registry's key has purge protection. Azure required that in 2020, and recommends it today.
///
/// <https://learn.microsoft.com/azure/container-registry/tutorial-enable-customer-managed-keys>
pub fn purge_protection(
    registry: &RegistryName,
    vault: &VaultName,
    kid: &str,
    required: bool,
    is_on: bool,
) -> Result<(), Refusal> {
    if is_on || !required {
        return Ok(());
    }
    Err(Refusal::PurgeProtectionMissing {
        registry: registry.clone(),
        vault: vault.clone(),
        kid: kid.to_owned(),
    })
}

/// A request to create an existing registry changes neither its key nor its identity.
///
/// <https://learn.microsoft.com/azure/container-registry/tutorial-rotate-revoke-customer-managed-keys>
pub fn changed_by_rotation_only(registry: &RegistryName, unchanged: bool) -> Result<(), Refusal> {
    if unchanged {
        return Ok(());
    }
    Err(Refusal::EncryptionDiffers(registry.clone()))
}

/// Only a registry with a customer-managed key can rotate it.
///
/// <https://github.com/Azure/azure-cli/issues/14196>
pub fn encrypted_only(registry: &RegistryName, encrypted: bool) -> Result<(), Refusal> {
    if encrypted {
        return Ok(());
    }
    Err(Refusal::RotationNeedsEncryption(registry.clone()))
}

/// The identity that wraps a registry's DEK must be assigned to the registry. Returns the `assigned` one.
///
/// <https://learn.microsoft.com/azure/container-registry/tutorial-troubleshoot-customer-managed-keys>
pub fn identity_is_assigned<T>(
    registry: &RegistryName,
    resource_id: &str,
    identity: &str,
    assigned: Option<T>,
) -> Result<T, Refusal> {
    assigned.ok_or_else(|| Refusal::IdentityNotAssigned {
        registry: registry.clone(),
        resource: resource_id.to_owned(),
        identity: identity.to_owned(),
    })
}

/// The error of a text that names no tier.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a SKU; expected Basic, Standard or Premium")]
pub struct InvalidSku(String);

impl FromStr for Sku {
    type Err = InvalidSku;

    fn from_str(text: &str) -> Result<Self, InvalidSku> {
        [Self::Basic, Self::Standard, Self::Premium]
            .into_iter()
            .find(|sku| sku.to_string().eq_ignore_ascii_case(text))
            .ok_or_else(|| InvalidSku(excerpt(text).to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_permits_and_refuses() {
        let name: RegistryName = "sealock".parse().unwrap();
        assert!(premium_only(&name, Sku::Premium, true).is_ok());
        assert!(premium_only(&name, Sku::Basic, false).is_ok());
        assert!(premium_only(&name, Sku::Standard, true).is_err());

        assert!(only_at_creation(&name, true, true).is_ok());
        assert!(only_at_creation(&name, false, false).is_ok());
        assert!(only_at_creation(&name, false, true).is_err());

        assert!(encryption_is_permanent(&name, false, false).is_ok());
        assert!(encryption_is_permanent(&name, true, true).is_ok());
        assert!(encryption_is_permanent(&name, true, false).is_err());

        assert!(no_downgrade(&name, false, Sku::Basic).is_ok());
        assert!(no_downgrade(&name, true, Sku::Premium).is_ok());
        assert!(no_downgrade(&name, true, Sku::Standard).is_err());

        assert!(user_assigned_identity_at_creation(&name, Identity::SystemAssigned).is_err());
        assert!(
            user_assigned_identity_at_creation(&name, Identity::UserAssigned(ClientId::random()))
                .is_ok()
        );

        assert!(rsa_only("kid", "RSA").is_ok());
        assert!(rsa_only("kid", "RSA-HSM").is_ok());
        assert!(rsa_only("kid", "EC").is_err());

        assert!(changed_by_rotation_only(&name, true).is_ok());
        assert!(changed_by_rotation_only(&name, false).is_err());

        assert!(encrypted_only(&name, true).is_ok());
        assert!(encrypted_only(&name, false).is_err());

        assert!(no_content_trust("id", false, true).is_ok());
        assert!(no_content_trust("id", true, false).is_ok());
        assert!(no_content_trust("id", true, true).is_err());

        let vault = "kv1".parse().unwrap();
        let protection = |required, is_on| purge_protection(&name, &vault, "kid", required, is_on);
        assert!(protection(false, false).is_ok());
        assert!(protection(true, true).is_ok());
        assert!(protection(true, false).is_err());

        let key = Some("kv1/k1".parse().unwrap());
        let identity = Some(Identity::SystemAssigned);
        let together =
            |key, identity| key_and_identity_together(&name, &Encryption { key, identity });
        assert!(together(key.clone(), identity).is_ok());
        let refused = together(key, None).unwrap_err();
        assert_eq!(together(None, identity), Err(refused.clone()));
        assert_eq!(
            refused.to_string(),
            "Invalid encryption key vault property specified for registry sealock. Property Identity and \
             KeyIdentifier must be set when encryption is enabled. For more information on customer-managed keys, \
             please visit 'https://aka.ms/acr/cmk'."
        );
    }
}

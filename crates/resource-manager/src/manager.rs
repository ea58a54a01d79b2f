use sealock_core::{Clock, PublicName};
use sealock_entra::{Directory, TokenIssuer};
use sealock_registry::Registries;
use sealock_store::Store;
use sealock_vault::KeyVault;
use tokio::sync::Notify;

use crate::{IdentityTypeCase, ProvisioningDelay};

/// The services whose resources Resource Manager manages.
pub struct ResourceManager {
    /// The store of the resource groups and the operations.
    pub store: Store,
    /// The emulator's clock.
    pub clock: Clock,
    /// The name under which clients reach the emulator.
    pub names: PublicName,
    /// The directory of the identities and roles.
    pub directory: Directory,
    /// The issuer of the tokens that it accepts.
    pub tokens: TokenIssuer,
    /// The vaults.
    pub vaults: KeyVault,
    /// The registries.
    pub registries: Registries,
    /// The duration of asynchronous operations.
    pub provisioning_delay: ProvisioningDelay,
    /// The case of the identity types of registries.
    pub identity_type_case: IdentityTypeCase,
    /// Wakes the task that ends operations, when one begins that ends later.
    pub operation_begun: Notify,
}

//! A registry's custody of its data encryption key (DEK).
//!
//! The store holds the DEK wrapped. It is unwrapped only in memory, and only while the vault lets the
//! registry's managed identity unwrap it. The [`Custody`] of a registry hands out [`Lease`]s, each good
//! for one batch of work. Its gate asks the vault again whenever anything may have changed, and refuses
//! with the exact [`Cause`] once the vault refuses to unwrap. Rotation wraps the same DEK under another
//! key version in one atomic write, however much the registry holds.
//!
//! The vault is a trait here, [`KeyVault`]. Each of Azure's rules for registries with a customer-managed
//! key is one function in [`rules`].

mod content_cache;
mod context;
mod custodian;
mod custody;
mod detachment;
mod error;
mod gate;
mod history;
mod record;
mod revocation;
mod rotation;
pub mod rules;
mod second_copy;
mod settings;
mod vault;
mod verify;

pub use content_cache::ContentCache;
pub use custodian::{Availability, Custodian, CustodyStatus, Follower, KeyInUse};
pub use custody::{Custody, Lease};
pub use error::Error;
pub use history::{CustodyChange, CustodyEvent, CustodyHistory};
pub use revocation::{Obstacle, PendingRevocation, Revocation};
pub use rotation::PlannedRotation;
pub use rules::{Encryption, Identity, InaccessibleKey, Refusal, Sku};
pub use settings::{Propagation, Settings};
pub use vault::{Cause, KeyFacts, KeyVault, VaultError, WRAP_ALGORITHM};

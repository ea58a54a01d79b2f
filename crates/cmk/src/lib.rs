//! A registry's custody of its data encryption key (DEK).
//!
//! The DEK lives wrapped in the store and unwrapped in memory only, and only while the vault lets the
//! registry's managed identity unwrap it. The [`Custody`] of a registry hands out [`Lease`]s, each good
//! for one batch of work; its gate asks the vault anew whenever anything may have changed, and refuses
//! with the exact [`Cause`] once unwrap is refused. Rotation wraps the same DEK under another key
//! version in one atomic write, whatever the registry holds.
//!
//! The vault is a trait here, [`KeyVault`], and what Azure demands of a registry with a customer-managed
//! key is one function each in [`rules`].

mod custodian;
mod custody;
mod damage;
mod error;
mod gate;
mod opened;
pub mod rules;
mod settings;
mod vault;
mod verify;

pub use custodian::{Custodian, CustodyStatus, Follower, Standing};
pub use custody::{Custody, Lease};
pub use error::Error;
pub use gate::{Behind, End, Revocation};
pub use opened::Opened;
pub use rules::{Encryption, Identity, Inaccessible, Refusal, Sku};
pub use settings::{Propagation, Settings};
pub use vault::{Cause, KeyFacts, KeyVault, NotDone, WRAP_ALGORITHM};

//! Who: the tenant, its managed identities, and the caller of an operation.
//!
//! A [`Directory`] holds the identities. What one of them may do is decided by the service that it
//! calls; what is concluded from an identity's existence is stale once the store's epoch has risen,
//! since creating and deleting one are control commits.

mod caller;
mod directory;
mod error;
mod identity;

pub use caller::Caller;
pub use directory::Directory;
pub use error::{Error, Result};
pub use identity::{ManagedIdentity, RESOURCE_GROUP, SUBSCRIPTION};

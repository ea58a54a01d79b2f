//! Who, and who may: the tenant, its managed identities, their roles and their tokens.
//!
//! A [`Directory`] holds the identities and the roles that they were assigned; a [`TokenIssuer`] gives
//! them tokens, and tells whose a token is. What a role means is decided by the service that is called;
//! what is concluded from an identity or a role is stale once the store's epoch has risen, since each
//! change of them is a control commit. [`http`] has the managed identity endpoint and the authority.

mod caller;
mod directory;
mod error;
pub mod http;
mod identity;
mod issuer;
mod role;
mod role_assignment;
mod role_scope;
mod signing_key;

pub use caller::Caller;
pub use directory::Directory;
pub use error::{Error, InvalidToken, Result};
pub use identity::{ManagedIdentity, RESOURCE_GROUP, SUBSCRIPTION};
pub use issuer::{AccessToken, TokenIssuer};
pub use role::Role;
pub use role_assignment::RoleAssignment;
pub use role_scope::RoleScope;

//! Who, and who may: the tenant, its managed identities and applications, their roles and their tokens.
//!
//! A [`Directory`] holds these principals and the roles that they were assigned; a [`TokenIssuer`] gives
//! them tokens, and tells whose a token is. What a role means is decided by the service that is called;
//! what is concluded from a principal or a role is stale once the store's epoch has risen, since each
//! change of them is a control commit. [`http`] has the managed identity endpoint and the authority.

mod application;
mod caller;
mod client_secret;
mod directory;
mod error;
pub mod http;
mod identity;
mod issuer;
mod principal;
mod role;
mod role_assignment;
mod role_scope;
mod signing_key;

pub use application::Application;
pub use caller::Caller;
pub use client_secret::ClientSecret;
pub use directory::Directory;
pub use error::{Error, InvalidToken, Result};
pub use identity::{ManagedIdentity, RESOURCE_GROUP, SUBSCRIPTION};
pub use issuer::{AccessToken, TokenIssuer};
pub use principal::Principal;
pub use role::Role;
pub use role_assignment::RoleAssignment;
pub use role_scope::RoleScope;

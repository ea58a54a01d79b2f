//! The identities and their permissions: the tenant, its managed identities and applications, their roles and tokens.
//!
//! A [`Directory`] holds the principals and their role assignments. A [`TokenIssuer`] issues tokens to principals and
//! verifies them. The service that is called decides what a role permits. Every change of a principal or a role raises
//! the store's epoch, so conclusions from them hold until the epoch rises. [`http`] serves the managed identity
//! endpoint and the authority.

mod directory;
mod error;
pub mod http;
mod principals;
mod roles;
mod tokens;

pub use directory::Directory;
pub use error::{Error, InvalidToken, Result};
pub use principals::{
    application::Application,
    client_secret::ClientSecret,
    managed_identity::{ManagedIdentity, RESOURCE_GROUP, SUBSCRIPTION},
    principal::{Caller, Principal},
};
pub use roles::{assignment::RoleAssignment, role::Role, scope::RoleScope};
pub use tokens::issuer::{AccessToken, TokenIssuer};

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
mod resource;
mod roles;
mod tokens;

pub use directory::Directory;
pub use error::{Error, InvalidToken, Result};
pub use principals::{
    application::Application,
    client_secret::ClientSecret,
    managed_identity::ManagedIdentity,
    principal::{Caller, Principal},
};
pub use resource::{
    Author, AuthorKind, LOCATION, RESOURCE_GROUP, SUBSCRIPTION, SystemData, Tags, TrackedResource,
    default_location, default_resource_group,
};
pub use roles::{assignment::RoleAssignment, role::Role, scope::RoleScope};
pub use tokens::issuer::{AccessToken, TokenIssuer};

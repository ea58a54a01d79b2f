//! The identities and their permissions: the tenant, its managed identities and applications, their roles and tokens.
//!
//! A [`Directory`] holds the principals and their role assignments. A [`TokenIssuer`] issues tokens to principals and
//! verifies them. A role's definition says what it permits. Every change of a principal or a role raises
//! the store's epoch, so conclusions from them hold until the epoch rises. [`http`] serves the managed identity
//! endpoint and the authority.

mod directory;
mod error;
pub mod http;
mod principals;
mod resource;
mod roles;
mod tokens;

pub use directory::{Directory, ServedIdentity, TENANT};
pub use error::{Error, InvalidToken, Result};
pub use principals::{
    application::Application,
    client_secret::ClientSecret,
    credential::{Certificate, Credential, FederatedCredential},
    developer::{DEVELOPER_CLIENT, DEVELOPER_SECRET},
    managed_identity::ManagedIdentity,
    principal::{Caller, Principal, PrincipalType},
    user::{DEVELOPER_USER, User},
};
pub use resource::{
    Author, AuthorKind, LOCATION, RESOURCE_GROUP, SUBSCRIPTION, SystemData, Tags, TrackedResource,
    default_location, default_resource_group,
};
pub use roles::{
    assignment::{NewRoleAssignment, RoleAssignment},
    definition::RoleDefinition,
    permissions::Reach,
    role::Role,
    scope::RoleScope,
};
pub use tokens::{
    audience::resource_manager_audiences,
    issuer::{AccessToken, TokenIssuer},
};

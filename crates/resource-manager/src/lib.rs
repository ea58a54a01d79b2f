//! Azure Resource Manager: translates its requests into operations of the services that own the state.
//!
//! It owns what no service does: the subscription, the resource groups, and the asynchronous operations. A resource's
//! state and its rules live with its service. [`http`] answers the requests; its endpoint table and the
//! table of resource types say what there is.

mod access;
mod error;
mod groups;
pub mod http;
mod identity_type;
mod manager;
mod operations;
mod registries;
mod resource_type;
mod resources;

pub use error::{Error, Result};
pub use identity_type::IdentityTypeCase;
pub use manager::ResourceManager;
pub use operations::{Action, End, Failure, Operation, ProvisioningDelay};

//! The built-in roles, their scopes and their assignments to principals.

pub(crate) mod assignment;
mod built_in;
pub(crate) mod definition;
pub(crate) mod permissions;
pub(crate) mod role;
pub(crate) mod scope;

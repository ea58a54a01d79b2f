//! The built-in roles, their scopes and their assignments to principals.

pub(crate) mod assignment;
pub(crate) mod role;
pub(crate) mod scope;

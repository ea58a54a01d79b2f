//! Access to a registry: logins, tokens and the permissions that they carry.

pub(crate) mod bearer;
pub(crate) mod exchange;
pub(crate) mod login;
pub(crate) mod login_refusal;
pub(crate) mod password;
pub(crate) mod permissions;
pub(crate) mod scope_map;
pub(crate) mod token;

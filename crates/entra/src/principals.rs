//! The principals of the tenant: managed identities, applications and a user.

pub(crate) mod application;
pub(crate) mod client_secret;
pub(crate) mod credential;
pub(crate) mod developer;
pub(crate) mod managed_identity;
pub(crate) mod principal;
pub(crate) mod user;

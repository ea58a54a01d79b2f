//! The principals of the tenant: managed identities and applications.

pub(crate) mod application;
pub(crate) mod client_secret;
pub(crate) mod developer;
pub(crate) mod managed_identity;
pub(crate) mod principal;

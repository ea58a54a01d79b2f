//! The secrets in files of their own.

pub(crate) mod service_key;
pub(crate) mod shared_secret;

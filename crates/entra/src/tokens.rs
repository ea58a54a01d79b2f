//! The tokens of principals and the key that signs them.

pub(crate) mod issuer;
mod signing_key;

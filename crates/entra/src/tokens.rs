//! The tokens of principals, the key that signs them, and what people grant to clients.

pub(crate) mod assertion;
pub(crate) mod audience;
pub(crate) mod grants;
pub(crate) mod issuer;
pub(crate) mod scope;
mod signing_key;
pub(crate) mod user_tokens;

//! The routing of requests by host and path, and the refusals that come before any service.

mod access_log;
mod error_format;
pub(crate) mod friendly_door;
pub(crate) mod host;
mod origin;
pub(crate) mod router;
mod transfer_coding;

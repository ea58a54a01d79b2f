//! The routing of requests: the service that a host and a path name, and the refusals before any service sees a
//! request.

mod access_log;
mod error_format;
pub(crate) mod friendly_door;
pub(crate) mod host;
mod origin;
pub(crate) mod router;
mod transfer_coding;

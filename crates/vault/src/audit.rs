//! The audit log: one event for each operation, whether it was served or refused.

mod answer;
mod event;
mod evidence;
mod record;
mod request;

pub use self::event::{AuditEvent, AuditIdentity, AuditProperties, Claim, KeyProperties};
pub(crate) use self::{answer::Answer, request::Request};

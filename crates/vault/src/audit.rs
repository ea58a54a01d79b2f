//! The audit log: one event for each operation, served or refused.

mod access_checks;
mod audited_result;
mod event;
mod quota;
mod record;
mod request;

pub use self::event::{AuditEvent, AuditIdentity, AuditProperties, Claim, KeyProperties};
pub(crate) use self::{audited_result::AuditedResult, quota::Quota, request::Request};

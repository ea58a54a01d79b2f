//! The parts of an HTTP front that every service shares: the endpoint table, the parameters of a request, and the
//! rendering of an error.
//!
//! [`endpoints!`] declares a service's endpoints in one table. This crate reads the query, the credentials and a body
//! up to a limit. [`render`] turns an error into an answer and keeps internal details in the log. Each service keeps
//! its own texts, its error codes, its dialect of JSON and the order of its checks.

mod body;
mod connection;
mod credentials;
mod endpoint;
mod error;
pub mod json;
pub mod page;
mod pattern;
mod precondition;
mod query;
mod request_id;

pub use body::{BodyError, read_body};
pub use connection::Connection;
pub use credentials::Credentials;
pub use endpoint::{
    Found, MatchedRequest, MethodNotAllowed, Parameter, Row, Table, UnknownEndpoint,
};
pub use error::{LoginRefusalReason, ServiceError, header_value, render};
pub use pattern::Spelling;
#[doc(hidden)]
pub use pattern::captures_fit;
pub use precondition::is_not_modified;
pub use query::Query;
pub use request_id::{BodyIds, client_request_id};

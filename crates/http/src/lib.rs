//! The front that every service has: the endpoints as a table, what a request says, and how an error is told.
//!
//! A service keeps what is its own beside it: its texts and codes, its order of judgement, its dialect of JSON. What a
//! request asks for is found in one table ([`endpoints!`]); its query, credentials and body are read here, up to a
//! limit; an error is rendered by [`render`], which tells nobody what only the log may have.

mod body;
mod credentials;
mod door;
mod endpoint;
mod error;
pub mod json;
pub mod page;
mod pattern;
mod precondition;
mod query;
mod refused_login;
mod request_id;

pub use body::{Unread, read};
pub use credentials::Credentials;
pub use door::Door;
pub use endpoint::{Asked, Found, NotAllowed, NotAnEndpoint, Parameter, Row, Table};
pub use error::{ServiceError, header_value, render};
pub use pattern::Spelling;
#[doc(hidden)]
pub use pattern::is_countable;
pub use precondition::knows;
pub use query::Query;
pub use refused_login::RefusedLogin;
pub use request_id::{BodyIds, client_request_id};

//! The reading of an endpoint's parameters from a request's path and query.

use sealock_core::Digest;
use sealock_http::{MatchedRequest, Parameter, Query};

use crate::{Error, Reference, RepositoryName, Tag, UploadId};

/// The meaning of a request's query.
pub(super) trait FromQuery: Sized {
    /// Reads it.
    ///
    /// # Errors
    /// The parameter that cannot be read.
    fn from_query(query: &Query) -> Result<Self, Error>;
}

/// The path is judged at once, and the query by who answers: behind the login, the lease and the locks.
impl<T: FromQuery> Parameter<Error> for Result<T, Error> {
    fn read(request: &MatchedRequest<'_>, _name: &'static str) -> Result<Self, Error> {
        Ok(T::from_query(request.query))
    }
}

impl Parameter<Error> for Digest {
    fn read(request: &MatchedRequest<'_>, name: &'static str) -> Result<Self, Error> {
        Ok(request.segment(name).parse()?)
    }
}

impl Parameter<Error> for Reference {
    fn read(request: &MatchedRequest<'_>, name: &'static str) -> Result<Self, Error> {
        request.segment(name).parse()
    }
}

impl Parameter<Error> for RepositoryName {
    fn read(request: &MatchedRequest<'_>, name: &'static str) -> Result<Self, Error> {
        request.segment(name).parse()
    }
}

impl Parameter<Error> for Tag {
    fn read(request: &MatchedRequest<'_>, name: &'static str) -> Result<Self, Error> {
        request.segment(name).parse()
    }
}

impl Parameter<Error> for UploadId {
    fn read(request: &MatchedRequest<'_>, name: &'static str) -> Result<Self, Error> {
        request.segment(name).parse()
    }
}

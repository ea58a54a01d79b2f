//! The reading of an endpoint's parameters from a request's path and query.

use sealock_core::Digest;
use sealock_http::{MatchedRequest, Parameter, Query};

use crate::{Error, Reference, RepositoryName, Tag, UploadId};

/// A parameter that is read from a request's query.
pub(super) trait FromQuery: Sized {
    /// Reads the parameter.
    ///
    /// # Errors
    /// If the query is invalid.
    fn from_query(query: &Query) -> Result<Self, Error>;
}

/// An invalid path is refused at once. An invalid query is refused by the function that answers: after the login, the
/// lease and the locks.
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

/// Soft-deleted content, which the emulator lacks. No request can name any.
#[derive(Debug)]
pub(super) enum SoftDeletedContent {}

/// Artifact streaming, which the emulator lacks. No request can name any.
#[derive(Debug)]
pub(super) enum ArtifactStreaming {}

impl Parameter<Error> for SoftDeletedContent {
    fn read(_: &MatchedRequest<'_>, _: &'static str) -> Result<Self, Error> {
        Err(Error::AcrUnsupported("soft-deleted content"))
    }
}

impl Parameter<Error> for ArtifactStreaming {
    fn read(_: &MatchedRequest<'_>, _: &'static str) -> Result<Self, Error> {
        Err(Error::AcrUnsupported("artifact streaming"))
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

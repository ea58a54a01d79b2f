//! What a request carries, refused in the control API's own shape where it is not what is expected.

use std::error::Error as _;

use axum::{
    body::Bytes,
    extract::{self, FromRequest, FromRequestParts, Request},
    http::request::Parts,
};
use sealock_core::excerpt;
use serde::de::DeserializeOwned;

use super::ControlError;

/// A JSON body. None at all is an empty object, whatever the content type says.
pub(super) struct Body<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = ControlError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ControlError> {
        let bytes = Bytes::from_request(request, state)
            .await
            .map_err(|rejection| {
                ControlError::unreadable(rejection.status(), rejection.body_text())
            })?;
        let bytes = if bytes.is_empty() { b"{}" } else { &bytes[..] };
        let object = sealock_vault::json::object(bytes);
        object.map(Self).map_err(ControlError::bad_request)
    }
}

/// What a path names.
pub(super) struct Path<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = ControlError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ControlError> {
        let path = extract::Path::from_request_parts(parts, state).await;
        path.map(|extract::Path(value)| Self(value))
            .map_err(|rejection| {
                ControlError::unreadable(rejection.status(), rejection.body_text())
            })
    }
}

/// What a query asks for.
pub(super) struct Query<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = ControlError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ControlError> {
        let query = extract::Query::from_request_parts(parts, state).await;
        query
            .map(|extract::Query(value)| Self(value))
            .map_err(|rejection| {
                let why = rejection.source().map(ToString::to_string);
                let why = why.unwrap_or_else(|| rejection.body_text());
                ControlError::bad_request(format!(
                    "the query is not what is expected: {}",
                    excerpt(&why)
                ))
            })
    }
}

use axum::{
    body::Bytes,
    extract::{FromRequest, Request},
};
use serde::de::DeserializeOwned;

use super::ControlError;

/// A JSON body. None at all is an empty object, whatever the content type says.
pub(super) struct Body<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = ControlError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ControlError> {
        let bytes = Bytes::from_request(request, state)
            .await
            .map_err(|rejection| ControlError::bad_request(rejection.body_text()))?;
        let bytes = if bytes.is_empty() { b"{}" } else { &bytes[..] };
        let value = serde_json::from_slice(bytes);
        value.map(Self).map_err(|error| {
            ControlError::bad_request(format!("the body is not what is expected: {error}"))
        })
    }
}

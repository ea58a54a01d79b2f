use axum::body::{Body, Bytes, to_bytes};
use serde::de::DeserializeOwned;

use super::Call;
use crate::{BACKUP_BYTES, Error, Result, json};

/// What is longer than the largest that is asked for, a backup, is refused.
pub(super) async fn read(body: Body) -> Result<Bytes> {
    to_bytes(body, BACKUP_BYTES).await.map_err(|error| {
        Error::BadParameter(format!(
            "The request's body did not arrive, or is longer than {BACKUP_BYTES} bytes: {error}."
        ))
    })
}

impl Call<'_> {
    /// The body as JSON.
    pub(super) fn json<T: DeserializeOwned>(&mut self) -> Result<T> {
        let body = std::mem::replace(&mut self.body, Ok(Bytes::new()))?;
        if body.is_empty() {
            return Err(Error::BadParameter(
                "The request has no body; expected a JSON object.".to_owned(),
            ));
        }
        json::object(&body).map_err(|why| {
            Error::BadParameter(format!(
                "The request's body is not what is expected: {why}."
            ))
        })
    }
}

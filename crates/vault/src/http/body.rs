use axum::body::{Body, Bytes, to_bytes};
use serde::de::DeserializeOwned;

use super::Call;
use crate::{BACKUP_BYTES, Error, Result};

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
        serde_json::from_slice(&body).map_err(|error| {
            let why = without_value(&error.to_string());
            Error::BadParameter(format!(
                "The request's body is not what is expected: {why}."
            ))
        })
    }
}

/// What serde found wrong, without the value that it quotes: it may be a private key, and what is told here
/// is recorded, too.
fn without_value(why: &str) -> String {
    match (why.split_once(": "), why.rsplit_once(", expected ")) {
        (Some((kind @ ("invalid type" | "invalid value"), _)), Some((_, expected))) => {
            format!("{kind}, expected {expected}")
        }
        _ => why.to_owned(),
    }
}

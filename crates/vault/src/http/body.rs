use axum::body::{Body, Bytes, to_bytes};
use base64::{
    Engine as _,
    alphabet::URL_SAFE,
    engine::{
        DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose::URL_SAFE_NO_PAD,
    },
};
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use super::Call;
use crate::{Error, Result};

/// How large a body can be: the backup of a key with many versions is the largest.
const BODY_LIMIT: usize = 4 << 20;

/// Clients leave the padding out, as they should, or not.
const BASE64URL: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

pub(super) async fn read(body: Body) -> Result<Bytes> {
    to_bytes(body, BODY_LIMIT).await.map_err(|error| {
        Error::BadParameter(format!(
            "The request's body did not arrive, or is longer than {BODY_LIMIT} bytes: {error}."
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

/// The bytes that `field` has in base64url.
pub(super) fn decode(field: &str, text: &str) -> Result<Zeroizing<Vec<u8>>> {
    BASE64URL
        .decode(text)
        .map(Zeroizing::new)
        .map_err(|_| Error::BadParameter(format!("'{field}' is not encoded with base64url.")))
}

pub(super) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

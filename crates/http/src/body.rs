use std::fmt;

use axum::body::{Body, Bytes};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use zeroize::Zeroizing;

use crate::Query;

/// The limit for a form. Clients send it before they log in, and it holds a few short fields.
const FORM_BYTES: usize = 64 << 10;

/// The reason why a body could not be read.
#[derive(Debug)]
pub enum BodyError {
    /// The body did not arrive whole, for this reason.
    Incomplete(String),
    /// The body exceeds the limit.
    TooLong,
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Incomplete(why) => f.write_str(why),
            Self::TooLong => f.write_str("length limit exceeded"),
        }
    }
}

/// Reads a body of at most `limit` bytes.
///
/// # Errors
/// [`BodyError`]
pub async fn read_body(body: Body, limit: usize) -> Result<Bytes, BodyError> {
    match Limited::new(body, limit).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(BodyError::TooLong),
        Err(error) => Err(BodyError::Incomplete(error.to_string())),
    }
}

impl Query {
    /// Reads a form of at most 64 KiB.
    ///
    /// # Errors
    /// [`BodyError`]
    pub async fn read_form(body: Body) -> Result<Self, BodyError> {
        let form = Zeroizing::new(read_body(body, FORM_BYTES).await?.to_vec());
        Ok(Self::from_form(&form))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn body_beyond_the_limit_is_refused() {
        assert_eq!(read_body(Body::from("abc"), 3).await.unwrap(), "abc");
        let error = read_body(Body::from("abcd"), 3).await.unwrap_err();
        assert!(matches!(error, BodyError::TooLong), "{error:?}");
    }

    #[tokio::test]
    async fn form_beyond_64_kib_is_refused() {
        let form = |length| Body::from(format!("a={}", "x".repeat(length - 2)));
        let read = Query::read_form(form(FORM_BYTES)).await.unwrap();
        assert_eq!(read.first("a").map(str::len), Some(FORM_BYTES - 2));
        assert!(Query::read_form(form(FORM_BYTES + 1)).await.is_err());
    }
}

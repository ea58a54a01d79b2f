use std::fmt;

use axum::body::{Body, Bytes};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use zeroize::Zeroizing;

use crate::Query;

/// The largest form: everybody may send one to log in, and a few short fields are all that it holds.
const FORM_BYTES: usize = 64 << 10;

/// The reason for which a body was not read.
#[derive(Debug)]
pub enum Unread {
    /// It did not arrive, for this reason.
    Incomplete(String),
    /// It is longer than it may be.
    TooLong,
}

impl fmt::Display for Unread {
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
/// [`Unread`]
pub async fn read(body: Body, limit: usize) -> Result<Bytes, Unread> {
    match Limited::new(body, limit).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(Unread::TooLong),
        Err(error) => Err(Unread::Incomplete(error.to_string())),
    }
}

impl Query {
    /// Reads a form of at most 64 KiB.
    ///
    /// # Errors
    /// [`Unread`]
    pub async fn read_form(body: Body) -> Result<Self, Unread> {
        let form = Zeroizing::new(read(body, FORM_BYTES).await?.to_vec());
        Ok(Self::form(&form))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_body_is_read_up_to_its_limit() {
        assert_eq!(read(Body::from("abc"), 3).await.unwrap(), "abc");
        let unread = read(Body::from("abcd"), 3).await.unwrap_err();
        assert!(matches!(unread, Unread::TooLong), "{unread:?}");
    }

    #[tokio::test]
    async fn a_form_is_read_up_to_64_kib() {
        let form = |length| Body::from(format!("a={}", "x".repeat(length - 2)));
        let read = Query::read_form(form(FORM_BYTES)).await.unwrap();
        assert_eq!(read.first("a").map(str::len), Some(FORM_BYTES - 2));
        assert!(Query::read_form(form(FORM_BYTES + 1)).await.is_err());
    }
}

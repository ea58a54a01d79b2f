use std::fmt;

use axum::body::{Body, Bytes};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use zeroize::Zeroizing;

use crate::Query;

/// The largest form: everybody may send one to log in, and a few short fields are all that it holds.
const FORM_BYTES: usize = 64 << 10;

/// Why a body was not read.
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

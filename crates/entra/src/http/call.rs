use axum::http::{HeaderMap, HeaderValue, Uri};
use sealock_http::{Connection, Query};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::{Error, Result, TokenIssuer};

/// The secret that App Service's form of the managed identity endpoint requires. If it is set, the Instance Metadata
/// Service is closed, because its protocol has no secret.
pub struct IdentityHeader(Zeroizing<String>);

impl IdentityHeader {
    /// Wraps the text of the secret.
    pub fn new(text: Zeroizing<String>) -> Self {
        Self(text)
    }

    /// Compares the secret with a header in constant time.
    pub(super) fn matches(&self, header: &HeaderValue) -> bool {
        self.0.as_bytes().ct_eq(header.as_bytes()).into()
    }
}

/// The way in which people sign in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignIn {
    /// By a click, where clients need no credentials.
    Click,
    /// With the password.
    Password,
}

/// A request, with the issuer that answers it.
pub(super) struct Call<'a> {
    pub(super) issuer: &'a TokenIssuer,
    pub(super) connection: Connection,
    pub(super) sign_in: SignIn,
    pub(super) headers: HeaderMap,
    pub(super) query: Query,
}

impl<'a> Call<'a> {
    pub(super) fn new(
        issuer: &'a TokenIssuer,
        connection: Connection,
        sign_in: SignIn,
        headers: HeaderMap,
        uri: &Uri,
    ) -> Self {
        Self {
            issuer,
            connection,
            sign_in,
            headers,
            query: Query::from_uri(uri),
        }
    }
}

/// Returns a parameter that a request must have.
pub(super) fn required<'a>(form: &'a Query, name: &'static str) -> Result<&'a str> {
    form.non_empty(name).ok_or(Error::ParameterMissing(name))
}

use axum::http::{HeaderMap, HeaderValue, Uri};
use sealock_http::{Connection, Query};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::TokenIssuer;

/// The secret that App Service's form of the managed identity endpoint asks for. Where there is one, the Instance
/// Metadata Service answers nobody: it has no secret to ask for.
pub struct IdentityHeader(Zeroizing<String>);

impl IdentityHeader {
    /// Has `text` asked for.
    pub fn new(text: Zeroizing<String>) -> Self {
        Self(text)
    }

    pub(super) fn matches(&self, shown: &HeaderValue) -> bool {
        self.0.as_bytes().ct_eq(shown.as_bytes()).into()
    }
}

/// A request.
pub(super) struct Call<'a> {
    pub(super) issuer: &'a TokenIssuer,
    pub(super) connection: Connection,
    pub(super) headers: HeaderMap,
    pub(super) query: Query,
}

impl<'a> Call<'a> {
    pub(super) fn new(
        issuer: &'a TokenIssuer,
        connection: Connection,
        headers: HeaderMap,
        uri: &Uri,
    ) -> Self {
        Self {
            issuer,
            connection,
            headers,
            query: Query::from_uri(uri),
        }
    }
}

use axum::{
    Json,
    response::{IntoResponse as _, Response},
};
use sealock_core::excerpt;
use sealock_http::{MatchedRequest, Parameter, page::PageBody};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Call, is_digits};
use crate::{Error, Listing, Page, Result, crypto::base64url};

/// The largest number of entries in a page, and the default.
///
/// <https://learn.microsoft.com/rest/api/keyvault/keys/get-keys/get-keys#uri-parameters>
const PAGE_LIMIT: usize = 25;

/// The query for a page of a list. It is parsed after the operation is authorized.
#[derive(Debug)]
pub(super) struct PageQuery {
    max_results: Option<String>,
    skip_token: Option<String>,
}

/// The start of the next page, as clients send it back.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SkipToken {
    next_marker: String,
    target_location: u8,
}

impl Parameter<Error> for PageQuery {
    fn read(request: &MatchedRequest<'_>, _name: &'static str) -> Result<Self> {
        let given = |name| request.query.first_ignoring_case(name).map(str::to_owned);
        Ok(Self {
            max_results: given("maxresults"),
            skip_token: given("$skiptoken"),
        })
    }
}

impl PageQuery {
    pub(super) fn page(&self) -> Result<Page> {
        let limit = self.max_results.as_deref().map(parse_max_results);
        let after = self.skip_token.as_deref().map(SkipToken::decode);
        Ok(Page {
            limit: limit.transpose()?.unwrap_or(PAGE_LIMIT),
            after: after.transpose()?,
        })
    }
}

fn parse_max_results(text: &str) -> Result<usize> {
    match text.parse() {
        Ok(limit @ 1..=PAGE_LIMIT) if is_digits(text) => Ok(limit),
        _ => Err(Error::BadParameter(format!(
            "maxresults is '{}'; expected a number from 1 to {PAGE_LIMIT}.",
            excerpt(text)
        ))),
    }
}

impl Call<'_> {
    /// Renders a page of the list at `path`.
    pub(super) fn render_page<T, B: Serialize>(
        &self,
        path: &str,
        query: &PageQuery,
        listing: &Listing<T>,
        entry: impl Fn(&T) -> B,
    ) -> Response {
        let next = listing.next.as_deref();
        let body = PageBody {
            value: listing.entries.iter().map(entry).collect(),
            next_link: next.map(|next| self.next_link(path, query, next)),
        };
        Json(body).into_response()
    }

    /// Returns the URL of the next page. It has the port even if that is the default, as Azure's does.
    fn next_link(&self, path: &str, query: &PageQuery, next: &str) -> String {
        let mut origin = self.connection.origin();
        if self.connection.scheme == "https" && !self.connection.authority.contains(':') {
            origin.push_str(":443");
        }
        let version = self.requester.client.api_version.as_deref();
        let mut written = url::form_urlencoded::Serializer::new(String::new());
        written.append_pair("api-version", version.unwrap_or_default());
        let token = SkipToken::encode(next);
        let limit = match &query.max_results {
            Some(limit) => format!("&maxresults={limit}"),
            None => String::new(),
        };
        format!(
            "{origin}{path}?{}&$skiptoken={token}{limit}",
            written.finish()
        )
    }
}

impl SkipToken {
    fn encode(next: &str) -> String {
        let token = json!({"NextMarker": next, "TargetLocation": 0});
        base64url::encode(token.to_string().as_bytes())
    }

    fn decode(text: &str) -> Result<String> {
        base64url::decode("$skiptoken", text)
            .ok()
            .and_then(|bytes| serde_json::from_slice::<Self>(&bytes).ok())
            .map(|token| token.next_marker)
            .filter(|marker| !marker.contains('\0'))
            .ok_or_else(|| {
                Error::BadParameter(
                    "The $skiptoken is not valid; use the nextLink of the previous page."
                        .to_owned(),
                )
            })
    }
}

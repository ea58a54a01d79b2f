use axum::{
    Json,
    response::{IntoResponse as _, Response},
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sealock_core::excerpt;
use sealock_http::{Query, page::set_next_link};
use serde_json::Value;

use super::parameter::FromQuery;
use crate::{Error, registry::Page};

/// The characters that are encoded in a query's value.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// The number of results on a page, unless the client requests fewer.
pub(super) const PAGE_LIMIT: usize = 1000;

/// The page of a list that a client requests. An empty parameter counts as absent, as in Docker's registry.
#[derive(Debug, Default)]
pub(super) struct PageQuery {
    /// The requested number of results.
    pub(super) limit: Option<usize>,
    /// The last result of the page before.
    pub(super) last: Option<String>,
}

impl FromQuery for PageQuery {
    fn from_query(query: &Query) -> Result<Self, Error> {
        let limit = query.non_empty("n").map(parse_limit).transpose()?;
        let last = query.non_empty("last").map(str::to_owned);
        Ok(Self { limit, last })
    }
}

fn parse_limit(n: &str) -> Result<usize, Error> {
    let limit = n.parse::<usize>();
    let limit = limit.map_err(|_| Error::PaginationNumberInvalid(excerpt(n).to_owned()))?;
    Ok(limit.min(PAGE_LIMIT))
}

/// Renders a page, with a link to the next one if more items follow.
pub(super) fn render<T: ToString>(
    path: &str,
    limit: usize,
    page: &Page<T>,
    render_items: impl FnOnce(Vec<String>) -> Value,
) -> Response {
    let items: Vec<String> = page.items.iter().map(T::to_string).collect();
    let next = items.last().filter(|_| page.has_more).cloned();
    with_next_link(
        Json(render_items(items)).into_response(),
        limit,
        "",
        path,
        next,
    )
}

/// Adds a link to the page after `last`, if there is one, in ACR's form.
///
/// <https://github.com/Azure/acr/blob/main/docs/AAD-OAuth.md#catalog-listing>
pub(super) fn with_next_link(
    mut response: Response,
    limit: usize,
    order: &str,
    path: &str,
    last: Option<String>,
) -> Response {
    let next = last.map(|last| {
        let last = utf8_percent_encode(&last, RESERVED);
        format!("{path}?last={last}&n={limit}&orderby={order}")
    });
    set_next_link(&mut response, next.as_deref());
    response
}

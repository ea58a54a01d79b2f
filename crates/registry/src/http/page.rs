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

/// How many results a page has, unless the client asks for less.
pub(super) const PAGE_LIMIT: usize = 1000;

/// The page of a list that a client asks for. An empty text asks for nothing, as for Docker's registry.
#[derive(Debug, Default)]
pub(super) struct PageQuery {
    /// The most results that it may have, if the client says.
    pub(super) limit: Option<usize>,
    /// The result behind which it begins.
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

/// Renders a page, with a link to the next one if there is more.
pub(super) fn answer<T: ToString>(
    path: &str,
    limit: usize,
    page: &Page<T>,
    render: impl FnOnce(Vec<String>) -> Value,
) -> Response {
    let items: Vec<String> = page.items.iter().map(T::to_string).collect();
    let next = items.last().filter(|_| page.more).cloned();
    with_link(Json(render(items)).into_response(), limit, "", path, next)
}

/// Adds a link to the page behind `last`, if there is one, as ACR writes it.
///
/// <https://github.com/Azure/acr/blob/main/docs/AAD-OAuth.md#catalog-listing>
pub(super) fn with_link(
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

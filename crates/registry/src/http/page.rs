use axum::{
    Json,
    response::{IntoResponse as _, Response},
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sealock_core::excerpt;
use sealock_http::page::link_next;
use serde_json::Value;

use super::Call;
use crate::{Error, registry::Page};

/// The characters that are encoded in a query's value.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// How many results a page has, unless the client asks for less.
pub(super) const PAGE_LIMIT: usize = 1000;

/// How many results a page of this call may have. An empty `n` asks for nothing, as for Docker's registry.
pub(super) fn limit(call: &Call) -> Result<Option<usize>, Error> {
    let Some(n) = call.query.filled("n") else {
        return Ok(None);
    };
    let invalid = || Error::PaginationNumberInvalid(excerpt(n).to_owned());
    Ok(Some(
        n.parse::<usize>().map_err(|_| invalid())?.min(PAGE_LIMIT),
    ))
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
    link_next(&mut response, next.as_deref());
    response
}

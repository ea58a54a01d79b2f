//! Paged lists.

use axum::{http::header, response::Response};
use serde::Serialize;

use crate::header_value;

/// A page in Azure's JSON: `{"value":[...],"nextLink":...}`. On the last page the link is null.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PageBody<T> {
    /// The entries.
    pub value: Vec<T>,
    /// The URL of the next page. `None` on the last page.
    pub next_link: Option<String>,
}

/// Sets the header `Link` to the URL of the next page, if there is one.
///
/// <https://www.rfc-editor.org/rfc/rfc8288>
pub fn set_next_link(response: &mut Response, next: Option<&str>) {
    let link = next.and_then(|next| header_value(format!("<{next}>; rel=\"next\"")));
    if let Some(link) = link {
        response.headers_mut().insert(header::LINK, link);
    }
}

//! Lists that are told page by page.

use axum::{http::header, response::Response};
use serde::Serialize;

use crate::header_value;

/// A page in Azure's JSON: `{"value":[...],"nextLink":...}`. The link is there even on the last page, as null.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PageBody<T> {
    /// The entries.
    pub value: Vec<T>,
    /// The address of the next page, if there is one.
    pub next_link: Option<String>,
}

/// Says in the header `Link` where the next page is, if there is one.
///
/// <https://www.rfc-editor.org/rfc/rfc8288>
pub fn link_next(response: &mut Response, next: Option<&str>) {
    let link = next.and_then(|next| header_value(format!("<{next}>; rel=\"next\"")));
    if let Some(link) = link {
        response.headers_mut().insert(header::LINK, link);
    }
}

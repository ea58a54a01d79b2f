use axum::{
    Json,
    response::{IntoResponse as _, Response},
};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Call, is_digits};
use crate::{Error, Listing, Page, Result, base64url};

/// How many entries a page has at most, and by default.
///
/// <https://learn.microsoft.com/rest/api/keyvault/keys/get-keys/get-keys#uri-parameters>
const PAGE_LIMIT: usize = 25;

/// The link is there even on the last page, as null.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ListBody<B> {
    value: Vec<B>,
    next_link: Option<String>,
}

/// Where the next page begins, as the client gives it back.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SkipToken {
    next_marker: String,
    target_location: u8,
}

impl Call<'_> {
    pub(super) fn page(&self) -> Result<Page> {
        let limit = self.max_results()?.unwrap_or(PAGE_LIMIT);
        let after = self.query("$skiptoken").map(SkipToken::read).transpose()?;
        Ok(Page { after, limit })
    }

    /// `{"value":[...],"nextLink":...}` of the list at `path`.
    pub(super) fn listed<T, B: Serialize>(
        &self,
        path: &str,
        listing: &Listing<T>,
        entry: impl Fn(&T) -> B,
    ) -> Response {
        let entries: Vec<B> = listing.entries.iter().map(entry).collect();
        let next = listing.next.as_deref().map(|next| self.link(path, next));
        let body = ListBody {
            value: entries,
            next_link: next,
        };
        Json(body).into_response()
    }

    /// With the port, even where it goes without saying, as Azure writes it.
    fn link(&self, path: &str, next: &str) -> String {
        let mut origin = self.door.origin.clone();
        let host = origin.split_once("://").map_or("", |it| it.1);
        if origin.starts_with("https://") && !host.contains(':') {
            origin.push_str(":443");
        }
        let version = self.requester.client.api_version.as_deref();
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("api-version", version.unwrap_or_default());
        let token = SkipToken::write(next);
        let limit = match self.max_results() {
            Ok(Some(limit)) => format!("&maxresults={limit}"),
            _ => String::new(),
        };
        format!(
            "{origin}{path}?{}&$skiptoken={token}{limit}",
            query.finish()
        )
    }

    fn max_results(&self) -> Result<Option<usize>> {
        let Some(text) = self.query("maxresults") else {
            return Ok(None);
        };
        match text.parse() {
            Ok(limit @ 1..=PAGE_LIMIT) if is_digits(text) => Ok(Some(limit)),
            _ => Err(Error::BadParameter(format!(
                "maxresults is a number from 1 to {PAGE_LIMIT}."
            ))),
        }
    }
}

impl SkipToken {
    fn write(next: &str) -> String {
        let token = json!({"NextMarker": next, "TargetLocation": 0});
        base64url::encode(token.to_string().as_bytes())
    }

    fn read(text: &str) -> Result<String> {
        base64url::decode("$skiptoken", text)
            .ok()
            .and_then(|bytes| serde_json::from_slice::<Self>(&bytes).ok())
            .map(|token| token.next_marker)
            .filter(|marker| !marker.contains('\0'))
            .ok_or_else(|| {
                Error::BadParameter("The $skiptoken is not one of this vault's.".to_owned())
            })
    }
}

//! ACR's own data plane: what it adds to OCI Distribution.
//!
//! <https://learn.microsoft.com/rest/api/containerregistry/>

mod manifests;
mod repositories;
mod tags;

use axum::body::Body;
use http_body_util::{BodyExt as _, Limited};
use jiff::Timestamp;
use serde_json::{Value, json};

pub(super) use self::{
    manifests::{list as list_manifests, one as manifest},
    repositories::{list as catalog, one as repository},
    tags::{list as list_tags, one as tag},
};
use super::{Answer, Call, page};
use crate::{Error, RepositoryName, attributes::AttributesChange, registry::Page};

const BODY_LIMIT: usize = 16 * 1024;

/// How many results a page has, unless the client asks for another number.
const PAGE_DEFAULT: usize = 100;

/// In what order a list comes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    Name,
    OldestFirst,
    NewestFirst,
}

impl Order {
    fn of(call: &Call) -> Result<Self, Error> {
        match call.query("orderby") {
            None | Some("" | "none") => Ok(Self::Name),
            Some("timeasc") => Ok(Self::OldestFirst),
            Some("timedesc") => Ok(Self::NewestFirst),
            Some(other) => Err(Error::OrderInvalid(other.chars().take(40).collect())),
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Name => "",
            Self::OldestFirst => "timeasc",
            Self::NewestFirst => "timedesc",
        }
    }

    /// Sorts what came by name.
    fn sort<T>(self, items: &mut [T], time: impl Fn(&T) -> Timestamp) {
        match self {
            Self::Name => {}
            Self::OldestFirst => items.sort_by_key(time),
            Self::NewestFirst => items.sort_by_key(|item| std::cmp::Reverse(time(item))),
        }
    }
}

/// How many results a page of this call has.
fn limit(call: &Call) -> Result<usize, Error> {
    Ok(page::limit(call)?.unwrap_or(PAGE_DEFAULT))
}

/// The page that a call asks for, of all that there is, in order.
fn page_of<T>(call: &Call, items: Vec<T>, name: impl Fn(&T) -> String) -> Result<Page<T>, Error> {
    let limit = limit(call)?;
    let last = call.query("last").filter(|last| !last.is_empty());
    let mut rest: Vec<T> = match last {
        // One that is gone by now was where its name would be.
        Some(last) => match items.iter().position(|item| name(item) == last) {
            Some(position) => items.into_iter().skip(position + 1).collect(),
            None => items
                .into_iter()
                .filter(|item| name(item).as_str() > last)
                .collect(),
        },
        None => items,
    };
    let more = rest.len() > limit;
    rest.truncate(limit);
    Ok(Page { items: rest, more })
}

/// What begins every answer about a repository.
fn about(call: &Call, repository: &RepositoryName) -> Value {
    json!({ "registry": call.door.login_server, "imageName": repository })
}

/// Seven digits of a second, as .NET has them.
fn time(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S.%7fZ").to_string()
}

async fn change(call: &mut Call) -> Result<AttributesChange, Error> {
    let body = std::mem::replace(&mut call.body, Body::empty());
    let body = Limited::new(body, BODY_LIMIT)
        .collect()
        .await
        .map_err(|error| Error::BodyIncomplete(error.to_string()))?;
    serde_json::from_slice(&body.to_bytes())
        .map_err(|error| Error::AttributesInvalid(error.to_string()))
}

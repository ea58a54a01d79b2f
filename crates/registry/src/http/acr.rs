//! ACR's own data plane: what it adds to OCI Distribution.
//!
//! <https://learn.microsoft.com/rest/api/containerregistry/>

pub(super) mod manifests;
pub(super) mod repositories;
pub(super) mod tags;

use jiff::Timestamp;
use sealock_core::excerpt;
use sealock_http::{
    Query,
    json::{ExactObject, Object},
};
use serde_json::{Value, json};

use super::{
    call::{Answer, Call},
    page::{self, PageQuery},
    parameter::FromQuery,
};
use crate::{
    Error, RepositoryName, manifests::attributes::AttributesChange, manifests::order::Order,
};

/// The largest body: a few flags, however they are written.
const BODY_LIMIT: usize = 16 * 1024;

/// How many results a page has, unless the client asks for another number.
const PAGE_DEFAULT: usize = 100;

impl FromQuery for Order {
    fn from_query(query: &Query) -> Result<Self, Error> {
        query.first("orderby").unwrap_or_default().parse()
    }
}

/// What begins every answer about a repository.
fn about(call: &Call, repository: &RepositoryName) -> Value {
    json!({ "registry": call.host.login_server, "imageName": repository })
}

/// The tags or manifests of a page. An empty page has none, not an empty list: Microsoft's `acr` asks for pages until
/// that comes, and fails on an empty list.
///
/// <https://github.com/Azure/azure-sdk-for-python/issues/28234>
fn items(views: Vec<Value>) -> Value {
    match views.as_slice() {
        [] => Value::Null,
        _ => views.into(),
    }
}

/// Seven digits of a second, as .NET has them.
fn time(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S.%7fZ").to_string()
}

async fn attributes(call: &mut Call) -> Result<AttributesChange, Error> {
    let body = sealock_http::read_body(std::mem::take(&mut call.body), BODY_LIMIT).await;
    let body = body.map_err(|unread| Error::BodyIncomplete(unread.to_string()))?;
    serde_json::from_slice::<ExactObject<_>>(&body)
        .map(|Object(change)| change)
        .map_err(|error| Error::AttributesInvalid(excerpt(&error.to_string()).to_owned()))
}

//! ACR's own data plane beside OCI Distribution.
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

/// The limit of a body in bytes. It has only a few flags.
const BODY_LIMIT: usize = 16 * 1024;

/// The number of results on a page if the client requests none.
const PAGE_DEFAULT: usize = 100;

impl FromQuery for Order {
    fn from_query(query: &Query) -> Result<Self, Error> {
        query.first("orderby").unwrap_or_default().parse()
    }
}

/// Returns the fields that every view of a repository starts with.
fn repository_view(call: &Call, repository: &RepositoryName) -> Value {
    json!({ "registry": call.host.login_server, "imageName": repository })
}

/// Returns the tags or manifests of a page, or null for an empty page: Microsoft's `acr` requests pages until it gets
/// null, and fails on an empty list.
///
/// <https://github.com/Azure/azure-sdk-for-python/issues/28234>
fn null_if_empty(views: Vec<Value>) -> Value {
    match views.as_slice() {
        [] => Value::Null,
        _ => views.into(),
    }
}

/// Formats a time with seven digits of a second, as .NET does.
fn format_time(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S.%7fZ").to_string()
}

/// Reads a change of attributes from the body.
async fn read_change(call: &mut Call) -> Result<AttributesChange, Error> {
    let body = sealock_http::read_body(std::mem::take(&mut call.body), BODY_LIMIT).await;
    let body = body.map_err(|unread| Error::BodyIncomplete(unread.to_string()))?;
    serde_json::from_slice::<ExactObject<_>>(&body)
        .map(|Object(change)| change)
        .map_err(|error| Error::AttributesInvalid(excerpt(&error.to_string()).to_owned()))
}

use std::collections::BTreeMap;

use axum::body::Body;
use jiff::Timestamp;
use sealock_core::{Location, excerpt};
use sealock_entra::{Author, AuthorKind, SystemData, Tags};
use sealock_http::json;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use crate::{Error, Result};

/// The limit of a body in bytes.
const BODY_LIMIT: usize = 1 << 20;

/// The members whose own members are named by the client.
const NAMED_BY_CLIENT: [&str; 2] = ["tags", "userassignedidentities"];

/// Reads a body as a JSON object. The case of the names of members is ignored: `T` has them in lower case.
///
/// <https://github.com/Azure/azure-resource-manager-rpc/blob/master/v1.0/common-api-details.md#body>
pub(super) async fn read<T: DeserializeOwned>(body: Body) -> Result<T> {
    let body = sealock_http::read_body(body, BODY_LIMIT).await;
    let body = body.map_err(|unread| {
        let why = format!("it cannot be read or is longer than {BODY_LIMIT} bytes: {unread}");
        Error::BodyInvalid(why)
    })?;
    if body.is_empty() {
        return Err(Error::BodyInvalid("it is empty".to_owned()));
    }
    let members: Map<String, Value> = json::parse_object(&body).map_err(Error::BodyInvalid)?;
    let folded = fold_names(Value::Object(members))?;
    let text = folded.to_string();
    json::parse_object(text.as_bytes()).map_err(Error::BodyInvalid)
}

/// Writes the names of all members in lower case, except those that clients choose.
fn fold_names(value: Value) -> Result<Value> {
    Ok(match value {
        Value::Object(members) => {
            let mut folded = Map::new();
            for (name, value) in members {
                let lower = name.to_ascii_lowercase();
                let value = if NAMED_BY_CLIENT.contains(&&*lower) {
                    value
                } else {
                    fold_names(value)?
                };
                if folded.insert(lower, value).is_some() {
                    let why = format!("the member '{}' occurs twice", excerpt(&name));
                    return Err(Error::BodyInvalid(why));
                }
            }
            Value::Object(folded)
        }
        Value::Array(values) => {
            let folded = values.into_iter().map(fold_names);
            Value::Array(folded.collect::<Result<_>>()?)
        }
        value => value,
    })
}

/// Checks the tags of a request. Absent and null tags are none.
pub(super) fn read_tags(tags: Option<BTreeMap<String, Option<String>>>) -> Result<Tags> {
    let tags = tags.unwrap_or_default().into_iter();
    let tags = tags.map(|(name, value)| (name, value.unwrap_or_default()));
    Ok(tags.collect::<BTreeMap<_, _>>().try_into()?)
}

/// Reads the location that a new resource must have.
pub(super) fn read_location(location: Option<&str>) -> Result<Location> {
    let location = location.filter(|location| !location.is_empty());
    let location = location.ok_or(Error::LocationMissing)?;
    Ok(location.parse()?)
}

/// A list in an answer. Unlike a JSON value, it keeps the order of its items' members.
///
/// <https://github.com/Azure/azure-resource-manager-rpc/blob/master/v1.0/common-api-details.md#pagination>
#[derive(Serialize)]
pub(super) struct List<T> {
    pub(super) value: Vec<T>,
}

/// A resource's history in an answer.
///
/// <https://github.com/Azure/azure-resource-manager-rpc/blob/master/v1.0/common-api-contracts.md#system-metadata-for-all-azure-resources>
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SystemDataBody {
    created_by: String,
    created_by_type: &'static str,
    created_at: String,
    last_modified_by: String,
    last_modified_by_type: &'static str,
    last_modified_at: String,
}

/// Formats a time with seven decimals and an offset, as registries do in Azure. Other services write `Z`.
pub(super) fn with_offset(time: Timestamp) -> String {
    format!("{time:.7}").replace('Z', "+00:00")
}

impl SystemDataBody {
    /// Describes a history with [offsets](with_offset) in its times.
    pub(super) fn with_offsets(data: SystemData) -> Self {
        Self {
            created_at: with_offset(data.created_at),
            last_modified_at: with_offset(data.last_modified_at),
            ..data.into()
        }
    }
}

impl From<SystemData> for SystemDataBody {
    fn from(data: SystemData) -> Self {
        Self::with_digits(data, 7)
    }
}

impl SystemDataBody {
    /// Writes times with this many digits after the seconds.
    pub(super) fn with_digits(data: SystemData, digits: usize) -> Self {
        let kind = |author: &Author| match author.kind {
            AuthorKind::Application => "Application",
            AuthorKind::ManagedIdentity => "ManagedIdentity",
            AuthorKind::User => "User",
        };
        Self {
            created_by_type: kind(&data.created_by),
            created_by: data.created_by.name,
            created_at: format!("{:.digits$}", data.created_at),
            last_modified_by_type: kind(&data.last_modified_by),
            last_modified_by: data.last_modified_by.name,
            last_modified_at: format!("{:.digits$}", data.last_modified_at),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn case_of_names_is_ignored_except_for_names_of_the_client() {
        let given = json!({"Location": "eastus", "Tags": {"Env": "A"}, "properties": {
            "Encryption": [{"KeyIdentifier": "K"}]}});
        let expected = json!({"location": "eastus", "tags": {"Env": "A"}, "properties": {
            "encryption": [{"keyidentifier": "K"}]}});
        assert_eq!(fold_names(given).unwrap(), expected);
        let twice = fold_names(json!({"location": "a", "Location": "b"}));
        assert!(twice.unwrap_err().to_string().contains("occurs twice"));
    }
}

use axum::{Json, response::IntoResponse as _};
use sealock_core::{ResourceGroupName, excerpt};
use sealock_entra::Tags;
use serde::Serialize;

use super::{
    Answer, Call,
    body::{List, SystemDataBody},
};
use crate::{
    Error, Result,
    resources::{GenericResource, is_in},
};

/// A resource of any type in an answer.
///
/// <https://learn.microsoft.com/rest/api/resources/resources/list>
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResourceBody {
    id: String,
    name: String,
    #[serde(rename = "type")]
    resource_type: &'static str,
    location: String,
    tags: Tags,
    system_data: SystemDataBody,
}

/// Lists the resources that match the filter and that the caller may read, in a group or in all groups.
pub(super) async fn list(call: Call, group: Option<ResourceGroupName>) -> Answer {
    if let Some(group) = &group {
        call.manager.group(group).await?;
    }
    let filter = Filter::parse(call.query.first_ignoring_case("$filter"))?;
    let mut resources = call.manager.resources().await?;
    resources.retain(|it| {
        group
            .as_ref()
            .is_none_or(|group| is_in(&it.resource, group))
            && filter.matches(it)
    });
    let readable = call
        .permitted("Microsoft.Resources/read", resources, |it| it.id.clone())
        .await?;
    let value: Vec<_> = readable.into_iter().map(body).collect();
    Ok(Json(List { value }).into_response())
}

fn body(found: GenericResource) -> ResourceBody {
    ResourceBody {
        id: found.id,
        name: found.name,
        resource_type: found.resource_type,
        location: found.resource.location.to_string(),
        tags: found.resource.tags,
        system_data: found.resource.system_data.into(),
    }
}

/// A filter of resources: fields with the values that they must equal.
#[derive(Debug, Default)]
struct Filter(Vec<(Field, String)>);

#[derive(Clone, Copy, Debug)]
enum Field {
    Location,
    Name,
    ResourceGroup,
    ResourceType,
    TagName,
    TagValue,
}

const FIELDS: [(&str, Field); 6] = [
    ("location", Field::Location),
    ("name", Field::Name),
    ("resourcegroup", Field::ResourceGroup),
    ("resourcetype", Field::ResourceType),
    ("tagname", Field::TagName),
    ("tagvalue", Field::TagValue),
];

impl Filter {
    /// Parses conditions such as `resourceType eq 'Microsoft.KeyVault/vaults' and name eq 'kv1'`. Words are in any case.
    fn parse(text: Option<&str>) -> Result<Self> {
        let mut rest = text.unwrap_or_default().trim();
        let mut conditions = Vec::new();
        while !rest.is_empty() {
            let invalid = || Error::FilterInvalid(excerpt(text.unwrap_or_default()).to_owned());
            if !conditions.is_empty() {
                rest = strip_word(rest, "and").ok_or_else(invalid)?;
            }
            let (name, after) = rest.split_once(' ').ok_or_else(invalid)?;
            let mut fields = FIELDS.iter();
            let field = fields.find(|(known, _)| known.eq_ignore_ascii_case(name));
            let (_, field) = field.ok_or_else(invalid)?;
            let quoted = strip_word(after.trim_start(), "eq").ok_or_else(invalid)?;
            let quoted = quoted.strip_prefix('\'').ok_or_else(invalid)?;
            let (value, after) = quoted.split_once('\'').ok_or_else(invalid)?;
            conditions.push((*field, value.to_owned()));
            rest = after.trim_start();
        }
        Ok(Self(conditions))
    }

    fn matches(&self, found: &GenericResource) -> bool {
        self.0.iter().all(|(field, value)| {
            let resource = &found.resource;
            let is = |text: &str| text.eq_ignore_ascii_case(value);
            let mut tags = resource.tags.as_map().iter();
            match field {
                Field::Location => is(resource.location.as_str()),
                Field::Name => is(&found.name),
                Field::ResourceGroup => is(resource.resource_group.as_str()),
                Field::ResourceType => is(found.resource_type),
                Field::TagName => tags.any(|(name, _)| is(name)),
                Field::TagValue => tags.any(|(_, tag)| tag == value),
            }
        })
    }
}

/// Removes a word in any case, and the spaces after it.
fn strip_word<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let (first, rest) = text.split_once(' ')?;
    first.eq_ignore_ascii_case(word).then(|| rest.trim_start())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filter_of_az_is_parsed_and_others_are_refused() {
        for (text, conditions) in [
            ("", 0),
            ("resourceType eq 'Microsoft.KeyVault/vaults'", 1),
            (
                "resourceType eq 'Microsoft.KeyVault/vaults' and name eq 'kv1'",
                2,
            ),
            (
                "resourcetype EQ 'x'  AND  tagName eq 'a b' and tagValue eq ''",
                3,
            ),
        ] {
            assert_eq!(
                Filter::parse(Some(text)).unwrap().0.len(),
                conditions,
                "{text}"
            );
        }
        for bad in [
            "name",
            "name eq",
            "name eq kv1",
            "name eq 'kv1",
            "color eq 'red'",
            "name ne 'kv1'",
            "name eq 'a' or name eq 'b'",
            "startswith(name,'a')",
        ] {
            let refused = Filter::parse(Some(bad));
            assert!(matches!(refused, Err(Error::FilterInvalid(_))), "{bad}");
        }
    }
}

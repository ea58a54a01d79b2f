//! The part of a resource that Azure Resource Manager keeps alike for every type: place, tags and history.

use std::collections::BTreeMap;

use jiff::Timestamp;
use sealock_core::{Location, ResourceGroupName, excerpt};
use serde::{Deserialize, Serialize};

use crate::{Caller, Error, Principal, Result};

/// The only subscription, which contains every resource.
pub const SUBSCRIPTION: &str = "00000000-0000-0000-0000-000000000000";

/// The resource group that the first start creates. The command line creates resources there.
pub const RESOURCE_GROUP: &str = "sealock";

/// The location of the resources that the command line creates.
pub const LOCATION: &str = "eastus";

/// The limits of a resource's tags.
///
/// <https://learn.microsoft.com/azure/azure-resource-manager/management/tag-resources#limitations>
const TAGS: usize = 50;
const TAG_NAME_BYTES: usize = 512;
const TAG_VALUE_BYTES: usize = 256;
const TAG_NAME_FORBIDDEN: &str = "<>%&\\?/";

/// The limit of all tags together, which is ours: they are a part of the resource's record.
const TAGS_BYTES: usize = 2400;

/// The place, tags and history of a resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackedResource {
    /// Its resource group, in the case in which the resource was created.
    pub resource_group: ResourceGroupName,
    /// Its region.
    pub location: Location,
    /// Its tags.
    pub tags: Tags,
    /// The times and authors of its creation and its last change.
    pub system_data: SystemData,
}

/// The tags of a resource, by their names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    try_from = "BTreeMap<String, String>",
    into = "BTreeMap<String, String>"
)]
pub struct Tags(BTreeMap<String, String>);

/// The times and authors of a resource's creation and last change.
///
/// <https://github.com/Azure/azure-resource-manager-rpc/blob/master/v1.0/common-api-contracts.md#system-metadata-for-all-azure-resources>
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SystemData {
    /// The author of the creation.
    pub created_by: Author,
    /// The time of the creation.
    pub created_at: Timestamp,
    /// The author of the last change.
    pub last_modified_by: Author,
    /// The time of the last change.
    pub last_modified_at: Timestamp,
}

/// The author of a change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Author {
    /// The client id of an application or identity, or the name of a user.
    pub name: String,
    /// The kind of principal.
    pub kind: AuthorKind,
}

/// The kind of an author.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AuthorKind {
    /// An application.
    Application,
    /// A managed identity.
    ManagedIdentity,
    /// A user, such as the operator.
    User,
}

impl SystemData {
    /// Describes the history of a new resource.
    pub fn new(author: &Caller, now: Timestamp) -> Self {
        let author = Author::from(author);
        Self {
            created_by: author.clone(),
            created_at: now,
            last_modified_by: author,
            last_modified_at: now,
        }
    }

    /// Returns the history after a change.
    #[must_use]
    pub fn changed_by(self, author: &Caller, now: Timestamp) -> Self {
        Self {
            last_modified_by: author.into(),
            last_modified_at: now,
            ..self
        }
    }
}

impl TrackedResource {
    /// Describes a new resource.
    pub fn new(
        resource_group: ResourceGroupName,
        location: Location,
        tags: Tags,
        author: &Caller,
        now: Timestamp,
    ) -> Self {
        Self {
            resource_group,
            location,
            tags,
            system_data: SystemData::new(author, now),
        }
    }

    /// Describes a new resource that the operator creates in the default resource group.
    pub fn of_operator(now: Timestamp) -> Self {
        Self::new(
            default_resource_group(),
            default_location(),
            Tags::default(),
            &Caller::Operator,
            now,
        )
    }

    /// Returns the resource after a change.
    #[must_use]
    pub fn changed_by(mut self, author: &Caller, now: Timestamp) -> Self {
        self.system_data = self.system_data.changed_by(author, now);
        self
    }

    /// Returns the ARM id of a resource in this place, such as a `Microsoft.KeyVault/vaults`.
    pub fn id(&self, resource_type: &str, name: &str) -> String {
        format!(
            "/subscriptions/{SUBSCRIPTION}/resourceGroups/{}/providers/{resource_type}/{name}",
            self.resource_group
        )
    }
}

/// Returns the resource group that the first start creates.
#[expect(clippy::expect_used, reason = "a constant")]
pub fn default_resource_group() -> ResourceGroupName {
    RESOURCE_GROUP.parse().expect("a valid name")
}

/// Returns the location of the resources that the command line creates.
#[expect(clippy::expect_used, reason = "a constant")]
pub fn default_location() -> Location {
    LOCATION.parse().expect("a valid location")
}

impl Tags {
    /// Returns the tags by their names.
    pub fn as_map(&self) -> &BTreeMap<String, String> {
        &self.0
    }

    /// Checks the number and the lengths of tags, and the characters in their names. Azure ignores the case of names.
    ///
    /// <https://learn.microsoft.com/azure/azure-resource-manager/management/tag-resources#limitations>
    fn are_within_limits(tags: &BTreeMap<String, String>) -> Result<()> {
        let bad = |why: String| Err(Error::TagsInvalid(why));
        if tags.len() > TAGS {
            return bad(format!(
                "a resource has at most {TAGS} tags, not {}",
                tags.len()
            ));
        }
        let mut names = Vec::new();
        for (name, value) in tags {
            let shown = excerpt(name);
            if name.is_empty()
                || name.len() > TAG_NAME_BYTES
                || name.contains(|letter| TAG_NAME_FORBIDDEN.contains(letter))
            {
                return bad(format!(
                    "the tag name '{shown}' is not 1 to {TAG_NAME_BYTES} characters without any of {TAG_NAME_FORBIDDEN}"
                ));
            }
            if value.len() > TAG_VALUE_BYTES {
                return bad(format!(
                    "the value of the tag '{shown}' is longer than {TAG_VALUE_BYTES} characters"
                ));
            }
            let folded = name.to_lowercase();
            if names.contains(&folded) {
                return bad(format!("the tag '{shown}' occurs twice"));
            }
            names.push(folded);
        }
        // As they are stored, where some characters take several bytes.
        let bytes = serde_json::to_string(tags).map_or(usize::MAX, |json| json.len());
        if bytes > TAGS_BYTES {
            return bad(format!(
                "the tags have {bytes} bytes together; the emulator keeps {TAGS_BYTES} for each resource"
            ));
        }
        Ok(())
    }
}

impl TryFrom<BTreeMap<String, String>> for Tags {
    type Error = Error;

    fn try_from(tags: BTreeMap<String, String>) -> Result<Self> {
        Self::are_within_limits(&tags)?;
        Ok(Self(tags))
    }
}

impl From<Tags> for BTreeMap<String, String> {
    fn from(tags: Tags) -> Self {
        tags.0
    }
}

impl From<&Caller> for Author {
    fn from(caller: &Caller) -> Self {
        let (name, kind) = match caller {
            Caller::Operator => ("operator".to_owned(), AuthorKind::User),
            Caller::Principal(principal) => {
                let id = || principal.client_id().to_string();
                match principal {
                    Principal::Application(_) => (id(), AuthorKind::Application),
                    Principal::ManagedIdentity(_) => (id(), AuthorKind::ManagedIdentity),
                    Principal::User(user) => (user.name.to_owned(), AuthorKind::User),
                }
            }
        };
        Self { name, kind }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(given: &[(&str, &str)]) -> Result<Tags> {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        given
            .iter()
            .map(owned)
            .collect::<BTreeMap<_, _>>()
            .try_into()
    }

    #[test]
    fn tags_beyond_the_limits_are_refused_with_the_reason() {
        assert!(tags(&[("a", "b"), ("c", "")]).is_ok());
        let long = "x".repeat(513);
        for (given, reason) in [
            (&[("", "b")][..], "1 to 512 characters"),
            (&[("a/b", "")], "without any of"),
            (&[(long.as_str(), "")], "1 to 512 characters"),
            (&[("a", &long)], "longer than 256"),
            (&[("env", "a"), ("Env", "b")], "occurs twice"),
        ] {
            let refused = tags(given).unwrap_err().to_string();
            assert!(refused.contains(reason), "{refused}");
        }
        let many = |count: usize, value: &str| {
            let pairs = (0..count).map(|number| (number.to_string(), value.to_owned()));
            Tags::try_from(pairs.collect::<BTreeMap<_, _>>())
        };
        assert!(many(50, "x").is_ok());
        assert!(many(51, "x").is_err());
        for value in ["x".repeat(200), "\u{1}".repeat(40)] {
            let refused = many(20, &value).unwrap_err().to_string();
            assert!(refused.contains("keeps 2400"), "{refused}");
        }
    }
}

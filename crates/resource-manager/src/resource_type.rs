use sealock_core::excerpt;

use crate::{Error, Result};

/// A type of resource, with the versions of its API that clients may ask for.
#[derive(Debug)]
pub(crate) struct ResourceType {
    /// The provider's namespace.
    pub(crate) namespace: &'static str,
    /// The type in the namespace, such as `vaults`.
    pub(crate) name: &'static str,
    /// The versions that Azure lists. Any later one is accepted, too.
    pub(crate) api_versions: &'static [&'static str],
}

/// The resource types that the emulator has.
pub(crate) const RESOURCE_TYPES: &[ResourceType] = &[
    ResourceType {
        namespace: "Microsoft.Authorization",
        name: "roleAssignments",
        api_versions: &["2022-04-01", "2020-04-01-preview", "2015-07-01"],
    },
    ResourceType {
        namespace: "Microsoft.Authorization",
        name: "roleDefinitions",
        api_versions: &["2022-05-01-preview", "2022-04-01", "2018-01-01-preview"],
    },
    ResourceType {
        namespace: "Microsoft.ContainerRegistry",
        name: "registries",
        api_versions: &[
            "2026-09-01-preview",
            "2025-11-01",
            "2025-04-01",
            "2023-11-01-preview",
            "2023-07-01",
            "2022-12-01",
            "2021-09-01",
            "2019-12-01-preview",
            "2019-05-01",
        ],
    },
    ResourceType {
        namespace: "Microsoft.KeyVault",
        name: "vaults",
        api_versions: &[
            "2026-02-01",
            "2024-11-01",
            "2023-07-01",
            "2023-02-01",
            "2022-07-01",
        ],
    },
    ResourceType {
        namespace: "Microsoft.KeyVault",
        name: "deletedVaults",
        api_versions: &[
            "2026-02-01",
            "2024-11-01",
            "2023-07-01",
            "2023-02-01",
            "2022-07-01",
        ],
    },
    ResourceType {
        namespace: "Microsoft.ManagedIdentity",
        name: "userAssignedIdentities",
        api_versions: &[
            "2025-05-31-preview",
            "2024-11-30",
            "2023-01-31",
            "2018-11-30",
        ],
    },
    ResourceType {
        namespace: "Microsoft.Resources",
        name: "resourceGroups",
        api_versions: &["2024-11-01", "2023-07-01", "2022-09-01", "2021-04-01"],
    },
];

/// A version of an API, such as `2024-11-01` or `2025-09-01-preview`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ApiVersion(String);

impl ApiVersion {
    /// Every request names a version: a date, with an optional suffix. The emulator answers all of them alike, except
    /// for fields that came with a later one.
    ///
    /// <https://github.com/Azure/azure-resource-manager-rpc/blob/master/v1.0/common-api-contracts.md#api-versioning>
    pub(crate) fn parse(given: Option<&str>) -> Result<Self> {
        let given = given.filter(|given| !given.is_empty());
        let text = given.ok_or(Error::ApiVersionMissing)?;
        let date = text.get(..10).unwrap_or_default();
        let suffix = text.get(10..).unwrap_or_default();
        let is_suffix = suffix.strip_prefix('-').is_some_and(|word| {
            (1..=30).contains(&word.len())
                && word
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        });
        if date.parse::<jiff::civil::Date>().is_err() || !(suffix.is_empty() || is_suffix) {
            return Err(Error::ApiVersionInvalid(excerpt(text).to_owned()));
        }
        Ok(Self(text.to_owned()))
    }

    /// Returns true if this version has what came with `version`.
    pub(crate) fn is_since(&self, version: &str) -> bool {
        self.0.as_str() >= version
    }

    /// Returns true if this is a preview, which may have fields that a stable version lacks.
    pub(crate) fn is_preview(&self) -> bool {
        self.0.ends_with("-preview")
    }

    /// Returns the text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_is_a_date_with_an_optional_suffix() {
        for good in ["2024-11-01", "2026-09-01-preview", "2025-01-01-alpha-2"] {
            assert_eq!(ApiVersion::parse(Some(good)).unwrap().as_str(), good);
        }
        for bad in [
            "1",
            "2024-13-01",
            "2024-11-01preview",
            "2024-11-01-",
            "2024-11-01-a/b",
        ] {
            let refused = ApiVersion::parse(Some(bad));
            assert!(matches!(refused, Err(Error::ApiVersionInvalid(_))), "{bad}");
        }
        for missing in [None, Some("")] {
            let refused = ApiVersion::parse(missing);
            assert!(matches!(refused, Err(Error::ApiVersionMissing)));
        }
    }
}

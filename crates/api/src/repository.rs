use std::{convert::Infallible, fmt, str::FromStr};

use schemars::JsonSchema;
use sealock_core::Digest;
use serde::{Deserialize, Serialize};

use crate::Time;

/// The name of a repository in a path, with percent-encoded slashes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct RepositoryReference(
    #[schemars(
        regex(
            pattern = "^[a-z0-9]+((\\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\\.|_|__|-+)[a-z0-9]+)*)*$"
        ),
        length(max = 255)
    )]
    pub String,
);

impl FromStr for RepositoryReference {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for RepositoryReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The repositories of a registry.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Repositories {
    /// The repositories.
    pub repositories: Vec<Repository>,
}

/// A repository.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Repository {
    /// Its name.
    pub name: String,
    /// The number of its manifests.
    pub manifest_count: usize,
    /// The number of its tags.
    pub tag_count: usize,
    /// The time at which its oldest manifest was pushed.
    pub created: Time,
    /// The time at which a manifest was last pushed or tagged.
    pub updated: Time,
}

/// A repository with its manifests.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct RepositoryDetails {
    /// The repository.
    #[serde(flatten)]
    pub repository: Repository,
    /// Its manifests, the newest first.
    pub manifests: Vec<ManifestSummary>,
}

/// A manifest of a repository.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ManifestSummary {
    /// Its digest.
    pub digest: Digest,
    /// Its media type.
    pub media_type: String,
    /// Its size in bytes, without the content that it refers to.
    pub size: u64,
    /// The time at which it was pushed.
    pub pushed: Time,
    /// Its tags.
    pub tags: Vec<String>,
}

/// A deleted repository.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct DeletedRepository {
    /// The digests of its manifests.
    pub manifests: Vec<Digest>,
    /// Its tags.
    pub tags: Vec<String>,
}

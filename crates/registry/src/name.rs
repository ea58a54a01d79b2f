use std::{fmt, str::FromStr};

use sealock_core::{Digest, excerpt};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Error;

/// The longest name that clients take: most cap `host:port/name` at 255 characters, some cap the name alone.
///
/// <https://github.com/distribution/reference/blob/v0.6.0/reference.go>
const NAME_MAX: usize = 255;

/// The name of a repository: lower-case path components.
///
/// <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests>
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RepositoryName(String);

impl RepositoryName {
    /// Returns the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RepositoryName {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        if !text.split('/').all(is_path_component) {
            return Err(Error::NameInvalid(excerpt(text).to_owned()));
        }
        if text.len() > NAME_MAX {
            return Err(Error::NameTooLong {
                start: excerpt(text).to_owned(),
                length: text.len(),
                limit: NAME_MAX,
            });
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for RepositoryName {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<RepositoryName> for String {
    fn from(name: RepositoryName) -> Self {
        name.0
    }
}

impl fmt::Display for RepositoryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`
fn is_path_component(component: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = component.as_bytes();
    let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else {
        return false;
    };
    word(*first)
        && word(*last)
        && bytes.split(|byte| word(*byte)).all(|separator| {
            matches!(separator, b"" | b"." | b"_" | b"__")
                || separator.iter().all(|byte| *byte == b'-')
        })
}

/// A tag: `[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tag(pub(crate) String);

impl Tag {
    /// Returns the tag.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Tag {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let valid = (1..=128).contains(&text.len())
            && text.bytes().next().is_some_and(word)
            && text
                .bytes()
                .all(|byte| word(byte) || byte == b'.' || byte == b'-');
        if valid {
            Ok(Self(text.to_owned()))
        } else {
            Err(Error::TagInvalid(excerpt(text).to_owned()))
        }
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A name of a manifest in a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reference {
    /// The manifest that a tag points to.
    Tag(Tag),
    /// The manifest with this digest.
    Digest(Digest),
}

impl FromStr for Reference {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        // No tag contains a colon, and every digest does.
        if text.contains(':') {
            Ok(Self::Digest(text.parse()?))
        } else {
            text.parse().map(Self::Tag)
        }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag(tag) => tag.fmt(f),
            Self::Digest(digest) => digest.fmt(f),
        }
    }
}

/// The id of an upload session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UploadId(Uuid);

impl UploadId {
    pub(crate) fn random() -> Self {
        Self(Uuid::new_v4())
    }

    /// Returns the name of the session's file.
    pub(crate) fn file_name(self) -> Uuid {
        self.0
    }
}

impl FromStr for UploadId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Ok(Self(text.parse().map_err(|_| Error::BlobUploadUnknown)?))
    }
}

impl fmt::Display for UploadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repository_names_follow_the_specification() {
        for good in [
            "hello",
            "a/b/c",
            "a__b",
            "a-----b",
            "a.b_c-d/e",
            "0",
            "library/blobs/uploads",
            "v2/manifests",
        ] {
            assert!(good.parse::<RepositoryName>().is_ok(), "{good}");
        }
        let long = format!("{}/{}", "a".repeat(127), "b".repeat(127));
        assert!(long.parse::<RepositoryName>().is_ok());
        assert!(matches!(
            format!("{long}c").parse::<RepositoryName>(),
            Err(Error::NameTooLong { length: 256, .. })
        ));
        for bad in [
            "",
            "/",
            "a/",
            "/a",
            "a//b",
            "A",
            "a_",
            "_a",
            "a..b",
            "a___b",
            "a._b",
            "a-.b",
            "é",
            "a b",
            "host:80/a",
            &format!("{long}C"),
        ] {
            let refused = bad.parse::<RepositoryName>();
            assert!(matches!(refused, Err(Error::NameInvalid(_))), "{bad}");
        }
    }

    #[test]
    fn tags_follow_the_specification() {
        for good in ["v1", "_", "1.0-rc.1", "A", &"a".repeat(128)] {
            assert!(good.parse::<Tag>().is_ok(), "{good}");
        }
        for bad in ["", ".a", "-a", "a/b", "a+b", "é", &"a".repeat(129)] {
            assert!(bad.parse::<Tag>().is_err(), "{bad}");
        }
        assert!(matches!(
            "sha256:x".parse::<Reference>(),
            Err(Error::DigestMalformed(_))
        ));
    }
}

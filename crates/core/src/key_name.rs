use std::{
    cmp::Ordering,
    fmt,
    hash::{Hash, Hasher},
    str::FromStr,
};

use serde::{Deserialize, Serialize};

use crate::{InvalidName, excerpt, schema::text_schema};

/// The name of a key. It preserves case, but two names that differ only in case are equal.
///
/// <https://learn.microsoft.com/azure/key-vault/general/about-keys-secrets-certificates#object-identifiers>
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyName {
    original: Box<str>,
    folded: Box<str>,
}

impl KeyName {
    /// Returns the name in its original case.
    pub fn as_str(&self) -> &str {
        &self.original
    }

    /// Returns the name in lower case, as it is compared and stored.
    pub fn folded(&self) -> &str {
        &self.folded
    }
}

text_schema!(KeyName, "^[A-Za-z0-9-]{1,127}$", 127);

impl FromStr for KeyName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let is_valid = (1..=127).contains(&text.len())
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if is_valid {
            Ok(Self {
                original: text.into(),
                folded: text.to_ascii_lowercase().into(),
            })
        } else {
            Err(InvalidName {
                kind: "key",
                given: excerpt(text).to_owned(),
                expected: "1 to 127 letters, digits and hyphens",
            })
        }
    }
}

impl PartialEq for KeyName {
    fn eq(&self, other: &Self) -> bool {
        self.folded == other.folded
    }
}

impl Eq for KeyName {}

impl Hash for KeyName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.folded.hash(state);
    }
}

impl PartialOrd for KeyName {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for KeyName {
    fn cmp(&self, other: &Self) -> Ordering {
        self.folded.cmp(&other.folded)
    }
}

impl fmt::Debug for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("KeyName").field(&self.original).finish()
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.original)
    }
}

impl TryFrom<String> for KeyName {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<Self, InvalidName> {
        text.parse()
    }
}

impl From<KeyName> for String {
    fn from(name: KeyName) -> Self {
        name.original.into()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_ignore_case_but_preserve_it() {
        let names = ["My-Key", "my-key", "MY-KEY"].map(|text| text.parse::<KeyName>().unwrap());
        assert_eq!(HashSet::from(names.clone()).len(), 1);
        assert_eq!(names[0].cmp(&names[2]), Ordering::Equal);
        assert_eq!(names.map(String::from), ["My-Key", "my-key", "MY-KEY"]);
    }

    #[test]
    fn invalid_names_are_rejected_even_in_json() {
        for bad in ["", "a/b", "a_b", "a b", "é", &"a".repeat(128)] {
            assert!(bad.parse::<KeyName>().is_err(), "{bad}");
        }
        let error = serde_json::from_str::<KeyName>("\"../x\"").unwrap_err();
        assert!(error.to_string().contains("is not a key name"), "{error}");
    }
}

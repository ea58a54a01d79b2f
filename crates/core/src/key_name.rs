use std::{
    cmp::Ordering,
    fmt,
    hash::{Hash, Hasher},
    str::FromStr,
};

use serde::{Deserialize, Serialize};

use crate::{InvalidName, excerpt, schema::described};

/// A key's name. It keeps the case in which it was written, and is the same name in any other.
///
/// <https://learn.microsoft.com/azure/key-vault/general/about-keys-secrets-certificates#object-identifiers>
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyName {
    written: Box<str>,
    folded: Box<str>,
}

impl KeyName {
    /// The name as it was written.
    pub fn as_str(&self) -> &str {
        &self.written
    }

    /// The name in lower case: what it is compared and stored by.
    pub fn folded(&self) -> &str {
        &self.folded
    }
}

described!(KeyName, "^[A-Za-z0-9-]{1,127}$", 127);

impl FromStr for KeyName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let is_valid = (1..=127).contains(&text.len())
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if is_valid {
            Ok(Self {
                written: text.into(),
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
        f.debug_tuple("KeyName").field(&self.written).finish()
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
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
        name.written.into()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_name_is_the_same_in_any_case_and_keeps_its_own() {
        let names = ["My-Key", "my-key", "MY-KEY"].map(|text| text.parse::<KeyName>().unwrap());
        assert_eq!(HashSet::from(names.clone()).len(), 1);
        assert_eq!(names[0].cmp(&names[2]), Ordering::Equal);
        assert_eq!(names.map(String::from), ["My-Key", "my-key", "MY-KEY"]);
    }

    #[test]
    fn what_is_no_name_is_refused_in_json_too() {
        for bad in ["", "a/b", "a_b", "a b", "é", &"a".repeat(128)] {
            assert!(bad.parse::<KeyName>().is_err(), "{bad}");
        }
        let error = serde_json::from_str::<KeyName>("\"../x\"").unwrap_err();
        assert!(error.to_string().contains("is not a key name"), "{error}");
    }
}

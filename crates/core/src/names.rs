use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{excerpt, schema::text_schema};

/// A text that is not a valid name of its kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{given}' is not {article} {kind} name; expected {expected}", article = article(kind))]
pub struct InvalidName {
    /// The kind of thing to name.
    pub kind: &'static str,
    /// An excerpt of the text.
    pub given: String,
    /// The rule for such names.
    pub expected: &'static str,
}

fn article(noun: &str) -> &'static str {
    if noun.starts_with(['a', 'e', 'i', 'o']) {
        "an"
    } else {
        "a"
    }
}

/// Defines a newtype over a string that follows one of Azure's naming rules. `$normalize` sets its case.
macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $expected:literal, $pattern:literal, $max:literal, $normalize:expr, $is_valid:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Returns the name.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidName;

            fn from_str(text: &str) -> Result<Self, InvalidName> {
                let normalize: fn(&str) -> String = $normalize;
                let is_valid: fn(&str) -> bool = $is_valid;
                let name = normalize(text);
                if is_valid(&name) {
                    Ok(Self(name))
                } else {
                    Err(InvalidName {
                        kind: $kind,
                        given: excerpt(text).to_owned(),
                        expected: $expected,
                    })
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidName;

            fn try_from(text: String) -> Result<Self, InvalidName> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }

        text_schema!($name, $pattern, $max);
    };
}

name!(
    /// The name of a registry, in lower case like its login server. Azure accepts any case.
    ///
    /// <https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules#microsoftcontainerregistry>
    RegistryName,
    "registry",
    "5 to 50 letters and digits",
    "^[A-Za-z0-9]{5,50}$",
    50,
    str::to_ascii_lowercase,
    |name| (5..=50).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
);

name!(
    /// The name of a vault, in lower case like its host. Azure accepts any case.
    ///
    /// <https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules#microsoftkeyvault>
    VaultName,
    "vault",
    "3 to 24 letters, digits and single hyphens, a letter first and no hyphen last",
    "^[A-Za-z](-?[A-Za-z0-9]){2,23}$",
    24,
    str::to_ascii_lowercase,
    |name| (3..=24).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && !name.ends_with('-')
        && !name.contains("--")
);

name!(
    /// The version of a key.
    KeyVersion,
    "key version",
    "32 lower-case hexadecimal digits",
    "^[0-9a-f]{32}$",
    32,
    str::to_owned,
    |name| name.len() == 32
        && name.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
);

name!(
    /// The name of a user-assigned managed identity.
    ///
    /// <https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules#microsoftmanagedidentity>
    IdentityName,
    "managed identity",
    "3 to 128 letters, digits, hyphens and underscores, a letter or digit first",
    "^[A-Za-z0-9][A-Za-z0-9_-]{2,127}$",
    128,
    str::to_owned,
    is_identity_like
);

name!(
    /// The name of an application: its display name in Entra. There it may be any text, and several applications may
    /// share it; here it is unique, like the name of an identity.
    ApplicationName,
    "application",
    "3 to 128 letters, digits, hyphens and underscores, a letter or digit first",
    "^[A-Za-z0-9][A-Za-z0-9_-]{2,127}$",
    128,
    str::to_owned,
    is_identity_like
);

name!(
    /// The name of a repository-scoped token.
    ///
    /// <https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules#microsoftcontainerregistry>
    TokenName,
    "token",
    "5 to 50 letters, digits, hyphens and underscores",
    "^[A-Za-z0-9_-]{5,50}$",
    50,
    str::to_owned,
    is_token_like
);

name!(
    /// The name of a scope map.
    ///
    /// <https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules#microsoftcontainerregistry>
    ScopeMapName,
    "scope map",
    "5 to 50 letters, digits, hyphens and underscores",
    "^[A-Za-z0-9_-]{5,50}$",
    50,
    str::to_owned,
    is_token_like
);

name!(
    /// The name of a resource group, in the case in which it was created. Azure ignores the case.
    ///
    /// <https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules#microsoftresources>
    ResourceGroupName,
    "resource group",
    "1 to 90 letters, digits, hyphens, underscores, parentheses and dots, no dot last",
    r"^[A-Za-z0-9_().-]{0,89}[A-Za-z0-9_()-]$",
    90,
    str::to_owned,
    |name| (1..=90).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_().".contains(&byte))
        && !name.ends_with('.')
);

name!(
    /// A region of Azure, such as `eastus`. Azure also accepts its display name, such as `East US`.
    ///
    /// <https://learn.microsoft.com/azure/reliability/regions-list>
    Location,
    "location",
    "letters and digits, such as eastus",
    "^[A-Za-z0-9 ]{1,60}$",
    60,
    |text| text.replace(' ', "").to_ascii_lowercase(),
    |name| (1..=60).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
);

fn is_identity_like(name: &str) -> bool {
    (3..=128).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
        && name.starts_with(|first: char| first.is_ascii_alphanumeric())
}

fn is_token_like(name: &str) -> bool {
    (5..=50).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

impl KeyVersion {
    /// Creates a random version.
    pub fn random() -> Self {
        Self(hex::encode(rand::random::<[u8; 16]>()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_their_rules() {
        for good in ["sealock", "abc12", &"a".repeat(50)] {
            assert!(good.parse::<RegistryName>().is_ok(), "{good}");
        }
        for bad in [
            "",
            "abcd",
            "sea-lock",
            "Sea-Lock",
            "ſealock",
            "sea.lock",
            &"a".repeat(51),
        ] {
            assert!(bad.parse::<RegistryName>().is_err(), "{bad}");
        }
        for good in ["sealock", "a-b", &"a".repeat(24)] {
            assert!(good.parse::<VaultName>().is_ok(), "{good}");
        }
        for bad in [
            "",
            "ab",
            "1ab",
            "a--b",
            "ab-",
            "a_b",
            "Kelvın",
            &"a".repeat(25),
        ] {
            assert!(bad.parse::<VaultName>().is_err(), "{bad}");
        }
        for good in ["sealock", "My-Group_(1).x", &"a".repeat(90)] {
            assert_eq!(good.parse::<ResourceGroupName>().unwrap().as_str(), good);
        }
        for bad in ["", "a.", "a b", "a/b", "ä", &"a".repeat(91)] {
            assert!(bad.parse::<ResourceGroupName>().is_err(), "{bad}");
        }
        for text in ["eastus", "East US", "EASTUS"] {
            assert_eq!(text.parse::<Location>().unwrap().as_str(), "eastus");
        }
        for bad in ["", " ", "east-us", "east/us", &"a".repeat(61)] {
            assert!(bad.parse::<Location>().is_err(), "{bad}");
        }
        assert_eq!("MyVault".parse::<VaultName>().unwrap().as_str(), "myvault");
        let registry: RegistryName = "MyRegistry".parse().unwrap();
        assert_eq!(registry.as_str(), "myregistry");
        let identity: IdentityName = "My-Own".parse().unwrap();
        assert_eq!(identity.as_str(), "My-Own");
        assert!(KeyVersion::random().as_str().parse::<KeyVersion>().is_ok());
        assert!("g".repeat(32).parse::<KeyVersion>().is_err());
        for (error, begins) in [
            (
                "x".parse::<ApplicationName>().err(),
                "'x' is not an application name",
            ),
            (
                "-xx".parse::<IdentityName>().err(),
                "'-xx' is not a managed identity name",
            ),
        ] {
            assert!(error.unwrap().to_string().starts_with(begins));
        }
    }
}

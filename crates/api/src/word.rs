use sealock_core::excerpt;

/// A text that is not one of the expected words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{given}' is not a {kind}; expected one of {expected}", expected = expected.join(", "))]
pub struct UnknownWord {
    pub(crate) kind: &'static str,
    pub(crate) given: String,
    pub(crate) expected: &'static [&'static str],
}

impl UnknownWord {
    pub(crate) fn new(kind: &'static str, given: &str, expected: &'static [&'static str]) -> Self {
        Self {
            kind,
            given: excerpt(given).to_owned(),
            expected,
        }
    }
}

/// Declares an enum whose variants are words. Words are written as declared, and parsed in any case.
macro_rules! words {
    (
        $(#[doc = $doc:literal])+
        pub enum $name:ident, $kind:literal {
            $($(#[doc = $meaning:literal])+ $variant:ident = $word:literal,)*
        }
    ) => {
        $(#[doc = $doc])+
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord,
            serde::Serialize, serde::Deserialize,
        )]
        #[serde(try_from = "String", into = "&'static str")]
        pub enum $name {
            $($(#[doc = $meaning])+ $variant,)*
        }

        impl $name {
            /// All words.
            pub const WORDS: &'static [&'static str] = &[$($word),*];

            /// Returns the word.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl From<$name> for &'static str {
            fn from(word: $name) -> Self {
                word.as_str()
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::UnknownWord;

            fn from_str(text: &str) -> Result<Self, $crate::UnknownWord> {
                let words = [$(Self::$variant),*];
                let mut words = words.into_iter();
                words
                    .find(|word| word.as_str().eq_ignore_ascii_case(text))
                    .ok_or_else(|| $crate::UnknownWord::new($kind, text, Self::WORDS))
            }
        }

        impl TryFrom<String> for $name {
            type Error = $crate::UnknownWord;

            fn try_from(text: String) -> Result<Self, $crate::UnknownWord> {
                text.parse()
            }
        }

        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({
                    "description": concat!($($doc),+).trim(),
                    "oneOf": [$({"const": $word, "description": concat!($($meaning),+).trim()}),*],
                })
            }
        }
    };
}

pub(crate) use words;

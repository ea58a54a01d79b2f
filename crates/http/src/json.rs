//! Reading of JSON that clients send.

use std::{fmt, marker::PhantomData};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use sealock_core::excerpt;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{
        DeserializeOwned, DeserializeSeed, Error as _, IntoDeserializer as _, MapAccess, Visitor,
    },
    forward_to_deserialize_any,
};

/// The prefixes of serde's messages that quote the offending value.
const QUOTING_MESSAGES: [&str; 4] = [
    "invalid type",
    "invalid value",
    "unknown field",
    "unknown variant",
];

/// A struct that is read from a JSON object only. Serde alone would also accept an array of the fields in order.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(transparent)]
pub struct Object<T, const IS_EXACT: bool = false>(pub T);

/// An object whose field names match those of `T` in case, too. Readers in Go and .NET take `Digest` for `digest`, and
/// the last of the two wins.
///
/// <https://pkg.go.dev/encoding/json#Unmarshal>
pub type ExactObject<T> = Object<T, true>;

impl<'de, T, const IS_EXACT: bool> Deserialize<'de> for Object<T, IS_EXACT>
where
    T: Deserialize<'de>,
{
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(ObjectOnly::<D, IS_EXACT>(deserializer)).map(Self)
    }
}

/// A deserializer that accepts nothing but an object.
struct ObjectOnly<D, const IS_EXACT: bool>(D);

impl<'de, D: Deserializer<'de>, const IS_EXACT: bool> Deserializer<'de>
    for ObjectOnly<D, IS_EXACT>
{
    type Error = D::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.deserialize_struct("", &[], visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        let exact = if IS_EXACT { fields } else { &[] };
        self.0.deserialize_map(MapOnly {
            visitor,
            exact,
            lifetime: PhantomData,
        })
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

struct MapOnly<'de, V> {
    visitor: V,
    exact: &'static [&'static str],
    lifetime: PhantomData<&'de ()>,
}

impl<'de, V: Visitor<'de>> Visitor<'de> for MapOnly<'de, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<V::Value, M::Error> {
        match self.exact {
            [] => self.visitor.visit_map(map),
            exact => self.visitor.visit_map(ExactMembers { map, exact }),
        }
    }
}

/// The members of an object. It refuses a field name in the wrong case.
struct ExactMembers<M> {
    map: M,
    exact: &'static [&'static str],
}

impl<'de, M: MapAccess<'de>> MapAccess<'de> for ExactMembers<M> {
    type Error = M::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, M::Error> {
        let Some(name) = self.map.next_key::<String>()? else {
            return Ok(None);
        };
        if !self.exact.contains(&&*name) {
            // Folds both ways, since some letters, such as the long s, become ASCII in only one direction.
            let folded = name.to_uppercase().to_lowercase();
            let mut fields = self.exact.iter();
            if let Some(known) = fields.find(|known| known.eq_ignore_ascii_case(&folded)) {
                return Err(M::Error::custom(format_args!(
                    "the field '{}' must be written '{known}'",
                    excerpt(&name)
                )));
            }
        }
        seed.deserialize(name.into_deserializer()).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, M::Error> {
        self.map.next_value_seed(seed)
    }
}

/// An optional list. Clients in Go write an empty list as null.
#[derive(Clone, Debug, Default)]
pub enum List<T> {
    /// The field is missing.
    #[default]
    Missing,
    /// The field is null.
    Null,
    /// The field is a list.
    Items(Vec<T>),
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let items = Option::deserialize(deserializer)?;
        Ok(items.map_or(Self::Null, Self::Items))
    }
}

/// Checks that a field holds base64.
///
/// # Errors
/// The field is not base64.
pub fn check_base64<'de, D: Deserializer<'de>>(deserializer: D) -> Result<(), D::Error> {
    match Option::<String>::deserialize(deserializer)? {
        Some(text) if STANDARD.decode(&text).is_err() => Err(D::Error::custom("expected base64")),
        _ => Ok(()),
    }
}

/// Parses a JSON object.
///
/// # Errors
/// The field and the mistake in it, in the terms of JSON. The message quotes no value, since it may be a private key and
/// the message is recorded. Only a value of a fixed set of words is quoted.
pub fn parse_object<T: DeserializeOwned>(json: &[u8]) -> Result<T, String> {
    let mut json = serde_json::Deserializer::from_slice(json);
    let read = serde_path_to_error::deserialize(&mut json);
    let Object(object): Object<T> = read.map_err(|error| {
        let (field, why) = (error.path().to_string(), explain(error.inner()));
        match &*field {
            "." | "?" => why,
            _ if !error.inner().is_data() => why,
            field => format!("{}: {why}", excerpt(field)),
        }
    })?;
    json.end().map_err(|error| explain(&error))?;
    Ok(object)
}

/// Describes a mistake without the value that it is about.
fn explain(error: &serde_json::Error) -> String {
    let why = error.to_string();
    if !error.is_data() {
        return format!("invalid JSON: {why}");
    }
    let position = format!(" at line {} column {}", error.line(), error.column());
    let why = why.strip_suffix(&position).unwrap_or(&why);
    let quoting = QUOTING_MESSAGES
        .into_iter()
        .find(|kind| why.starts_with(kind));
    match (quoting, why.rsplit_once(", expected ")) {
        (Some(kind), Some((_, expected))) => format!("{kind}, expected {}", json_term(expected)),
        (Some(kind), None) => kind.to_owned(),
        (None, _) => why.trim_end_matches('.').to_owned(),
    }
}

/// Translates the name of an expected type from Rust to JSON.
fn json_term(expected: &str) -> &str {
    match expected {
        "u8" | "u16" | "u32" | "u64" | "usize" | "i64" => "a whole number",
        "a sequence" => "an array",
        "a map" => "an object",
        expected => expected,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Sample<const IS_EXACT: bool> {
        size_kinds: Option<u8>,
        inner: Option<Box<Object<Sample<IS_EXACT>, IS_EXACT>>>,
    }

    #[test]
    fn anything_but_an_object_is_refused() {
        let read = |text: &str| serde_json::from_str::<Object<Sample<false>>>(text);
        let found = read(r#"{"SizeKinds":3,"inner":{"sizeKinds":2,"other":[3]}}"#);
        let Object(found) = found.unwrap();
        assert_eq!(found.size_kinds, None);
        assert_eq!(found.inner.unwrap().0.size_kinds, Some(2));
        for bad in [
            "[1,null]",
            "null",
            "1",
            "\"{}\"",
            r#"{"inner":[2,null]}"#,
            r#"{"sizeKinds":1,"sizeKinds":1}"#,
            "{} {}",
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn exact_object_with_a_field_in_another_case_is_refused() {
        let read = |text: &str| serde_json::from_str::<ExactObject<Sample<true>>>(text);
        let found = read(r#"{"sizeKinds":1,"inner":{"sizeKinds":2,"other":[3]}}"#);
        let Object(found) = found.unwrap();
        assert_eq!(found.size_kinds, Some(1));
        assert_eq!(found.inner.unwrap().0.size_kinds, Some(2));
        for bad in [
            "[1,null]",
            r#"{"sizeKinds":1,"sizeKinds":1}"#,
            r#"{"SizeKinds":1}"#,
            r#"{"sizeKinds":1,"SIZEKINDS":2}"#,
            r#"{"inner":{"sizekinds":2}}"#,
            // A long s and the sign for kelvin.
            "{\"\u{17f}ize\u{212a}inds\":1}",
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn error_text_quotes_no_value() {
        for (json, why) in [
            (
                "{",
                "invalid JSON: EOF while parsing an object at line 1 column 1",
            ),
            ("[]", "invalid type, expected an object"),
            (
                r#"{"sizeKinds":"secret"}"#,
                "sizeKinds: invalid type, expected a whole number",
            ),
            (
                r#"{"inner":{"inner":["secret"]}}"#,
                "inner.inner: invalid type, expected an object",
            ),
            (
                "{} {}",
                "invalid JSON: trailing characters at line 1 column 4",
            ),
        ] {
            assert_eq!(
                parse_object::<Sample<false>>(json.as_bytes()).unwrap_err(),
                why
            );
        }
    }
}

//! JSON as clients send it.

use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{DeserializeOwned, MapAccess, Visitor, value::MapAccessDeserializer},
};

/// What serde's reasons begin with that quote what they are about.
const QUOTING: [&str; 4] = [
    "invalid type",
    "invalid value",
    "unknown field",
    "unknown variant",
];

/// What is read from a JSON object. By itself, serde takes an array for a struct, too: its fields in their order.
#[derive(Default, Serialize)]
#[serde(transparent)]
pub(crate) struct Object<T>(pub(crate) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Fields<T> {
            type Value = Object<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Object<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Object)
            }
        }

        deserializer.deserialize_map(Fields(PhantomData))
    }
}

/// A list of what is read from JSON objects each.
pub(crate) fn objects<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    let objects = Vec::deserialize(deserializer)?;
    Ok(objects.into_iter().map(|Object(object)| object).collect())
}

/// Such a list, or null.
pub(crate) fn objects_or_null<'de, D, T>(deserializer: D) -> Result<Option<Vec<T>>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    let objects = Option::<Vec<_>>::deserialize(deserializer)?;
    Ok(objects.map(|objects| objects.into_iter().map(|Object(object)| object).collect()))
}

/// Reads a JSON object that a client sent.
///
/// # Errors
/// What is wrong with it, in JSON's words. Nothing of it is quoted, but for what was meant to be one of a few
/// words: it may be a private key, and what is told is recorded, too.
pub fn object<T: DeserializeOwned>(json: &[u8]) -> Result<T, String> {
    serde_json::from_slice(json)
        .map(|Object(object)| object)
        .map_err(|error| reason(&error))
}

fn reason(error: &serde_json::Error) -> String {
    let why = error.to_string();
    if !error.is_data() {
        return format!("no JSON, {why}");
    }
    let place = format!(" at line {} column {}", error.line(), error.column());
    let why = why.strip_suffix(&place).unwrap_or(&why);
    let quoting = QUOTING.into_iter().find(|kind| why.starts_with(kind));
    match (quoting, why.rsplit_once(", expected ")) {
        (Some(kind), Some((_, expected))) => format!("{kind}, expected {}", in_json(expected)),
        (Some(kind), None) => kind.to_owned(),
        (None, _) => why.trim_end_matches('.').to_owned(),
    }
}

/// What serde expects, where it says so in Rust's words.
fn in_json(expected: &str) -> &str {
    match expected {
        "u8" | "u16" | "u32" | "u64" | "usize" | "i64" => "a whole number",
        "a sequence" => "an array",
        "a map" => "an object",
        expected => expected,
    }
}

use std::{fmt, marker::PhantomData};

use axum::body::{Body, Bytes, to_bytes};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{DeserializeOwned, MapAccess, Visitor, value::MapAccessDeserializer},
};

use super::Call;
use crate::{BACKUP_BYTES, Error, Result};

/// What serde's reasons begin with that quote what they are about.
const QUOTING: [&str; 4] = [
    "invalid type",
    "invalid value",
    "unknown field",
    "unknown variant",
];

/// What is longer than the largest that is asked for, a backup, is refused.
pub(super) async fn read(body: Body) -> Result<Bytes> {
    to_bytes(body, BACKUP_BYTES).await.map_err(|error| {
        Error::BadParameter(format!(
            "The request's body did not arrive, or is longer than {BACKUP_BYTES} bytes: {error}."
        ))
    })
}

impl Call<'_> {
    /// The body as JSON.
    pub(super) fn json<T: DeserializeOwned>(&mut self) -> Result<T> {
        let body = std::mem::replace(&mut self.body, Ok(Bytes::new()))?;
        if body.is_empty() {
            return Err(Error::BadParameter(
                "The request has no body; expected a JSON object.".to_owned(),
            ));
        }
        object(&body).map_err(|why| {
            Error::BadParameter(format!(
                "The request's body is not what is expected: {why}."
            ))
        })
    }
}

/// What is read from a JSON object. By itself, serde takes an array for a struct, too: its fields in their order.
#[derive(Default, Serialize)]
#[serde(transparent)]
pub(super) struct Object<T>(pub(super) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Fields<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Fields<T> {
            type Value = Object<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(
                self,
                map: A,
            ) -> std::result::Result<Object<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Object)
            }
        }

        deserializer.deserialize_map(Fields(PhantomData))
    }
}

/// Reads a JSON object that a client sent.
///
/// # Errors
/// What is wrong with it, in JSON's words. Nothing of it is quoted, but for what was meant to be one of a few
/// words: it may be a private key, and what is told is recorded, too.
pub fn object<T: DeserializeOwned>(json: &[u8]) -> std::result::Result<T, String> {
    serde_json::from_slice(json)
        .map(|Object(object)| object)
        .map_err(|error| reason(&error))
}

fn reason(error: &serde_json::Error) -> String {
    let why = error.to_string();
    if !error.is_data() {
        return why;
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

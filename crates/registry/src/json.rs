use std::{fmt, marker::PhantomData};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use sealock_core::excerpt;
use serde::{
    Deserialize, Deserializer,
    de::{
        DeserializeSeed, Error as _, IntoDeserializer as _, MapAccess, Visitor,
        value::MapAccessDeserializer,
    },
};

/// A JSON object with the fields of `T`, and nothing else: by itself serde fills a struct from an array, too.
#[derive(Clone, Debug)]
pub(crate) struct Object<T>(pub(crate) T);

/// The fields of an object that mean something.
pub(crate) trait Fields {
    const NAMES: &'static [&'static str];
}

impl<'de, T: Fields + Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Members(PhantomData)).map(Self)
    }
}

struct Members<T>(PhantomData<T>);

impl<'de, T: Fields + Deserialize<'de>> Visitor<'de> for Members<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<T, M::Error> {
        let map = Unambiguous(map, PhantomData::<T>);
        T::deserialize(MapAccessDeserializer::new(map))
    }
}

/// The members of an object, none of which is another one to some of its readers: those in Go and .NET take `Digest`
/// for `digest`, and of the two the last one.
///
/// <https://pkg.go.dev/encoding/json#Unmarshal>
struct Unambiguous<M, T>(M, PhantomData<T>);

impl<'de, M: MapAccess<'de>, T: Fields> MapAccess<'de> for Unambiguous<M, T> {
    type Error = M::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, M::Error> {
        let Some(name) = self.0.next_key::<String>()? else {
            return Ok(None);
        };
        if !T::NAMES.contains(&&*name) {
            // Both ways: some letters have a plain one as their other case alone.
            let folded = name.to_uppercase().to_lowercase();
            let mut names = T::NAMES.iter();
            if let Some(known) = names.find(|known| known.eq_ignore_ascii_case(&folded)) {
                return Err(M::Error::custom(format_args!(
                    "the field '{}' must be written '{known}'",
                    excerpt(&name)
                )));
            }
        }
        seed.deserialize(name.into_deserializer()).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, M::Error> {
        self.0.next_value_seed(seed)
    }
}

/// A list, if it is there. Clients in Go write an empty one as null.
#[derive(Clone, Debug, Default)]
pub(crate) enum List<T> {
    /// The field is not there.
    #[default]
    Missing,
    /// It is null.
    Null,
    /// It is a list.
    Items(Vec<T>),
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let items = Option::deserialize(deserializer)?;
        Ok(items.map_or(Self::Null, Self::Items))
    }
}

/// Checks that a field is text in base64.
pub(crate) fn base64<'de, D: Deserializer<'de>>(deserializer: D) -> Result<(), D::Error> {
    match Option::<String>::deserialize(deserializer)? {
        Some(text) if STANDARD.decode(&text).is_err() => Err(D::Error::custom("expected base64")),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Sample {
        size_kinds: Option<u8>,
        inner: Option<Box<Object<Sample>>>,
    }

    impl Fields for Sample {
        const NAMES: &'static [&'static str] = &["sizeKinds", "inner"];
    }

    #[test]
    fn only_an_object_is_taken_for_one() {
        let read = |text: &str| serde_json::from_str::<Object<Sample>>(text);
        let found = read(r#"{"sizeKinds":1,"inner":{"sizeKinds":2,"other":[3]}}"#)
            .unwrap()
            .0;
        assert_eq!(found.size_kinds, Some(1));
        assert_eq!(found.inner.unwrap().0.size_kinds, Some(2));
        for bad in [
            "[1,null]",
            "null",
            "1",
            "\"{}\"",
            r#"{"inner":[2,null]}"#,
            r#"{"sizeKinds":1,"sizeKinds":1}"#,
            r#"{"SizeKinds":1}"#,
            r#"{"sizeKinds":1,"SIZEKINDS":2}"#,
            r#"{"inner":{"sizekinds":2}}"#,
            // A long s and the sign for kelvin.
            "{\"\u{17f}ize\u{212a}inds\":1}",
            "{} {}",
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}

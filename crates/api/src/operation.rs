use std::borrow::Cow;

use http::Method;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

/// The media type of most bodies.
pub const JSON: &str = "application/json";

/// The media type of certificates.
pub const PEM: &str = "application/x-pem-file";

/// The media type of a response with one JSON object per line.
pub const JSON_LINES: &str = "application/x-ndjson";

/// The characters that a segment of a path must percent-encode: all but the unreserved ones.
/// <https://www.rfc-editor.org/rfc/rfc3986#section-2.3>
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// An operation of the control API. A value holds the parameters of its path.
pub trait Operation: Serialize + DeserializeOwned + JsonSchema + Send + Sync + 'static {
    /// Its name, such as `CreateVault`.
    const NAME: &'static str;
    /// Its effect in a sentence.
    const SUMMARY: &'static str;
    /// The group that it belongs to.
    const GROUP: &'static str;
    /// True if it needs no authentication, not even from another machine.
    const IS_OPEN: bool;
    /// Its method.
    const METHOD: Method;
    /// Its path below [`BASE`](crate::BASE), with parameters in braces.
    const PATH: &'static str;
    /// The statuses of its success, the usual one first.
    const STATUSES: &'static [u16];
    /// The media type of its response.
    const MEDIA_TYPE: &'static str;
    /// Its query.
    type Query: Serialize + DeserializeOwned + JsonSchema + Send + 'static;
    /// Its body.
    type Body: Serialize + DeserializeOwned + JsonSchema + Send + 'static;
    /// The body of its response.
    type Answer: Serialize + DeserializeOwned + JsonSchema + Send + 'static;

    /// Returns the path and query of a request, below [`BASE`](crate::BASE).
    fn target(&self, query: &Self::Query) -> String {
        let parameters = serde_json::to_value(self).unwrap_or_default();
        let segments = Self::PATH.split('/').skip(1).map(|segment| {
            let name = segment
                .strip_prefix('{')
                .and_then(|rest| rest.strip_suffix('}'));
            match name {
                Some(name) => {
                    let value = parameters.get(name).and_then(Value::as_str);
                    Cow::Owned(utf8_percent_encode(value.unwrap_or_default(), SEGMENT).to_string())
                }
                None => Cow::Borrowed(segment),
            }
        });
        let mut target: String = segments.fold(String::new(), |path, it| path + "/" + &it);
        if let Ok(query) = serde_urlencoded::to_string(query)
            && !query.is_empty()
        {
            target.push('?');
            target.push_str(&query);
        }
        target
    }
}

/// A query or body without fields.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Empty {}

/// Declares the operations of a group.
macro_rules! operations {
    (
        $describe:ident, $group:literal, open: $is_open:literal;
        $(
            $(#[doc = $doc:literal])+
            $method:ident $path:literal $name:ident { $($parameter:ident: $kind:ty),* }
            $(, query $query:ty)? $(, body $body:ty)?
            => $($status:literal)|+ $answer:ty $(as $media:expr)?;
        )*
    ) => {
        $(
            $(#[doc = $doc])+
            #[derive(Clone, Debug, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
            pub struct $name {
                $(#[doc = concat!("The path's `", stringify!($parameter), "`.")] pub $parameter: $kind,)*
            }

            impl $crate::Operation for $name {
                const NAME: &'static str = stringify!($name);
                const SUMMARY: &'static str = concat!($($doc),+);
                const GROUP: &'static str = $group;
                const IS_OPEN: bool = $is_open;
                const METHOD: http::Method = http::Method::$method;
                const PATH: &'static str = $path;
                const STATUSES: &'static [u16] = &[$($status),+];
                const MEDIA_TYPE: &'static str = $crate::operation::first!($($media,)? $crate::JSON);
                type Query = $crate::operation::first!(@type $($query,)? $crate::Empty);
                type Body = $crate::operation::first!(@type $($body,)? $crate::Empty);
                type Answer = $answer;
            }
        )*

        /// Adds the group to the document.
        pub(crate) fn $describe(document: &mut $crate::openapi::Document) {
            $(document.add::<$name>();)*
        }
    };
}

/// Expands to its first argument. A second argument is a default for a missing first one.
macro_rules! first {
    (@type $first:ty $(, $rest:ty)?) => {
        $first
    };
    ($first:expr $(, $rest:expr)?) => {
        $first
    };
}

pub(crate) use {first, operations};

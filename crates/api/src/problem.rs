use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Cause, Hint};

/// The media type of a [`Problem`].
pub const PROBLEM_JSON: &str = "application/problem+json";

/// A refusal.
///
/// <https://www.rfc-editor.org/rfc/rfc9457>
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Problem {
    /// The kind of problem: `urn:sealock:problem:` and the code.
    #[serde(rename = "type")]
    pub kind: String,
    /// The status in words.
    pub title: String,
    /// The status.
    pub status: u16,
    /// The problem in a sentence.
    pub detail: String,
    /// The code of the service that refuses, such as `KeyNotFound`.
    pub code: String,
    /// The cause for which the vault refuses a key that is asked for. Azure's text, the detail, does not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// The things to do next, the best first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hints: Vec<Hint>,
}

impl Problem {
    /// Makes a problem of `code`, which a service answers with `status`.
    pub fn new(status: http::StatusCode, code: &str, detail: String, hints: Vec<Hint>) -> Self {
        Self {
            kind: format!("urn:sealock:problem:{}", code.replace(' ', "")),
            title: status.canonical_reason().unwrap_or_default().to_owned(),
            status: status.as_u16(),
            detail,
            code: code.to_owned(),
            cause: None,
            hints,
        }
    }
}

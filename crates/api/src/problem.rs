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
    /// The kind of the problem: `urn:sealock:problem:` and the code.
    #[serde(rename = "type")]
    pub kind: String,
    /// The reason phrase of the status.
    pub title: String,
    /// The status.
    pub status: u16,
    /// The problem in a sentence.
    pub detail: String,
    /// The service's code of the problem, such as `KeyNotFound`.
    pub code: String,
    /// The cause for which the vault refuses a registry its key. Azure's text in `detail` does not name it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// Suggestions for the next step, the best first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hints: Vec<Hint>,
}

impl Problem {
    /// Creates a problem.
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

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A filter for the events of the vaults' audit log. An event must match every given field.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AuditQuery {
    /// True to keep streaming new events until the client leaves or the emulator stops.
    pub follow: bool,
    /// The name of the vault.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vault: Option<String>,
    /// The name of the key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The name, client id or principal id of the principal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
    /// The operation, such as `KeyUnwrap`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// The result: `success`, `refused` or a status such as `403`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<String>,
    /// The start of the period, as in RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// The end of the period, exclusive, as in RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
}

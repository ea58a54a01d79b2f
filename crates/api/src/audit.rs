use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A choice among the events of the vaults' audit log: those for which every field holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AuditQuery {
    /// True to go on with each event as it happens, until the client leaves or the emulator stops.
    pub follow: bool,
    /// The vault's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vault: Option<String>,
    /// The key's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The principal: a name, a client id or a principal id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
    /// The operation, such as `KeyUnwrap`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// `success`, `refused` or a status such as `403`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<String>,
    /// The time from which on, as in RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// The time before which, as in RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
}

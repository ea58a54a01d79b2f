use schemars::JsonSchema;
use sealock_core::RegistryName;
use serde::{Deserialize, Serialize};

use crate::{Cause, Hint, Time};

/// The answer to a change, with its effect on registries.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Changed{T}")]
pub struct Changed<T> {
    /// The thing that was changed.
    #[serde(flatten)]
    pub changed: T,
    /// The registries that the change reached.
    pub effect: Effect,
}

/// The registries that a change reached.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Effect {
    /// The registries whose content is refused since then, or will be, or is refused for another cause than before.
    pub revoked: Vec<RevokedRegistry>,
    /// The registries whose content is not refused any more, nor will be.
    pub restored: Vec<RegistryName>,
    /// The registries that cannot follow their key since then.
    pub behind: Vec<RegistryBehind>,
    /// False if the state of a registry could not be read, so that one may be missing here.
    pub is_complete: bool,
}

/// A registry whose content is refused since a change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RevokedRegistry {
    /// The registry.
    pub registry: RegistryName,
    /// The cause.
    pub cause: Cause,
    /// The time from which on its content is refused. Null if it is refused already.
    pub from: Option<Time>,
}

/// A registry that follows a key and cannot move to its current version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RegistryBehind {
    /// The registry.
    pub registry: RegistryName,
    /// The cause.
    pub cause: Cause,
    /// The operation that lets it move. Null if there is none.
    pub remedy: Option<Hint>,
}

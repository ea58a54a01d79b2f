use schemars::JsonSchema;
use sealock_core::RegistryName;
use serde::{Deserialize, Serialize};

use crate::{Cause, Hint, Time};

/// The result of a change, with its effect on registries.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Changed{T}")]
pub struct Changed<T> {
    /// The resource after the change.
    #[serde(flatten)]
    pub changed: T,
    /// The registries that the change affected.
    pub effect: Effect,
}

/// The registries that a change affected.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Effect {
    /// The registries that the change revoked, will revoke, or revoked for a new cause.
    pub revoked: Vec<RevokedRegistry>,
    /// The registries that the change restored.
    pub restored: Vec<RegistryName>,
    /// The registries that can no longer follow their key.
    pub behind: Vec<RegistryBehind>,
    /// False if the state of a registry could not be read. The lists may lack it.
    pub is_complete: bool,
}

/// A registry that a change revoked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RevokedRegistry {
    /// The registry.
    pub registry: RegistryName,
    /// The cause.
    pub cause: Cause,
    /// The time of the revocation. Null if the registry is revoked already.
    pub from: Option<Time>,
}

/// A registry that follows a key and cannot move to its current version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RegistryBehind {
    /// The registry.
    pub registry: RegistryName,
    /// The cause.
    pub cause: Cause,
    /// The operation that lets it follow. Null if there is none.
    pub remedy: Option<Hint>,
}

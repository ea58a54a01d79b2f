use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Time, word::words};

/// The asynchronous operations of Resource Manager in the last day, the oldest first.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ArmOperations {
    /// The operations.
    pub operations: Vec<ArmOperation>,
}

/// An asynchronous operation of Resource Manager.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ArmOperation {
    /// Its id, a UUID.
    pub id: String,
    /// Its effect.
    pub action: ArmAction,
    /// The id of the resource.
    pub resource: String,
    /// Its state.
    pub state: ArmState,
    /// The time of the request.
    pub started: Time,
    /// The time at which it ends by itself. Null for one that waits for the operator.
    pub due: Option<Time>,
    /// The time of its end.
    pub ended: Option<Time>,
}

words! {
    /// The effect of an operation of Resource Manager.
    pub enum ArmAction, "action" {
        /// The creation of a resource.
        Create = "create",
        /// The change of a resource.
        Update = "update",
        /// The deletion of a resource group.
        Delete = "delete",
        /// The purge of a vault.
        Purge = "purge",
    }
}

words! {
    /// The state of an operation of Resource Manager.
    pub enum ArmState, "state of an operation" {
        /// It is under way.
        InProgress = "in progress",
        /// It has succeeded.
        Succeeded = "succeeded",
        /// It has failed.
        Failed = "failed",
    }
}

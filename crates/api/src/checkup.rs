use schemars::JsonSchema;
use sealock_core::RegistryName;
use serde::{Deserialize, Serialize};

use crate::{Hint, word::words};

/// The checkup of a registry: its customer-managed key, judged by the practices that Microsoft documents.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Checkup {
    /// The registry.
    pub registry: RegistryName,
    /// True if no check has a problem or an advice.
    pub sound: bool,
    /// The checks, in the order in which their remedies are to be followed.
    pub checks: Vec<Check>,
}

/// A check of one practice.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Check {
    /// The practice.
    pub practice: Practice,
    /// The outcome.
    pub outcome: Outcome,
    /// The reason, in a sentence without a full stop.
    pub reason: String,
    /// The operations that remedy it, in this order. Empty if it needs no remedy.
    pub remedies: Vec<Hint>,
    /// The page that documents the practice.
    pub source: String,
}

words! {
    /// The outcome of a check.
    pub enum Outcome, "outcome" {
        /// The practice is followed.
        Pass = "pass",
        /// The practice is not followed, and nothing is at risk yet.
        Advice = "advice",
        /// Content is refused, or a single step can lose it.
        Problem = "problem",
        /// The emulator cannot judge the practice.
        Unjudged = "unjudged",
    }
}

words! {
    /// A practice for a registry with a customer-managed key.
    pub enum Practice, "practice" {
        /// The registry has access to its key.
        KeyAccess = "KeyAccess",
        /// The identity exists, and the registry has it.
        AssignedIdentity = "AssignedIdentity",
        /// The vault is replicated to a second region, and its own serves it.
        SecondRegion = "SecondRegion",
        /// The vault keeps deleted keys for as long as Azure does by default.
        SoftDeleteRetention = "SoftDeleteRetention",
        /// The identity has the permissions that the registry needs.
        NeededPermissions = "NeededPermissions",
        /// The identity has no further permissions.
        LeastPrivilege = "LeastPrivilege",
        /// The vault's firewall lets trusted services in.
        TrustedServices = "TrustedServices",
        /// Nobody can purge the vault's keys.
        PurgeProtection = "PurgeProtection",
        /// A policy rotates the key.
        RotationPolicy = "RotationPolicy",
        /// The key version does not expire soon.
        KeyExpiry = "KeyExpiry",
        /// The key version is younger than two years.
        RecentRotation = "RecentRotation",
        /// The registry follows its key's current version.
        UnversionedKey = "UnversionedKey",
        /// The vault logs its operations.
        VaultLogging = "VaultLogging",
        /// The registry is replicated to other regions.
        GeoReplication = "GeoReplication",
    }
}

//! Scheduled work, sweeps, and verification of stored keys.

mod due;
mod pending_purges;
mod sweep;
mod verify;

pub use self::{
    due::Due,
    pending_purges::{PendingPurge, Purge},
    sweep::{Swept, unmentioned_private_keys},
    verify::verify_private_keys,
};

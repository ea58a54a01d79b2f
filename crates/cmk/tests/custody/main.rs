//! The custodian over a vault that counts, refuses, stalls and lies on command.
#![expect(clippy::unwrap_used, reason = "in a test, a surprise is a failure")]

mod fake_vault;
mod gate;
mod history;
mod rotation;
mod world;

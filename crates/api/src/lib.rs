//! The control API as types: its operations, what they take and answer, its problems and their hints.
//!
//! The emulator answers these operations and the command line asks for them, so each path, field and word is written
//! once. `openapi` makes the document from the same types.

mod access;
mod audit;
mod clock;
mod content;
mod effect;
mod hint;
mod key;
mod login;
mod operation;
mod operations;
mod principal;
mod problem;
mod quarantine;
mod registry;
mod repository;
mod status;
mod time;
mod trust;
mod vault;
mod verification;
mod word;

pub mod openapi;
pub mod reference;

pub use self::{
    access::*, audit::*, clock::*, content::*, effect::*, hint::*, key::*, login::*, operation::*,
    operations::*, principal::*, problem::*, quarantine::*, registry::*, repository::*, status::*,
    time::*, trust::*, vault::*, verification::*, word::UnknownWord,
};

/// The path below which every operation lies.
pub const BASE: &str = "/_sealock/v1";

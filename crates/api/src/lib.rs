//! The types of the control API: operations, requests, responses, problems and hints.
//!
//! The emulator and the command line share these types, so each path, field and word is written once. [`openapi`] and
//! [`mod@reference`] generate the documents in docs/ from them.

mod access;
mod arm_operation;
mod audit;
mod checkup;
mod clock;
mod content;
mod effect;
mod environment;
mod hint;
mod instance;
mod key;
mod login;
mod operation;
mod operations;
mod principal;
mod problem;
mod quarantine;
mod registry;
mod report;
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
    access::*, arm_operation::*, audit::*, checkup::*, clock::*, content::*, effect::*,
    environment::*, hint::*, instance::*, key::*, login::*, operation::*, operations::*,
    principal::*, problem::*, quarantine::*, registry::*, report::*, repository::*, status::*,
    time::*, trust::*, vault::*, verification::*, word::UnknownWord,
};

/// The path prefix of every operation.
pub const BASE: &str = "/_sealock/v1";

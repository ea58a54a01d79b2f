//! The start of an emulator, from its flags and configuration to its first request.

pub(crate) mod instance;
pub(crate) mod node;
mod ready_file;
pub(crate) mod remedy;
pub(crate) mod running;
pub(crate) mod seed;
pub(crate) mod serve;

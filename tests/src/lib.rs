//! The support of the black-box tests and the demonstration: an emulator process of the released binary, and a small
//! client that pushes and pulls like users' clients.
#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "in a test, a surprise is a failure"
)]

mod client;
mod contract;
mod emulator;
mod image;
mod terminal;

pub use client::{Answer, Client};
pub use emulator::{Emulator, Options, Output, eventually, run};
pub use image::{Image, digest_of, random_bytes};
pub use terminal::Terminal;

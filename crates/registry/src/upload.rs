//! The upload of blobs: sessions, their files and their staged objects.

mod append;
#[cfg(test)]
mod model;
pub(crate) mod open_uploads;
mod receive;
mod resume;
mod session;
mod session_file;
pub(crate) mod staging;
mod verify;

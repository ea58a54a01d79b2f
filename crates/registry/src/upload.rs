//! Blobs on their way in: upload sessions, their files and what they stage.

#[cfg(test)]
mod model;
pub(crate) mod open_uploads;
mod receive;
mod resume;
mod session;
mod session_file;
pub(crate) mod staging;
mod verify;

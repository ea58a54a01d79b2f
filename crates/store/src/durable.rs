//! Durable files and directories beside the store, which only their owner can read.

use std::path::Path;

use crate::{
    Result,
    disk::{self, Disk as _, RealDisk},
};

/// Creates a directory (mode 0700) and its parents durably, if they are missing.
///
/// # Errors
/// If the directory cannot be created.
pub fn create_dir(dir: &Path) -> Result<()> {
    Ok(RealDisk.create_dir(dir)?)
}

/// Writes a new file (mode 0600) durably, completely or not at all.
///
/// # Errors
/// If the directory cannot be written.
pub fn create_secret(path: &Path, bytes: &[u8]) -> Result<()> {
    Ok(disk::replace(&RealDisk, path, bytes)?)
}

//! Files and directories beside the store. They survive a loss of power, and only their owner can read them.

use std::path::Path;

use crate::{
    Result,
    disk::{self, Disk as _, RealDisk},
};

/// Creates a directory (mode 0700) and its parents, if they are missing, and makes that durable.
///
/// # Errors
/// If it cannot be made.
pub fn create_dir(dir: &Path) -> Result<()> {
    Ok(RealDisk.create_dir(dir)?)
}

/// Writes a new file (mode 0600) whole, or not at all.
///
/// # Errors
/// If the directory cannot be written.
pub fn create_secret(path: &Path, bytes: &[u8]) -> Result<()> {
    Ok(disk::replace(&RealDisk, path, bytes)?)
}

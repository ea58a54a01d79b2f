//! Files and directories that are there after a loss of power, readable by their owner alone.

use std::{
    io::{self, Write as _},
    os::unix::fs::DirBuilderExt as _,
    path::Path,
};

use fs_err::{self as fs, os::unix::fs::OpenOptionsExt as _};

use sealock_core::ObjectId;

use crate::Result;

/// Syncs a directory, which makes the creations, renames and removals in it durable.
pub(crate) fn sync_dir(dir: &Path) -> Result<()> {
    Ok(fs::File::open(dir)?.sync_all()?)
}

/// Creates a directory (mode 0700) and its parents, if they are missing, and makes that durable.
///
/// # Errors
/// If it cannot be made.
pub fn create_dir(dir: &Path) -> Result<()> {
    if !dir.is_dir() {
        let created = std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir);
        created.map_err(|error| {
            let what = format!(
                "failed to create the directory `{}`: {error}",
                dir.display()
            );
            io::Error::new(error.kind(), what)
        })?;
        let parent = dir.parent().filter(|parent| !parent.as_os_str().is_empty());
        sync_dir(parent.unwrap_or(Path::new(".")))?;
    }
    Ok(())
}

/// Creates a file (mode 0600) that must not exist yet, not even as a link.
pub(crate) fn create_new(path: &Path) -> Result<fs::File> {
    let mut options = fs::OpenOptions::new();
    options.read(true).write(true).create_new(true).mode(0o600);
    Ok(options.open(path)?)
}

/// Removes a file; false if there was none. Not durable before its directory is synced.
pub(crate) fn remove_file(path: &Path) -> io::Result<bool> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Writes a new file (mode 0600) whole, or not at all.
///
/// # Errors
/// If the directory cannot be written.
pub fn create_secret(path: &Path, bytes: &[u8]) -> Result<()> {
    let dir = path
        .parent()
        .filter(|dir| !dir.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let staged = dir.join(ObjectId::random().to_string());
    let mut file = create_new(&staged)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&staged, path)?;
    sync_dir(dir)
}

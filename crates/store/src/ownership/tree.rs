//! Checks of the data directory itself and of the files in it.

use std::{
    io,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::Path,
};

use fs_err as fs;

use super::{
    EVERYONE_WRITES, OTHERS_ANY, OTHERS_WRITE, check_kind, check_owner, explain,
    open_without_following, parent, remove_permissions, user,
};
use crate::{Result, journal};

/// The sticky bit of shared directories, such as `/tmp`. No one can rename or remove a file of another user there.
const STICKY: u32 = 0o1000;

/// The files at the top of a data directory, in addition to the journal's. Other files there keep their modes: the directory may be a project or a
/// home directory.
pub(super) const FILES: [&str; 6] = [
    "control.token",
    "developer.secret",
    "format",
    "identity.header",
    "lock",
    "service.key",
];

/// The directories that the emulator creates, with the number of entries that the start checks in each. Content is also
/// checked when it is opened, and a large amount of it must not delay the start.
pub(super) const DIRECTORIES: [(&str, usize); 10] = [
    ("metadata", usize::MAX),
    ("tls", usize::MAX),
    ("vault-keys", 2000),
    ("vault-keys/staging", 2000),
    ("blobs", 2000),
    ("blobs/staging", 2000),
    ("uploads", 2000),
    ("custodies", 2000),
    ("quarantine", 2000),
    ("repair", usize::MAX),
];

/// The end of the names of the files in `tls` that hold private keys. All other files there are certificates.
const AUTHORITIES: &str = "authority.pem";

/// Checks the owner of the data directory. If the directory is ours and everyone can write to it, removes that
/// permission.
///
/// # Errors
/// If the directory or the link that leads to it belongs to another user.
pub fn check_data_dir(dir: &Path) -> Result<()> {
    let user = user();
    check_owner(dir, &fs::symlink_metadata(dir)?, dir, user)?;
    let metadata = fs::metadata(dir)?;
    check_owner(dir, &metadata, dir, user)?;
    let shown = dir.display();
    match classify_data_dir(metadata.mode(), metadata.uid() == user) {
        DataDirMode::Fine => {}
        DataDirMode::Removable => {
            let mode = metadata.mode() & 0o7777 & !EVERYONE_WRITES;
            match fs::set_permissions(dir, std::fs::Permissions::from_mode(mode)) {
                Ok(()) => {
                    tracing::info!(
                        "everyone could write to {shown}; now only its owner and group can"
                    );
                }
                Err(error) => {
                    tracing::warn!(%error, "everyone can write to {shown}; to prevent that: chmod o-w {shown}");
                }
            }
        }
        DataDirMode::Warned => {
            tracing::warn!(
                "everyone can write to {shown} and can thus stop this emulator; use a directory of its own"
            );
        }
    }
    Ok(())
}

/// Checks that no one planted anything in the data directory. Removes the permissions of others on the emulator's
/// files.
///
/// # Errors
/// If an entry belongs to another user, or if one that the emulator uses is neither a regular file nor a directory.
/// Only a part of the content is checked here; [`open_inside`](super::open_inside) checks the rest.
pub fn check_tree(dir: &Path) -> Result<()> {
    let user = user();
    let mut walk = Walk {
        data_dir: dir,
        user,
        left: usize::MAX,
    };
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let Some(metadata) = metadata_of(&path)? else {
            continue;
        };
        if is_own_file(&path) {
            walk.check(&path, &metadata)?;
            report(&path, remove_permissions_at(&path, &metadata, OTHERS_ANY));
        } else {
            check_owner(&path, &metadata, dir, user)?;
        }
    }
    for (name, entries) in DIRECTORIES {
        let path = dir.join(name);
        if let Some(metadata) = metadata_of(&path)? {
            walk.left = entries;
            walk.check_directory(&path, &metadata)?;
        }
    }
    Ok(())
}

/// Returns true for the path of a file that the emulator creates at the top of a data directory.
fn is_own_file(path: &Path) -> bool {
    let Some(name) = path.file_name() else {
        return false;
    };
    FILES.iter().any(|file| name == *file) || journal::start_of(name).is_some()
}

/// A walk over the files that the emulator created in a data directory.
struct Walk<'a> {
    data_dir: &'a Path,
    user: u32,
    /// The number of entries that the walk may still check.
    left: usize,
}

impl Walk<'_> {
    fn check_directory(&mut self, dir: &Path, metadata: &std::fs::Metadata) -> Result<()> {
        self.check(dir, metadata)?;
        report(dir, remove_permissions_at(dir, metadata, OTHERS_ANY));
        self.check_entries(dir)
    }

    /// Checks the entries of a directory. A changed mode is not logged: the database creates its files with the modes
    /// of the umask, and no one reaches them through a closed directory. Only the first mode that cannot be changed is
    /// logged: on a file system without modes, none can.
    fn check_entries(&mut self, dir: &Path) -> Result<()> {
        let mut failed = None;
        for entry in fs::read_dir(dir).map_err(|error| explain(dir, error))? {
            let Some(left) = self.left.checked_sub(1) else {
                break;
            };
            self.left = left;
            let path = entry?.path();
            let Some(metadata) = metadata_of(&path)? else {
                continue;
            };
            self.check(&path, &metadata)?;
            let removed = remove_permissions_at(&path, &metadata, forbidden(&path));
            if metadata.is_dir() {
                self.check_entries(&path)?;
            }
            if let Err(error) = removed {
                failed.get_or_insert((path, error));
            }
        }
        if let Some((path, error)) = failed {
            report(&path, Err(error));
        }
        Ok(())
    }

    fn check(&self, path: &Path, metadata: &std::fs::Metadata) -> Result<()> {
        check_kind(path, metadata)?;
        check_owner(path, metadata, self.data_dir, self.user)
    }
}

/// The class of a data directory's mode.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum DataDirMode {
    Fine,
    /// Everyone can write, and that permission can be removed.
    Removable,
    /// Everyone can write, and only a warning is possible.
    Warned,
}

/// Classifies the mode of the data directory. A directory with the sticky bit is shared on purpose: it may be `/tmp`
/// itself, which root must not close to everyone. A directory of root that everyone can write is also accepted: the
/// kubelet creates each `emptyDir` like this, and files that others put there are refused.
/// <https://github.com/kubernetes/kubernetes/blob/v1.34.0/pkg/volume/emptydir/empty_dir.go>
pub(super) fn classify_data_dir(mode: u32, is_ours: bool) -> DataDirMode {
    if mode & EVERYONE_WRITES == 0 {
        DataDirMode::Fine
    } else if is_ours && mode & STICKY == 0 {
        DataDirMode::Removable
    } else {
        DataDirMode::Warned
    }
}

/// Returns the permissions that others must not have on a file in a directory of the data directory. Everyone may read
/// certificates: a container of another user may mount `ca.pem`.
pub(super) fn forbidden(path: &Path) -> u32 {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let in_tls = parent(path).ends_with("tls");
    if in_tls && name.ends_with(".pem") && !name.ends_with(AUTHORITIES) {
        OTHERS_WRITE
    } else {
        OTHERS_ANY
    }
}

/// Does the same as [`remove_permissions`], for a file that is not open.
fn remove_permissions_at(
    path: &Path,
    metadata: &std::fs::Metadata,
    forbidden: u32,
) -> io::Result<bool> {
    if metadata.mode() & forbidden == 0 {
        return Ok(false);
    }
    // The mode is set through the open file, since `chmod` would follow a link that replaces the file meanwhile.
    remove_permissions(
        &open_without_following(path, fs::OpenOptions::new().read(true))?,
        forbidden,
    )
}

/// Logs a changed mode, or a failure to change it.
fn report(path: &Path, removed: io::Result<bool>) {
    let path = path.display();
    match removed {
        Ok(false) => {}
        Ok(true) => tracing::info!("others had access to {path}; now only its owner has"),
        Err(error) => {
            tracing::warn!(%error, "others have access to {path}; to prevent that: chmod go-rwx {path}");
        }
    }
}

/// Returns the metadata of `path` without following a link; `None` if it is missing. An upload may remove it at any
/// time.
fn metadata_of(path: &Path) -> io::Result<Option<std::fs::Metadata>> {
    match fs::symlink_metadata(path) {
        Ok(metadata) => Ok(Some(metadata)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

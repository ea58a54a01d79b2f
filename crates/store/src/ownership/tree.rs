//! Checks of the data directory itself, and of the files in it.

use std::{
    io,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::Path,
};

use fs_err as fs;

use super::{
    EVERYONE_WRITES, OTHERS_ANY, OTHERS_WRITE, check_kind, check_owner, explain, mend, open_itself,
    parent, user,
};
use crate::Result;

/// The sticky bit of shared directories, such as `/tmp`: nobody can rename or remove a file of another user there.
const STICKY: u32 = 0o1000;

/// The files at the top of a data directory. Other files there keep their modes: the directory may be somebody's
/// project or home.
pub(super) const FILES: [&str; 6] = [
    "audit.jsonl",
    "control.token",
    "format",
    "identity.header",
    "lock",
    "service.key",
];

/// The directories that the emulator makes, with the number of entries that the start checks in each. Content is also
/// checked when it is opened, and its amount must not delay the start.
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

/// The only files that hold private keys in the directory `tls`; all others there are certificates.
const AUTHORITIES: &str = "authority.pem";

/// Refuses a data directory that belongs to another user. Removes the write permission of everyone from our own.
///
/// # Errors
/// If it, or the link that leads to it, belongs to another user.
pub fn check_data_dir(dir: &Path) -> Result<()> {
    let user = user();
    check_owner(dir, &fs::symlink_metadata(dir)?, dir, user)?;
    let metadata = fs::metadata(dir)?;
    check_owner(dir, &metadata, dir, user)?;
    let shown = dir.display();
    match judge_data_dir(metadata.mode(), metadata.uid() == user) {
        DataDirMode::Fine => {}
        DataDirMode::Mendable => {
            let mode = metadata.mode() & 0o7777 & !EVERYONE_WRITES;
            match fs::set_permissions(dir, std::fs::Permissions::from_mode(mode)) {
                Ok(()) => {
                    tracing::info!("everyone could write to {shown}; now its owner and group can");
                }
                Err(error) => {
                    tracing::warn!(%error, "everyone can write to {shown}; to prevent that: chmod o-w {shown}");
                }
            }
        }
        DataDirMode::Warned => {
            tracing::warn!(
                "everyone can write to {shown}, and so stop this emulator; a directory of its own would be better"
            );
        }
    }
    Ok(())
}

/// Refuses a data directory in which something was planted. Mends the modes of the files that the emulator made.
///
/// # Errors
/// If anything in it belongs to another user, or if an entry that the emulator would use is a link, or neither a file
/// nor a directory. Only a part of the content is checked; [`open_inside`](super::open_inside) checks the rest.
pub fn check_tree(dir: &Path) -> Result<()> {
    let user = user();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if let Some(metadata) = look_at(&path)? {
            check_owner(&path, &metadata, dir, user)?;
        }
    }
    let mut walk = Walk {
        data_dir: dir,
        user,
        left: usize::MAX,
    };
    for name in FILES {
        let path = dir.join(name);
        if let Some(metadata) = look_at(&path)? {
            walk.check(&path, &metadata)?;
            report(&path, mend_at(&path, &metadata, OTHERS_ANY));
        }
    }
    for (name, entries) in DIRECTORIES {
        let path = dir.join(name);
        if let Some(metadata) = look_at(&path)? {
            walk.left = entries;
            walk.directory(&path, &metadata)?;
        }
    }
    Ok(())
}

/// A walk over the files that the emulator made in a data directory.
struct Walk<'a> {
    data_dir: &'a Path,
    user: u32,
    /// The number of entries that the walk may still check.
    left: usize,
}

impl Walk<'_> {
    fn directory(&mut self, dir: &Path, metadata: &std::fs::Metadata) -> Result<()> {
        self.check(dir, metadata)?;
        report(dir, mend_at(dir, metadata, OTHERS_ANY));
        self.entries(dir)
    }

    /// Checks the entries of a directory. A mended mode is not logged: the database makes its files with the modes of
    /// the umask, and nobody reaches them through a closed directory. Of the modes that cannot be mended, only the
    /// first is logged: on a file system without modes, none can be.
    fn entries(&mut self, dir: &Path) -> Result<()> {
        let mut unmended = None;
        for entry in fs::read_dir(dir).map_err(|error| explain(dir, error))? {
            let Some(left) = self.left.checked_sub(1) else {
                break;
            };
            self.left = left;
            let path = entry?.path();
            let Some(metadata) = look_at(&path)? else {
                continue;
            };
            self.check(&path, &metadata)?;
            let mended = mend_at(&path, &metadata, forbidden(&path));
            if metadata.is_dir() {
                self.entries(&path)?;
            }
            if let Err(error) = mended {
                unmended.get_or_insert((path, error));
            }
        }
        if let Some((path, error)) = unmended {
            report(&path, Err(error));
        }
        Ok(())
    }

    fn check(&self, path: &Path, metadata: &std::fs::Metadata) -> Result<()> {
        check_kind(path, metadata)?;
        check_owner(path, metadata, self.data_dir, self.user)
    }
}

/// The verdict on the mode of a data directory.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum DataDirMode {
    Fine,
    Mendable,
    Warned,
}

/// Judges the mode of the data directory. A directory with the sticky bit is shared on purpose: it may be `/tmp`
/// itself, which root must not close to everyone. A directory of root that everyone can write is accepted, too: the
/// kubelet makes each `emptyDir` like this, and files that others put into it are refused.
/// <https://github.com/kubernetes/kubernetes/blob/v1.34.0/pkg/volume/emptydir/empty_dir.go>
pub(super) fn judge_data_dir(mode: u32, ours: bool) -> DataDirMode {
    if mode & EVERYONE_WRITES == 0 {
        DataDirMode::Fine
    } else if ours && mode & STICKY == 0 {
        DataDirMode::Mendable
    } else {
        DataDirMode::Warned
    }
}

/// Returns the permissions that others must not have on a file below the top of a data directory. Everyone may read
/// certificates: a container of another user may have `ca.pem` mounted.
pub(super) fn forbidden(path: &Path) -> u32 {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let in_tls = parent(path).ends_with("tls");
    if in_tls && name.ends_with(".pem") && !name.ends_with(AUTHORITIES) {
        OTHERS_WRITE
    } else {
        OTHERS_ANY
    }
}

/// Does the same as [`mend`], for a file that is not open yet.
fn mend_at(path: &Path, metadata: &std::fs::Metadata, forbidden: u32) -> io::Result<bool> {
    if metadata.mode() & forbidden == 0 {
        return Ok(false);
    }
    // The mode is set through the open file, since `chmod` would follow a link that took the file's place.
    mend(
        &open_itself(path, fs::OpenOptions::new().read(true))?,
        forbidden,
    )
}

/// Logs the outcome of mending a mode.
fn report(path: &Path, mended: io::Result<bool>) {
    let path = path.display();
    match mended {
        Ok(false) => {}
        Ok(true) => tracing::info!("others could get at {path}; now only its owner can"),
        Err(error) => {
            tracing::warn!(%error, "others can get at {path}; to prevent that: chmod go-rwx {path}");
        }
    }
}

/// Returns the metadata of `path` without following a link; `None` if it is gone, as an upload may end at any time.
fn look_at(path: &Path) -> io::Result<Option<std::fs::Metadata>> {
    match fs::symlink_metadata(path) {
        Ok(metadata) => Ok(Some(metadata)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

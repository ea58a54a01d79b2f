//! The data directory itself, and a look at all that lies in it.

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

/// The bit of shared directories, such as `/tmp`, in which nobody can rename or remove what is another's.
const STICKY: u32 = 0o1000;

/// The files at the top of a data directory. Others there keep their modes: the directory may be somebody's project or
/// home.
pub(super) const FILES: [&str; 5] = [
    "audit.jsonl",
    "control.token",
    "format",
    "lock",
    "service.key",
];

/// The directories that the emulator makes, and how many entries of each are looked at when it starts. Content is
/// looked at when it is opened, too, and its amount must not delay the start.
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

/// Refuses a data directory that belongs to another user, and takes from everyone the right to write to ours.
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

/// Refuses a data directory in which something was planted, and mends the modes of what the emulator made in it.
///
/// # Errors
/// If anything in it belongs to another user, or what the emulator would use is a link, or neither file nor
/// directory. Of content only a part is looked at; [`open_inside`](super::open_inside) sees to the rest.
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

/// A look at what the emulator made in a data directory.
struct Walk<'a> {
    data_dir: &'a Path,
    user: u32,
    /// How many more entries are looked at.
    left: usize,
}

impl Walk<'_> {
    fn directory(&mut self, dir: &Path, metadata: &std::fs::Metadata) -> Result<()> {
        self.check(dir, metadata)?;
        report(dir, mend_at(dir, metadata, OTHERS_ANY));
        self.entries(dir)
    }

    /// Looks at what lies in a directory. That it was mended is not worth a line: the database makes its files as the
    /// umask has it, and nobody gets at them through a directory that is closed. If it cannot be, the first is named:
    /// on a file system without modes that is true of all.
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

/// What is to be done about the mode of a data directory.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum DataDirMode {
    Fine,
    Mendable,
    Warned,
}

/// Judges the mode of the data directory. One with the sticky bit is shared on purpose: it may be `/tmp` itself, which
/// root must not take from everyone. Root's that everyone can write is let pass, too: so the kubelet makes each
/// `emptyDir`, and what others put into it is refused.
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

/// What others must not do with a file below the top of a data directory. Certificates are for everyone to read: a
/// container of another user may have `ca.pem` mounted.
pub(super) fn forbidden(path: &Path) -> u32 {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let in_tls = parent(path).ends_with("tls");
    if in_tls && name.ends_with(".pem") && !name.ends_with(AUTHORITIES) {
        OTHERS_WRITE
    } else {
        OTHERS_ANY
    }
}

/// As [`mend`], for what is not open yet.
fn mend_at(path: &Path, metadata: &std::fs::Metadata, forbidden: u32) -> io::Result<bool> {
    if metadata.mode() & forbidden == 0 {
        return Ok(false);
    }
    // A mode is set by what is open, since `chmod` would follow a link that took the file's place.
    mend(
        &open_itself(path, fs::OpenOptions::new().read(true))?,
        forbidden,
    )
}

/// Says what became of a mode.
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

/// What is at `path`, no link followed, if there still is something: an upload may end at any time.
fn look_at(path: &Path) -> io::Result<Option<std::fs::Metadata>> {
    match fs::symlink_metadata(path) {
        Ok(metadata) => Ok(Some(metadata)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

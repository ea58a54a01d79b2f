//! The ownership of files. The emulator's files must belong to its user or to root, and must be closed to others.
//!
//! Three places have different rules:
//!
//! - *Inside* the data directory, links are not followed, a file of another user is refused, and permissions of others
//!   are removed.
//! - *The data directory* may be a link, may belong to root, and may be writable by a group. Container volumes and
//!   Kubernetes' `fsGroup` require this.
//! - *Named* files, chosen by the user, may be links, may belong to root, and keep their mode. Mounted secrets require
//!   this.
//!
//! `PostgreSQL` and OpenSSH have similar rules. Like both, the emulator accepts additional hard links to a file:
//! backups that share unchanged files (`cp -al`) create them, and Linux (`fs.protected_hardlinks`) allows them only to
//! users who could write the file anyway.

mod tree;

use std::{
    io::{self, Read as _},
    os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _},
    path::Path,
};

use fs_err::{self as fs, os::unix::fs::OpenOptionsExt as _};
use rustix::fs::OFlags;

pub use self::tree::{check_data_dir, check_tree};
use crate::{Error, Result, path_error::with_path};

/// The user whom everyone must trust.
const ROOT: u32 = 0;

/// All permissions of the group and others.
const OTHERS_ANY: u32 = 0o077;
/// The write permissions of the group and others.
const OTHERS_WRITE: u32 = 0o022;
/// The write permission of everyone.
const EVERYONE_WRITES: u32 = 0o002;
/// The read permission of everyone.
const EVERYONE_READS: u32 = 0o004;
/// The write permission of the group.
const GROUP_WRITES: u32 = 0o020;

/// Opens a file of the data directory for reading.
///
/// # Errors
/// As [`open_inside_with`].
pub fn open_inside(path: &Path) -> Result<fs::File> {
    open_inside_with(path, fs::OpenOptions::new().read(true))
}

/// Opens a file of the data directory with `options`. They must not truncate the file, which is checked after it is
/// opened.
///
/// # Errors
/// If it is a link, is not a regular file, belongs to another user, or cannot be opened.
pub fn open_inside_with(path: &Path, options: &mut fs::OpenOptions) -> Result<fs::File> {
    let file = open_without_following(path, options).map_err(|error| explain(path, error))?;
    check_inside(&file)?;
    Ok(file)
}

/// Opens `path` without following a link.
fn open_without_following(path: &Path, options: &mut fs::OpenOptions) -> io::Result<fs::File> {
    // Without `NONBLOCK`, opening a planted FIFO would wait for its other end.
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    options.custom_flags(flags.bits().cast_signed());
    // The error of fs-err hides the system's error number, which shows a lack of file descriptors.
    let opened = options.options().open(path);
    let file = opened.map_err(with_path("open", path))?;
    Ok(fs::File::from_parts(file, path))
}

/// Checks an open file of the data directory, and removes the permissions of others.
///
/// # Errors
/// If it is not a regular file or belongs to another user.
pub fn check_inside(file: &fs::File) -> Result<()> {
    let metadata = file.metadata()?;
    let path = file.path();
    check_kind(path, &metadata)?;
    check_owner(path, &metadata, parent(path), user())?;
    // The start has already warned. A warning at each read would be too much.
    if metadata.mode() & OTHERS_ANY != 0
        && let Err(error) = remove_permissions(file, OTHERS_ANY)
    {
        tracing::debug!(%error, "others have access to a file, and its mode cannot be changed");
    }
    Ok(())
}

/// Opens a file that the user named, such as a key, a token or a CA, for reading.
///
/// # Errors
/// If it belongs to another user, everyone can write it, or it cannot be opened.
pub fn open_named(path: &Path) -> Result<fs::File> {
    let file = fs::File::open(path)?;
    check_named(&file)?;
    Ok(file)
}

/// Checks that no one but the user and root controls the content of an open file that the user named.
///
/// # Errors
/// If it belongs to another user, or everyone can write it.
pub fn check_named(file: &fs::File) -> Result<()> {
    let metadata = file.metadata()?;
    let path = file.path();
    if !is_trusted(metadata.uid(), user()) {
        return Err(Error::ForeignNamed {
            path: path.to_owned(),
            owner: metadata.uid(),
            user: user(),
        });
    }
    let shown = path.display();
    match classify_named(metadata.mode(), metadata.uid() == user()) {
        NamedFileMode::Refused => {
            return Err(Error::WritableByEveryone {
                path: path.to_owned(),
            });
        }
        NamedFileMode::GroupWrites => {
            tracing::warn!("its group can write {shown}; to prevent that: chmod g-w {shown}");
        }
        NamedFileMode::EveryoneReads => {
            tracing::warn!("everyone can read {shown}; to prevent that: chmod o-r {shown}");
        }
        NamedFileMode::Fine => {}
    }
    Ok(())
}

/// Reads an open file into a string of sufficient initial capacity. Growth would leave a copy of a secret in memory.
///
/// # Errors
/// If the file cannot be read, or is not UTF-8.
pub fn read_to_string(mut file: fs::File) -> io::Result<String> {
    let length = file.metadata()?.len();
    let mut text = String::with_capacity(usize::try_from(length).unwrap_or_default());
    file.read_to_string(&mut text)?;
    Ok(text)
}

/// Returns the user id of this process, which owns the files that it creates.
fn user() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// Returns true if `user` may use the files of `owner`.
fn is_trusted(owner: u32, user: u32) -> bool {
    owner == user || owner == ROOT
}

/// The class of a named file's mode.
#[derive(Debug, PartialEq, Eq)]
enum NamedFileMode {
    Fine,
    EveryoneReads,
    GroupWrites,
    Refused,
}

/// Classifies the mode of a named file. Unlike OpenSSH, this accepts a file that its group can write: on a volume with
/// an `fsGroup`, the kubelet makes every file writable by the group at each mount. A file of root that everyone can
/// read causes no warning: mounted secrets have mode 0444 or 0644 by default.
/// <https://kubernetes.io/docs/tasks/configure-pod-container/security-context/>
fn classify_named(mode: u32, is_ours: bool) -> NamedFileMode {
    if mode & EVERYONE_WRITES != 0 {
        NamedFileMode::Refused
    } else if mode & GROUP_WRITES != 0 {
        NamedFileMode::GroupWrites
    } else if mode & EVERYONE_READS != 0 && is_ours {
        NamedFileMode::EveryoneReads
    } else {
        NamedFileMode::Fine
    }
}

/// Checks that a file does not belong to another user, who may have more files in `dir`.
fn check_owner(path: &Path, metadata: &std::fs::Metadata, dir: &Path, user: u32) -> Result<()> {
    if is_trusted(metadata.uid(), user) {
        Ok(())
    } else {
        Err(foreign(path, metadata, dir))
    }
}

/// Checks that `path` is a regular file or a directory.
fn check_kind(path: &Path, metadata: &std::fs::Metadata) -> Result<()> {
    let kind = metadata.file_type();
    if kind.is_file() || kind.is_dir() {
        return Ok(());
    }
    let path = path.to_owned();
    Err(if kind.is_symlink() {
        Error::Link { path }
    } else {
        let what = match kind {
            kind if kind.is_fifo() => "a FIFO",
            kind if kind.is_socket() => "a socket",
            _ => "a device",
        };
        Error::NotAFile { path, what }
    })
}

/// Removes the `forbidden` permissions; returns true if the file had any of them.
fn remove_permissions(file: &fs::File, forbidden: u32) -> io::Result<bool> {
    let mode = file.metadata()?.mode() & 0o777;
    if mode & forbidden == 0 {
        return Ok(false);
    }
    file.set_permissions(std::fs::Permissions::from_mode(mode & !forbidden))?;
    Ok(true)
}

/// Replaces the error of a failed open with an error that names the file's kind or owner, if that is the cause.
fn explain(path: &Path, error: io::Error) -> Error {
    let found = std::fs::symlink_metadata(path);
    if let Ok(metadata) = &found
        && let Err(error) = check_kind(path, metadata)
    {
        return error;
    }
    if error.kind() != io::ErrorKind::PermissionDenied {
        return error.into();
    }
    // If the file is missing, it was to be created in its directory.
    let (denied, found) = match found {
        Ok(metadata) => (path, Ok(metadata)),
        Err(_) => (parent(path), std::fs::metadata(parent(path))),
    };
    match found {
        Ok(metadata) if !is_trusted(metadata.uid(), user()) => {
            foreign(denied, &metadata, parent(path))
        }
        Ok(metadata) if metadata.uid() != user() => Error::Denied {
            path: denied.to_owned(),
            owner: metadata.uid(),
            user: user(),
            dir: parent(path).to_owned(),
        },
        _ => error.into(),
    }
}

fn foreign(path: &Path, metadata: &std::fs::Metadata, dir: &Path) -> Error {
    Error::ForeignFile {
        path: path.to_owned(),
        owner: metadata.uid(),
        user: user(),
        dir: dir.to_owned(),
    }
}

/// Returns the directory of `path`.
fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests;

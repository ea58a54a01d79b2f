//! Whose files these are: what the emulator makes must be its user's, or root's, and nobody else's business.
//!
//! Three places, three measures:
//!
//! - *Inside* the data directory no link is followed, what belongs to another user is refused, and a mode that lets
//!   others in is mended.
//! - *The data directory* itself may be a link, may be root's, and may be a group's to write: so it is with volumes
//!   of containers and with Kubernetes' `fsGroup`.
//! - *Named* files, which the user chose, may be links and root's, and keep their mode: so it is with mounted secrets.
//!
//! `PostgreSQL` and OpenSSH go about it likewise. As in both, a further hard link to a file is no offence: backups that
//! share unchanged files (`cp -al`) make them, and Linux (`fs.protected_hardlinks`) permits one only to whoever
//! could write the file anyway.

mod tree;

use std::{
    io::{self, Read as _},
    os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _},
    path::Path,
};

use fs_err::{self as fs, os::unix::fs::OpenOptionsExt as _};
use rustix::fs::OFlags;

pub use self::tree::{check_data_dir, check_tree};
use crate::{Error, Result, disk};

/// The user whose files everybody has to trust.
const ROOT: u32 = 0;

/// What the group and others may do with a file.
const OTHERS_ANY: u32 = 0o077;
/// What the group and others may write.
const OTHERS_WRITE: u32 = 0o022;
/// What everyone may write.
const EVERYONE_WRITES: u32 = 0o002;
/// What everyone may read.
const EVERYONE_READS: u32 = 0o004;
/// What the group may write.
const GROUP_WRITES: u32 = 0o020;
/// Opens a file of the data directory for reading.
///
/// # Errors
/// As [`open_inside_with`].
pub fn open_inside(path: &Path) -> Result<fs::File> {
    open_inside_with(path, fs::OpenOptions::new().read(true))
}

/// Opens a file of the data directory as `options` say, which must not truncate it: it is judged once it is open.
///
/// # Errors
/// If it is a link or no regular file, belongs to another user, or cannot be opened.
pub fn open_inside_with(path: &Path, options: &mut fs::OpenOptions) -> Result<fs::File> {
    let file = open_itself(path, options).map_err(|error| explain(path, error))?;
    check_inside(&file)?;
    Ok(file)
}

/// Opens what is at `path`, and not what a link there leads to.
fn open_itself(path: &Path, options: &mut fs::OpenOptions) -> io::Result<fs::File> {
    // Without `NONBLOCK` a planted FIFO would have us wait for its other end.
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    options.custom_flags(flags.bits().cast_signed());
    // fs-err's own error does not give away the system's number, by which a lack of files is known.
    let opened = options.options().open(path);
    let file = opened.map_err(disk::naming("open", path))?;
    Ok(fs::File::from_parts(file, path))
}

/// Refuses an open file of the data directory that is not our user's, and mends its mode.
///
/// # Errors
/// If it is no regular file or belongs to another user.
pub fn check_inside(file: &fs::File) -> Result<()> {
    let metadata = file.metadata()?;
    let path = file.path();
    check_kind(path, &metadata)?;
    check_owner(path, &metadata, parent(path), user())?;
    // A line for each time that it is read would be too much, and the start has warned.
    if metadata.mode() & OTHERS_ANY != 0
        && let Err(error) = mend(file, OTHERS_ANY)
    {
        tracing::debug!(%error, "others can get at a file, and its mode cannot be mended");
    }
    Ok(())
}

/// Opens for reading a file that the user named: a key, a token or a CA.
///
/// # Errors
/// If it belongs to another user, everyone can write it, or it cannot be opened.
pub fn open_named(path: &Path) -> Result<fs::File> {
    let file = fs::File::open(path)?;
    check_named(&file)?;
    Ok(file)
}

/// Refuses an open file that the user named, if its content is not the user's or root's alone to decide.
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
    match judge_named(metadata.mode(), metadata.uid() == user()) {
        Named::Refused => {
            return Err(Error::WritableByEveryone {
                path: path.to_owned(),
            });
        }
        Named::GroupWrites => {
            tracing::warn!("its group can write {shown}; to prevent that: chmod g-w {shown}");
        }
        Named::EveryoneReads => {
            tracing::warn!("everyone can read {shown}; to prevent that: chmod o-r {shown}");
        }
        Named::Fine => {}
    }
    Ok(())
}

/// Reads all of an open file into a text that has the room from the beginning, so that growing leaves no copy of a
/// secret behind.
///
/// # Errors
/// If it cannot be read, or is no text.
pub fn read_to_string(mut file: fs::File) -> io::Result<String> {
    let length = file.metadata()?.len();
    let mut text = String::with_capacity(usize::try_from(length).unwrap_or_default());
    file.read_to_string(&mut text)?;
    Ok(text)
}

/// Who runs this process, and owns what it makes.
fn user() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// Whether what `owner` has may be used by `user`.
fn is_trusted(owner: u32, user: u32) -> bool {
    owner == user || owner == ROOT
}

/// What is to be said of a named file.
#[derive(Debug, PartialEq, Eq)]
enum Named {
    Fine,
    EveryoneReads,
    GroupWrites,
    Refused,
}

/// Judges the mode of a named file. One that its group can write is let pass, where OpenSSH would refuse it: on a
/// volume with an `fsGroup` the kubelet makes every file so, at each mount. That everyone can read root's is said to
/// nobody: mounted secrets have mode 0444 or 0644 unless somebody chooses another.
/// <https://kubernetes.io/docs/tasks/configure-pod-container/security-context/>
fn judge_named(mode: u32, ours: bool) -> Named {
    if mode & EVERYONE_WRITES != 0 {
        Named::Refused
    } else if mode & GROUP_WRITES != 0 {
        Named::GroupWrites
    } else if mode & EVERYONE_READS != 0 && ours {
        Named::EveryoneReads
    } else {
        Named::Fine
    }
}

/// Refuses what belongs to another user, who may have more in `dir`.
fn check_owner(path: &Path, metadata: &std::fs::Metadata, dir: &Path, user: u32) -> Result<()> {
    if is_trusted(metadata.uid(), user) {
        Ok(())
    } else {
        Err(foreign(path, metadata, dir))
    }
}

/// Refuses what is neither a regular file nor a directory.
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

/// Takes from the group and others what is `forbidden`; true if there was anything to take.
fn mend(file: &fs::File, forbidden: u32) -> io::Result<bool> {
    let mode = file.metadata()?.mode() & 0o777;
    if mode & forbidden == 0 {
        return Ok(false);
    }
    file.set_permissions(std::fs::Permissions::from_mode(mode & !forbidden))?;
    Ok(true)
}

/// Says why a file of the data directory could not be opened: because of what it is, or of whose it is, if that is it.
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
    // What is not there was to be made in its directory.
    let (place, found) = match found {
        Ok(metadata) => (path, Ok(metadata)),
        Err(_) => (parent(path), std::fs::metadata(parent(path))),
    };
    match found {
        Ok(metadata) if !is_trusted(metadata.uid(), user()) => {
            foreign(place, &metadata, parent(path))
        }
        Ok(metadata) if metadata.uid() != user() => Error::Denied {
            path: place.to_owned(),
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

/// The directory that `path` lies in.
fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests;

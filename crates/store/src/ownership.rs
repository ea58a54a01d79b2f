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

use std::{
    io::{self, Read as _},
    os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _},
    path::Path,
};

use fs_err::{self as fs, os::unix::fs::OpenOptionsExt as _};
use rustix::fs::OFlags;

use crate::{Error, Result};

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
/// The bit of shared directories, such as `/tmp`, in which nobody can rename or remove what is another's.
const STICKY: u32 = 0o1000;

/// The files at the top of a data directory. Others there keep their modes: the directory may be somebody's project or
/// home.
const FILES: [&str; 5] = [
    "audit.jsonl",
    "control.token",
    "format",
    "lock",
    "service.key",
];

/// The directories that the emulator makes, and how many entries of each are looked at when it starts. Content is
/// looked at when it is opened, too, and its amount must not delay the start.
const DIRECTORIES: [(&str, usize); 7] = [
    ("metadata", usize::MAX),
    ("tls", usize::MAX),
    ("vault-keys", 2000),
    ("vault-keys/staging", 2000),
    ("blobs", 2000),
    ("blobs/staging", 2000),
    ("uploads", 2000),
];

/// The only files that hold private keys in the directory `tls`; all others there are certificates.
const AUTHORITIES: &str = "authority.pem";

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
    // Without `NONBLOCK` a planted FIFO would have us wait for its other end.
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = options
        .custom_flags(flags.bits().cast_signed())
        .open(path)
        .map_err(|error| explain(path, error))?;
    check_inside(&file)?;
    Ok(file)
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
    if let Err(error) = mend(file, &metadata, OTHERS_ANY) {
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
/// directory. Of content only a part is looked at; [`open_inside`] sees to the rest.
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
        for entry in fs::read_dir(dir)? {
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

/// What is to be done about the mode of a data directory.
#[derive(Debug, PartialEq, Eq)]
enum DataDirMode {
    Fine,
    Mendable,
    Warned,
}

/// Judges the mode of the data directory. One with the sticky bit is shared on purpose: it may be `/tmp` itself, which
/// root must not take from everyone. Root's that everyone can write is let pass, too: so the kubelet makes each
/// `emptyDir`, and what others put into it is refused.
/// <https://github.com/kubernetes/kubernetes/blob/v1.34.0/pkg/volume/emptydir/empty_dir.go>
fn judge_data_dir(mode: u32, ours: bool) -> DataDirMode {
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
fn forbidden(path: &Path) -> u32 {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let in_tls = parent(path).ends_with("tls");
    if in_tls && name.ends_with(".pem") && !name.ends_with(AUTHORITIES) {
        OTHERS_WRITE
    } else {
        OTHERS_ANY
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
fn mend(file: &fs::File, metadata: &std::fs::Metadata, forbidden: u32) -> io::Result<bool> {
    let mode = metadata.mode() & 0o777;
    if mode & forbidden == 0 {
        return Ok(false);
    }
    file.set_permissions(std::fs::Permissions::from_mode(mode & !forbidden))?;
    Ok(true)
}

/// As [`mend`], for what is not open yet.
fn mend_at(path: &Path, metadata: &std::fs::Metadata, forbidden: u32) -> io::Result<bool> {
    if metadata.mode() & forbidden == 0 {
        return Ok(false);
    }
    // A mode is set by what is open, since `chmod` would follow a link that took the file's place.
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = fs::OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits().cast_signed())
        .open(path)?;
    mend(&file, metadata, forbidden)
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

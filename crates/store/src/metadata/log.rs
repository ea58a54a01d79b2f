//! The commit log: every commit since the last copy, in order. Each is synced before it becomes visible.
//!
//! `log-N` starts after commit number N. It has a header, and then one entry for each commit: length u32, tag 16, body.
//! Each tag covers the previous one, so that entries can be neither left out nor moved. Zeros after the last entry
//! reserve room for more commits on a full disk.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    Error, Result,
    authentication::{Authenticator, Label, TAG_LEN, Tag},
    disk::{self, Access, Disk, DiskFile},
};

const MAGIC: &[u8; 12] = b"sealock log\n";

const HEADER_LEN: usize = MAGIC.len() + 8 + TAG_LEN;

/// The number of bytes before an entry's body.
const ENTRY_HEAD: usize = 4 + TAG_LEN;

/// The number of zeros that are kept after the last entry.
const RESERVE: u64 = 256 * 1024;

/// A block of the zeros after the last entry.
const ZEROS: [u8; 4096] = [0; 4096];

/// A position between two entries of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LogPosition {
    /// The number in the name of the file.
    pub(crate) base: u64,
    /// The offset of the next entry.
    pub(crate) offset: u64,
    /// The tag of the previous entry, or of the header.
    #[serde(with = "hex::serde")]
    pub(crate) tag: Tag,
}

impl LogPosition {
    /// Returns a position in no log.
    pub(crate) fn nowhere() -> Self {
        Self {
            base: u64::MAX,
            offset: 0,
            tag: Tag::default(),
        }
    }
}

/// A commit, as the log stores it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LogEntry {
    pub(crate) number: u64,
    /// The number of commits up to this one that changed who may use which key.
    pub(crate) control: u64,
    /// The offset of the commit's lines in the journal.
    pub(crate) journal: u64,
    /// Keys and sealed values.
    pub(crate) puts: BTreeMap<Vec<u8>, Vec<u8>>,
    /// The keys of deleted records. None of them is among the puts.
    pub(crate) deletes: BTreeSet<Vec<u8>>,
    /// Complete lines of the journal.
    pub(crate) lines: Vec<u8>,
}

/// The log to which entries are appended.
pub(crate) struct Log {
    path: PathBuf,
    file: Arc<dyn DiskFile>,
    position: LogPosition,
    /// The length of the file, in bytes.
    length: u64,
    authenticator: Authenticator,
}

/// A failure to append an entry.
pub(crate) struct NotAppended {
    pub(crate) error: Error,
    /// True if the log may contain a part of the entry. Nothing may be appended to such a log.
    pub(crate) is_in_doubt: bool,
}

pub(crate) fn path(dir: &Path, base: u64) -> PathBuf {
    dir.join(format!("log-{base:020}"))
}

/// Returns the numbers of the logs in `dir`, in order.
pub(crate) fn list(disk: &dyn Disk, dir: &Path) -> Result<Vec<u64>> {
    numbered(disk, dir, "log-")
}

/// Returns the numbers that follow `prefix` in the names of files, in order.
pub(crate) fn numbered(disk: &dyn Disk, dir: &Path, prefix: &str) -> Result<Vec<u64>> {
    let mut numbers: Vec<u64> = disk
        .list(dir)?
        .iter()
        .filter_map(|name| name.to_str()?.strip_prefix(prefix)?.parse().ok())
        .collect();
    numbers.sort_unstable();
    Ok(numbers)
}

impl Log {
    /// Creates a log that starts after the commit `base`, durably. Replaces a log that starts after the same commit.
    pub(crate) fn create(
        disk: &dyn Disk,
        dir: &Path,
        base: u64,
        store: Uuid,
        authenticator: &Authenticator,
    ) -> Result<Self> {
        let path = path(dir, base);
        let tag = header_tag(base, store, authenticator);
        let mut bytes = vec![0; HEADER_LEN + usize::try_from(RESERVE).unwrap_or_default()];
        bytes[..MAGIC.len()].copy_from_slice(MAGIC);
        bytes[MAGIC.len()..MAGIC.len() + 8].copy_from_slice(&base.to_be_bytes());
        bytes[MAGIC.len() + 8..HEADER_LEN].copy_from_slice(&tag);
        disk::replace(disk, &path, &bytes)?;
        let position = LogPosition {
            base,
            offset: HEADER_LEN as u64,
            tag,
        };
        Self::open(disk, dir, position, authenticator)
    }

    /// Opens a log whose next entry is written at `position`.
    pub(crate) fn open(
        disk: &dyn Disk,
        dir: &Path,
        position: LogPosition,
        authenticator: &Authenticator,
    ) -> Result<Self> {
        let path = path(dir, position.base);
        let file = disk.open(&path, Access::Write)?;
        Ok(Self {
            length: file.len()?,
            path,
            file,
            position,
            authenticator: authenticator.clone(),
        })
    }

    /// Replaces everything after the last entry with zeros. A part of an unacknowledged entry may be there.
    pub(crate) fn erase_tail(&mut self) -> Result<()> {
        self.file.set_len(self.position.offset)?;
        self.length = self.position.offset;
        self.reserve();
        Ok(self.file.sync()?)
    }

    /// Makes the entries durable.
    pub(crate) fn sync(&self) -> Result<()> {
        Ok(self.file.sync()?)
    }

    pub(crate) fn position(&self) -> LogPosition {
        self.position
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the position after `entry`, once it is appended.
    pub(crate) fn position_after(&self, entry: &Encoded) -> LogPosition {
        LogPosition {
            base: self.position.base,
            offset: self.position.offset + entry.bytes.len() as u64,
            tag: entry.tag,
        }
    }

    pub(crate) fn encode(&self, entry: &LogEntry) -> Encoded {
        let body = entry.encode();
        let tag = self
            .authenticator
            .tag(Label::LogEntry, &[&self.position.tag, &body]);
        let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
        let bytes = [length.to_be_bytes().as_slice(), &tag, &body].concat();
        Encoded { bytes, tag }
    }

    /// Appends an entry and syncs it.
    pub(crate) fn append(&mut self, entry: &Encoded) -> std::result::Result<(), NotAppended> {
        let at = self.position.offset;
        if let Err(error) = self.file.write_at(at, &entry.bytes) {
            let zeros = vec![0; entry.bytes.len()];
            let left = self.length.saturating_sub(at);
            let zeros = &zeros[..zeros.len().min(usize::try_from(left).unwrap_or(usize::MAX))];
            let erased = self
                .file
                .set_len(self.length)
                .and_then(|()| self.file.write_at(at, zeros));
            return Err(NotAppended {
                error: error.into(),
                is_in_doubt: erased.is_err(),
            });
        }
        if let Err(error) = self.file.sync() {
            return Err(NotAppended {
                error: error.into(),
                is_in_doubt: true,
            });
        }
        self.position = self.position_after(entry);
        self.length = self.length.max(self.position.offset);
        self.reserve();
        Ok(())
    }

    /// Removes the last entry, which was appended at `position`.
    pub(crate) fn remove_last(&mut self, position: LogPosition) -> Result<()> {
        self.position = position;
        self.erase_tail()
    }

    /// Returns true if the log has room for some more commits on a full disk.
    pub(crate) fn has_reserve(&self) -> bool {
        self.left() >= RESERVE / 4
    }

    fn left(&self) -> u64 {
        self.length.saturating_sub(self.position.offset)
    }

    fn reserve(&mut self) {
        let left = self.left();
        if left > RESERVE / 2 {
            return;
        }
        let zeros = vec![0; usize::try_from(RESERVE - left).unwrap_or_default()];
        // The next append reports a full disk.
        if self.file.write_at(self.length, &zeros).is_ok() {
            self.length += zeros.len() as u64;
        }
    }
}

/// An entry in its stored form.
pub(crate) struct Encoded {
    bytes: Vec<u8>,
    tag: Tag,
}

/// The content of a log after a position.
pub(crate) struct Read {
    /// The entries, each with the position after it.
    pub(crate) entries: Vec<(LogEntry, LogPosition)>,
    /// True if the bytes after the entries are neither entries nor zeros.
    pub(crate) is_torn: bool,
}

/// Returns the position of a log's first entry, after a check of the header.
pub(crate) fn check_header(
    disk: &dyn Disk,
    dir: &Path,
    base: u64,
    store: Uuid,
    authenticator: &Authenticator,
) -> Result<LogPosition> {
    let path = path(dir, base);
    let mut header = [0; HEADER_LEN];
    let damaged = |why: &str| Error::damaged_file(&path, why);
    let file = disk.open(&path, Access::Read)?;
    if file.len()? < HEADER_LEN as u64 {
        return Err(damaged("it is shorter than its header"));
    }
    file.read_at(0, &mut header)?;
    let tag = header_tag(base, store, authenticator);
    let is_whole = header.starts_with(MAGIC)
        && header[MAGIC.len()..MAGIC.len() + 8] == base.to_be_bytes()
        && header[MAGIC.len() + 8..] == tag;
    if !is_whole {
        return Err(damaged("its header differs from what was written"));
    }
    Ok(first_entry(base, store, authenticator))
}

/// Returns the position of a log's first entry. Does not check the header.
pub(crate) fn first_entry(base: u64, store: Uuid, authenticator: &Authenticator) -> LogPosition {
    LogPosition {
        base,
        offset: HEADER_LEN as u64,
        tag: header_tag(base, store, authenticator),
    }
}

/// Reads the entries after `position`, up to the commit `last`.
pub(crate) fn read(
    disk: &dyn Disk,
    dir: &Path,
    mut position: LogPosition,
    last: u64,
    authenticator: &Authenticator,
) -> Result<Read> {
    let path = path(dir, position.base);
    let file = disk.open(&path, Access::Read)?;
    let length = file.len()?;
    if length < position.offset {
        return Err(Error::damaged_file(
            path,
            format!(
                "it ends before byte {}, but commits up to there were acknowledged",
                position.offset
            ),
        ));
    }
    let mut bytes = vec![0; usize::try_from(length - position.offset).unwrap_or_default()];
    file.read_at(position.offset, &mut bytes)?;
    let mut entries = Vec::new();
    let mut rest = bytes.as_slice();
    while let Some((entry, tag, length)) = LogEntry::parse(rest, position.tag, authenticator) {
        if entry.number > last {
            return Ok(Read {
                entries,
                is_torn: false,
            });
        }
        position.offset += length as u64;
        position.tag = tag;
        entries.push((entry, position));
        rest = &rest[length..];
    }
    let is_zero = rest
        .chunks(ZEROS.len())
        .all(|block| block == &ZEROS[..block.len()]);
    Ok(Read {
        entries,
        is_torn: !is_zero,
    })
}

fn header_tag(base: u64, store: Uuid, authenticator: &Authenticator) -> Tag {
    authenticator.tag(Label::LogHeader, &[store.as_bytes(), &base.to_be_bytes()])
}

impl LogEntry {
    fn encode(&self) -> Vec<u8> {
        let mut body = Vec::new();
        body.extend(self.number.to_be_bytes());
        body.extend(self.control.to_be_bytes());
        body.extend(self.journal.to_be_bytes());
        put_count(&mut body, self.puts.len());
        for (key, value) in &self.puts {
            put_bytes(&mut body, key);
            put_bytes(&mut body, value);
        }
        put_count(&mut body, self.deletes.len());
        for key in &self.deletes {
            put_bytes(&mut body, key);
        }
        put_bytes(&mut body, &self.lines);
        body
    }

    /// Returns the entry at the start of `bytes`, its tag, and its stored length.
    fn parse(
        bytes: &[u8],
        previous: Tag,
        authenticator: &Authenticator,
    ) -> Option<(Self, Tag, usize)> {
        let (length, rest) = bytes.split_first_chunk::<4>()?;
        let (tag, rest) = rest.split_first_chunk::<TAG_LEN>()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        let body = rest.get(..length)?;
        if length == 0 || !authenticator.is_tag(tag, Label::LogEntry, &[&previous, body]) {
            return None;
        }
        Some((Self::decode(body)?, *tag, ENTRY_HEAD + length))
    }

    fn decode(mut body: &[u8]) -> Option<Self> {
        let bytes = &mut body;
        let number = u64::from_be_bytes(*take::<8>(bytes)?);
        let control = u64::from_be_bytes(*take::<8>(bytes)?);
        let journal = u64::from_be_bytes(*take::<8>(bytes)?);
        let puts = (0..take_count(bytes)?)
            .map(|_| Some((take_bytes(bytes)?, take_bytes(bytes)?)))
            .collect::<Option<_>>()?;
        let deletes = (0..take_count(bytes)?)
            .map(|_| take_bytes(bytes))
            .collect::<Option<_>>()?;
        let lines = take_bytes(bytes)?;
        bytes.is_empty().then_some(Self {
            number,
            control,
            journal,
            puts,
            deletes,
            lines,
        })
    }
}

fn put_count(body: &mut Vec<u8>, count: usize) {
    body.extend(u32::try_from(count).unwrap_or(u32::MAX).to_be_bytes());
}

pub(crate) fn put_bytes(body: &mut Vec<u8>, bytes: &[u8]) {
    put_count(body, bytes.len());
    body.extend(bytes);
}

pub(crate) fn take<'a, const N: usize>(bytes: &mut &'a [u8]) -> Option<&'a [u8; N]> {
    let (taken, rest) = bytes.split_first_chunk::<N>()?;
    *bytes = rest;
    Some(taken)
}

fn take_count(bytes: &mut &[u8]) -> Option<u32> {
    Some(u32::from_be_bytes(*take::<4>(bytes)?))
}

pub(crate) fn take_bytes(bytes: &mut &[u8]) -> Option<Vec<u8>> {
    let length = usize::try_from(take_count(bytes)?).ok()?;
    let (taken, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(taken.to_vec())
}

//! The journal: lines that are appended, read back and followed.

use std::{
    io,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tokio::sync::watch;

use crate::{
    Error, Result,
    disk::{self, Access, Disk, DiskFile},
};

/// The maximum number of bytes that a read returns, unless a single line is longer.
const READ_BYTES: u64 = 256 * 1024;

pub(crate) const FILE: &str = "audit.jsonl";

/// The lines of JSON that commits append, in the order of the commits. Clones share them.
///
/// The commit log makes the lines durable first. The journal's file follows, and is synced before the log drops the
/// lines.
#[derive(Clone)]
pub struct Journal {
    lines: Arc<Mutex<Lines>>,
    length: watch::Sender<u64>,
}

/// A position in the journal, with a hash that authenticates all lines up to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct JournalMark {
    pub(crate) length: u64,
    /// The hash over the previous hash and the last line.
    #[serde(with = "hex::serde")]
    chain: [u8; 32],
}

impl JournalMark {
    /// Returns the mark after further lines.
    pub(crate) fn after(mut self, lines: &[u8]) -> Self {
        for line in lines.split_inclusive(|byte| *byte == b'\n') {
            let mut hash = Sha256::new();
            hash.update(self.chain);
            hash.update(line);
            self.chain = hash.finalize().into();
            self.length += line.len() as u64;
        }
        self
    }
}

/// Finds the authentic part of the journal's file. It ends at the last known mark up to which the file is unchanged.
pub(crate) fn find_authentic(
    disk: &dyn Disk,
    path: &Path,
    is_known: impl Fn(&JournalMark) -> bool,
) -> Result<Found> {
    let mut found = Found::default();
    let Some(file) = disk::open_if_present(disk, path, Access::Read)? else {
        return Ok(found);
    };
    found.length = Some(file.len()?);
    let mut mark = JournalMark::default();
    let mut unread = Vec::new();
    let mut offset = 0;
    while offset < file.len()? {
        let bytes = (file.len()? - offset).min(READ_BYTES);
        let mut buffer = vec![0; usize::try_from(bytes).unwrap_or_default()];
        file.read_at(offset, &mut buffer)?;
        offset += bytes;
        unread.extend(buffer);
        let last_line_end = unread.iter().rposition(|byte| *byte == b'\n');
        let rest = unread.split_off(last_line_end.map_or(0, |last| last + 1));
        for line in unread.split_inclusive(|byte| *byte == b'\n') {
            mark = mark.after(line);
            if is_known(&mark) {
                found.authentic = mark;
            }
        }
        unread = rest;
    }
    Ok(found)
}

/// The state of a journal's file.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Found {
    /// The length in bytes; `None` if there is no file.
    pub(crate) length: Option<u64>,
    /// The end of the authentic part.
    pub(crate) authentic: JournalMark,
}

#[derive(Default)]
struct Lines {
    file: Option<Arc<dyn DiskFile>>,
    /// The number of durable bytes in the file.
    synced: u64,
    /// The bytes after the durable ones. After a failed sync, it is unknown which of them are in the file.
    tail: Vec<u8>,
    /// The number of bytes of the tail that were written to the file.
    written: usize,
    /// True while the disk refuses the tail, once this has been logged.
    is_failing: bool,
}

impl Journal {
    /// Opens the journal in a directory at `mark`. Later lines are rewritten from the commit log, or were never
    /// acknowledged.
    pub(crate) fn open(disk: &dyn Disk, dir: &Path, mark: JournalMark) -> Result<Self> {
        let path = dir.join(FILE);
        let file = match disk::open_if_present(disk, &path, Access::Write)? {
            Some(file) => file,
            None => disk.create(&path)?,
        };
        disk.sync_dir(dir)?;
        let length = file.len()?;
        if length < mark.length {
            let why = format!(
                "it has {length} bytes; at least {} were written",
                mark.length
            );
            return Err(Error::damaged_file(path, why));
        }
        Ok(Self {
            lines: Arc::new(Mutex::new(Lines {
                file: Some(file),
                synced: mark.length,
                ..Lines::default()
            })),
            length: watch::Sender::new(mark.length),
        })
    }

    pub(crate) fn in_memory() -> Self {
        Self {
            lines: Arc::default(),
            length: watch::Sender::new(0),
        }
    }

    /// Truncates the file after the last line.
    pub(crate) fn truncate(&self) -> Result<()> {
        let lines = self.lock();
        match &lines.file {
            Some(file) if file.len()? > lines.length() => Ok(file.set_len(lines.length())?),
            _ => Ok(()),
        }
    }

    /// Appends complete lines that the commit log has made durable. Lines that the disk refuses stay in memory.
    pub(crate) fn append(&self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let mut lines = self.lock();
        lines.tail.extend_from_slice(bytes);
        if let Err(error) = lines.write_tail()
            && !lines.is_failing
        {
            lines.is_failing = true;
            tracing::error!(%error, "the journal cannot be written; the commit log holds its lines");
        }
        drop(lines);
        self.length
            .send_modify(|length| *length += bytes.len() as u64);
    }

    /// Writes the rest of the tail to the file and syncs the file.
    pub(crate) fn sync(&self) -> Result<()> {
        self.lock().sync()
    }

    /// Returns the number of bytes that are not yet durable in the file.
    pub(crate) fn unsynced(&self) -> usize {
        self.lock().tail.len()
    }

    /// Returns complete lines from the offset `from` on, and the offset after them.
    ///
    /// # Errors
    /// If the disk fails, or no line starts at `from`.
    pub fn read(&self, from: u64) -> Result<(Vec<u8>, u64)> {
        let lines = self.lock();
        let length = lines.length();
        let damaged = || Error::Damaged {
            key: FILE.to_owned(),
            why: format!("no line starts at byte {from}"),
        };
        let mut bytes = Vec::new();
        let mut end = from;
        while end < length && !bytes.contains(&b'\n') {
            let start = end;
            end = (end + READ_BYTES).min(length);
            bytes.extend(lines.slice(start, end)?);
        }
        match bytes.iter().rposition(|byte| *byte == b'\n') {
            Some(last) => bytes.truncate(last + 1),
            None if bytes.is_empty() && from == length => {}
            None => return Err(damaged()),
        }
        let next = from + bytes.len() as u64;
        Ok((bytes, next))
    }

    /// Waits until the journal extends past `offset`.
    pub async fn wait_past(&self, offset: u64) {
        let mut length = self.length.subscribe();
        // The sender lives in `self`, so the wait cannot fail.
        let _ = length.wait_for(|length| *length > offset).await;
    }

    /// Returns the offset after the last line.
    pub fn end(&self) -> u64 {
        *self.length.borrow()
    }

    /// Returns true if the lines up to `mark` are unchanged.
    pub(crate) fn is_authentic(&self, mark: JournalMark) -> Result<bool> {
        let mut found = JournalMark::default();
        let mut unread = Vec::new();
        let mut offset = 0;
        while offset < mark.length {
            let end = (offset + READ_BYTES).min(mark.length);
            unread.extend(self.lock().slice(offset, end)?);
            offset = end;
            let last_line_end = unread.iter().rposition(|byte| *byte == b'\n');
            let rest = unread.split_off(last_line_end.map_or(0, |last| last + 1));
            found = found.after(&unread);
            unread = rest;
        }
        Ok(found == mark)
    }

    fn lock(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lines {
    fn length(&self) -> u64 {
        self.synced + self.tail.len() as u64
    }

    fn write_tail(&mut self) -> Result<()> {
        let unwritten = &self.tail[self.written..];
        if let (Some(file), false) = (&self.file, unwritten.is_empty()) {
            file.write_at(self.synced + self.written as u64, unwritten)?;
            self.written = self.tail.len();
            self.is_failing = false;
        }
        Ok(())
    }

    fn sync(&mut self) -> Result<()> {
        self.write_tail()?;
        let Some(file) = &self.file else {
            return Ok(());
        };
        if let Err(error) = file.sync() {
            self.written = 0;
            return Err(error.into());
        }
        self.synced += self.written as u64;
        self.tail.drain(..self.written);
        self.written = 0;
        Ok(())
    }

    fn slice(&self, start: u64, end: u64) -> io::Result<Vec<u8>> {
        let position = |offset| usize::try_from(offset).map_err(|_| io::ErrorKind::UnexpectedEof);
        let in_file = start.min(self.synced)..end.min(self.synced);
        let mut bytes = vec![0; position(in_file.end - in_file.start)?];
        if let (Some(file), false) = (&self.file, bytes.is_empty()) {
            file.read_at(in_file.start, &mut bytes)?;
        }
        let in_tail = start.max(self.synced) - self.synced..end.max(self.synced) - self.synced;
        bytes.extend(&self.tail[position(in_tail.start)?..position(in_tail.end)?]);
        Ok(bytes)
    }
}

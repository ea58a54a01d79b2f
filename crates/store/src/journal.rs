//! The journal: lines that are appended, read back and followed, in a series of files of which the oldest are removed.

mod lines;
mod mark;

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::watch;

pub(crate) use self::mark::{JournalMark, find_authentic, read_lines, spans};
use self::{
    lines::{Lines, LinesFile},
    mark::split_lines,
};
use crate::{
    Error, Result, StoreFiles,
    disk::{self, Access, Disk},
};

/// The maximum number of bytes that a read returns, unless a single line is longer.
const READ_BYTES: u64 = 256 * 1024;

/// The journal's first file. The name of each further one has the offset of its first byte in addition, so that the order
/// of the names is that of the lines.
pub(crate) const FILE: &str = "audit.jsonl";

/// The limits of the journal. Beyond them, the oldest file is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JournalLimits {
    /// The length in bytes at which another file begins. The commits that are written together may exceed it.
    pub file_bytes: u64,
    /// The maximum number of files.
    pub files: usize,
}

impl Default for JournalLimits {
    fn default() -> Self {
        Self {
            file_bytes: 16 * 1024 * 1024,
            files: 8,
        }
    }
}

/// The lines of JSON that commits append, in the order of the commits. Clones share them.
///
/// The commit log makes the lines durable first. The journal's last file follows, and is synced before the log drops the
/// lines. An offset counts from the first line ever written, so it stays valid when files are removed.
#[derive(Clone)]
pub struct Journal {
    lines: Arc<Mutex<Lines>>,
    length: watch::Sender<u64>,
}

/// Consecutive complete lines of the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passage {
    /// The offset of the first line.
    pub start: u64,
    /// The lines; empty at the journal's end.
    pub lines: Vec<u8>,
}

impl Passage {
    /// Returns the offset after the last line.
    pub fn end(&self) -> u64 {
        self.start + self.lines.len() as u64
    }
}

/// Returns the name of the file whose first byte has the offset `start`.
pub(crate) fn file_name(start: u64) -> String {
    match start {
        0 => FILE.to_owned(),
        _ => format!("{FILE}.{start:020}"),
    }
}

/// Returns the offset of the first byte of the file with this name, if it is one of the journal's.
pub(crate) fn start_of(name: &OsStr) -> Option<u64> {
    let name = name.to_str()?;
    let start = match name.strip_prefix(FILE)? {
        "" => 0,
        offset => offset.strip_prefix('.')?.parse().ok()?,
    };
    (name == file_name(start)).then_some(start)
}

/// Returns the path of the file whose first byte has the offset `start`, in a data directory.
pub(crate) fn path(data_dir: &Path, start: u64) -> PathBuf {
    data_dir.join(file_name(start))
}

/// Returns the offsets at which the files in a data directory start, in order.
pub(crate) fn list(disk: &dyn Disk, data_dir: &Path) -> Result<Vec<u64>> {
    let names = disk.list(data_dir)?;
    let mut starts: Vec<u64> = names.iter().filter_map(|name| start_of(name)).collect();
    starts.sort_unstable();
    Ok(starts)
}

impl Journal {
    /// Opens the journal whose files start at the marks `starts`, at the mark `end`. Later lines are rewritten from the
    /// commit log, or were never acknowledged.
    pub(crate) fn open(
        files: &StoreFiles,
        starts: &[JournalMark],
        end: JournalMark,
    ) -> Result<Self> {
        let StoreFiles { disk, dir, .. } = files;
        let mut lines = Lines {
            synced: end.length,
            limits: files.journal,
            ..Lines::default()
        };
        for (start, end) in spans(starts, end) {
            let path = path(dir, start.length);
            let file = match disk::open_if_present(&**disk, &path, Access::Write)? {
                Some(file) => file,
                None if start == end => disk.create(&path)?,
                None => return Err(Error::damaged_file(path, "it is missing")),
            };
            let (length, expected) = (file.len()?, end.length - start.length);
            if length < expected {
                return Err(Error::damaged_file(path, too_short(length, expected)));
            }
            let start = start.length;
            lines.files.push_back(LinesFile { start, file });
        }
        disk.sync_dir(dir)?;
        Ok(Self {
            lines: Arc::new(Mutex::new(lines)),
            length: watch::Sender::new(end.length),
        })
    }

    pub(crate) fn in_memory(limits: JournalLimits) -> Self {
        Self {
            lines: Arc::new(Mutex::new(Lines {
                limits,
                ..Lines::default()
            })),
            length: watch::Sender::new(0),
        }
    }

    /// Truncates the last file after the last line, and removes a file that was begun too early.
    pub(crate) fn truncate(&self, files: &StoreFiles) -> Result<()> {
        let lines = self.lock();
        let Some(LinesFile { start, file }) = lines.files.back() else {
            return Ok(());
        };
        if file.len()? > lines.length() - start {
            file.set_len(lines.length() - start)?;
        }
        for later in list(&*files.disk, &files.dir)? {
            if later > *start {
                disk::remove_if_present(&*files.disk, &path(&files.dir, later))?;
            }
        }
        Ok(())
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
        lines.trim_memory();
        drop(lines);
        self.length
            .send_modify(|length| *length += bytes.len() as u64);
    }

    /// Writes the rest of the tail to the last file and syncs the file. Only the thread that appends calls this.
    pub(crate) fn sync(&self) -> Result<()> {
        let mut lines = self.lock();
        lines.write_tail()?;
        let Some(last) = lines.files.back() else {
            return Ok(());
        };
        let file = Arc::clone(&last.file);
        drop(lines);
        // Readers do not wait for the sync.
        let synced = file.sync();
        let mut lines = self.lock();
        match synced {
            Ok(()) => lines.mark_synced(),
            Err(_) => lines.written = 0,
        }
        Ok(synced?)
    }

    /// Returns the number of bytes that are not yet durable in the files.
    pub(crate) fn unsynced(&self) -> usize {
        self.lock().tail.len()
    }

    /// Returns true if the last file has reached its limit.
    pub(crate) fn is_full(&self) -> bool {
        self.lock().is_full()
    }

    /// Begins another file, durably. All lines must be synced. If a crash follows before the ledger names the file, the
    /// next start removes it.
    pub(crate) fn begin_file(&self, files: &StoreFiles) -> Result<()> {
        let StoreFiles { disk, dir, .. } = files;
        let start = self.lock().synced;
        let path = path(dir, start);
        // An earlier attempt may have failed after it created the file.
        disk::remove_if_present(&**disk, &path)?;
        let file = disk.create(&path)?;
        disk.sync_dir(dir)?;
        self.lock().files.push_back(LinesFile { start, file });
        Ok(())
    }

    /// Removes the files before the offset `first`, also those that a crash left. The next call repeats a removal that
    /// fails.
    pub(crate) fn remove_before(&self, files: &StoreFiles, first: u64) {
        let StoreFiles { disk, dir, .. } = files;
        // No sync: a file that comes back is removed later.
        let removed = list(&**disk, dir).and_then(|starts| {
            for start in starts.into_iter().filter(|start| *start < first) {
                disk::remove_if_present(&**disk, &path(dir, start))?;
            }
            Ok(())
        });
        match removed {
            Ok(()) => self.lock().files.retain(|file| file.start >= first),
            Err(error) => {
                tracing::warn!(%error, "the journal's oldest files cannot be removed");
            }
        }
    }

    /// Returns complete lines from the offset `from` on, or from the first line on if that is later: the lines in between
    /// are no longer kept.
    ///
    /// # Errors
    /// If the disk fails, or no line starts at `from`.
    pub fn read(&self, from: u64) -> Result<Passage> {
        loop {
            let (first, length) = {
                let lines = self.lock();
                (lines.first(), lines.length())
            };
            if let Some(passage) = self.read_between(from.max(first), length)? {
                return Ok(passage);
            }
        }
    }

    /// Returns complete lines between two offsets. Returns `None` if the first is no longer kept.
    fn read_between(&self, from: u64, length: u64) -> Result<Option<Passage>> {
        let mut bytes = Vec::new();
        let mut end = from;
        while end < length && !bytes.contains(&b'\n') {
            let start = end;
            end = (end + READ_BYTES).min(length);
            let Some(read) = self.slice(start, end)? else {
                return Ok(None);
            };
            bytes.extend(read);
        }
        let is_end = bytes.is_empty() && from == length;
        if !is_end && !bytes.contains(&b'\n') {
            return Err(Error::Damaged {
                key: FILE.to_owned(),
                why: format!("no line starts at byte {from}"),
            });
        }
        split_lines(&mut bytes);
        Ok(Some(Passage {
            start: from,
            lines: bytes,
        }))
    }

    /// Waits until the journal extends past `offset`.
    pub async fn wait_past(&self, offset: u64) {
        let mut length = self.length.subscribe();
        // The sender lives in `self`, so the wait cannot fail.
        let _ = length.wait_for(|length| *length > offset).await;
    }

    /// Returns the offset of the first line that is kept.
    pub fn start(&self) -> u64 {
        self.lock().first()
    }

    /// Returns the offset after the last line.
    pub fn end(&self) -> u64 {
        *self.length.borrow()
    }

    /// Returns the start of the first file whose lines were changed or are no longer kept, if there is one.
    pub(crate) fn find_changed(
        &self,
        starts: &[JournalMark],
        end: JournalMark,
    ) -> Result<Option<u64>> {
        for (start, end) in spans(starts, end) {
            let mut found = start;
            let mut unread = Vec::new();
            let mut offset = start.length;
            while offset < end.length {
                let next = (offset + READ_BYTES).min(end.length);
                let Some(read) = self.slice(offset, next)? else {
                    return Ok(Some(start.length));
                };
                unread.extend(read);
                offset = next;
                let rest = split_lines(&mut unread);
                found = found.after(&unread);
                unread = rest;
            }
            if found != end {
                return Ok(Some(start.length));
            }
        }
        Ok(None)
    }

    /// Reads the bytes between two offsets. Returns `None` if the first is no longer kept. Appends and other reads do not
    /// wait for the disk meanwhile.
    fn slice(&self, start: u64, end: u64) -> Result<Option<Vec<u8>>> {
        let found = self.lock().slice(start, end)?;
        Ok(match found {
            Some(slice) => Some(slice.read()?),
            None => None,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Describes a file that lost its end.
pub(crate) fn too_short(length: u64, expected: u64) -> String {
    format!("it has {length} bytes; at least {expected} were written")
}

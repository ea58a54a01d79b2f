use std::{collections::VecDeque, io, sync::Arc};

use super::JournalLimits;
use crate::{Result, disk::DiskFile};

/// The lines of the journal, in its files and in memory.
#[derive(Default)]
pub(super) struct Lines {
    /// The files, in order. None in memory.
    pub(super) files: VecDeque<LinesFile>,
    /// The offset of the tail. Everything before it is durable in the files, or no longer kept.
    pub(super) synced: u64,
    /// The bytes after the durable ones. After a failed sync, it is unknown which of them are in the last file.
    pub(super) tail: Vec<u8>,
    /// The number of bytes of the tail that were written to the last file.
    pub(super) written: usize,
    /// True while the disk refuses the tail, once this has been logged.
    pub(super) is_failing: bool,
    pub(super) limits: JournalLimits,
}

/// A file of the journal.
pub(super) struct LinesFile {
    /// The offset of its first byte.
    pub(super) start: u64,
    pub(super) file: Arc<dyn DiskFile>,
}

/// The places of some bytes. Reading them needs no lock.
pub(super) struct Slice {
    /// Files, each with an offset in it and a number of bytes.
    in_files: Vec<(Arc<dyn DiskFile>, u64, u64)>,
    in_tail: Vec<u8>,
}

impl Lines {
    /// Returns the offset of the first line that is kept.
    pub(super) fn first(&self) -> u64 {
        self.files.front().map_or(self.synced, |file| file.start)
    }

    /// Returns the offset after the last line.
    pub(super) fn length(&self) -> u64 {
        self.synced + self.tail.len() as u64
    }

    /// Returns true if the last file, with the tail, has reached its limit.
    pub(super) fn is_full(&self) -> bool {
        let last = self.files.back();
        last.is_some_and(|last| self.length() - last.start >= self.limits.file_bytes)
    }

    pub(super) fn write_tail(&mut self) -> Result<()> {
        let unwritten = &self.tail[self.written..];
        if let (Some(LinesFile { start, file }), false) = (self.files.back(), unwritten.is_empty())
        {
            file.write_at(self.synced - start + self.written as u64, unwritten)?;
            self.written = self.tail.len();
            self.is_failing = false;
        }
        Ok(())
    }

    /// Takes over that the written part of the tail is durable.
    pub(super) fn mark_synced(&mut self) {
        self.synced += self.written as u64;
        self.tail.drain(..self.written);
        self.written = 0;
    }

    /// Drops the oldest lines in memory, if all files of a journal on disk could not hold the lines.
    pub(super) fn trim_memory(&mut self) {
        let limits = self.limits;
        let limit = limits.file_bytes.saturating_mul(limits.files as u64);
        if !self.files.is_empty() || self.tail.len() as u64 <= limit {
            return;
        }
        let least = usize::try_from(limits.file_bytes).unwrap_or(usize::MAX);
        let line_end = self.tail.iter().skip(least).position(|byte| *byte == b'\n');
        let dropped = line_end.map_or(self.tail.len(), |line_end| least + line_end + 1);
        self.tail.drain(..dropped);
        self.synced += dropped as u64;
    }

    /// Finds the bytes between two offsets. Returns `None` if the first of them is no longer kept.
    pub(super) fn slice(&self, start: u64, end: u64) -> io::Result<Option<Slice>> {
        if start < self.first() {
            return Ok(None);
        }
        let mut in_files = Vec::new();
        let mut file_end = self.synced;
        for LinesFile { start: first, file } in self.files.iter().rev() {
            let part = start.clamp(*first, file_end)..end.clamp(*first, file_end);
            if !part.is_empty() {
                let bytes = part.end - part.start;
                in_files.insert(0, (Arc::clone(file), part.start - first, bytes));
            }
            file_end = *first;
        }
        let position = |offset: u64| {
            let position = usize::try_from(offset.max(self.synced) - self.synced);
            position.map_err(|_| io::ErrorKind::UnexpectedEof)
        };
        let in_tail = self.tail.get(position(start)?..position(end)?);
        Ok(Some(Slice {
            in_files,
            in_tail: in_tail.ok_or(io::ErrorKind::UnexpectedEof)?.to_vec(),
        }))
    }
}

impl Slice {
    pub(super) fn read(self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        for (file, offset, length) in self.in_files {
            let start = bytes.len();
            let length = usize::try_from(length).map_err(|_| io::ErrorKind::UnexpectedEof)?;
            bytes.resize(start + length, 0);
            file.read_at(offset, &mut bytes[start..])?;
        }
        bytes.extend(self.in_tail);
        Ok(bytes)
    }
}

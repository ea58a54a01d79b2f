use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::READ_BYTES;
use crate::{
    Result,
    disk::{self, Access, Disk, DiskFile},
};

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

/// Returns the first and last mark of each file, from the marks at which the files start and the mark of the end.
pub(crate) fn spans(
    starts: &[JournalMark],
    end: JournalMark,
) -> impl Iterator<Item = (JournalMark, JournalMark)> {
    let ends = starts.iter().skip(1).copied().chain([end]);
    starts.iter().copied().zip(ends)
}

/// Reads the first `end` bytes of a file in batches of complete lines. Omits a last line that is incomplete.
pub(crate) fn read_lines(
    file: &dyn DiskFile,
    end: u64,
    mut each: impl FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
    let mut unread = Vec::new();
    let mut offset = 0;
    while offset < end {
        let bytes = (end - offset).min(READ_BYTES);
        let mut buffer = vec![0; usize::try_from(bytes).unwrap_or_default()];
        file.read_at(offset, &mut buffer)?;
        offset += bytes;
        unread.extend(buffer);
        let rest = split_lines(&mut unread);
        each(&unread)?;
        unread = rest;
    }
    Ok(())
}

/// Cuts the bytes after the last complete line, and returns the bytes that follow it.
pub(super) fn split_lines(bytes: &mut Vec<u8>) -> Vec<u8> {
    let last = bytes.iter().rposition(|byte| *byte == b'\n');
    bytes.split_off(last.map_or(0, |last| last + 1))
}

/// Finds the authentic part of a file that starts at the mark `start`. It ends at the last known mark up to which the
/// file is unchanged.
pub(crate) fn find_authentic(
    disk: &dyn Disk,
    path: &Path,
    start: JournalMark,
    is_known: impl Fn(&JournalMark) -> bool,
) -> Result<Found> {
    let mut found = Found {
        length: None,
        authentic: start,
    };
    let Some(file) = disk::open_if_present(disk, path, Access::Read)? else {
        return Ok(found);
    };
    let length = file.len()?;
    found.length = Some(length);
    let mut mark = start;
    read_lines(&*file, length, |lines| {
        for line in lines.split_inclusive(|byte| *byte == b'\n') {
            mark = mark.after(line);
            if is_known(&mark) {
                found.authentic = mark;
            }
        }
        Ok(())
    })?;
    Ok(found)
}

/// The state of a file of the journal.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found {
    /// The length in bytes; `None` if there is no file.
    pub(crate) length: Option<u64>,
    /// The end of the authentic part.
    pub(crate) authentic: JournalMark,
}

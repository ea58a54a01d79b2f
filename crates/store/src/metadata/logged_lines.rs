use std::collections::BTreeMap;

use crate::journal::JournalMark;

/// The journal's lines in the commit logs.
#[derive(Default)]
pub(crate) struct LoggedLines {
    /// The known marks, by their offsets.
    marks: BTreeMap<u64, JournalMark>,
    /// The lines, by the offsets at which they start.
    lines: BTreeMap<u64, Vec<u8>>,
}

impl LoggedLines {
    pub(super) fn add(&mut self, before: JournalMark, lines: &[u8]) {
        self.marks.insert(before.length, before);
        if !lines.is_empty() {
            let after = before.after(lines);
            self.marks.insert(after.length, after);
            self.lines.insert(before.length, lines.to_vec());
        }
    }

    /// Returns the known mark at an offset.
    pub(crate) fn mark_at(&self, offset: u64) -> Option<JournalMark> {
        self.marks.get(&offset).copied()
    }

    /// Returns true if the journal once ended at `mark`.
    pub(crate) fn has_mark(&self, mark: &JournalMark) -> bool {
        self.marks.get(&mark.length) == Some(mark)
    }

    /// Returns the known lines between two offsets.
    pub(crate) fn between(&self, from: u64, to: u64) -> Vec<u8> {
        let mut lines = Vec::new();
        for (offset, found) in self.lines.range(from..to) {
            if offset + found.len() as u64 <= to {
                lines.extend(found);
            }
        }
        lines
    }
}

use std::path::{Path, PathBuf};

use crate::{
    Result,
    disk::{Access, Disk},
    journal::{self, JournalMark, find_authentic, read_lines},
    metadata::{
        remains::Remains,
        state::{Source, State},
    },
    store_files::StoreFiles,
};

/// The authentic lines of the journal, from its files and the commit logs.
pub(super) struct JournalRestoration {
    pieces: Vec<Piece>,
    /// The mark of the first line.
    start: JournalMark,
    /// The files that the restored ones replace, by their starts. None if the files are intact and stay in place.
    replaced: Option<Vec<u64>>,
    pub(super) missing_bytes: u64,
}

/// Consecutive lines that become a file.
#[derive(Default)]
struct Piece {
    /// The authentic part of an existing file.
    file: Option<ExistingFile>,
    /// Lines of the commit log that follow it.
    lines: Vec<u8>,
}

struct ExistingFile {
    path: PathBuf,
    start: JournalMark,
    end: JournalMark,
    /// True if nothing follows the authentic part.
    is_whole: bool,
}

impl JournalRestoration {
    pub(super) fn find(files: &StoreFiles, remains: &Remains, state: &State) -> Result<Self> {
        let lines = &remains.lines;
        let found = find_files(files, remains, state)?;
        let newest = remains.newest_ledger.as_ref().unwrap_or(&state.ledger);
        let mut first = newest.journal_start();
        if state.source != Source::Database
            && let Some(oldest) = found.files.first()
        {
            // The files before it were removed after the copy was made, rather than lost.
            first = first.max(oldest.start.length);
        }
        let end = state.ledger.journal.length;
        let mut is_intact = !found.has_foreign;
        let mut pieces: Vec<Piece> = Vec::new();
        let mut kept = 0;
        let mut reached = first;
        let add_lines = |pieces: &mut Vec<Piece>, from: u64, to: u64| {
            let logged = lines.between(from, to);
            if logged.is_empty() {
                return 0;
            }
            if pieces.is_empty() {
                pieces.push(Piece::default());
            }
            let bytes = logged.len() as u64;
            if let Some(last) = pieces.last_mut() {
                last.lines.extend(logged);
            }
            bytes
        };
        for file in found.files {
            if reached != file.start.length {
                is_intact = false;
                kept += add_lines(&mut pieces, reached, file.start.length);
            }
            is_intact &= file.is_whole;
            kept += file.end.length - file.start.length;
            reached = file.end.length;
            pieces.push(Piece {
                file: Some(file),
                lines: Vec::new(),
            });
        }
        kept += add_lines(&mut pieces, reached, end);
        is_intact &= !pieces.is_empty() && pieces.iter().all(|piece| piece.lines.is_empty());
        let starts = journal::list(&*files.disk, &files.dir)?;
        Ok(Self {
            start: match pieces.first().and_then(|piece| piece.file.as_ref()) {
                Some(file) => file.start,
                None => lines.mark_at(first).unwrap_or_default(),
            },
            pieces,
            replaced: (!is_intact).then_some(starts),
            missing_bytes: end.saturating_sub(first).saturating_sub(kept),
        })
    }

    /// Returns the starts of the files that the restored ones replace.
    pub(super) fn replaced(&self) -> &[u64] {
        self.replaced.as_deref().unwrap_or_default()
    }

    /// Writes the restored files to `staging`, unless the old ones are intact. Returns the marks at which the files start,
    /// and that of the end.
    pub(super) fn stage(
        &self,
        disk: &dyn Disk,
        staging: &Path,
    ) -> Result<(Vec<JournalMark>, JournalMark)> {
        let mut starts = Vec::new();
        let mut mark = self.start;
        for piece in &self.pieces {
            if self.replaced.is_none() {
                if let Some(file) = &piece.file {
                    starts.push(file.start);
                    mark = file.end;
                }
            } else if !piece.is_empty() {
                starts.push(mark);
                mark = piece.write(disk, staging, mark)?;
            }
        }
        if starts.is_empty() {
            starts.push(mark);
            disk.create(&staging.join(journal::file_name(mark.length)))?
                .sync()?;
        }
        Ok((starts, mark))
    }
}

impl Piece {
    fn is_empty(&self) -> bool {
        let has_bytes = |file: &ExistingFile| file.start != file.end;
        self.lines.is_empty() && !self.file.as_ref().is_some_and(has_bytes)
    }

    /// Writes the lines to a file in `staging` that starts at the mark `start`. Returns the mark of its end.
    fn write(&self, disk: &dyn Disk, staging: &Path, start: JournalMark) -> Result<JournalMark> {
        let new = disk.create(&staging.join(journal::file_name(start.length)))?;
        let mut mark = start;
        let mut append = |lines: &[u8]| {
            new.write_at(mark.length - start.length, lines)?;
            mark = mark.after(lines);
            Ok(())
        };
        if let Some(ExistingFile {
            path, start, end, ..
        }) = &self.file
        {
            let old = disk.open(path, Access::Read)?;
            read_lines(&*old, end.length - start.length, &mut append)?;
        }
        append(&self.lines)?;
        new.sync()?;
        Ok(mark)
    }
}

struct FoundFiles {
    files: Vec<ExistingFile>,
    /// True if nothing confirms the start of some file.
    has_foreign: bool,
}

/// Finds the authentic parts of the files that the newest ledger does not let go.
fn find_files(files: &StoreFiles, remains: &Remains, state: &State) -> Result<FoundFiles> {
    let newest = remains.newest_ledger.as_ref().unwrap_or(&state.ledger);
    let mut starts = journal::list(&*files.disk, &files.dir)?;
    starts.retain(|start| *start >= newest.journal_start());
    let mut found = FoundFiles {
        files: Vec::new(),
        has_foreign: false,
    };
    for (number, start) in starts.iter().enumerate() {
        let Some(mark) = remains.lines.mark_at(*start) else {
            found.has_foreign = true;
            continue;
        };
        let path = journal::path(&files.dir, *start);
        let next = starts.get(number + 1).copied().unwrap_or(u64::MAX);
        let part = find_authentic(&*files.disk, &path, mark, |mark| {
            mark.length <= next && remains.lines.has_mark(mark)
        })?;
        let bytes = part.authentic.length - mark.length;
        found.files.push(ExistingFile {
            is_whole: part.length == Some(bytes),
            path,
            start: mark,
            end: part.authentic,
        });
    }
    Ok(found)
}

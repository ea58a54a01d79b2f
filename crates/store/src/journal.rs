use std::{
    io::{self, Seek as _, SeekFrom, Write as _},
    os::unix::fs::FileExt as _,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use fs_err::{self as fs, os::unix::fs::OpenOptionsExt as _};
use serde::Serialize;
use tokio::sync::watch;

use crate::{Error, Result, durable::sync_dir, ownership::open_inside_with};

/// How much one read returns at most, if a single line is not longer.
const READ_BYTES: u64 = 256 * 1024;

/// Lines of JSON that are appended, read back and followed. Clones share them.
#[derive(Clone)]
pub struct Journal {
    lines: Arc<Mutex<Lines>>,
    length: watch::Sender<u64>,
}

enum Lines {
    File(fs::File),
    Memory(Vec<u8>),
}

impl Journal {
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let mut options = fs::OpenOptions::new();
        options.read(true).write(true).create(true).mode(0o600);
        let mut file = open_inside_with(path, &mut options)?;
        if let Some(dir) = path.parent() {
            sync_dir(dir)?;
        }
        let length = end_of_last_line(&file)?;
        file.set_len(length)?;
        file.seek(SeekFrom::Start(length))?;
        Ok(Self {
            lines: Arc::new(Mutex::new(Lines::File(file))),
            length: watch::Sender::new(length),
        })
    }

    pub(crate) fn in_memory() -> Self {
        Self {
            lines: Arc::new(Mutex::new(Lines::Memory(Vec::new()))),
            length: watch::Sender::new(0),
        }
    }

    /// Appends a line. Once this returns, the line is durable.
    ///
    /// # Errors
    /// If the disk fails.
    pub async fn append(&self, value: &impl Serialize) -> Result<()> {
        let mut line = serde_json::to_vec(value).map_err(io::Error::from)?;
        line.push(b'\n');
        let journal = self.clone();
        tokio::task::spawn_blocking(move || journal.append_line(&line))
            .await
            .map_err(io::Error::from)?
    }

    fn append_line(&self, line: &[u8]) -> Result<()> {
        let mut lines = self.lock();
        match &mut *lines {
            Lines::File(file) => {
                let length = *self.length.borrow();
                let written = file.write_all(line).and_then(|()| file.sync_data());
                if let Err(error) = written {
                    // A torn line must not be glued to the next one.
                    file.set_len(length)?;
                    file.seek(SeekFrom::Start(length))?;
                    return Err(error.into());
                }
            }
            Lines::Memory(bytes) => bytes.extend_from_slice(line),
        }
        self.length
            .send_modify(|length| *length += line.len() as u64);
        Ok(())
    }

    /// Whole lines from the offset `from` on, and the offset behind them.
    ///
    /// # Errors
    /// If the disk fails, or no line begins at `from`.
    pub fn read(&self, from: u64) -> Result<(Vec<u8>, u64)> {
        let lines = self.lock();
        let length = *self.length.borrow();
        let damaged = || Error::Damaged {
            key: "audit.jsonl".to_owned(),
            why: format!("no line begins at {from}"),
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

    /// Returns once there is more than `offset` bytes.
    pub async fn grown_beyond(&self, offset: u64) {
        let mut length = self.length.subscribe();
        // The sender lives in `self`, so this ends only with success.
        let _ = length.wait_for(|length| *length > offset).await;
    }

    /// The offset behind the last line.
    pub fn end(&self) -> u64 {
        *self.length.borrow()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lines {
    fn slice(&self, start: u64, end: u64) -> io::Result<Vec<u8>> {
        let position = |offset| usize::try_from(offset).map_err(|_| io::ErrorKind::UnexpectedEof);
        match self {
            Self::File(file) => {
                let mut bytes = vec![0; position(end - start)?];
                file.file().read_exact_at(&mut bytes, start)?;
                Ok(bytes)
            }
            Self::Memory(bytes) => Ok(bytes[position(start)?..position(end)?].to_vec()),
        }
    }
}

/// A crash may have torn the last line; what it was writing was not acknowledged.
fn end_of_last_line(file: &fs::File) -> Result<u64> {
    let mut end = file.metadata()?.len();
    let mut byte = [0];
    while end > 0 {
        file.file().read_exact_at(&mut byte, end - 1)?;
        if byte == *b"\n" {
            break;
        }
        end -= 1;
    }
    Ok(end)
}

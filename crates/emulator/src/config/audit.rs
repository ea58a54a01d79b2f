use std::ops::RangeInclusive;

use sealock_store::JournalLimits;
use serde::{Deserialize, Deserializer, de::Error as _};

/// The least length of a file of the audit log. The events that are committed together have up to a mebibyte, and with
/// shorter files they would dominate.
const FILE_BYTES_MIN: u64 = 64 * 1024;

/// The permitted numbers of files of the audit log. All of them are open, and a single one would be removed whole.
const FILES: RangeInclusive<usize> = 2..=100;

/// `[audit]`
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Audit {
    /// The length in bytes at which another file begins.
    #[serde(deserialize_with = "file_bytes_in_limits")]
    pub max_file_bytes: u64,
    /// The number of files beyond which the oldest is removed.
    #[serde(deserialize_with = "files_in_limits")]
    pub max_files: usize,
}

impl Default for Audit {
    fn default() -> Self {
        let JournalLimits { file_bytes, files } = JournalLimits::default();
        Self {
            max_file_bytes: file_bytes,
            max_files: files,
        }
    }
}

impl Audit {
    pub(crate) fn journal(self) -> JournalLimits {
        JournalLimits {
            file_bytes: self.max_file_bytes,
            files: self.max_files,
        }
    }
}

fn file_bytes_in_limits<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let bytes = u64::deserialize(deserializer)?;
    if bytes < FILE_BYTES_MIN {
        return Err(D::Error::custom(format!(
            "a file of {bytes} bytes is too short for the audit log; the minimum is {FILE_BYTES_MIN}"
        )));
    }
    Ok(bytes)
}

fn files_in_limits<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    let files = usize::deserialize(deserializer)?;
    if !FILES.contains(&files) {
        return Err(D::Error::custom(format!(
            "the audit log cannot have {files} files; the number must be from {} to {}",
            FILES.start(),
            FILES.end()
        )));
    }
    Ok(files)
}

//! A session's file: a head in the clear, a line feed, and the session's state in a sealed record.
//! docs/blob-format.md has it byte by byte.

use jiff::Timestamp;
use sealock_core::{Algorithm, ObjectId, RegistryId};
use sealock_envelope::RegistryKeys;
use serde::{Deserialize, Serialize};

use super::{Kept, Session};
use crate::{Error, RepositoryName, UploadId};

/// It rises when a head or a state changes, and so does what `sha2` makes of a hash.
const VERSION: u8 = 1;

/// What a session's file says in the clear, so that the session is known while its registry is revoked.
/// It is the sealed state's associated data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Head {
    version: u8,
    pub(crate) upload: UploadId,
    pub(crate) registry: RegistryId,
    pub(crate) repository: RepositoryName,
    /// The staged object that has its segments.
    pub(crate) object: ObjectId,
    algorithm: Algorithm,
    pub(crate) received: u64,
    /// When it was last continued.
    pub(crate) touched: Timestamp,
}

impl Head {
    pub(crate) fn new(
        upload: UploadId,
        registry: RegistryId,
        repository: RepositoryName,
        object: ObjectId,
        session: &Session,
        touched: Timestamp,
    ) -> Self {
        Self {
            version: VERSION,
            upload,
            registry,
            repository,
            object,
            algorithm: session.algorithm(),
            received: session.received(),
            touched,
        }
    }

    /// The head of a file. `None` if there is none that this version knows.
    pub(crate) fn parse(file: &[u8]) -> Option<Self> {
        Self::parse_line(split(file)?.0)
    }

    fn parse_line(line: &[u8]) -> Option<Self> {
        let head: Self = serde_json::from_slice(line).ok()?;
        (head.version == VERSION).then_some(head)
    }
}

/// The file of a session.
pub(crate) fn seal(
    head: &Head,
    keys: &RegistryKeys<'_>,
    session: &Session,
) -> Result<Vec<u8>, Error> {
    let line = serde_json::to_vec(head).map_err(|error| Error::Internal(error.to_string()))?;
    let sealed = keys.seal_record(&line, &session.state());
    Ok([&line, &b"\n"[..], &sealed].concat())
}

/// What a file says. `None` if it was not written under these keys, or has changed since.
pub(crate) fn open(file: &[u8], keys: &RegistryKeys<'_>) -> Option<(Head, Kept)> {
    let (line, sealed) = split(file)?;
    let state = keys.open_record(line, sealed).ok()?;
    let head = Head::parse_line(line)?;
    let kept = Kept::parse(head.algorithm, head.received, &state)?;
    Some((head, kept))
}

/// JSON has no line feed that is not escaped.
fn split(file: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = file.iter().position(|byte| *byte == b'\n')?;
    Some((&file[..end], &file[end + 1..]))
}

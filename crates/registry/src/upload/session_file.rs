//! A session's file: a head in the clear, a line feed, the head's seal, and the session's state in a sealed
//! record. docs/blob-format.md describes it byte by byte.

use jiff::Timestamp;
use sealock_core::{Algorithm, ObjectId, RegistryId};
use sealock_envelope::{RECORD_OVERHEAD, RegistryKeys, ServiceKey};
use serde::{Deserialize, Serialize};

use super::session::{SavedSession, Session};
use crate::{Error, RepositoryName, UploadId};

/// The version of the format. It must rise when the form of a head, a state or a hash in `sha2` changes.
const VERSION: u8 = 3;

/// The part of a session's file in the clear. It identifies the session while its registry is revoked. It is the
/// associated data of its seal, which the service key alone opens, and of the sealed state.
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
    /// The time at which it was last continued.
    pub(crate) touched: Timestamp,
}

impl Head {
    /// The maximum length of a head with its seal, in bytes: names have 255 characters at most.
    pub(crate) const LIMIT: usize = 2048;

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

    /// Reads the head of a file. `None` if this version does not know the head, or if the head was changed.
    pub(crate) fn open(file: &[u8], service: &ServiceKey) -> Option<Self> {
        let (line, seal, _) = split(file)?;
        let head: Self = serde_json::from_slice(line).ok()?;
        let keys = without_dek(head.registry, service);
        keys.open_record(line, seal).ok()?;
        (head.version == VERSION).then_some(head)
    }
}

/// Seals a session into its file.
pub(crate) fn seal(
    head: &Head,
    keys: &RegistryKeys<'_>,
    session: &Session,
) -> Result<Vec<u8>, Error> {
    let line = serde_json::to_vec(head).map_err(|error| Error::Internal(error.to_string()))?;
    let seal = without_dek(head.registry, keys.service).seal_record(&line, &[]);
    let sealed = keys.seal_record(&line, &session.state());
    Ok([&line, &b"\n"[..], &seal, &sealed].concat())
}

/// Opens the file of a session. `None` if it was sealed under other keys, or was changed.
pub(crate) fn open(file: &[u8], keys: &RegistryKeys<'_>) -> Option<(Head, SavedSession)> {
    let head = Head::open(file, keys.service)?;
    let (line, _, sealed) = split(file)?;
    let state = keys.open_record(line, sealed).ok()?;
    let saved = SavedSession::parse(head.algorithm, head.received, &state)?;
    Some((head, saved))
}

/// The keys that seal a head: those available while its registry is revoked.
fn without_dek(registry: RegistryId, service: &ServiceKey) -> RegistryKeys<'_> {
    RegistryKeys {
        registry,
        service,
        dek: None,
    }
}

/// Splits a file into head, seal and state. JSON escapes every line feed.
fn split(file: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let end = file.iter().position(|byte| *byte == b'\n')?;
    let (seal, state) = file[end + 1..].split_at_checked(RECORD_OVERHEAD)?;
    Some((&file[..end], seal, state))
}

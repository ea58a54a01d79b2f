//! Copies of the metadata. A copy and the commit log after it restore a damaged database.
//!
//! `copy-N` has all records as of commit number N, and a tag over the whole file. Its format is independent of the
//! engine.

use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::{
    KeyRange,
    engine::GuardedSnapshot,
    group::forged,
    ledger::{Count, LEDGER, Ledger},
    log::{numbered, put_bytes, take_bytes},
};
use crate::{
    Error, Result,
    authentication::{Authenticator, Label, TAG_LEN},
    disk::{self, Disk},
};

const MAGIC: &[u8; 13] = b"sealock copy\n";

/// The size of the buffer, in bytes, at which it is written.
const WRITE_BYTES: usize = 1024 * 1024;

/// The number of copies that remain. One is not enough, since the newest may be damaged.
const RETAINED: usize = 2;

/// All records as of a commit.
pub(crate) struct Copy {
    pub(crate) ledger: Ledger,
    /// Keys and sealed values.
    pub(crate) records: Vec<(Vec<u8>, Vec<u8>)>,
}

/// The intact part of a damaged copy.
pub(crate) struct PartialCopy {
    pub(crate) ledger: Option<Ledger>,
    /// Keys and sealed values.
    pub(crate) records: Vec<(Vec<u8>, Vec<u8>)>,
}

pub(crate) fn path(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("copy-{number:020}"))
}

/// Returns the numbers of the copies in `dir`, in order.
pub(crate) fn list(disk: &dyn Disk, dir: &Path) -> Result<Vec<u64>> {
    numbered(disk, dir, "copy-")
}

/// Writes a copy of a snapshot, durably. A damaged snapshot is not copied: its copy would displace one that can restore
/// the database.
pub(crate) fn write(
    disk: &dyn Disk,
    dir: &Path,
    snapshot: &GuardedSnapshot,
    ledger: &Ledger,
    authenticator: &Authenticator,
) -> Result<()> {
    let path = path(dir, ledger.number);
    let unfinished = disk::unfinished(&path);
    disk::remove_if_present(disk, &unfinished)?;
    let written = write_to(disk, &unfinished, snapshot, ledger, authenticator);
    if let Err(error) = written.and_then(|()| Ok(disk.rename(&unfinished, &path)?)) {
        let _ = disk::remove_if_present(disk, &unfinished);
        return Err(error);
    }
    Ok(disk.sync_dir(dir)?)
}

fn write_to(
    disk: &dyn Disk,
    path: &Path,
    snapshot: &GuardedSnapshot,
    ledger: &Ledger,
    authenticator: &Authenticator,
) -> Result<()> {
    let file = disk.create(path)?;
    let mut hash = Sha256::new();
    let mut count = Count::default();
    let mut offset = 0;
    let mut buffer = MAGIC.to_vec();
    put_bytes(&mut buffer, &ledger.seal(authenticator)?);
    for item in snapshot.range(KeyRange::ALL) {
        let (key, sealed) = item?;
        if key == LEDGER {
            continue;
        }
        if authenticator.open(&key, &sealed).is_none() {
            return Err(forged(&key));
        }
        count.add(&key, &sealed);
        put_bytes(&mut buffer, &key);
        put_bytes(&mut buffer, &sealed);
        if buffer.len() >= WRITE_BYTES {
            hash.update(&buffer);
            file.write_at(offset, &buffer)?;
            offset += buffer.len() as u64;
            buffer.clear();
        }
    }
    if let Some(difference) = ledger.differences(&count).first() {
        return Err(Error::damaged_file(&snapshot.file, difference.to_string()));
    }
    hash.update(&buffer);
    buffer.extend(authenticator.tag(Label::Copy, &[&hash.finalize()]));
    file.write_at(offset, &buffer)?;
    Ok(file.sync()?)
}

/// Reads an undamaged copy.
pub(crate) fn read(
    disk: &dyn Disk,
    dir: &Path,
    number: u64,
    authenticator: &Authenticator,
) -> Result<Copy> {
    let path = path(dir, number);
    let bytes = disk::read(disk, &path)?.unwrap_or_default();
    parse(&bytes, authenticator)
        .filter(|copy| copy.ledger.number == number)
        .ok_or_else(|| Error::damaged_file(path, "it differs from what was written"))
}

/// Reads the intact part of a damaged copy: the ledger, the records before the damage, and also the records after it
/// unless a length is damaged.
pub(crate) fn read_partly(
    disk: &dyn Disk,
    dir: &Path,
    number: u64,
    authenticator: &Authenticator,
) -> Result<PartialCopy> {
    let bytes = disk::read(disk, &path(dir, number))?.unwrap_or_default();
    let mut rest = bytes.get(MAGIC.len()..).unwrap_or_default();
    let ledger = take_bytes(&mut rest).and_then(|sealed| Ledger::open(&sealed, authenticator));
    let mut records = Vec::new();
    while let (Some(key), Some(sealed)) = (take_bytes(&mut rest), take_bytes(&mut rest)) {
        if authenticator.open(&key, &sealed).is_some() {
            records.push((key, sealed));
        }
    }
    Ok(PartialCopy { ledger, records })
}

fn parse(bytes: &[u8], authenticator: &Authenticator) -> Option<Copy> {
    let (content, tag) = bytes.split_at_checked(bytes.len().checked_sub(TAG_LEN)?)?;
    if !authenticator.is_tag(tag, Label::Copy, &[&Sha256::digest(content)]) {
        return None;
    }
    let mut rest = content.strip_prefix(MAGIC)?;
    let ledger = Ledger::open(&take_bytes(&mut rest)?, authenticator)?;
    let mut records = Vec::new();
    while !rest.is_empty() {
        records.push((take_bytes(&mut rest)?, take_bytes(&mut rest)?));
    }
    Some(Copy { ledger, records })
}

/// Removes old copies, and the logs that end before the oldest remaining copy.
pub(crate) fn remove_old(disk: &dyn Disk, dir: &Path) -> Result<()> {
    let copies = list(disk, dir)?;
    let Some(oldest) = copies.iter().rev().nth(RETAINED - 1).copied() else {
        return Ok(());
    };
    for number in copies.into_iter().filter(|number| *number < oldest) {
        disk.remove(&path(dir, number))?;
    }
    // No copy may outlive the logs that follow it.
    disk.sync_dir(dir)?;
    // The newest log that starts before the oldest copy may continue after it.
    let logs = super::log::list(disk, dir)?;
    let needed = logs.iter().rev().find(|base| **base <= oldest).copied();
    for base in logs {
        if Some(base) < needed {
            disk.remove(&super::log::path(dir, base))?;
        }
    }
    Ok(disk.sync_dir(dir)?)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use uuid::Uuid;

    use super::*;
    use crate::{
        disk::RealDisk,
        metadata::{Items, engine::Snapshot, log::LogPosition, state::Map},
    };

    impl Snapshot for Map {
        fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
            Ok(self.0.get(key).cloned())
        }

        fn range(&self, _: KeyRange<'_>) -> Items {
            Box::new(self.0.clone().into_iter().map(Ok))
        }

        fn is_frozen(&self) -> bool {
            true
        }
    }

    #[test]
    fn database_with_missing_or_forged_record_is_not_copied() {
        let dir = tempfile::tempdir().unwrap();
        let authenticator = Authenticator::new(&[7; 32]);
        let log = LogPosition {
            base: 0,
            offset: 0,
            tag: [0; TAG_LEN],
        };
        let (mut ledger, mut whole) = (Ledger::new(Uuid::new_v4(), log), Map::default());
        for key in [b"t\0one", b"t\0two"] {
            let sealed = authenticator.seal(key, b"value");
            ledger.put(&mut whole, key, &sealed).unwrap();
        }
        let copy = |records: Map| {
            let snapshot = GuardedSnapshot {
                snapshot: Arc::new(records),
                file: dir.path().join("records"),
            };
            write(&RealDisk, dir.path(), &snapshot, &ledger, &authenticator)
        };
        let mut missing = whole.clone();
        missing.0.remove(b"t\0one".as_slice());
        assert!(matches!(copy(missing), Err(Error::DamagedFile { .. })));
        let mut forged = whole.clone();
        forged
            .0
            .insert(b"t\0one".to_vec(), b"another value, and no tag".to_vec());
        assert!(matches!(copy(forged), Err(Error::Damaged { .. })));
        assert_eq!(list(&RealDisk, dir.path()).unwrap(), [0; 0]);
        copy(whole).unwrap();
        assert_eq!(list(&RealDisk, dir.path()).unwrap(), [0]);
    }
}

use super::{
    Changes, Commit,
    engine::Records,
    ledger::Ledger,
    log::{Encoded, Log, LogEntry},
};
use crate::{Authenticator, Error, Result, key::readable};

/// A group of commits that are written together.
#[derive(Default)]
pub(crate) struct Group {
    pub(crate) entry: LogEntry,
    pub(crate) outcomes: Vec<Commit>,
    pub(crate) is_control: bool,
}

/// Returns the encoded entry and the ledger that accounts for it.
pub(crate) fn account(mut ledger: Ledger, entry: &LogEntry, log: &Log) -> (Encoded, Ledger) {
    let encoded = log.encode(entry);
    ledger.advance_to(entry);
    ledger.log = log.position_after(&encoded);
    (encoded, ledger)
}

impl Group {
    /// Applies a commit to the records, if its expectations hold, and adds it to the group.
    pub(crate) fn add(
        &mut self,
        changes: &Changes,
        records: &mut dyn Records,
        ledger: &mut Ledger,
        authenticator: &Authenticator,
    ) -> Result<Commit> {
        for (key, expectation) in &changes.expectations {
            let sealed = records.get(key)?;
            let found = match &sealed {
                Some(sealed) => Some(authenticator.open(key, sealed).ok_or_else(|| forged(key))?),
                None => None,
            };
            if !expectation.holds(found) {
                return Ok(Commit::Conflict);
            }
        }
        for key in &changes.deletes {
            ledger.delete(records, key)?;
            self.entry.puts.remove(key);
            self.entry.deletes.insert(key.clone());
        }
        for (key, value) in &changes.puts {
            let sealed = authenticator.seal(key, value);
            ledger.put(records, key, &sealed)?;
            self.entry.deletes.remove(key);
            self.entry.puts.insert(key.clone(), sealed);
        }
        self.entry.lines.extend(changes.lines.concat());
        self.is_control |= changes.is_control;
        Ok(Commit::Done)
    }
}

/// Returns the error for a record whose tag is wrong.
pub(crate) fn forged(key: &[u8]) -> Error {
    Error::Damaged {
        key: readable(key),
        why: "it differs from what was written".to_owned(),
    }
}

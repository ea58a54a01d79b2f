//! The problems of the store and its disk, with remedies.

use jiff::Timestamp;
use sealock_api::{Hint, QuarantinedFile, Relief, StorageProblem, StorageStatus};
use sealock_store::{Fault, Quarantined, Store, metadata::Condition};

use crate::services::Services;

/// The state of the store.
#[derive(Debug)]
pub(crate) struct Storage {
    pub(crate) problems: Vec<StorageProblem>,
    /// The number of records of the vault's audit log that wait in memory.
    pub(crate) held_records: u64,
    /// The number of records lost because there was no room for them.
    pub(crate) lost_records: u64,
    /// The damaged records and files.
    pub(crate) damage: Vec<String>,
    /// True if the disk is full.
    pub(crate) is_full: bool,
}

impl Storage {
    /// Determines the current state of the store.
    pub(crate) async fn look(store: &Store) -> Self {
        let store = store.clone();
        let condition = tokio::task::spawn_blocking(move || store.condition()).await;
        // A look that ends early has found nothing.
        Self::of(condition.unwrap_or_default())
    }

    fn of(condition: Condition) -> Self {
        let failures = [&condition.failure, &condition.content_failure];
        let mut failures = failures.into_iter().flatten();
        let is_full = failures.any(|failure| failure.fault == Some(Fault::Full));
        let mut problems = Vec::new();
        let disk = match (&condition.failure, &condition.content_failure) {
            (Some(failure), _) => Some((failure, "what is there is served; changes are refused")),
            (None, Some(failure)) if failure.fault == Some(Fault::TooManyFiles) => Some((
                failure,
                "what needs another one is refused, and may be tried again",
            )),
            (None, Some(failure)) => Some((
                failure,
                "pushes are refused; pulls and changes of keys go on",
            )),
            (None, None) => None,
        };
        if let Some((failure, consequence)) = disk {
            let fault = failure.fault.unwrap_or(Fault::Failing);
            problems.push(StorageProblem {
                what: format!("{fault}: {consequence}"),
                remedy: remedy(fault).to_owned(),
                hints: hints(fault),
                detail: Some(failure.what.clone()),
            });
        }
        let (held, lost) = (condition.held_lines, condition.lost_lines);
        if held > 0 {
            problems.push(StorageProblem {
                what: format!("{held} records of the audit log are in memory only"),
                remedy: "leave the emulator running: they are written once the disk takes them"
                    .to_owned(),
                hints: Vec::new(),
                detail: None,
            });
        }
        if lost > 0 {
            problems.push(StorageProblem {
                what: format!(
                    "{lost} records of the audit log are lost, which the disk did not take"
                ),
                remedy: "note it; a restart counts anew".to_owned(),
                hints: Vec::new(),
                detail: None,
            });
        }
        let damaged = condition.damage.len();
        if damaged > 0 {
            problems.push(StorageProblem {
                what: format!("{damaged} stored records or files are damaged"),
                remedy: "see what is lost".to_owned(),
                hints: vec![Hint::Verify],
                detail: condition.damage.first().cloned(),
            });
        }
        Self {
            problems,
            held_records: held as u64,
            lost_records: lost,
            damage: condition.damage,
            is_full,
        }
    }

    /// Logs the problems.
    pub(crate) fn log(&self) {
        for StorageProblem {
            what,
            remedy,
            detail,
            ..
        } in &self.problems
        {
            tracing::warn!(remedy, detail, "{what}");
        }
    }

    /// Returns `degraded` if there is a problem.
    pub(crate) fn status(&self) -> StorageStatus {
        if self.problems.is_empty() {
            StorageStatus::Ok
        } else {
            StorageStatus::Degraded
        }
    }
}

/// Suggests a remedy for a fault of the disk. The emulator goes on by itself once the fault is gone.
pub(crate) fn remedy(fault: Fault) -> &'static str {
    match fault {
        Fault::Full => "make room on that disk",
        Fault::ReadOnly => "see why in the system's log, and mount it for writing again",
        Fault::Failing => "see the system's log, and replace the disk if it does not recover",
        Fault::TooManyFiles => "permit more open files: ulimit -n",
    }
}

/// Suggests what to do about a fault of the disk.
pub(crate) fn hints(fault: Fault) -> Vec<Hint> {
    match fault {
        Fault::Full => vec![Hint::CollectGarbage { registry: None }],
        Fault::ReadOnly | Fault::Failing | Fault::TooManyFiles => Vec::new(),
    }
}

/// Shows a file in quarantine.
pub(crate) fn quarantined_file(quarantined: Quarantined) -> QuarantinedFile {
    let since = Timestamp::from_second(quarantined.since).ok();
    QuarantinedFile {
        since: since.map(Into::into),
        name: quarantined.name,
        bytes: quarantined.bytes,
    }
}

/// Finds data that could be removed to make room, as far as that is possible now.
pub(crate) async fn reliefs(services: &Services) -> Vec<Relief> {
    let mut reliefs = Vec::new();
    for registry in services.registries.list().await.unwrap_or_default() {
        // The manifests of a revoked registry cannot be read, so its garbage is unknown.
        let Ok(garbage) = registry.garbage().await else {
            continue;
        };
        let name = &registry.record.name;
        reliefs.push(Relief {
            what: format!("blobs in {name} that nothing refers to"),
            bytes: garbage.freed_bytes,
            hint: Some(Hint::CollectGarbage {
                registry: Some(name.clone()),
            }),
        });
    }
    let store = services.store.clone();
    let found = tokio::task::spawn_blocking(move || {
        let staged = store.blobs.list_staged().unwrap_or_default().into_iter();
        let staged = staged.filter_map(|id| Some(store.blobs.open_staged(id).ok()??.len()));
        let quarantined = store.quarantine.list().unwrap_or_default();
        let quarantined = quarantined.iter().map(|quarantined| quarantined.bytes);
        (staged.sum(), quarantined.sum())
    });
    let (staged, quarantined) = found.await.unwrap_or_default();
    reliefs.push(Relief {
        what: "unfinished uploads, which go when they are completed or cancelled, or after a day"
            .to_owned(),
        bytes: staged,
        hint: None,
    });
    reliefs.push(Relief {
        what: "what no record mentions, in quarantine".to_owned(),
        bytes: quarantined,
        hint: Some(Hint::EmptyQuarantine),
    });
    reliefs.retain(|relief| relief.bytes > 0);
    reliefs
}

#[cfg(test)]
mod tests {
    use sealock_store::metadata::Failure;

    use super::*;

    fn failing(fault: Option<Fault>) -> Failure {
        let what = "cannot write `/data/x`: because".to_owned();
        Failure { fault, what }
    }

    fn told(condition: Condition) -> (StorageStatus, Vec<String>) {
        let storage = Storage::of(condition);
        let problems = storage.problems.iter();
        let told = problems.map(|problem| problem.what.clone()).collect();
        (storage.status(), told)
    }

    #[test]
    fn a_store_without_a_fault_is_ok() {
        assert_eq!(told(Condition::default()), (StorageStatus::Ok, vec![]));
    }

    #[test]
    fn what_is_wrong_is_told_with_what_goes_on() {
        let (status, told_of) = told(Condition {
            content_failure: Some(failing(Some(Fault::Full))),
            held_lines: 2,
            lost_lines: 1,
            damage: vec!["the record 'a' is damaged".to_owned()],
            ..Condition::default()
        });
        assert_eq!(status, StorageStatus::Degraded);
        assert_eq!(
            told_of,
            [
                "no space is left on the disk of the data directory: pushes are refused; pulls and changes of keys go on",
                "2 records of the audit log are in memory only",
                "1 records of the audit log are lost, which the disk did not take",
                "1 stored records or files are damaged",
            ]
        );
        let (_, told_of) = told(Condition {
            failure: Some(failing(None)),
            content_failure: Some(failing(Some(Fault::Full))),
            ..Condition::default()
        });
        assert_eq!(
            told_of,
            ["the disk of the data directory fails: what is there is served; changes are refused"]
        );
    }
}

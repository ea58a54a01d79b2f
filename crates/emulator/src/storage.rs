//! The problems of the store and its disk, with remedies.

use jiff::Timestamp;
use sealock_api::{Hint, QuarantinedFile, Reclaimable, StorageProblem, StorageStatus};
use sealock_store::{Fault, Quarantined, Store, metadata::Condition};

use crate::services::Services;

/// The state of the store.
#[derive(Debug)]
pub(crate) struct Storage {
    pub(crate) problems: Vec<StorageProblem>,
    /// The number of audit events that wait in memory.
    pub(crate) held_events: u64,
    /// The number of lost audit events.
    pub(crate) lost_events: u64,
    /// The damaged records and files.
    pub(crate) damage: Vec<String>,
    /// True if the disk is full.
    pub(crate) is_full: bool,
}

impl Storage {
    /// Checks the current state of the store.
    pub(crate) async fn check(store: &Store) -> Self {
        let store = store.clone();
        let condition = tokio::task::spawn_blocking(move || store.condition()).await;
        Self::from_condition(condition.unwrap_or_default())
    }

    fn from_condition(condition: Condition) -> Self {
        let failures = [&condition.failure, &condition.content_failure];
        let mut failures = failures.into_iter().flatten();
        let is_full = failures.any(|failure| failure.fault == Some(Fault::Full));
        let mut problems = Vec::new();
        let disk = match (&condition.failure, &condition.content_failure) {
            (Some(failure), _) => Some((failure, "reads still work, changes are refused")),
            (None, Some(failure)) if failure.fault == Some(Fault::TooManyFiles) => Some((
                failure,
                "requests that need another file are refused and can be retried",
            )),
            (None, Some(failure)) => Some((
                failure,
                "pushes are refused, pulls and key changes still work",
            )),
            (None, None) => None,
        };
        if let Some((failure, consequence)) = disk {
            let fault = failure.fault.unwrap_or(Fault::Failing);
            problems.push(StorageProblem {
                description: format!("{fault}: {consequence}"),
                remedy: remedy(fault).to_owned(),
                hints: hints(fault),
                detail: Some(failure.what.clone()),
            });
        }
        let (held, lost) = (condition.held_lines, condition.lost_lines);
        if held > 0 {
            problems.push(StorageProblem {
                description: format!("{held} audit events are in memory only"),
                remedy:
                    "keep the emulator running, so that it can write them once the disk recovers"
                        .to_owned(),
                hints: Vec::new(),
                detail: None,
            });
        }
        if lost > 0 {
            problems.push(StorageProblem {
                description: format!(
                    "{lost} audit events are lost, since they could not be written"
                ),
                remedy: "the audit log is incomplete; a restart resets this count".to_owned(),
                hints: Vec::new(),
                detail: None,
            });
        }
        let damaged = condition.damage.len();
        if damaged > 0 {
            problems.push(StorageProblem {
                description: format!("{damaged} stored records or files are damaged"),
                remedy: "verify the stored content".to_owned(),
                hints: vec![Hint::Verify],
                detail: condition.damage.first().cloned(),
            });
        }
        Self {
            problems,
            held_events: held as u64,
            lost_events: lost,
            damage: condition.damage,
            is_full,
        }
    }

    /// Logs the problems.
    pub(crate) fn log(&self) {
        for StorageProblem {
            description,
            remedy,
            detail,
            ..
        } in &self.problems
        {
            tracing::warn!(remedy, detail, "{description}");
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

/// Suggests a remedy for a fault of the disk. The emulator recovers by itself once the fault is gone.
pub(crate) fn remedy(fault: Fault) -> &'static str {
    match fault {
        Fault::Full => "free space on that disk",
        Fault::ReadOnly => {
            "look for the reason in the system's log, and remount the disk for writing"
        }
        Fault::Failing => "check the system's log, and replace the disk if it does not recover",
        Fault::TooManyFiles => "raise the limit of open files: ulimit -n",
    }
}

/// Suggests the operations that help with a fault of the disk.
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

/// Finds data that can be removed to make room. Leaves out data that cannot be determined now.
pub(crate) async fn reclaimable(services: &Services) -> Vec<Reclaimable> {
    let mut reclaimable = Vec::new();
    for registry in services.registries.list().await.unwrap_or_default() {
        // The manifests of a revoked registry cannot be read, so its garbage is unknown.
        let Ok(garbage) = registry.garbage().await else {
            continue;
        };
        let name = &registry.record.name;
        reclaimable.push(Reclaimable {
            description: format!("blobs in {name} without references"),
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
    reclaimable.push(Reclaimable {
        description:
            "unfinished uploads, which expire after a day unless they are completed or cancelled"
                .to_owned(),
        bytes: staged,
        hint: None,
    });
    reclaimable.push(Reclaimable {
        description: "files in quarantine".to_owned(),
        bytes: quarantined,
        hint: Some(Hint::EmptyQuarantine),
    });
    reclaimable.retain(|data| data.bytes > 0);
    reclaimable
}

#[cfg(test)]
mod tests {
    use sealock_store::metadata::Failure;

    use super::*;

    fn failing(fault: Option<Fault>) -> Failure {
        let what = "cannot write `/data/x`: because".to_owned();
        Failure { fault, what }
    }

    fn problems(condition: Condition) -> (StorageStatus, Vec<String>) {
        let storage = Storage::from_condition(condition);
        let problems = storage.problems.iter();
        let problems = problems.map(|problem| problem.description.clone());
        (storage.status(), problems.collect())
    }

    #[test]
    fn store_without_a_fault_is_ok() {
        assert_eq!(problems(Condition::default()), (StorageStatus::Ok, vec![]));
    }

    #[test]
    fn each_fault_is_reported_with_its_consequence() {
        let (status, found) = problems(Condition {
            content_failure: Some(failing(Some(Fault::Full))),
            held_lines: 2,
            lost_lines: 1,
            damage: vec!["the record 'a' is damaged".to_owned()],
            ..Condition::default()
        });
        assert_eq!(status, StorageStatus::Degraded);
        assert_eq!(
            found,
            [
                "no space is left on the disk of the data directory: pushes are refused, pulls and key changes still work",
                "2 audit events are in memory only",
                "1 audit events are lost, since they could not be written",
                "1 stored records or files are damaged",
            ]
        );
        let (_, found) = problems(Condition {
            failure: Some(failing(None)),
            content_failure: Some(failing(Some(Fault::Full))),
            ..Condition::default()
        });
        assert_eq!(
            found,
            ["the disk of the data directory fails: reads still work, changes are refused"]
        );
    }
}

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use sealock_core::{Clock, ObjectId, PublicName};
use sealock_entra::Directory;
use sealock_envelope::ServiceKey;
use sealock_store::{Batch, Lock, Store};
use tokio::sync::Notify;

use crate::{
    Result, TrustedServices, audit::Quota, crypto::workload::Workload, keys::followers::Followers,
    records::Deletion, throttling::Throttling,
};

/// Held shared while a private key is stored but its version is not yet committed. The sweep takes it exclusively.
pub(crate) const CREATIONS: Lock = Lock::new("key-creations");

/// The settings in which Azure's delays, limits and trust are chosen.
#[derive(Clone, Copy, Debug, Default)]
pub struct Settings {
    /// The duration of a deletion or recovery.
    pub delete_delay: SignedDuration,
    /// True if a vault refuses more requests than one of Azure's serves within ten seconds.
    pub throttling: bool,
    /// The identities with which a registry passes a vault's firewall.
    pub trusted_services: TrustedServices,
}

/// The state that all operations share. Its methods lie in the modules of their nouns.
#[expect(
    clippy::struct_field_names,
    reason = "the service key is called so everywhere"
)]
pub struct Service {
    pub(crate) store: Store,
    pub(crate) service_key: Arc<ServiceKey>,
    pub(crate) clock: Clock,
    pub(crate) names: PublicName,
    pub(crate) directory: Directory,
    pub(crate) settings: Settings,
    pub(crate) throttling: Throttling,
    pub(crate) workload: Workload,
    /// Bounds the events of requests without a valid token.
    pub(crate) unauthenticated: Quota,
    /// Notified of each change, since a change may bring the next due time forward. Each node notifies only itself, and
    /// does the work that its own changes make due.
    pub(crate) changed: Notify,
    pub(crate) followers: Followers,
}

impl Service {
    /// Commits the batch of `plan`, and plans again if its input changed in between. Adds no audit event.
    pub(crate) async fn commit_with_retries<T, F>(&self, plan: impl Fn() -> F) -> Result<T>
    where
        F: Future<Output = Result<(Batch, T)>>,
    {
        let result = self.store.update(plan).await?;
        self.changed.notify_one();
        Ok(result)
    }

    /// Removes files that no record mentions yet. Tries all of them, even if it cannot remove some.
    pub(crate) async fn remove_files(&self, files: Vec<ObjectId>) -> Result<()> {
        if files.is_empty() {
            return Ok(());
        }
        let objects = Arc::clone(&self.store.vault_keys);
        let removed = tokio::task::spawn_blocking(move || {
            let mut result = Ok(());
            for id in files {
                result = result.and(objects.remove(id).map(drop));
            }
            result
        });
        Ok(removed.await??)
    }

    /// Returns a soft deletion that begins now.
    pub(crate) fn new_deletion(&self, retention_days: u16) -> Deletion {
        let deleted = self.clock.now();
        let retention = Duration::from_secs(u64::from(retention_days) * 24 * 60 * 60);
        Deletion {
            deleted,
            scheduled_purge: deleted.saturating_add(retention).unwrap_or(Timestamp::MAX),
            under_way_until: None,
        }
    }

    /// Returns the end of a deletion or recovery that begins now, if it takes time.
    pub(crate) fn transition_end(&self) -> Option<Timestamp> {
        let delay = self.settings.delete_delay;
        let end = self.clock.now().checked_add(delay).ok();
        end.filter(|_| delay > SignedDuration::ZERO)
    }

    /// Returns true if the retention has passed. The vault or key then counts as purged, even before a sweep.
    ///
    /// A retention that ended in unconfirmed time, such as while the emulator was stopped, lasts a while longer: a purge
    /// cannot be undone, and the system's clock may be wrong.
    pub(crate) fn retention_has_passed(&self, deletion: Option<Deletion>) -> bool {
        deletion.is_some_and(|deletion| self.clock.has_passed(deletion.scheduled_purge))
    }

    /// Returns the time of the purge: the end of the retention, or later if it ended in unconfirmed time.
    pub(crate) fn purge_time(&self, deletion: Deletion) -> Timestamp {
        match self.clock.remaining_doubt(deletion.scheduled_purge) {
            Some(doubt) => self
                .clock
                .now()
                .saturating_add(doubt)
                .unwrap_or(Timestamp::MAX),
            None => deletion.scheduled_purge,
        }
    }
}

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use sealock_core::{Clock, ObjectId, PublicName};
use sealock_entra::Directory;
use sealock_envelope::ServiceKey;
use sealock_store::{Batch, Lock, Store};
use tokio::sync::Notify;

use crate::{Result, keys::followers::Followers, records::Deletion, throttling::Throttling};

/// Shared while a private key is stored but its version not yet committed; see `sweep`.
pub(crate) const CREATIONS: Lock = Lock::new("key-creations");

/// How true to Azure the vaults are where that costs time or patience.
#[derive(Clone, Copy, Debug, Default)]
pub struct Settings {
    /// How long a deletion or a recovery takes.
    pub delete_delay: SignedDuration,
    /// Whether clients are refused what is more than a vault of Azure's serves within ten seconds.
    pub throttling: bool,
}

/// What the operations are carried out with. They are methods in the modules of their nouns.
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
    /// Told of each change, since something may be due sooner than before. Another node's change is told there, and
    /// that node does what becomes due.
    pub(crate) changed: Notify,
    pub(crate) followers: Followers,
}

impl Service {
    /// Commits the changes of `plan`, and plans again if others changed its input in between. Records no request.
    pub(crate) async fn change_silently<T, F>(&self, plan: impl Fn() -> F) -> Result<T>
    where
        F: Future<Output = Result<(Batch, T)>>,
    {
        let answer = self.store.update(plan).await?;
        self.changed.notify_one();
        Ok(answer)
    }

    /// Removes objects that no record mentions yet. Tries all of them, even if some fail.
    pub(crate) async fn unlink(&self, files: Vec<ObjectId>) -> Result<()> {
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

    /// A soft deletion that begins now.
    pub(crate) fn deletion(&self, retention_days: u16) -> Deletion {
        let deleted = self.clock.now();
        let retention = Duration::from_secs(u64::from(retention_days) * 24 * 60 * 60);
        Deletion {
            deleted,
            scheduled_purge: deleted.saturating_add(retention).unwrap_or(Timestamp::MAX),
            under_way_until: None,
        }
    }

    /// Until when a deletion or recovery that begins now is under way, if that takes time.
    pub(crate) fn end_of_delay(&self) -> Option<Timestamp> {
        let delay = self.settings.delete_delay;
        let end = self.clock.now().checked_add(delay).ok();
        end.filter(|_| delay > SignedDuration::ZERO)
    }

    /// Returns true if the retention has passed. The vault or key then counts as purged, even before a sweep.
    ///
    /// A retention that passed in unconfirmed time, say while the emulator was stopped, lasts a while longer: a purge
    /// cannot be undone, and the system's clock may be wrong.
    pub(crate) fn is_over(&self, deletion: Option<Deletion>) -> bool {
        deletion.is_some_and(|deletion| self.clock.has_passed(deletion.scheduled_purge))
    }

    /// The end of a retention, including any doubt about the time.
    pub(crate) fn end_of(&self, deletion: Deletion) -> Timestamp {
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

use std::{
    collections::HashMap,
    ops::{Bound, Range},
    sync::Arc,
};

use futures_util::{StreamExt as _, TryStreamExt as _};
use jiff::{SignedDuration, Timestamp};
use sealock_core::{Clock, ClockSetting, RegistryId, TICK};
use sealock_store::Store;
use tokio::sync::Mutex;

use super::record::{MANIFESTS, TAGS};
use crate::Error;

/// The limit of the lead that stamps gain on a clock that stands still, or that the system sets back a little.
const LEAD: SignedDuration = SignedDuration::from_secs(1);

/// The last stamp that this process gave in each registry. Clones share them.
#[derive(Clone, Default)]
pub(crate) struct Stamps(Arc<Mutex<HashMap<RegistryId, Timestamp>>>);

impl Stamps {
    /// Returns the time stamp of a push, with ACR's seven digits of a second. It is later than every stamp before it,
    /// unless somebody set the clock back: while the clock stands still, each stamp is a tick later than the last. So a
    /// list by time has one order, whether the registry or a client sorts it.
    ///
    /// <https://github.com/Azure/acr/pull/175>
    pub(crate) async fn next(
        &self,
        store: &Store,
        clock: &Clock,
        registry: RegistryId,
    ) -> Result<Timestamp, Error> {
        let mut stamps = self.0.lock().await;
        let now = clock.now_in_ticks();
        let ahead = now..now.saturating_add(LEAD).unwrap_or(Timestamp::MAX);
        let known = stamps.get(&registry).copied();
        let last = match known.filter(|stamp| ahead.contains(stamp)) {
            // Another process may have given stamps ahead of the clock, or this one when the clock stood here before.
            None if matches!(clock.setting(), ClockSetting::Frozen(_)) => {
                Box::pin(last_stamp_within(store, registry, &ahead)).await?
            }
            known => known,
        };
        let next = |last: Timestamp| last.saturating_add(TICK).unwrap_or(Timestamp::MAX);
        let stamp = last.map_or(now, next);
        stamps.insert(registry, stamp);
        Ok(stamp)
    }
}

async fn last_stamp_within(
    store: &Store,
    registry: RegistryId,
    range: &Range<Timestamp>,
) -> Result<Option<Timestamp>, Error> {
    let registry = registry.to_string();
    let scope = [&*registry];
    let manifests = store.scan(&MANIFESTS, &scope, Bound::Unbounded);
    let manifests = manifests.map_ok(|entry| entry.record.pushed);
    let tags = store.scan(&TAGS, &scope, Bound::Unbounded);
    let tags = tags.map_ok(|entry| entry.record.updated);
    let mut last = None;
    for mut stamps in [manifests.boxed(), tags.boxed()] {
        while let Some(stamp) = stamps.try_next().await? {
            if range.contains(&stamp) {
                last = last.max(Some(stamp));
            }
        }
    }
    Ok(last)
}

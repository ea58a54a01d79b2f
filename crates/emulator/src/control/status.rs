use axum::{Json, extract::State};
use jiff::Timestamp;
use sealock_core::{KeyName, VaultName};
use sealock_vault::PendingPurge;
use serde::Serialize;

use super::{Answer, quarantine, registries};
use crate::{
    services::Services,
    storage::{Relief, Storage, reliefs},
};

#[derive(Serialize)]
pub(super) struct View {
    storage: StorageView,
    #[serde(flatten)]
    registries: registries::List,
    pending_purges: Vec<PendingPurgeView>,
    quarantine: quarantine::Summary,
}

/// The state of the store, with remedies.
#[derive(Serialize)]
struct StorageView {
    status: &'static str,
    #[serde(flatten)]
    storage: Storage,
    /// The data that could be removed, if room is missing.
    reliefs: Vec<Relief>,
}

/// A vault or key that is purged once the emulator has run for a while, unless it is recovered.
#[derive(Serialize)]
struct PendingPurgeView {
    vault: VaultName,
    /// `None` if the vault itself is purged.
    key: Option<KeyName>,
    scheduled_purge: Timestamp,
    /// Counts the seconds that the emulator runs, not those of its clock.
    purged_in_seconds: i64,
    recover: String,
}

pub(super) async fn status(State(services): State<Services>) -> Answer<View> {
    let pending = services.vault.pending_purges().await?;
    let storage = Storage::look(&services.store).await;
    Ok(Json(View {
        storage: StorageView {
            status: storage.status(),
            reliefs: if storage.is_full {
                reliefs(&services).await
            } else {
                Vec::new()
            },
            storage,
        },
        registries: registries::all(&services).await?,
        pending_purges: pending.into_iter().map(PendingPurgeView::from).collect(),
        quarantine: quarantine::Summary::of(&services).await?,
    }))
}

impl From<PendingPurge> for PendingPurgeView {
    fn from(purge: PendingPurge) -> Self {
        Self {
            recover: purge.recovery(),
            vault: purge.vault,
            key: purge.key,
            scheduled_purge: purge.scheduled_purge,
            purged_in_seconds: purge.purged_in.as_secs(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        iter,
        net::Ipv4Addr,
        sync::{Arc, Mutex},
    };

    use jiff::SignedDuration;
    use sealock_core::{Clock, ClockSetting, PublicName, Reading};
    use sealock_envelope::ServiceKey;
    use sealock_store::Store;
    use sealock_vault::Requester;
    use serde_json::{Value, json};

    use super::*;
    use crate::{Config, seed, timekeeping};

    const DAY: SignedDuration = SignedDuration::from_hours(24);

    async fn quickstart(clock: Clock) -> Services {
        let config = Config::load(None, iter::empty()).unwrap();
        let services = Services::open(
            Store::ephemeral(),
            Arc::new(ServiceKey::random()),
            clock,
            PublicName::parse("localhost", 5000).unwrap(),
            Ipv4Addr::LOCALHOST.into(),
            &config,
        );
        let services = services.await.unwrap();
        seed::seed(&services, &config).await.unwrap();
        services
    }

    async fn shown(services: &Services) -> Value {
        let shown = status(State(services.clone())).await;
        serde_json::to_value(shown.ok().unwrap().0).unwrap()
    }

    #[tokio::test]
    async fn what_fell_due_in_a_step_of_the_systems_clock_is_shown_until_it_is_recovered() {
        let source = Arc::new(Mutex::new(Reading {
            wall: Timestamp::UNIX_EPOCH,
            boot: SignedDuration::ZERO,
        }));
        let now = Some(Timestamp::UNIX_EPOCH);
        let clock = Clock::restored(source.clone(), ClockSetting::default(), now);
        let services = quickstart(clock).await;
        let vault = &services.default_vault;
        let key = "registry-key".parse().unwrap();
        let operator = Requester::operator();
        let deleted = services.vault.delete_key(&operator, vault, &key);
        deleted.await.unwrap();
        source.lock().unwrap().wall += DAY * 91;
        timekeeping::run_due(&services).await.unwrap();

        let status = shown(&services).await;
        assert_eq!(
            status["pending_purges"],
            json!([{"vault": "sealock", "key": "registry-key",
                "scheduled_purge": "1970-04-01T00:00:00Z", "purged_in_seconds": 3600,
                "recover": "sealock key recover registry-key --vault sealock"}])
        );
        assert_eq!(status["registries"][0]["gate"]["cause"], "KeyDeleted");
        let recovered = services.vault.recover_key(&operator, vault, &key);
        recovered.await.unwrap();
        let status = shown(&services).await;
        assert_eq!(status["pending_purges"], json!([]));
        assert_eq!(status["registries"][0]["gate"]["state"], "available");
    }
}

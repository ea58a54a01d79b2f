use sealock_api as api;

use super::{Answer, ControlError, call::Call, hints, quarantine, registries};
use crate::{
    services::Services,
    storage::{Storage, reclaimable},
};

/// Shows the problems of the store. The status is always 200: on any other status, a monitor would restart or isolate the
/// emulator, which would not help the disk and would cut off the running pulls.
///
/// The operation needs no authentication, so it names no files or records.
pub(super) async fn health(call: Call<api::ShowHealth>) -> Answer<api::Health> {
    let services = call.services;
    let uptime = services.clock.now().duration_since(services.started);
    let storage = Storage::check(&services.store).await;
    let problems = storage.problems.iter();
    let problems = problems.map(|problem| problem.description.clone());
    Ok(api::Health {
        status: storage.status(),
        problems: problems.collect(),
        held_events: storage.held_events,
        lost_events: storage.lost_events,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        uptime_seconds: uptime.as_secs(),
    })
}

pub(super) async fn status(call: Call<api::ShowStatus>) -> Answer<api::Status> {
    view(&call.services).await
}

async fn view(services: &Services) -> Answer<api::Status> {
    Ok(api::Status {
        pending_purges: pending_purges(services).await?,
        storage: storage(services).await,
        registries: registries::view::all(services).await?,
        quarantine: quarantine::size(services).await?,
    })
}

/// Shows the default registry.
pub(crate) async fn default_registry(services: &Services) -> Result<api::Registry, api::Problem> {
    let found = services.registries.get(&services.default_registry).await;
    let registry = found.map_err(|error| ControlError::from(error).into_problem())?;
    let shown = registries::view::view(services, registry).await;
    shown.map_err(ControlError::into_problem)
}

/// Shows the state of the store. Lists the data that can be removed if the disk is full.
pub(crate) async fn storage(services: &Services) -> api::Storage {
    let storage = Storage::check(&services.store).await;
    api::Storage {
        status: storage.status(),
        reclaimable: if storage.is_full {
            reclaimable(services).await
        } else {
            Vec::new()
        },
        problems: storage.problems,
        held_events: storage.held_events,
        lost_events: storage.lost_events,
        damage: storage.damage,
    }
}

/// Lists the pending purges.
pub(crate) async fn pending_purges(
    services: &Services,
) -> Result<Vec<api::PendingPurge>, api::Problem> {
    let pending = services.vault.pending_purges().await;
    let pending = pending.map_err(|error| ControlError::from(error).into_problem())?;
    let pending = pending.into_iter();
    let pending = pending.map(|purge| api::PendingPurge {
        recover: hints::for_purge(&purge),
        vault: purge.vault,
        key: purge.key,
        scheduled_purge: purge.scheduled_purge.into(),
        purged_in_seconds: purge.purged_in.as_secs(),
    });
    Ok(pending.collect())
}

#[cfg(test)]
mod tests {
    use std::{
        iter,
        net::Ipv4Addr,
        sync::{Arc, Mutex},
    };

    use jiff::{SignedDuration, Timestamp};
    use sealock_core::{Clock, ClockSetting, KeyIdentifier, PublicName, Reading};
    use sealock_envelope::ServiceKey;
    use sealock_store::Store;
    use sealock_vault::operation::{DeleteKey, RecoverKey};
    use serde_json::{Value, json};

    use super::*;
    use crate::{Config, routing::friendly_door::FriendlyDoor, startup::seed};

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
            FriendlyDoor::Open { exposed: None }.developer_secret(),
        );
        let services = services.await.unwrap();
        seed::seed(&services, &config).await.unwrap();
        services
    }

    async fn shown(services: &Services) -> Value {
        let shown = view(services).await;
        serde_json::to_value(shown.ok().unwrap()).unwrap()
    }

    #[tokio::test]
    async fn purge_that_is_due_after_a_jump_of_the_system_clock_is_pending_until_recovery() {
        let source = Arc::new(Mutex::new(Reading {
            wall: Timestamp::UNIX_EPOCH,
            boot: SignedDuration::ZERO,
        }));
        let now = Some(Timestamp::UNIX_EPOCH);
        let clock = Clock::restored(source.clone(), ClockSetting::default(), now);
        let services = quickstart(clock).await;
        let key: KeyIdentifier = "sealock/registry-key".parse().unwrap();
        let permit = services.authorize(DeleteKey, key.clone()).await.unwrap();
        permit.run().await.unwrap();
        source.lock().unwrap().wall += DAY * 91;
        services.vault.run_due().await.unwrap();

        let status = shown(&services).await;
        assert_eq!(
            status["pending_purges"],
            json!([{"vault": "sealock", "key": "registry-key",
                "scheduled_purge": "1970-04-01T00:00:00Z", "purged_in_seconds": 3600,
                "recover": {"action": "recover_key", "vault": "sealock", "key": "registry-key"}}])
        );
        assert_eq!(status["registries"][0]["gate"]["cause"], "KeyDeleted");
        let permit = services.authorize(RecoverKey, key).await.unwrap();
        permit.run().await.unwrap();
        let status = shown(&services).await;
        assert_eq!(status["pending_purges"], json!([]));
        assert_eq!(status["registries"][0]["gate"]["state"], "available");
    }
}

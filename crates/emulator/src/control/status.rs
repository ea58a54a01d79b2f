use sealock_api as api;

use super::{Answer, ControlError, call::Call, hints, quarantine, registries::view};
use crate::{
    services::Services,
    storage::{Storage, reliefs},
};

/// Answers as long as requests are served, with 200 even if there is a problem. On any other status, a monitor restarts
/// the emulator or cuts it off, which makes no room on a disk and ends the running pulls.
///
/// The endpoint asks for no login, so it names no file and no record.
pub(super) async fn health(call: Call<api::ShowHealth>) -> Answer<api::Health> {
    let services = call.services;
    let uptime = services.clock.now().duration_since(services.started);
    let storage = Storage::look(&services.store).await;
    let problems = storage.problems.iter().map(|problem| problem.what.clone());
    Ok(api::Health {
        status: storage.status(),
        problems: problems.collect(),
        held_records: storage.held_records,
        lost_records: storage.lost_records,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        uptime_seconds: uptime.as_secs(),
    })
}

pub(super) async fn status(call: Call<api::ShowStatus>) -> Answer<api::Status> {
    of(&call.services).await
}

async fn of(services: &Services) -> Answer<api::Status> {
    Ok(api::Status {
        pending_purges: pending_purges(services).await?,
        storage: storage(services).await,
        registries: view::all(services).await?,
        quarantine: quarantine::size(services).await?,
    })
}

/// Shows the default registry.
pub(crate) async fn default_registry(services: &Services) -> Result<api::Registry, api::Problem> {
    let found = services.registries.get(&services.default_registry).await;
    let registry = found.map_err(|error| ControlError::from(error).into_problem())?;
    let shown = view::view(services, registry).await;
    shown.map_err(ControlError::into_problem)
}

/// Shows the state of the store, with the data that could be removed if room is missing.
pub(crate) async fn storage(services: &Services) -> api::Storage {
    let storage = Storage::look(&services.store).await;
    api::Storage {
        status: storage.status(),
        reliefs: if storage.is_full {
            reliefs(services).await
        } else {
            Vec::new()
        },
        problems: storage.problems,
        held_records: storage.held_records,
        lost_records: storage.lost_records,
        damage: storage.damage,
    }
}

/// Lists the vaults and keys that are purged before long.
pub(crate) async fn pending_purges(
    services: &Services,
) -> Result<Vec<api::PendingPurge>, api::Problem> {
    let pending = services.vault.pending_purges().await;
    let pending = pending.map_err(|error| ControlError::from(error).into_problem())?;
    let pending = pending.into_iter();
    let pending = pending.map(|purge| api::PendingPurge {
        recover: hints::of_purge(&purge),
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
    use sealock_core::{Clock, ClockSetting, PublicName, Reading};
    use sealock_envelope::ServiceKey;
    use sealock_store::Store;
    use sealock_vault::Requester;
    use serde_json::{Value, json};

    use super::*;
    use crate::{Config, startup::seed};

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
        let shown = of(services).await;
        serde_json::to_value(shown.ok().unwrap()).unwrap()
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
        services.vault.run_due().await.unwrap();

        let status = shown(&services).await;
        assert_eq!(
            status["pending_purges"],
            json!([{"vault": "sealock", "key": "registry-key",
                "scheduled_purge": "1970-04-01T00:00:00Z", "purged_in_seconds": 3600,
                "recover": {"action": "recover_key", "vault": "sealock", "key": "registry-key"}}])
        );
        assert_eq!(status["registries"][0]["gate"]["cause"], "KeyDeleted");
        let recovered = services.vault.recover_key(&operator, vault, &key);
        recovered.await.unwrap();
        let status = shown(&services).await;
        assert_eq!(status["pending_purges"], json!([]));
        assert_eq!(status["registries"][0]["gate"]["state"], "available");
    }
}

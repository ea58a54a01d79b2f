//! The compliance report: who used which key for what, and how the content lies on disk.

mod key_uses;

use std::collections::BTreeSet;

use jiff::Timestamp;
use sealock_api as api;
use sealock_cmk::{CustodyChange, CustodyEvent};
use sealock_core::{ClientId, KeyName, Kid, RegistryName, VaultName};
use sealock_registry::{Registry, SampleFinding, SampledObject};
use sealock_vault::{Grant, KeyUser};

use self::key_uses::{Clients, KeyUses};
use super::{
    Answer, ControlError, call::Call, principals, registries::view::view, translation::Translate,
};
use crate::services::Services;

/// The default number of objects to read of each registry.
const SAMPLES: usize = 8;

/// The maximum number of objects to read of each registry.
const SAMPLE_LIMIT: usize = 1000;

/// The keys and identities of all registries, now and earlier.
#[derive(Default)]
struct Subjects {
    keys: BTreeSet<(VaultName, KeyName)>,
    clients: Clients,
}

pub(super) async fn compliance(call: Call<api::ReportCompliance>) -> Answer<api::ComplianceReport> {
    let Call {
        services, query, ..
    } = call;
    let created = services.clock.now();
    let since = time("since", query.since.as_deref())?;
    let until = time("until", query.until.as_deref())?;
    if since.is_some_and(|since| since >= until.unwrap_or(Timestamp::MAX)) {
        return Err(ControlError::bad_request(
            "the period is empty; set since to a time before until",
        ));
    }
    let samples = query.samples.unwrap_or(SAMPLES);
    if samples > SAMPLE_LIMIT {
        return Err(ControlError::bad_request(format!(
            "{samples} samples are too many; ask for up to {SAMPLE_LIMIT}"
        )));
    }
    let mut subjects = Subjects::default();
    let mut registries = Vec::new();
    for registry in services.registries.list().await? {
        match evidence(&services, &registry, samples, created, &mut subjects).await {
            Ok(evidence) => registries.push(evidence),
            Err(_) if registry.is_deleted().await? => {}
            Err(error) => return Err(error),
        }
    }
    let uses = KeyUses::read(&services, &subjects.keys, since, until).await?;
    Ok(api::ComplianceReport {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        created: created.into(),
        since: since.map(Into::into),
        until: until.unwrap_or(created).into(),
        registries,
        omitted_key_uses: uses.omitted,
        has_audit_gap: uses.has_gap,
        key_uses: uses.view(&services, &subjects.clients).await?,
    })
}

fn time(field: &str, text: Option<&str>) -> Result<Option<Timestamp>, ControlError> {
    let parsed = text.map(str::parse).transpose();
    parsed.map_err(|_| {
        ControlError::bad_request(format!(
            "{field}: expected a time such as 2030-01-01T00:00:00Z"
        ))
    })
}

async fn evidence(
    services: &Services,
    registry: &Registry,
    samples: usize,
    now: Timestamp,
    subjects: &mut Subjects,
) -> Answer<api::RegistryEvidence> {
    let record = &registry.record;
    let history = services.custodian.history(record.id).await?;
    let mut key_users = Vec::new();
    if let Some(in_use) = services.registries.key_in_use(record).await? {
        let Kid { vault, key, .. } = &in_use.kid;
        subjects.add(&record.name, &in_use.kid, in_use.identity);
        key_users = users(services, vault, key).await?;
    }
    for event in &history.events {
        if let CustodyChange::Wrapped { kid, identity } = &event.change {
            subjects.add(&record.name, kid, *identity);
        }
    }
    let storage = registry.storage_evidence(samples).await?;
    let layers: &[&str] = if record.encrypted {
        &["service", "cmk"]
    } else {
        &["service"]
    };
    Ok(api::RegistryEvidence {
        resource_id: record.resource_id(),
        has_history_gap: !history.is_complete,
        key_periods: key_periods(services, &history.events).await?,
        key_users,
        revocations: revocations(&history.events, now),
        storage: api::StorageEvidence {
            objects: storage.objects,
            bytes: storage.bytes,
            layers: names(layers),
            incomplete: storage.incomplete,
            samples: storage.samples.into_iter().map(sample).collect(),
        },
        registry: view(services, registry.clone()).await?,
    })
}

impl Subjects {
    fn add(&mut self, registry: &RegistryName, kid: &Kid, identity: ClientId) {
        self.keys.insert((kid.vault.clone(), kid.key.clone()));
        self.clients.insert(identity, registry.clone());
    }
}

/// Lists the principals that may use a key, by name. A vault that is gone has none.
async fn users(services: &Services, vault: &VaultName, key: &KeyName) -> Answer<Vec<api::KeyUser>> {
    let users = match services.vault.users_of_key(vault, key).await {
        Ok(users) => users,
        Err(sealock_vault::Error::VaultNotFound { .. }) => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let vault_id = services.vault.resource_id(vault).await?;
    let mut views = Vec::new();
    for user in users {
        let KeyUser {
            principal,
            permissions,
            grant,
        } = user;
        let (role, scope) = match grant {
            Grant::AccessPolicy => (None, vault_id.clone()),
            Grant::RoleAssignment { role, scope } => {
                (Some(role.to_string()), scope.as_str().to_owned())
            }
        };
        views.push(api::KeyUser {
            principal: principals::view(&services.directory, principal).await?,
            permissions: permissions.into_iter().map(Translate::translate).collect(),
            role,
            scope,
        });
    }
    views.sort_by_cached_key(|user| user.principal.to_string());
    Ok(views)
}

async fn key_periods(services: &Services, history: &[CustodyEvent]) -> Answer<Vec<api::KeyPeriod>> {
    let mut periods: Vec<api::KeyPeriod> = Vec::new();
    for event in history {
        let CustodyChange::Wrapped { kid, identity } = &event.change else {
            continue;
        };
        if let Some(before) = periods.last_mut() {
            before.until = Some(event.time.into());
        }
        let found = services.directory.identity_by_client_id(*identity).await?;
        periods.push(api::KeyPeriod {
            key: services.names.key_uri(&kid.identifier()),
            identity: found.map_or_else(|| identity.to_string(), |found| found.name.to_string()),
            from: event.time.into(),
            until: None,
        });
    }
    Ok(periods)
}

fn revocations(history: &[CustodyEvent], now: Timestamp) -> Vec<api::RevocationPeriod> {
    let mut periods: Vec<api::RevocationPeriod> = Vec::new();
    let end_last = |periods: &mut Vec<api::RevocationPeriod>, at: Timestamp| {
        if let Some(last) = periods.last_mut().filter(|last| last.until.is_none()) {
            last.until = Some(at.into());
            last.seconds = at.duration_since(last.from.0).as_secs();
        }
    };
    for event in history {
        match &event.change {
            CustodyChange::Wrapped { .. } => {}
            CustodyChange::Restored => end_last(&mut periods, event.time),
            CustodyChange::Revoked(cause) => {
                // Another cause takes the place of the one before.
                end_last(&mut periods, event.time);
                periods.push(api::RevocationPeriod {
                    cause: cause.translate(),
                    from: event.time.into(),
                    until: None,
                    seconds: now.duration_since(event.time).as_secs(),
                });
            }
        }
    }
    periods
}

fn sample(sample: SampledObject) -> api::SampledObject {
    let (finding, detail) = match sample.finding {
        SampleFinding::Sealed => (api::SampleFinding::Sealed, None),
        SampleFinding::Locked(cause) => (api::SampleFinding::Locked, Some(cause.to_string())),
        SampleFinding::Exposed => (api::SampleFinding::Exposed, None),
        SampleFinding::Damaged(why) => (api::SampleFinding::Damaged, Some(why)),
    };
    api::SampledObject {
        object: sample.object,
        digest: sample.digest,
        size: sample.size,
        layers: names(&sample.layers),
        finding,
        detail,
    }
}

fn names(layers: &[&str]) -> Vec<String> {
    layers.iter().map(|layer| (*layer).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use sealock_cmk::Cause;

    use super::*;

    #[test]
    fn revocation_ends_with_the_restore_or_with_another_cause() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let event = |second, change| CustodyEvent {
            time: at(second),
            change,
        };
        let history = [
            event(10, CustodyChange::Revoked(Cause::KeyDisabled)),
            event(15, CustodyChange::Revoked(Cause::KeyDeleted)),
            event(40, CustodyChange::Restored),
            event(50, CustodyChange::Revoked(Cause::VaultDeleted)),
        ];
        let found = revocations(&history, at(57));
        let found: Vec<_> = found
            .iter()
            .map(|it| (it.cause, it.until, it.seconds))
            .collect();
        assert_eq!(
            found,
            [
                (api::Cause::KeyDisabled, Some(at(15).into()), 5),
                (api::Cause::KeyDeleted, Some(at(40).into()), 25),
                (api::Cause::VaultDeleted, None, 7),
            ]
        );
    }
}

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    io,
    sync::Arc,
};

use jiff::Timestamp;
use sealock_api as api;
use sealock_core::{ClientId, KeyName, RegistryName, VaultName};
use sealock_vault::AuditEvent;

use crate::{
    control::{
        Answer,
        audit::filter::{key_of, vault_of},
        principals,
    },
    services::Services,
};

/// The maximum number of operations in a report.
const LIMIT: usize = 10_000;

/// The registries by the identities with which they use keys.
pub(super) type Clients = HashMap<ClientId, RegistryName>;

/// The operations on some keys and their vaults in a period.
pub(super) struct KeyUses {
    /// The newest ones, the oldest of them first.
    events: VecDeque<AuditEvent>,
    /// The number of older ones.
    pub(super) omitted: u64,
    /// True if the audit log no longer has its beginning.
    pub(super) has_gap: bool,
}

impl KeyUses {
    /// Reads the audit log in steps beside the threads that serve requests.
    pub(super) async fn read(
        services: &Services,
        keys: &BTreeSet<(VaultName, KeyName)>,
        since: Option<Timestamp>,
        until: Option<Timestamp>,
    ) -> Answer<Self> {
        let keys = Arc::new(keys.clone());
        let journal = &services.store.audit;
        let (mut offset, end) = (journal.start(), journal.end());
        let mut uses = Self {
            events: VecDeque::new(),
            omitted: 0,
            has_gap: offset > 0,
        };
        while offset < end {
            let (journal, keys) = (journal.clone(), Arc::clone(&keys));
            let step = services.long_work.run(move || {
                let passage = journal.read(offset)?;
                let next = passage.end();
                let lines = passage.lines.split(|byte| *byte == b'\n');
                let events = lines.filter_map(|line| serde_json::from_slice(line).ok());
                let is_in_period = |event: &AuditEvent| {
                    since.is_none_or(|since| since <= event.time)
                        && until.is_none_or(|until| event.time < until)
                };
                let events: Vec<AuditEvent> = events
                    .filter(|event| is_in_period(event) && concerns(event, &keys))
                    .collect();
                Ok::<_, sealock_store::Error>((events, next))
            });
            let (events, next) = step
                .await
                .map_err(|error| sealock_store::Error::from(io::Error::from(error)))??;
            offset = next;
            uses.events.extend(events);
            while uses.events.len() > LIMIT {
                uses.events.pop_front();
                uses.omitted += 1;
            }
        }
        Ok(uses)
    }

    pub(super) async fn view(
        self,
        services: &Services,
        clients: &Clients,
    ) -> Answer<Vec<api::KeyUse>> {
        let mut callers = HashMap::new();
        let mut views = Vec::new();
        for event in self.events {
            let claim = &event.identity.claim;
            let caller = match claim.oid {
                None => "operator".to_owned(),
                Some(id) => match callers.get(&id) {
                    Some(known) => String::clone(known),
                    None => {
                        let shown = principals::view(&services.directory, id).await?;
                        callers.insert(id, shown.to_string());
                        shown.to_string()
                    }
                },
            };
            views.push(api::KeyUse {
                time: event.time.into(),
                vault: vault_of(&event).unwrap_or_default().to_ascii_lowercase(),
                key: key_of(&event).map(|key| named(&event, key)),
                registry: claim.appid.and_then(|id| clients.get(&id).cloned()),
                caller,
                status: event.properties.http_status_code,
                operation: event.operation_name,
            });
        }
        Ok(views)
    }
}

/// Returns true for an operation on one of the keys, or on one of their vaults.
fn concerns(event: &AuditEvent, keys: &BTreeSet<(VaultName, KeyName)>) -> bool {
    let Some(vault) = vault_of(event) else {
        return false;
    };
    keys.iter().any(|(of, key)| {
        of.as_str().eq_ignore_ascii_case(vault)
            && key_of(event).is_none_or(|found| found.eq_ignore_ascii_case(key.as_str()))
    })
}

/// Returns the key of an event, with its version if the event names one.
fn named(event: &AuditEvent, key: &str) -> String {
    let last = event.properties.id.rsplit('/').next().unwrap_or_default();
    if last == key {
        key.to_owned()
    } else {
        format!("{key}/{last}")
    }
}

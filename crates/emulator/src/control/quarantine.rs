use sealock_api as api;
use sealock_registry::Error;
use sealock_store::Quarantined;

use super::{Answer, call::Call};
use crate::{services::Services, storage::quarantined_file};

pub(super) async fn show(call: Call<api::ShowQuarantine>) -> Answer<api::Quarantine> {
    let quarantine = call.services.store.quarantine.clone();
    let listed = tokio::task::spawn_blocking(move || quarantine.list());
    Ok(view(listed.await.map_err(Error::from)??))
}

/// Removes all files from the quarantine.
pub(super) async fn empty(call: Call<api::EmptyQuarantine>) -> Answer<api::Quarantine> {
    let quarantine = call.services.store.quarantine.clone();
    let removed = tokio::task::spawn_blocking(move || quarantine.remove(i64::MAX));
    let removed = removed.await.map_err(Error::from)??;
    if !removed.is_empty() {
        tracing::info!(
            files = removed.len(),
            "emptied the quarantine at the operator's request"
        );
    }
    Ok(view(removed))
}

/// Measures the quarantine.
pub(super) async fn size(services: &Services) -> Answer<api::QuarantineSize> {
    let quarantine = services.store.quarantine.clone();
    let listed = tokio::task::spawn_blocking(move || quarantine.list());
    let found = view(listed.await.map_err(Error::from)??);
    Ok(api::QuarantineSize {
        files: found.files.len() as u64,
        bytes: found.bytes,
        since: found.files.iter().filter_map(|file| file.since).min(),
    })
}

fn view(files: Vec<Quarantined>) -> api::Quarantine {
    api::Quarantine {
        bytes: files.iter().map(|file| file.bytes).sum(),
        files: files.into_iter().map(quarantined_file).collect(),
    }
}

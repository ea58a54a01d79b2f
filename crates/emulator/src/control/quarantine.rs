use axum::{Json, extract::State};
use jiff::Timestamp;
use sealock_registry::Error;
use sealock_store::Quarantined;
use serde::Serialize;

use super::{Answer, ControlError};
use crate::{QuarantinedFile, services::Services};

/// The size of the quarantine.
#[derive(Debug, Serialize)]
pub(super) struct Summary {
    files: usize,
    bytes: u64,
    /// The time at which the oldest file was moved there.
    since: Option<Timestamp>,
}

/// The files in quarantine, or those just removed from it.
#[derive(Serialize)]
pub(super) struct View {
    files: Vec<QuarantinedFile>,
    bytes: u64,
}

pub(super) async fn show(State(services): State<Services>) -> Answer<View> {
    let quarantine = services.store.quarantine.clone();
    let listed = tokio::task::spawn_blocking(move || quarantine.list());
    Ok(Json(View::of(listed.await.map_err(Error::from)??)))
}

/// Removes all files from the quarantine.
pub(super) async fn empty(State(services): State<Services>) -> Answer<View> {
    let quarantine = services.store.quarantine.clone();
    let removed = tokio::task::spawn_blocking(move || quarantine.remove(i64::MAX));
    let removed = removed.await.map_err(Error::from)??;
    if !removed.is_empty() {
        tracing::info!(
            files = removed.len(),
            "what was in quarantine is removed, as it was asked for"
        );
    }
    Ok(Json(View::of(removed)))
}

impl Summary {
    pub(super) async fn of(services: &Services) -> Result<Self, ControlError> {
        let quarantine = services.store.quarantine.clone();
        let listed = tokio::task::spawn_blocking(move || quarantine.list());
        let files = listed.await.map_err(Error::from)??;
        let first = files.iter().map(|file| file.since).min();
        Ok(Self {
            files: files.len(),
            bytes: files.iter().map(|file| file.bytes).sum(),
            since: first.and_then(|since| Timestamp::from_second(since).ok()),
        })
    }
}

impl View {
    fn of(files: Vec<Quarantined>) -> Self {
        Self {
            bytes: files.iter().map(|file| file.bytes).sum(),
            files: files.into_iter().map(QuarantinedFile::from).collect(),
        }
    }
}

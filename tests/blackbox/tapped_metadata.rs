//! Metadata that tests observe.

use std::sync::Arc;

use async_trait::async_trait;
use sealock_store::{
    Commit, Result, Store,
    metadata::{Changes, Condition, Item, KeyRange, Metadata},
};

/// An observer of a store's metadata, which may refuse commits.
pub(crate) trait Tap: Send + Sync + 'static {
    /// Takes note of a number of records that are read.
    fn read(&self, _records: usize) {}

    /// Takes note of a commit, or refuses it.
    fn commit(&self) -> Result<()> {
        Ok(())
    }
}

/// Metadata with a tap.
pub(crate) struct TappedMetadata<T> {
    metadata: Arc<dyn Metadata>,
    pub(crate) tap: T,
}

impl<T: Tap> TappedMetadata<T> {
    /// Returns a store in memory, and its metadata.
    pub(crate) fn store(tap: T) -> (Store, Arc<Self>) {
        let mut kept = None;
        let store = Store::ephemeral().wrap_metadata(|metadata| {
            let tapped = Arc::new(Self { metadata, tap });
            kept = Some(Arc::clone(&tapped));
            tapped
        });
        (store, kept.unwrap())
    }
}

#[async_trait]
impl<T: Tap> Metadata for TappedMetadata<T> {
    async fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.tap.read(1);
        self.metadata.get(key).await
    }

    async fn page(&self, range: KeyRange<'_>, limit: usize) -> Vec<Result<Item>> {
        let page = self.metadata.page(range, limit).await;
        self.tap.read(page.len().max(1));
        page
    }

    async fn commit(&self, changes: Changes) -> Result<Commit> {
        self.tap.commit()?;
        self.metadata.commit(changes).await
    }

    async fn journal_or_hold(&self, line: Vec<u8>) {
        self.metadata.journal_or_hold(line).await;
    }

    async fn epoch(&self) -> Result<u64> {
        self.metadata.epoch().await
    }

    fn condition(&self) -> Condition {
        self.metadata.condition()
    }

    async fn check(&self) -> Result<Vec<String>> {
        self.metadata.check().await
    }

    async fn is_sound(&self) -> bool {
        self.metadata.is_sound().await
    }

    async fn close(&self) {
        self.metadata.close().await;
    }
}

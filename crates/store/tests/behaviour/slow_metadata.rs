use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use sealock_store::{
    Commit, Result,
    metadata::{Changes, Condition, Item, KeyRange, Metadata},
};

/// The maximum delay of a request or a response, in microseconds.
const DELAY: u64 = 300;

/// Metadata that answers each read after a random delay, like a database across a network. Its answer may be outdated.
pub(crate) struct SlowMetadata(pub(crate) Arc<dyn Metadata>);

async fn delay() {
    let micros = rand::random_range(0..DELAY);
    tokio::time::sleep(Duration::from_micros(micros)).await;
}

#[async_trait]
impl Metadata for SlowMetadata {
    async fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        delay().await;
        let found = self.0.get(key).await;
        delay().await;
        found
    }

    async fn page(&self, range: KeyRange<'_>, limit: usize) -> Vec<Result<Item>> {
        delay().await;
        let found = self.0.page(range, limit).await;
        delay().await;
        found
    }

    async fn commit(&self, changes: Changes) -> Result<Commit> {
        self.0.commit(changes).await
    }

    async fn journal_or_hold(&self, line: Vec<u8>) {
        self.0.journal_or_hold(line).await;
    }

    async fn epoch(&self) -> Result<u64> {
        delay().await;
        let epoch = self.0.epoch().await;
        delay().await;
        epoch
    }

    fn condition(&self) -> Condition {
        self.0.condition()
    }

    async fn check(&self) -> Result<Vec<String>> {
        self.0.check().await
    }

    async fn is_sound(&self) -> bool {
        self.0.is_sound().await
    }

    async fn close(&self) {
        self.0.close().await;
    }
}

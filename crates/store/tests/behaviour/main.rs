//! One suite of behaviour for every implementation of the store's traits.
#![expect(clippy::unwrap_used, reason = "in a test, a surprise is a failure")]

mod metadata_suite;
mod objects_suite;
mod store;

use sealock_store::{
    metadata::{MemoryMetadata, SledMetadata},
    objects::{MemoryObjects, ObjectFiles},
};

#[tokio::test]
async fn metadata_in_memory() {
    metadata_suite::all(&MemoryMetadata::default()).await;
}

#[tokio::test]
async fn metadata_on_disk() {
    let dir = tempfile::tempdir().unwrap();
    metadata_suite::all(&SledMetadata::open(&dir.path().join("metadata")).unwrap()).await;
}

#[test]
fn objects_in_memory() {
    objects_suite::all(&MemoryObjects::default());
}

#[test]
fn objects_on_disk() {
    let dir = tempfile::tempdir().unwrap();
    objects_suite::all(&ObjectFiles::open(&dir.path().join("blobs")).unwrap());
}

//! The behaviour of the store. Each of its traits has one suite, which every implementation must pass.
#![expect(clippy::unwrap_used, reason = "an unexpected error fails the test")]

mod faults;
mod flips;
mod journal;
mod metadata_suite;
mod model;
mod notes_suite;
mod objects_suite;
mod power;
mod repair;
mod shared_sync;
mod simulated_disk;
mod slow_metadata;
mod store;
mod suite;

use std::{path::Path, sync::Arc};

use sealock_store::{
    Authenticator, Store, StoreFiles,
    disk::{Disk, RealDisk},
    metadata::EngineKind,
    notes::{Durability, MemoryNotes, NoteFiles, Notes as _},
    objects::{MemoryObjects, ObjectFiles, ObjectSet, Objects as _},
};

use slow_metadata::SlowMetadata;

/// The first file of the journal.
pub(crate) const JOURNAL: &str = "audit.jsonl";

/// Describes the files of a store in `dir`.
pub(crate) fn files(dir: &Path, engine: EngineKind) -> StoreFiles {
    StoreFiles {
        engine,
        ..StoreFiles::new(dir, Authenticator::new(&[7; 32]))
    }
}

/// Opens the store in `dir`, and creates it if it is missing.
pub(crate) fn open(dir: &Path) -> Store {
    Store::open(files(dir, EngineKind::Redb)).unwrap()
}

fn disk() -> Arc<dyn Disk> {
    Arc::new(RealDisk)
}

fn object_files(dir: &Path) -> ObjectFiles {
    ObjectFiles::open(&disk(), dir, ObjectSet::Blobs).unwrap()
}

fn note_files(dir: &Path) -> NoteFiles {
    NoteFiles::open(&disk(), dir, "uploads", Durability::Process).unwrap()
}

#[tokio::test]
async fn memory_metadata_passes_the_suite() {
    metadata_suite::all(&Store::ephemeral()).await;
}

#[tokio::test]
async fn redb_metadata_passes_the_suite() {
    let dir = tempfile::tempdir().unwrap();
    metadata_suite::all(&open(dir.path())).await;
}

#[tokio::test]
async fn sled_metadata_passes_the_suite() {
    let dir = tempfile::tempdir().unwrap();
    metadata_suite::all(&Store::open(files(dir.path(), EngineKind::Sled)).unwrap()).await;
}

#[tokio::test]
async fn slow_metadata_passes_the_suite() {
    let slow = |metadata| Arc::new(SlowMetadata(metadata)) as _;
    metadata_suite::all(&Store::ephemeral().wrap_metadata(slow)).await;
}

#[test]
fn memory_objects_pass_the_suite() {
    objects_suite::all(&MemoryObjects::default());
}

#[test]
fn object_files_pass_the_suite() {
    let dir = tempfile::tempdir().unwrap();
    objects_suite::all(&object_files(dir.path()));
}

#[test]
fn memory_notes_pass_the_suite() {
    notes_suite::all(&MemoryNotes::default());
}

#[test]
fn note_files_pass_the_suite() {
    let dir = tempfile::tempdir().unwrap();
    notes_suite::all(&note_files(dir.path()));
}

#[test]
fn reopening_keeps_retained_objects_and_notes_and_removes_the_rest() {
    let dir = tempfile::tempdir().unwrap();
    let open = || (object_files(dir.path()), note_files(dir.path()));
    let (objects, notes) = open();
    let retained = objects_suite::stage_and_retain(&objects, b"so far");
    // The state after a kill.
    let mut unfinished = objects.stage().unwrap();
    let abandoned = unfinished.id();
    unfinished.append(b"unfinished").unwrap();
    std::mem::forget(unfinished);
    let (note, torn) = (uuid::Uuid::new_v4(), uuid::Uuid::new_v4());
    notes.put(note, b"a note").unwrap();
    let torn_file = dir.path().join(format!("uploads/{torn}.new"));
    std::fs::write(&torn_file, b"a no").unwrap();

    let (objects, notes) = open();
    assert_eq!(objects.list_staged().unwrap(), [retained]);
    let abandoned = dir.path().join(format!("blobs/staging/{abandoned}"));
    assert!(!abandoned.exists());
    assert_eq!(
        objects_suite::read_staged(&objects, retained).unwrap(),
        b"so far"
    );
    assert_eq!(notes.list().unwrap(), [note]);
    assert_eq!(notes.get(note).unwrap().unwrap(), b"a note");
    assert!(!torn_file.exists());
}

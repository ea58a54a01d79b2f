//! One suite of behaviour for every implementation of the store's traits.
#![expect(clippy::unwrap_used, reason = "in a test, a surprise is a failure")]

mod metadata_suite;
mod notes_suite;
mod objects_suite;
mod store;

use sealock_store::{
    metadata::{MemoryMetadata, SledMetadata},
    notes::{MemoryNotes, NoteFiles, Notes as _},
    objects::{MemoryObjects, ObjectFiles, Objects as _},
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

#[test]
fn notes_in_memory() {
    notes_suite::all(&MemoryNotes::default());
}

#[test]
fn notes_on_disk() {
    let dir = tempfile::tempdir().unwrap();
    notes_suite::all(&NoteFiles::open(&dir.path().join("uploads")).unwrap());
}

#[test]
fn what_is_kept_outlives_the_process() {
    let dir = tempfile::tempdir().unwrap();
    let open = || {
        (
            ObjectFiles::open(&dir.path().join("blobs")).unwrap(),
            NoteFiles::open(&dir.path().join("uploads")).unwrap(),
        )
    };
    let (objects, notes) = open();
    let kept = objects_suite::kept(&objects, b"so far");
    // As a kill leaves them.
    let mut unfinished = objects.stage().unwrap();
    let abandoned = unfinished.id();
    unfinished.write_at(0, b"unfinished").unwrap();
    std::mem::forget(unfinished);
    let (note, torn) = (uuid::Uuid::new_v4(), uuid::Uuid::new_v4());
    notes.put(note, b"a note").unwrap();
    let torn_file = dir.path().join(format!("uploads/{torn}.new"));
    std::fs::write(&torn_file, b"a no").unwrap();

    let (objects, notes) = open();
    let mut staged = objects.list_staged().unwrap();
    staged.sort();
    let mut expected = [kept, abandoned];
    expected.sort();
    assert_eq!(staged, expected);
    assert_eq!(objects_suite::staged(&objects, kept).unwrap(), b"so far");
    assert_eq!(notes.list().unwrap(), [note]);
    assert_eq!(notes.get(note).unwrap().unwrap(), b"a note");
    assert!(!torn_file.exists());
}

use std::{fs, ops::Bound, path::Path};

use sealock_core::ObjectId;
use sealock_store::{Batch, Commit, DataDir, Error, Store, Table};

const KEYS: Table<String> = Table::control("keys");
const BLOBS: Table<String> = Table::content("blobs");

async fn put(store: &Store, table: &Table<String>, key: &[&str], value: &str) {
    let batch = Batch::new().put(table, key, &value.to_owned());
    assert_eq!(store.commit(batch).await.unwrap(), Commit::Done);
}

#[tokio::test]
async fn what_was_committed_is_there_after_reopening() {
    let dir = tempfile::tempdir().unwrap();
    {
        let store = Store::open(dir.path()).unwrap();
        put(&store, &KEYS, &["v", "k"], "one").await;
        store.audit.append(&"first").await.unwrap();
    }
    let store = Store::open(dir.path()).unwrap();
    assert_eq!(store.get(&KEYS, &["v", "k"]).unwrap().unwrap().value, "one");
    assert_eq!(store.audit.read(0).unwrap().0, b"\"first\"\n");
}

#[tokio::test]
async fn only_a_control_commit_raises_the_epoch() {
    let store = Store::ephemeral();
    let epoch = store.epoch();
    put(&store, &BLOBS, &["b"], "").await;
    assert_eq!(store.epoch(), epoch);
    put(&store, &KEYS, &["k"], "").await;
    assert!(store.epoch() > epoch);

    let epoch = store.epoch();
    let refused = Batch::new()
        .expect_absent(&KEYS, &["k"])
        .delete(&KEYS, &["k"]);
    assert_eq!(store.commit(refused).await.unwrap(), Commit::Conflict);
    assert_eq!(store.epoch(), epoch);
}

#[tokio::test]
async fn a_scan_sees_one_table_and_one_prefix() {
    let store = Store::ephemeral();
    for key in [
        ["r1", "a"],
        ["r1", "b"],
        ["r1", "c"],
        ["r10", "a"],
        ["r2", "a"],
    ] {
        put(&store, &BLOBS, &key, key[1]).await;
    }
    put(&store, &KEYS, &["r1", "z"], "z").await;
    let names = |from| -> Vec<String> {
        let entries = store.scan(&BLOBS, &["r1"], from);
        entries.map(|entry| entry.unwrap().key.remove(0)).collect()
    };
    assert_eq!(names(Bound::Unbounded), ["a", "b", "c"]);
    assert_eq!(names(Bound::Excluded("a")), ["b", "c"]);
    assert_eq!(names(Bound::Included("b")), ["b", "c"]);
    assert_eq!(names(Bound::Excluded("c")), [""; 0]);
    assert_eq!(store.scan(&BLOBS, &[], Bound::Unbounded).count(), 5);
}

#[tokio::test]
async fn an_oversized_record_is_refused_and_nothing_of_its_batch_written() {
    let store = Store::ephemeral();
    let batch = Batch::new().put(&BLOBS, &["small"], &String::new()).put(
        &BLOBS,
        &["large"],
        &"x".repeat(4096),
    );
    assert!(matches!(
        store.commit(batch).await,
        Err(Error::RecordTooLarge { .. })
    ));
    assert!(store.get(&BLOBS, &["small"]).unwrap().is_none());
}

#[tokio::test]
async fn a_torn_journal_line_is_dropped_at_the_next_start() {
    let dir = tempfile::tempdir().unwrap();
    let journal = dir.path().join("audit.jsonl");
    fs::write(&journal, "\"whole\"\n\"torn").unwrap();
    let store = Store::open(dir.path()).unwrap();
    store.audit.append(&"next").await.unwrap();
    let (lines, next) = store.audit.read(0).unwrap();
    assert_eq!(lines, b"\"whole\"\n\"next\"\n");
    assert_eq!(next, store.audit.end());
    assert_eq!(store.audit.read(next).unwrap(), (Vec::new(), next));
    assert!(
        store
            .audit
            .read(3)
            .is_ok_and(|(lines, _)| lines == b"ole\"\n\"next\"\n")
    );
    assert!(store.audit.read(next + 1).is_err());
}

#[test]
fn a_staged_private_key_does_not_outlive_the_next_start_and_a_staged_blob_does() {
    let dir = tempfile::tempdir().unwrap();
    let left = ["vault-keys", "blobs"].map(|objects| {
        let staging = dir.path().join(objects).join("staging");
        fs::create_dir_all(&staging).unwrap();
        fs::write(staging.join(ObjectId::random().to_string()), "x").unwrap();
        staging
    });
    Store::open(dir.path()).unwrap();
    assert_eq!(left.map(|dir| fs::read_dir(dir).unwrap().count()), [0, 1]);
}

#[test]
fn a_data_directory_has_one_owner_and_is_not_opened_by_an_older_version() {
    let dir = tempfile::tempdir().unwrap();
    let path: &Path = &dir.path().join("data");
    let owner = DataDir::open(path).unwrap();
    assert!(matches!(DataDir::open(path), Err(Error::InUse(_))));
    drop(owner);
    drop(DataDir::open(path).unwrap());
    fs::write(path.join("format"), "99\n").unwrap();
    assert!(matches!(
        DataDir::open(path),
        Err(Error::TooNew { found: 99, .. })
    ));
    fs::write(path.join("format"), "x\n").unwrap();
    assert!(matches!(DataDir::open(path), Err(Error::Damaged { .. })));
}

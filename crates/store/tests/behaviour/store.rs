//! The store on a real disk.

use std::{
    fs,
    ops::Bound,
    path::{Path, PathBuf},
};

use futures_util::{StreamExt as _, TryStreamExt as _};
use sealock_core::ObjectId;
use sealock_store::{
    Authenticator, Batch, Commit, DataDir, Error, Store, StoreFiles, Table,
    metadata::EngineKind,
    objects::{self, ObjectSet},
};

use crate::{JOURNAL, files, open};

pub(crate) const KEYS: Table<String> = Table::control("keys");
pub(crate) const BLOBS: Table<String> = Table::content("blobs");

pub(crate) async fn put(store: &Store, table: &Table<String>, key: &[&str], value: &str) {
    let batch = Batch::new().put(table, key, &value.to_owned());
    assert_eq!(store.commit(batch).await.unwrap(), Commit::Done);
}

#[tokio::test]
async fn commits_survive_reopening() {
    let dir = tempfile::tempdir().unwrap();
    for engine in [EngineKind::Redb, EngineKind::Sled] {
        let files = files(&dir.path().join(engine.name()), engine);
        {
            let store = Store::open(files.clone()).unwrap();
            put(&store, &KEYS, &["v", "k"], "one").await;
            store.journal(&"first").await.unwrap();
        }
        let store = Store::open(files).unwrap();
        assert_eq!(
            store.get(&KEYS, &["v", "k"]).await.unwrap().unwrap().value,
            "one"
        );
        assert_eq!(store.audit.read(0).unwrap().lines, b"\"first\"\n");
        assert_eq!(store.check().await.unwrap(), [""; 0]);
    }
}

/// Copies a data directory in the state that a kill would leave.
pub(crate) fn copy_as_killed(dir: &Path, to: &Path) -> PathBuf {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        let copy = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_as_killed(&entry.path(), &copy);
        } else {
            fs::copy(entry.path(), copy).unwrap();
        }
    }
    to.to_owned()
}

#[tokio::test]
async fn commits_survive_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    for engine in [EngineKind::Redb, EngineKind::Sled] {
        let files = files(&dir.path().join(engine.name()), engine);
        let store = Store::open(files.clone()).unwrap();
        for number in 0..20 {
            put(&store, &BLOBS, &[&number.to_string()], "x").await;
            store.journal(&number).await.unwrap();
        }
        let killed = StoreFiles {
            dir: copy_as_killed(&files.dir, &dir.path().join("killed")),
            ..files
        };
        let again = Store::open(killed.clone()).unwrap();
        assert_eq!(again.scan(&BLOBS, &[], Bound::Unbounded).count().await, 20);
        assert_eq!(again.audit.read(0).unwrap(), store.audit.read(0).unwrap());
        put(&again, &BLOBS, &["more"], "x").await;
        assert_eq!(again.check().await.unwrap(), [""; 0]);
        drop(again);
        let again = Store::open(killed.clone()).unwrap();
        assert_eq!(again.scan(&BLOBS, &[], Bound::Unbounded).count().await, 21);
        drop(again);
        fs::remove_dir_all(killed.dir).unwrap();
    }
}

#[tokio::test]
async fn used_directory_does_not_open_with_a_foreign_or_missing_database() {
    let dir = tempfile::tempdir().unwrap();
    let (used, other) = (dir.path().join("used"), dir.path().join("other"));
    for path in [&used, &other] {
        put(&open(path), &KEYS, &["k"], "x").await;
    }
    let open_error = |dir: &Path| Store::open(files(dir, EngineKind::Redb)).err().unwrap();

    let foreign = copy_as_killed(&used, &dir.path().join("foreign"));
    fs::remove_dir_all(foreign.join("metadata")).unwrap();
    copy_as_killed(&other.join("metadata"), &foreign.join("metadata"));
    assert!(open_error(&foreign).to_string().contains("records.redb"));

    let empty = copy_as_killed(&used, &dir.path().join("empty"));
    fs::write(empty.join("metadata/records.redb"), "").unwrap();
    assert!(matches!(open_error(&empty), Error::DamagedFile { .. }));

    let missing = copy_as_killed(&used, &dir.path().join("missing"));
    fs::remove_dir_all(missing.join("metadata")).unwrap();
    assert!(matches!(open_error(&missing), Error::Missing { .. }));
    assert!(!missing.join("metadata").exists(), "nothing is created");

    let content = dir.path().join("content");
    fs::create_dir_all(content.join("blobs")).unwrap();
    fs::write(
        content.join("blobs").join(ObjectId::random().to_string()),
        "x",
    )
    .unwrap();
    assert!(matches!(open_error(&content), Error::Missing { .. }));

    let sled = files(&used, EngineKind::Sled);
    assert!(matches!(
        Store::open(sled),
        Err(Error::EngineDiffers { .. })
    ));
    let foreign_key = StoreFiles {
        authenticator: Authenticator::new(&[8; 32]),
        ..files(&used, EngineKind::Redb)
    };
    assert!(matches!(
        Store::open(foreign_key),
        Err(Error::KeyForeign { .. })
    ));
    open(&used);
}

#[tokio::test]
async fn removal_of_an_object_completes_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let now = objects::publish(&*store.blobs, b"one").unwrap();
    let later = objects::publish(&*store.vault_keys, b"two").unwrap();
    let kept = objects::publish(&*store.blobs, b"three").unwrap();
    let batch = Batch::new().remove(ObjectSet::Blobs, now);
    assert_eq!(store.commit(batch).await.unwrap(), Commit::Done);
    assert_eq!(store.blobs.list().unwrap(), [kept]);
    // The state of a process that ended right after the commit.
    let name = later.to_string();
    let removals = Table::<()>::content("removals");
    let batch = Batch::new().put(&removals, &["vault-keys", &name], &());
    assert_eq!(store.commit(batch).await.unwrap(), Commit::Done);
    drop(store);

    let store = open(dir.path());
    assert!(
        store
            .removals(ObjectSet::VaultKeys)
            .await
            .unwrap()
            .contains(&later)
    );
    store.finish_removals().await.unwrap();
    assert_eq!(store.vault_keys.list().unwrap(), []);
    assert_eq!(store.blobs.list().unwrap(), [kept]);
    assert!(
        store
            .removals(ObjectSet::VaultKeys)
            .await
            .unwrap()
            .is_empty()
    );
    assert!(store.removals(ObjectSet::Blobs).await.unwrap().is_empty());
}

#[test]
fn quarantined_object_stays_until_its_time() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let id = objects::publish(&*store.blobs, b"orphan").unwrap();
    assert!(store.blobs.quarantine(id, 1000).unwrap());
    assert!(!store.blobs.quarantine(id, 1000).unwrap());
    assert!(store.blobs.open(id).unwrap().is_none());
    drop(store);
    let store = open(dir.path());
    let found = store.quarantine.list().unwrap();
    let found: Vec<_> = found
        .iter()
        .map(|it| (&*it.name, it.since, it.bytes))
        .collect();
    assert_eq!(found, [(&*format!("blobs/{id}"), 1000, 6)]);
    assert!(store.quarantine.remove(1000).unwrap().is_empty());
    assert_eq!(store.quarantine.remove(1001).unwrap().len(), 1);
    assert!(store.quarantine.list().unwrap().is_empty());
}

#[tokio::test]
async fn scan_is_limited_to_its_table_and_prefix() {
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
    let names = async |from| -> Vec<String> {
        let entries = store.scan(&BLOBS, &["r1"], from);
        let names = entries.map_ok(|mut entry| entry.key.remove(0));
        names.try_collect().await.unwrap()
    };
    assert_eq!(names(Bound::Unbounded).await, ["a", "b", "c"]);
    assert_eq!(names(Bound::Excluded("a")).await, ["b", "c"]);
    assert_eq!(names(Bound::Included("b")).await, ["b", "c"]);
    assert_eq!(names(Bound::Excluded("c")).await, [""; 0]);
    assert_eq!(store.scan(&BLOBS, &[], Bound::Unbounded).count().await, 5);
}

#[tokio::test]
async fn oversized_record_rejects_its_whole_batch() {
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
    assert!(store.get(&BLOBS, &["small"]).await.unwrap().is_none());
}

#[tokio::test]
async fn torn_journal_line_is_rewritten_at_the_next_start() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir.path().join("data"));
    store.journal(&"first").await.unwrap();
    store.journal(&"second").await.unwrap();
    let killed = copy_as_killed(&dir.path().join("data"), &dir.path().join("killed"));
    drop(store);
    fs::write(killed.join(JOURNAL), "\"first\"\n\"sec").unwrap();
    let store = open(&killed);
    store.journal(&"next").await.unwrap();
    let read = store.audit.read(0).unwrap();
    assert_eq!(read.lines, b"\"first\"\n\"second\"\n\"next\"\n");
    let next = read.end();
    assert_eq!(next, store.audit.end());
    assert_eq!(store.audit.read(next).unwrap().lines, b"");
    assert!(store.audit.read(next + 1).is_err());
}

#[tokio::test]
async fn changed_or_truncated_journal_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    store.journal(&"first").await.unwrap();
    drop(store);
    let journal = dir.path().join(JOURNAL);
    fs::write(&journal, "\"worst\"\n").unwrap();
    let found = open(dir.path()).check().await.unwrap();
    assert!(found.len() == 1 && found[0].contains(JOURNAL), "{found:?}");
    fs::write(&journal, "\"fir").unwrap();
    let refused = Store::open(files(dir.path(), EngineKind::Redb))
        .err()
        .unwrap();
    assert!(refused.to_string().contains(JOURNAL), "{refused}");
}

#[test]
fn data_directory_opens_for_one_process_and_one_format_only() {
    let dir = tempfile::tempdir().unwrap();
    let path: &Path = &dir.path().join("data");
    let owner = DataDir::open(path).unwrap();
    assert!(matches!(DataDir::open(path), Err(Error::InUse(_))));
    drop(owner);
    drop(DataDir::open(path).unwrap());
    open(path);
    let format = path.join("format");
    for (text, found) in [("99 x\n", 99), ("2 x\n", 2)] {
        fs::write(&format, text).unwrap();
        let refused = Store::open(files(path, EngineKind::Redb)).err().unwrap();
        let Error::UnknownFormat {
            found: shown,
            is_authentic: false,
            ..
        } = refused
        else {
            panic!("{refused}");
        };
        assert_eq!(shown, found);
    }
    for text in ["", "x", "-1 x\n"] {
        fs::write(&format, text).unwrap();
        let refused = Store::open(files(path, EngineKind::Redb)).err().unwrap();
        assert!(
            matches!(&refused, Error::DamagedFile { file, .. } if *file == format),
            "{refused}"
        );
    }

    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    for data_dir in [&file, &file.join("below")] {
        let refused = DataDir::open(data_dir).err().unwrap();
        assert!(
            matches!(&refused, Error::NotADirectory { file: found, .. } if *found == file),
            "{refused}"
        );
    }
}

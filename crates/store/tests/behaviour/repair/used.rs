//! A store that was used and then killed.

use std::{
    collections::BTreeMap,
    fs,
    ops::Bound,
    path::{Path, PathBuf},
};

use futures_util::TryStreamExt as _;
use sealock_store::{
    Batch, Commit, Error, Repair, Store, StoreFiles, check_offline, finish_repair,
    metadata::EngineKind, repair,
};

use crate::{
    files,
    store::{BLOBS, KEYS, copy_as_killed, put},
};

/// The time of the repairs, in seconds since 1970.
pub(super) const NOW: i64 = 1_800_000_000;

/// The content of a store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Content {
    pub(super) keys: BTreeMap<String, String>,
    pub(super) blobs: BTreeMap<String, String>,
    pub(super) journal: String,
}

pub(super) async fn read_content(store: &Store) -> Content {
    let table = async |table| {
        let entries = store.scan(table, &[], Bound::Unbounded);
        let records = entries.map_ok(|entry| (entry.key.concat(), entry.record.value));
        records.try_collect().await.unwrap()
    };
    let read = store.audit.read(0).unwrap();
    assert_eq!(read.end(), store.audit.end());
    Content {
        keys: table(&KEYS).await,
        blobs: table(&BLOBS).await,
        journal: String::from_utf8(read.lines).unwrap(),
    }
}

/// A store that was killed in its second use. It has two copies, from the start and from the end of the first use. The
/// commits of the second use are only in the log: the blobs 20 to 29 and, after blob 24, the disabling of the key `k`.
/// Both uses together have 22 commits.
pub(super) struct KilledStore {
    pub(super) dir: tempfile::TempDir,
    pub(super) content: Content,
}

impl KilledStore {
    pub(super) async fn new() -> Self {
        Self::with_engine(EngineKind::Redb).await
    }

    pub(super) async fn with_engine(engine: EngineKind) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let files = files(&dir.path().join("live"), engine);
        let store = Store::open(files.clone()).unwrap();
        put(&store, &KEYS, &["k"], "enabled").await;
        for number in 10..20 {
            put_blob(&store, number).await;
        }
        store.close().await;
        drop(store);
        let store = Store::open(files.clone()).unwrap();
        for number in 20..25 {
            put_blob(&store, number).await;
        }
        put(&store, &KEYS, &["k"], "disabled").await;
        for number in 25..30 {
            put_blob(&store, number).await;
        }
        copy_as_killed(&files.dir, &dir.path().join("used"));
        let content = read_content(&store).await;
        assert_eq!((content.keys.len(), content.blobs.len()), (1, 20));
        Self { dir, content }
    }

    pub(super) fn dir(&self) -> PathBuf {
        self.dir.path().join("used")
    }

    pub(super) fn metadata(&self, name: &str) -> PathBuf {
        self.dir().join("metadata").join(name)
    }

    pub(super) fn log(&self) -> PathBuf {
        self.metadata("log-00000000000000000011")
    }

    pub(super) fn files(&self) -> StoreFiles {
        files(&self.dir(), EngineKind::Redb)
    }

    /// Returns the error of an attempt to open a copy of the store.
    pub(super) fn open_error(&self) -> Error {
        let copy = self.dir.path().join("refused");
        copy_as_killed(&self.dir(), &copy);
        let error = Store::open(files(&copy, EngineKind::Redb)).err().unwrap();
        fs::remove_dir_all(copy).unwrap();
        error
    }

    /// Repairs the store. Checks that it then opens without damage, and that no file is lost.
    pub(super) async fn repair(&self) -> (Repair, Content) {
        let before = all_files(&self.dir());
        let files = self.files();
        let done = repair(&files, NOW).unwrap();
        let now = all_files(&self.dir());
        for (path, bytes) in &before {
            let exists = now.values().any(|existing| existing == bytes);
            assert!(exists, "{} is lost", path.display());
        }
        if done.is_done() {
            let error = Store::open(files.clone()).err().unwrap();
            assert!(matches!(error, Error::RepairUnfinished(_)), "{error}");
            assert_eq!(repair(&files, NOW + 1).unwrap(), done, "the same report");
            drop(Store::open_repaired(files.clone()).unwrap());
            finish_repair(&files).unwrap();
        }
        assert!(!self.dir().join("repair").exists());
        assert_eq!(check_offline(&files).unwrap(), [""; 0]);
        let store = Store::open(files.clone()).unwrap();
        assert_eq!(store.check().await.unwrap(), [""; 0]);
        let content = read_content(&store).await;
        put(&store, &BLOBS, &["later"], "x").await;
        store.close().await;
        drop(store);
        let again = repair(&files, NOW + 2).unwrap();
        assert!(!again.is_done(), "{again:?}");
        (done, content)
    }
}

pub(super) async fn put_blob(store: &Store, number: u32) {
    let name = number.to_string();
    let batch = Batch::new()
        .put(&BLOBS, &[&name], &format!("blob {name}"))
        .journal(&name);
    assert_eq!(store.commit(batch).await.unwrap(), Commit::Done);
}

/// Returns all files in `dir` and its subdirectories, with their content.
pub(super) fn all_files(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.append(&mut all_files(&path));
        } else {
            found.insert(path.clone(), fs::read(path).unwrap());
        }
    }
    found
}

//! Deletions that a full disk interrupts, and their completion.

use std::{
    ops::Bound,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use sealock_store::{
    Commit, Result, Store,
    metadata::{Changes, Condition, Direction, Item, Metadata},
};
use sealock_tests::{Image, eventually};
use serde_json::{Value, json};

use crate::{model::Drive as _, nodes::Nodes};

/// The number of tags of one image: more than one commit of a deletion removes.
const TAGS: usize = 600;

/// Metadata on a disk that becomes full after a number of commits.
struct FillingMetadata {
    metadata: Arc<dyn Metadata>,
    commits_left: AtomicUsize,
}

impl FillingMetadata {
    /// Returns true if a record whose key contains `part` is left.
    async fn mentions(&self, part: &str) -> bool {
        let items = self.metadata.page(
            Bound::Unbounded,
            Bound::Unbounded,
            Direction::Forward,
            usize::MAX,
        );
        let mut items = items.await.into_iter();
        items.any(|item| String::from_utf8_lossy(&item.unwrap().0).contains(part))
    }
}

#[async_trait]
impl Metadata for FillingMetadata {
    async fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.metadata.get(key).await
    }

    async fn page(
        &self,
        start: Bound<&[u8]>,
        end: Bound<&[u8]>,
        direction: Direction,
        limit: usize,
    ) -> Vec<Result<Item>> {
        self.metadata.page(start, end, direction, limit).await
    }

    async fn commit(&self, changes: Changes) -> Result<Commit> {
        let count_down = |left: usize| left.checked_sub(1);
        let has_room =
            self.commits_left
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, count_down);
        if has_room.is_err() {
            return Err(std::io::Error::from(std::io::ErrorKind::StorageFull).into());
        }
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

/// An emulator with a registry that has content, and a disk with space for `commits` more commits.
struct Filled {
    nodes: Nodes,
    store: Store,
    metadata: Arc<FillingMetadata>,
    registry: String,
}

fn fill(commits: usize) -> Filled {
    let kept = Mutex::new(None);
    let store = Store::ephemeral().wrap_metadata(|metadata| {
        let filling = Arc::new(FillingMetadata {
            metadata,
            commits_left: AtomicUsize::new(usize::MAX),
        });
        *kept.lock().unwrap() = Some(Arc::clone(&filling));
        filling
    });
    let metadata = kept.into_inner().unwrap().unwrap();
    let nodes = Nodes::start(1, store.clone());
    let image = Image::random(&[10_000]);
    let client = nodes.client();
    for tag in 0..TAGS {
        let path = format!("/v2/app/manifests/t{tag}");
        if tag == 0 {
            assert_eq!(client.push("app", "t0", &image).status, 201);
        } else {
            let media_type = [("content-type", Image::MEDIA_TYPE)];
            let put = client.send("PUT", &path, &media_type, image.manifest());
            assert_eq!(put.status, 201);
        }
    }
    let registry = nodes.json(&["registry", "show"])["id"].clone();
    metadata.commits_left.store(commits, Ordering::SeqCst);
    Filled {
        nodes,
        store,
        metadata,
        registry: registry.as_str().unwrap().to_owned(),
    }
}

impl Filled {
    fn delete(&self) -> (i32, Value) {
        let deleted = self
            .nodes
            .run(&["registry", "delete", "sealock", "--yes", "--json"]);
        let problem = serde_json::from_str(&deleted.stderr).unwrap_or_default();
        (deleted.code, problem)
    }

    fn make_room(&self) {
        let room = &self.metadata.commits_left;
        room.store(usize::MAX, Ordering::SeqCst);
    }

    fn is_left(&self) -> bool {
        let mentioned = self.metadata.mentions(&self.registry);
        let has_record = self.nodes.block_on(mentioned);
        let copies = self.store.custodies.list().unwrap();
        has_record || !copies.is_empty() || !self.store.blobs.list().unwrap().is_empty()
    }
}

#[test]
fn registry_deletion_refused_by_a_full_disk_leaves_the_registry_intact() {
    let filled = fill(0);
    let (code, problem) = filled.delete();
    assert_eq!((code, &problem["code"]), (1, &json!("DiskFull")));
    filled.make_room();
    let verified = filled.nodes.json(&["verify"]);
    assert_eq!(verified["whole"], true, "{verified}");
    assert_eq!(
        filled.nodes.client().get("/v2/app/manifests/t0").status,
        200
    );
}

#[test]
fn interrupted_registry_deletion_is_finished_by_a_retry() {
    for commits in [1, 2, 3] {
        let filled = fill(commits);
        assert_eq!(filled.delete().1["code"], "DiskFull");
        assert!(filled.is_left());
        assert_eq!(
            filled.nodes.client().get("/v2/app/manifests/t0").status,
            404
        );
        filled.make_room();
        let (code, problem) = filled.delete();
        assert_eq!((code, &problem["code"]), (1, &json!("NAME_UNKNOWN")));
        assert!(!filled.is_left(), "cut short after {commits} commits");
    }
}

#[test]
fn interrupted_registry_deletion_is_finished_by_the_next_start() {
    let mut filled = fill(2);
    assert_eq!(filled.delete().1["code"], "DiskFull");
    filled.make_room();
    let verified = filled.nodes.json(&["verify"]);
    assert_eq!(verified["problems"], json!([]), "{verified}");
    filled.nodes.restart();
    eventually("the rest of the registry to go", || !filled.is_left());
}

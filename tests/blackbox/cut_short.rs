//! Deletions that a full disk interrupts, and their completion.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use sealock_store::{
    Result, Store,
    metadata::{KeyRange, Metadata as _},
};
use sealock_tests::{Image, eventually};
use serde_json::{Value, json};

use crate::{
    model::Drive as _,
    nodes::Nodes,
    tapped_metadata::{Tap, TappedMetadata},
};

/// The number of tags of one image: more than one commit of a deletion removes.
const TAGS: usize = 600;

/// A disk that becomes full after a number of commits.
struct FillingDisk {
    commits_left: AtomicUsize,
}

impl Tap for FillingDisk {
    fn commit(&self) -> Result<()> {
        let count_down = |left: usize| left.checked_sub(1);
        let has_room =
            self.commits_left
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, count_down);
        match has_room {
            Ok(_) => Ok(()),
            Err(_) => Err(io::Error::from(io::ErrorKind::StorageFull).into()),
        }
    }
}

impl TappedMetadata<FillingDisk> {
    /// Returns true if a record whose key contains `part` is left.
    async fn mentions(&self, part: &str) -> bool {
        let items = self.page(KeyRange::ALL, usize::MAX).await;
        let mut items = items.into_iter();
        items.any(|item| String::from_utf8_lossy(&item.unwrap().0).contains(part))
    }
}

/// An emulator with a registry that has content, and a disk with space for `commits` more commits.
struct Filled {
    nodes: Nodes,
    store: Store,
    metadata: Arc<TappedMetadata<FillingDisk>>,
    registry: String,
}

fn fill(commits: usize) -> Filled {
    let (store, metadata) = TappedMetadata::store(FillingDisk {
        commits_left: AtomicUsize::new(usize::MAX),
    });
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
    metadata.tap.commits_left.store(commits, Ordering::SeqCst);
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
        let room = &self.metadata.tap.commits_left;
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

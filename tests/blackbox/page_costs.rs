//! The cost of a page in records that are read: as much as the page, however large the repository is.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use sealock_store::{Batch, Commit, Store, Table};
use sealock_tests::{Client, Image, digest_of};
use serde_json::{Value, json};

use crate::{
    model::Drive as _,
    nodes::Nodes,
    tapped_metadata::{Tap, TappedMetadata},
};

/// The number of records that are read.
#[derive(Default)]
struct Reads(AtomicUsize);

impl Tap for Reads {
    fn read(&self, records: usize) {
        self.0.fetch_add(records, Ordering::SeqCst);
    }
}

/// An emulator whose reads are counted.
struct Counted {
    nodes: Nodes,
    store: Store,
    metadata: Arc<TappedMetadata<Reads>>,
    client: Client,
}

impl Counted {
    fn start() -> Self {
        let (store, metadata) = TappedMetadata::store(Reads::default());
        let settings = [("SEALOCK_FIDELITY__REFERRERS_ON_CMK", "true")];
        let nodes = Nodes::start_with(1, store.clone(), &settings);
        Self {
            client: nodes.client(),
            metadata,
            nodes,
            store,
        }
    }

    /// Pushes an artifact, and returns its digest.
    fn push(&self, repository: &str, tag: &str, number: usize, more: &Value) -> String {
        let empty = digest_of(b"{}");
        let mut manifest = json!({
            "schemaVersion": 2,
            "mediaType": Image::MEDIA_TYPE,
            "config": {"mediaType": "a/config", "digest": empty, "size": 2},
            "layers": [],
            "annotations": {"number": number.to_string()},
        });
        for (name, value) in more.as_object().into_iter().flatten() {
            manifest[name] = value.clone();
        }
        let manifest = manifest.to_string();
        let digest = digest_of(manifest.as_bytes());
        let reference = if tag.is_empty() { &digest } else { tag };
        let path = format!("/v2/{repository}/manifests/{reference}");
        let headers = [("content-type", Image::MEDIA_TYPE)];
        let put = self
            .client
            .send("PUT", &path, &headers, manifest.as_bytes());
        assert_eq!(put.status, 201, "{put:?}");
        digest
    }

    /// Pushes `count` artifacts, each with a tag.
    fn fill(&self, repository: &str, count: usize) -> Vec<String> {
        assert_eq!(self.client.push_blob(repository, b"{}").status, 201);
        let push = |number| self.push(repository, &format!("t{number:04}"), number, &json!({}));
        (0..count).map(push).collect()
    }

    /// Returns the number of records that a request reads.
    fn cost(&self, method: &str, path: &str) -> usize {
        let before = self.metadata.tap.0.load(Ordering::SeqCst);
        let answer = self.client.send(method, path, &[], b"");
        assert!(matches!(answer.status, 200 | 202), "{path}: {answer:?}");
        self.metadata.tap.0.load(Ordering::SeqCst) - before
    }

    /// Returns the path of the second page.
    fn second_page(&self, path: &str) -> String {
        let answer = self.client.get(path);
        let link = answer.header("link").trim_start_matches('<');
        link.split_once('>').unwrap().0.to_owned()
    }
}

/// Asserts that a request reads no more in the larger repository. Something else may read a few records meanwhile.
fn assert_alike(small: usize, large: usize, what: &str) {
    assert!(
        large <= small + small / 2,
        "{what}: {large} records instead of {small}"
    );
}

#[test]
fn page_of_tags_or_manifests_costs_no_more_in_a_larger_repository() {
    let counted = Counted::start();
    counted.fill("small", 60);
    counted.fill("large", 600);
    for list in ["_tags", "_manifests"] {
        for order in ["none", "timeasc", "timedesc"] {
            let [small, large] = ["small", "large"].map(|repository| {
                let first = format!("/acr/v1/{repository}/{list}?n=10&orderby={order}");
                let second = counted.second_page(&first);
                [first, second].map(|path| counted.cost("GET", &path))
            });
            for (small, large) in small.into_iter().zip(large) {
                assert_alike(small, large, &format!("{list} in the order {order}"));
            }
        }
    }
    let [small, large] = ["small", "large"].map(|repository| {
        let path = format!("/v2/{repository}/tags/list?n=10&last=t0005");
        counted.cost("GET", &path)
    });
    assert_alike(small, large, "tags");
}

#[test]
fn manifest_costs_no_more_to_list_or_delete_in_a_larger_repository() {
    let counted = Counted::start();
    let digests = [counted.fill("small", 60), counted.fill("large", 600)];
    let costs = ["small", "large"].map(|repository| {
        let digest = &digests[usize::from(repository == "large")][30];
        let tags = format!("/acr/v1/{repository}/_tags?digest={digest}");
        let manifest = format!("/v2/{repository}/manifests/{digest}");
        [
            counted.cost("GET", &tags),
            counted.cost("DELETE", &manifest),
        ]
    });
    assert_alike(costs[0][0], costs[1][0], "the tags of a manifest");
    assert_alike(costs[0][1], costs[1][1], "the deletion of a manifest");
}

#[test]
fn page_of_the_catalog_costs_no_more_in_a_larger_registry() {
    let counted = Counted::start();
    let cost = |repositories: std::ops::Range<usize>, manifests| {
        for number in repositories {
            counted.fill(&format!("app{number:03}"), manifests);
        }
        ["/v2/_catalog?n=5", "/acr/v1/_catalog?n=5&last=app003"]
            .map(|path| counted.cost("GET", path))
    };
    let [small, large] = [cost(0..10, 1), cost(0..30, 20)];
    for (small, large) in small.into_iter().zip(large) {
        assert_alike(small, large, "the catalog");
    }
}

#[test]
fn page_of_referrers_costs_no_more_with_more_referrers() {
    let counted = Counted::start();
    assert_eq!(counted.client.push_blob("app", b"{}").status, 201);
    let costs = [40, 400].map(|count| {
        let subject = digest_of(format!("subject of {count}").as_bytes());
        let descriptor = json!({"mediaType": Image::MEDIA_TYPE, "digest": subject, "size": 2});
        for number in 0..count {
            let kind = if number == 7 { "a/rare" } else { "a/common" };
            let more = json!({"subject": descriptor, "artifactType": kind});
            counted.push("app", "", number, &more);
        }
        let path = format!("/v2/app/referrers/{subject}");
        let first = format!("{path}?n=5");
        let second = counted.second_page(&first);
        let rare = format!("{path}?artifactType=a/rare");
        let found = counted.client.get(&rare).json()["manifests"].clone();
        assert_eq!(found.as_array().unwrap().len(), 1);
        [first, second, rare].map(|path| counted.cost("GET", &path))
    });
    let [small, large] = costs;
    assert_alike(small[0], large[0], "the first page");
    assert_alike(small[1], large[1], "the second page");
    // The filter reads the entry and the record of each referrer, but opens no manifest of another type.
    assert!(large[2] <= 2 * 400 + small[0], "{} records", large[2]);
}

#[test]
fn verification_reports_an_index_that_differs_from_the_records() {
    const TAGS_BY_TIME: Table<()> = Table::content("tags-by-time");
    const TAGS_BY_MANIFEST: Table<()> = Table::content("tags-by-manifest");

    let counted = Counted::start();
    let digest = counted.fill("app", 3).remove(0);
    let show = counted.nodes.json(&["registry", "show"]);
    let registry = show["id"].as_str().unwrap();
    let entry = [registry, "app", &digest, "t0000"];
    let surplus = [registry, "app", "000000000000000000t0000"];
    let batch = Batch::new()
        .delete(&TAGS_BY_MANIFEST, &entry)
        .put(&TAGS_BY_TIME, &surplus, &());
    let committed = counted.nodes.block_on(counted.store.commit(batch));
    assert_eq!(committed.unwrap(), Commit::Done);
    let verified = counted.nodes.run(&["verify", "--json"]);
    assert_eq!(verified.code, 1);
    let verified: Value = serde_json::from_str(&verified.stdout).unwrap();
    let problems = verified["registries"][0]["problems"].as_array().unwrap();
    let mut problems: Vec<_> = problems
        .iter()
        .map(|problem| problem["description"].as_str().unwrap())
        .collect();
    problems.sort_unstable();
    assert_eq!(
        problems,
        [
            &format!("the index tags-by-manifest lacks app/{digest}/t0000"),
            "the index tags-by-time has app/000000000000000000t0000, which is gone",
        ]
    );

    let rebuilt = counted
        .nodes
        .block_on(sealock_registry::rebuild_indexes(&counted.store));
    rebuilt.unwrap();
    let verified = counted.nodes.json(&["verify"]);
    assert_eq!(verified["whole"], true, "{verified}");
}

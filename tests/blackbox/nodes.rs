//! Several emulators in this process that share a store, as in a future cluster.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use sealock_emulator::{Config, Node};
use sealock_envelope::ServiceKey;
use sealock_store::{Store, metadata::Metadata};
use sealock_tests::{Client, Image, Output, digest_of, random_bytes, run as run_command};
use serde_json::json;
use slow_metadata::SlowMetadata;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::model::{self, Drive};

#[path = "../../crates/store/tests/behaviour/slow_metadata.rs"]
mod slow_metadata;

/// Emulators that share a store. Each request and each command goes to one of them at random.
pub(crate) struct Nodes {
    runtime: Runtime,
    config: Config,
    store: Store,
    service_key: Arc<ServiceKey>,
    running: Vec<Option<Node>>,
    dir: TempDir,
    /// Chooses among the emulators.
    random: Mutex<StdRng>,
}

impl Nodes {
    pub(crate) fn start(count: usize, store: Store) -> Self {
        Self::start_with(count, store, &[])
    }

    pub(crate) fn start_with(count: usize, store: Store, settings: &[(&str, &str)]) -> Self {
        Self::start_with_seed(count, store, settings, rand::random())
    }

    /// Starts emulators. The seed determines which of them gets each request.
    fn start_with_seed(count: usize, store: Store, settings: &[(&str, &str)], seed: u64) -> Self {
        let listen = ("SEALOCK_SERVER__LISTEN", "127.0.0.1:0");
        let settings = settings.iter().copied().chain([listen]);
        let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let mut nodes = Self {
            runtime: Runtime::new().unwrap(),
            config: Config::load(None, settings).unwrap(),
            store,
            service_key: Arc::new(ServiceKey::random()),
            running: Vec::new(),
            dir: TempDir::new().unwrap(),
            random: Mutex::new(StdRng::seed_from_u64(seed)),
        };
        for _ in 0..count {
            let node = nodes.new_node();
            nodes.running.push(Some(node));
        }
        nodes
    }

    fn new_node(&self) -> Node {
        let (store, service_key) = (self.store.clone(), Arc::clone(&self.service_key));
        let started = Node::start(&self.config, store, service_key);
        self.runtime.block_on(started).unwrap()
    }

    fn url(&self, number: usize) -> String {
        format!(
            "http://{}",
            self.running[number].as_ref().unwrap().address()
        )
    }

    fn client_of(&self, number: usize) -> Client {
        Client::new(&self.url(number))
    }

    /// Runs a command at one of them.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.run_of(self.any(), arguments)
    }

    /// Waits for something that the store does.
    pub(crate) fn block_on<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    fn run_of(&self, number: usize, arguments: &[&str]) -> Output {
        let url = self.url(number);
        run_command(arguments, self.dir.path(), &[("SEALOCK_EMULATOR", &url)])
    }

    fn cli_of(&self, number: usize, arguments: &[&str]) -> String {
        let output = self.run_of(number, arguments);
        assert_eq!(output.code, 0, "sealock {arguments:?}: {output:?}");
        output.stdout
    }

    fn any(&self) -> usize {
        let mut random = self.random.lock().unwrap();
        random.random_range(0..self.running.len())
    }
}

impl Drive for Nodes {
    fn client(&self) -> Client {
        self.client_of(self.any())
    }

    fn cli(&self, arguments: &[&str]) -> String {
        self.cli_of(self.any(), arguments)
    }

    fn kill_and_restart(&mut self) {
        self.restart();
    }

    fn restart(&mut self) {
        let number = self.any();
        let stopped = self.running[number].take().unwrap();
        self.runtime.block_on(stopped.stop());
        self.running[number] = Some(self.new_node());
    }
}

fn slow_store() -> Store {
    let slow = |metadata| Arc::new(SlowMetadata(metadata)) as Arc<dyn Metadata>;
    Store::ephemeral().wrap_metadata(slow)
}

#[test]
fn emulator_with_slow_store_agrees_with_the_model() {
    for seed in model::seeds(1) {
        model::run(Nodes::start_with_seed(1, slow_store(), &[], seed), seed);
    }
}

#[test]
fn two_emulators_with_one_store_agree_with_the_model() {
    for seed in model::seeds(1) {
        model::run(
            Nodes::start_with_seed(2, Store::ephemeral(), &[], seed),
            seed,
        );
        model::run(Nodes::start_with_seed(2, slow_store(), &[], seed), seed);
    }
}

#[test]
fn revocation_on_one_node_is_enforced_by_the_other() {
    let nodes = Nodes::start(2, Store::ephemeral());
    let [one, other] = [nodes.client_of(0), nodes.client_of(1)];
    let image = Image::random(&[100_000]);
    assert_eq!(one.push("app", "v1", &image).status, 201);
    assert_eq!(other.pull("app", "v1", &image).status, 200);
    nodes.cli_of(0, &["key", "disable"]);
    assert_eq!(other.pull("app", "v1", &image).status, 403);
    nodes.cli_of(1, &["key", "enable"]);
    assert_eq!(one.pull("app", "v1", &image).status, 200);
}

#[test]
fn upload_continues_on_another_node() {
    let nodes = Nodes::start(2, slow_store());
    let content = random_bytes(400_000);
    let begun = nodes
        .client_of(0)
        .send("POST", "/v2/app/blobs/uploads/", &[], b"");
    assert_eq!(begun.status, 202);
    let location = begun.header("location");
    for (number, chunk) in content.chunks(70_000).enumerate() {
        let sent = nodes
            .client_of(number % 2)
            .send("PATCH", location, &[], chunk);
        assert_eq!(sent.status, 202);
        let behind = nodes
            .client_of(number / 2 % 2)
            .send("GET", location, &[], b"");
        let received = content.len().min((number + 1) * 70_000);
        assert_eq!(behind.header("range"), format!("0-{}", received - 1));
    }
    let digest = digest_of(&content);
    let done = nodes
        .client_of(1)
        .send("PUT", &format!("{location}?digest={digest}"), &[], b"");
    assert_eq!(done.status, 201);
    for number in [0, 1] {
        let client = nodes.client_of(number);
        let blob = client.get(&format!("/v2/app/blobs/{digest}"));
        assert!(blob.status == 200 && blob.body == content);
        assert_eq!(client.send("GET", location, &[], b"").status, 404);
    }

    let begun = nodes
        .client_of(1)
        .send("POST", "/v2/app/blobs/uploads/", &[], b"");
    let location = begun.header("location");
    assert_eq!(
        nodes.client_of(0).send("DELETE", location, &[], b"").status,
        204
    );
    assert_eq!(
        nodes.client_of(1).send("GET", location, &[], b"").status,
        404
    );
}

#[test]
fn collection_on_one_node_keeps_blobs_in_use_on_another() {
    let mut nodes = Nodes::start(1, slow_store());
    let images: Vec<_> = (0..20).map(|_| Image::random(&[3000])).collect();
    for blob in images.iter().flat_map(Image::blobs) {
        assert_eq!(nodes.client().push_blob("app", blob).status, 201);
    }
    nodes.cli(&["clock", "advance", "2h"]);
    // The second one begins with the clock as it is now. Nobody counts on the blobs any more.
    let second = nodes.new_node();
    nodes.running.push(Some(second));
    let is_over = AtomicBool::new(false);
    let (mut kept, mut taken) = (0, 0);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::SeqCst) {
                nodes.cli_of(1, &["registry", "gc"]);
            }
        });
        let client = nodes.client_of(0);
        for image in &images {
            let has = |blob: &[u8]| {
                let path = format!("/v2/app/blobs/{}", digest_of(blob));
                client.send("HEAD", &path, &[], b"").status == 200
            };
            for blob in image.blobs() {
                if has(blob) {
                    kept += 1;
                } else {
                    taken += 1;
                    assert_eq!(client.push_blob("app", blob).status, 201);
                }
            }
            let path = format!("/v2/app/manifests/{}", image.digest());
            let media_type = [("content-type", Image::MEDIA_TYPE)];
            let put = client.send("PUT", &path, &media_type, image.manifest());
            assert_eq!(put.status, 201, "{}", String::from_utf8_lossy(&put.body));
        }
        is_over.store(true, Ordering::SeqCst);
    });
    for image in &images {
        let pulled = nodes.client().pull("app", &image.digest(), image);
        assert_eq!(pulled.status, 200, "{kept} were kept, {taken} were taken");
    }
    let verified = nodes.json(&["verify"]);
    assert_eq!(verified["problems"], json!([]), "{verified}");
}

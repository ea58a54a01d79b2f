use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Barrier},
    thread,
    time::{Duration, Instant},
};

use rand::seq::{IndexedRandom as _, IteratorRandom as _};
use sealock_tests::{Answer, Client, Emulator, Image, digest_of, random_bytes};

/// The number of concurrent clients, each with its own connection.
const CLIENTS: usize = 200;

/// The number of actions of each client, unless `SEALOCK_CROWD_SECONDS` sets a duration.
const STEPS: usize = 12;

/// The number of times that a tag is moved while it is read.
const MOVES: usize = 300;

/// The repository in which all clients push, tag and delete the same images.
const SQUARE: &str = "square";

/// The tags that all clients move there.
const TAGS: [&str; 5] = ["a", "b", "c", "d", "e"];

/// The content that all clients push. It is stored once, so that its last deletion in one repository races with its
/// next push to another.
struct Things {
    contents: Vec<Vec<u8>>,
    images: Vec<Image>,
}

impl Things {
    fn new() -> Self {
        // Sizes around a segment boundary. The last is sent in several batches.
        let sizes = [0, 1, 1_000, 65_535, 65_536, 65_537, 150_000, 1_200_000];
        let contents: Vec<_> = sizes.map(random_bytes).into();
        let image = |at: usize| Image::of(vec![contents[at].clone(), contents[at + 1].clone()]);
        Self {
            images: (0..4).map(image).collect(),
            contents,
        }
    }
}

/// A client of the crowd. Nobody else touches its own repository, so it knows the expected content.
struct Worker {
    client: Client,
    number: usize,
    things: Arc<Things>,
    /// The shared content in its own repository.
    held: BTreeSet<usize>,
    /// The images in its own repository, each with the content of its layer.
    images: Vec<(usize, Image)>,
    /// The number of correct answers for each kind of request.
    done: BTreeMap<&'static str, usize>,
    problems: Vec<String>,
}

#[test]
fn concurrent_pushes_mounts_tags_and_deletes_leave_an_intact_store() {
    let seconds = std::env::var("SEALOCK_CROWD_SECONDS").ok();
    let seconds = seconds.map(|seconds| Duration::from_secs(seconds.parse().expect("a number")));
    let emulator = Emulator::start();
    let things = Arc::new(Things::new());
    let start = Barrier::new(CLIENTS);
    let crowd: Vec<Worker> = thread::scope(|scope| {
        let workers: Vec<_> = (0..CLIENTS)
            .map(|number| {
                let mut worker = Worker::new(emulator.client(), number, Arc::clone(&things));
                let start = &start;
                scope.spawn(move || {
                    start.wait();
                    let begun = Instant::now();
                    let mut steps = 0;
                    while seconds.map_or(steps < STEPS, |seconds| begun.elapsed() < seconds) {
                        worker.step();
                        steps += 1;
                    }
                    worker
                })
            })
            .collect();
        let join = |worker: thread::ScopedJoinHandle<'_, Worker>| worker.join().expect("a worker");
        workers.into_iter().map(join).collect()
    });

    let mut done: BTreeMap<&str, usize> = BTreeMap::new();
    let mut problems = Vec::new();
    for mut worker in crowd {
        worker.check_own_repository();
        for (kind, count) in &worker.done {
            *done.entry(kind).or_default() += count;
        }
        problems.extend(worker.problems);
    }
    problems.extend(unresolved(&emulator.client()));
    println!("{CLIENTS} clients: {done:?}, {} problems", problems.len());
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    assert_eq!(done.len(), KINDS.len(), "nobody did some of them: {done:?}");
    emulator.verify();
    let staging = emulator.data_dir().join("blobs/staging");
    assert_eq!(
        std::fs::read_dir(staging).unwrap().count(),
        0,
        "an upload is left"
    );
}

/// Checks that every image tagged in the square is complete at the end, since nobody deletes blobs there.
fn unresolved(client: &Client) -> Vec<String> {
    let list = client.get(&format!("/v2/{SQUARE}/tags/list"));
    // A repository without manifests is unknown.
    if list.status == 404 {
        return Vec::new();
    }
    let list = list.json();
    let tags = list["tags"].as_array().unwrap().iter();
    let paths = tags.flat_map(|tag| {
        let tag = tag.as_str().unwrap();
        let manifest = client.get(&format!("/v2/{SQUARE}/manifests/{tag}"));
        if manifest.status != 200 {
            return vec![format!("{SQUARE}:{tag} has no manifest")];
        }
        let manifest = manifest.json();
        let layers = manifest["layers"].as_array().unwrap().iter();
        let blobs = layers.chain([&manifest["config"]]);
        let missing = blobs.filter(|blob| {
            let digest = blob["digest"].as_str().unwrap();
            let pulled = client.get(&format!("/v2/{SQUARE}/blobs/{digest}"));
            pulled.status != 200 || digest_of(&pulled.body) != digest
        });
        missing
            .map(|blob| format!("{SQUARE}:{tag} lacks {}", blob["digest"]))
            .collect()
    });
    paths.collect()
}

/// True if there was something to do and the answer was correct, or a description of the failure.
type Done = Result<bool, String>;

type Step = fn(&mut Worker) -> Done;

/// Performs random actions.
const KINDS: [(&str, Step); 11] = [
    ("push whole", Worker::push_whole),
    ("push in pieces", Worker::push_in_pieces),
    ("mount", Worker::mount),
    ("pull", Worker::pull_blob),
    ("pull a neighbour's", Worker::pull_a_neighbours_blob),
    ("delete", Worker::delete_blob),
    ("push an image", Worker::push_image),
    ("delete an image", Worker::delete_image),
    ("push to the square", Worker::push_to_square),
    ("pull from the square", Worker::pull_from_square),
    ("delete from the square", Worker::delete_from_square),
];

impl Worker {
    fn new(client: Client, number: usize, things: Arc<Things>) -> Self {
        Self {
            client,
            number,
            things,
            held: BTreeSet::new(),
            images: Vec::new(),
            done: BTreeMap::new(),
            problems: Vec::new(),
        }
    }

    fn step(&mut self) {
        let (kind, step) = KINDS.choose(&mut rand::rng()).unwrap();
        match step(self) {
            Ok(true) => *self.done.entry(kind).or_default() += 1,
            Ok(false) => {}
            Err(problem) => self.problems.push(format!("{kind}: {problem}")),
        }
    }

    /// Picks random content, and returns it with its digest.
    fn content(&self) -> (usize, Vec<u8>, String) {
        let at = rand::random_range(0..self.things.contents.len());
        let content = self.things.contents[at].clone();
        let digest = digest_of(&content);
        (at, content, digest)
    }

    fn push_whole(&mut self) -> Done {
        let (at, content, digest) = self.content();
        let path = format!("/v2/own{}/blobs/uploads/?digest={digest}", self.number);
        self.send("POST", &path, &content, &[201])?;
        self.held.insert(at);
        Ok(true)
    }

    fn push_in_pieces(&mut self) -> Done {
        let (at, content, digest) = self.content();
        let path = format!("/v2/own{}/blobs/uploads/", self.number);
        let begun = self.send("POST", &path, b"", &[202])?;
        let location = begun.header("location");
        let (one, other) = content.split_at(content.len() / 2);
        self.send("PATCH", location, one, &[202])?;
        self.send("PATCH", location, other, &[202])?;
        let end = format!("{location}?digest={digest}");
        self.send("PUT", &end, b"", &[201])?;
        self.held.insert(at);
        Ok(true)
    }

    /// Mounts a blob from a repository that may have it, and may lose it at the same moment.
    fn mount(&mut self) -> Done {
        let (at, _, digest) = self.content();
        let from = rand::random_range(0..CLIENTS);
        let path = format!(
            "/v2/own{}/blobs/uploads/?mount={digest}&from=own{from}",
            self.number
        );
        let answer = self.send("POST", &path, b"", &[201, 202])?;
        if answer.status == 201 {
            self.held.insert(at);
            return Ok(true);
        }
        self.send("DELETE", answer.header("location"), b"", &[204])?;
        Ok(false)
    }

    fn pull_blob(&mut self) -> Done {
        let Some(at) = self.held.iter().choose(&mut rand::rng()) else {
            return Ok(false);
        };
        self.check_blob(*at)
    }

    fn check_blob(&self, at: usize) -> Done {
        let content = &self.things.contents[at];
        let path = format!("/v2/own{}/blobs/{}", self.number, digest_of(content));
        let pulled = self.send("GET", &path, b"", &[200])?;
        if pulled.body != *content {
            return Err(format!("{path} has changed"));
        }
        Ok(true)
    }

    /// Pulls a blob, which may be deleted at the same moment but is never incomplete.
    fn pull_a_neighbours_blob(&mut self) -> Done {
        let (_, content, digest) = self.content();
        let neighbour = rand::random_range(0..CLIENTS);
        let path = format!("/v2/own{neighbour}/blobs/{digest}");
        let pulled = self.send("GET", &path, b"", &[200, 404])?;
        if pulled.status == 200 && pulled.body != content {
            return Err(format!("{path} has changed"));
        }
        Ok(pulled.status == 200)
    }

    /// Deletes a blob that no image of its repository needs.
    fn delete_blob(&mut self) -> Done {
        let is_free = |at: &&usize| self.images.iter().all(|(layer, _)| layer != *at);
        let Some(at) = self
            .held
            .iter()
            .filter(is_free)
            .choose(&mut rand::rng())
            .copied()
        else {
            return Ok(false);
        };
        let digest = digest_of(&self.things.contents[at]);
        let path = format!("/v2/own{}/blobs/{digest}", self.number);
        self.send("DELETE", &path, b"", &[202])?;
        self.held.remove(&at);
        self.send("GET", &path, b"", &[404])?;
        Ok(true)
    }

    /// Pushes a unique image with a shared layer.
    fn push_image(&mut self) -> Done {
        let (at, content, _) = self.content();
        let image = Image::of(vec![content]);
        let pushed = self
            .client
            .push(&format!("own{}", self.number), "newest", &image);
        expect("an image", pushed, &[201])?;
        self.held.insert(at);
        self.images.push((at, image));
        Ok(true)
    }

    fn delete_image(&mut self) -> Done {
        if self.images.is_empty() {
            return Ok(false);
        }
        let at = rand::random_range(0..self.images.len());
        let digest = self.images[at].1.digest();
        let path = format!("/v2/own{}/manifests/{digest}", self.number);
        self.send("DELETE", &path, b"", &[202])?;
        self.images.remove(at);
        self.send("GET", &path, b"", &[404])?;
        Ok(true)
    }

    fn push_to_square(&mut self) -> Done {
        let image = self.things.images.choose(&mut rand::rng()).unwrap();
        let tag = TAGS.choose(&mut rand::rng()).unwrap();
        let pushed = self.client.push(SQUARE, tag, image);
        expect("an image", pushed, &[201])?;
        Ok(true)
    }

    /// Pulls a moving tag, whose image must be complete if it exists.
    fn pull_from_square(&mut self) -> Done {
        let tag = TAGS.choose(&mut rand::rng()).unwrap();
        let path = format!("/v2/{SQUARE}/manifests/{tag}");
        let pulled = self.send("GET", &path, b"", &[200, 404])?;
        if pulled.status == 404 {
            return Ok(false);
        }
        let named = pulled.header("docker-content-digest");
        if digest_of(&pulled.body) != named {
            return Err(format!("{path} is not {named}"));
        }
        Ok(true)
    }

    /// Deletes a tag, or a manifest with its tags, unless another client was faster.
    fn delete_from_square(&mut self) -> Done {
        let digest = self
            .things
            .images
            .choose(&mut rand::rng())
            .unwrap()
            .digest();
        let tag = *TAGS.choose(&mut rand::rng()).unwrap();
        let reference = if rand::random() { tag } else { &digest };
        let path = format!("/v2/{SQUARE}/manifests/{reference}");
        let deleted = self.send("DELETE", &path, b"", &[202, 404])?;
        Ok(deleted.status == 202)
    }

    /// Checks that exactly the content that was acknowledged and not deleted exists.
    fn check_own_repository(&mut self) {
        let repository = format!("own{}", self.number);
        for at in 0..self.things.contents.len() {
            let checked = if self.held.contains(&at) {
                self.check_blob(at)
            } else {
                let digest = digest_of(&self.things.contents[at]);
                let path = format!("/v2/{repository}/blobs/{digest}");
                self.send("GET", &path, b"", &[404]).map(|_| true)
            };
            self.problems.extend(checked.err());
        }
        for (_, image) in &self.images {
            let pulled = self.client.pull(&repository, &image.digest(), image);
            let checked = expect("an image of its own", pulled, &[200]);
            self.problems.extend(checked.err());
        }
    }

    fn send(
        &self,
        method: &str,
        path: &str,
        body: &[u8],
        expected: &[u16],
    ) -> Result<Answer, String> {
        let answer = self.client.send(method, path, &[], body);
        expect(&format!("{method} {path}"), answer, expected)
    }
}

fn expect(what: &str, answer: Answer, expected: &[u16]) -> Result<Answer, String> {
    if expected.contains(&answer.status) {
        return Ok(answer);
    }
    let text = String::from_utf8_lossy(&answer.body);
    Err(format!("{what} -> {}: {text}", answer.status))
}

#[test]
fn moving_tag_is_always_readable() {
    let emulator = Emulator::start();
    let images = [Image::random(&[10]), Image::random(&[10])];
    let client = emulator.client();
    for image in &images {
        assert_eq!(client.push("app", "moving", image).status, 201);
    }
    thread::scope(|scope| {
        let mover = Arc::new(scope.spawn(|| {
            for round in 0..MOVES {
                let [from, to] = [&images[(round + 1) % 2], &images[round % 2]];
                let (path, body) = ("/v2/app/manifests/moving", to.manifest());
                let headers = [("content-type", Image::MEDIA_TYPE)];
                assert_eq!(client.send("PUT", path, &headers, body).status, 201);
                let left = format!("/v2/app/manifests/{}", from.digest());
                assert_eq!(client.send("DELETE", &left, &[], b"").status, 202);
            }
        }));
        for _reader in 0..8 {
            let (client, mover) = (emulator.client(), Arc::clone(&mover));
            scope.spawn(move || {
                while !mover.is_finished() {
                    let pulled = client.get("/v2/app/manifests/moving");
                    assert_eq!(pulled.status, 200, "the tag was always there");
                }
            });
        }
    });
}

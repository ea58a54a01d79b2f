use std::{
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use sealock_tests::{Client, Emulator, Image, digest_of, eventually, random_bytes};
use ureq::SendBody;

/// The number of kills, unless `SEALOCK_CRASH_ROUNDS` overrides it.
const ROUNDS: usize = 50;

const PUSHERS: usize = 3;

/// The maximum number of requests before the kill.
const REQUESTS_BEFORE_KILL: usize = 60;

/// The number of images that a pusher keeps before it deletes the oldest.
const IMAGES_KEPT: usize = 12;

/// A pushed image with its own tag.
struct Pushed {
    repository: String,
    tag: String,
    image: Image,
    fate: Fate,
}

/// The expected state of an image after a kill.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate {
    /// The push was acknowledged.
    There,
    /// The deletion was acknowledged.
    Gone,
    /// An answer was lost, so the image is complete or absent.
    Open,
}

#[test]
fn kill_loses_nothing_acknowledged() {
    let rounds = std::env::var("SEALOCK_CRASH_ROUNDS")
        .map_or(ROUNDS, |rounds| rounds.parse().expect("a number"));
    let mut emulator = Emulator::start();
    // A layer that all pushers push, so that they race for its content.
    let shared = vec![7; 70_000];
    let mut pushed: Vec<Pushed> = Vec::new();
    let (mut acknowledged, mut deleted) = (0, 0);
    for round in 0..rounds {
        pushed = work_until_killed(&mut emulator, round, &shared, pushed);
        let of_this_round = format!("r{round}-");
        let is_new = |it: &&Pushed| it.fate == Fate::There && it.tag.starts_with(&of_this_round);
        acknowledged += pushed.iter().filter(is_new).count();
        deleted += pushed.iter().filter(|it| it.fate == Fate::Gone).count();
        emulator.start_again();
        assert_eq!(
            count(&emulator, "blobs/staging"),
            count(&emulator, "uploads"),
            "round {round}: what is staged is that of uploads that can go on"
        );
        let client = emulator.client();
        for Pushed {
            repository,
            tag,
            image,
            fate,
        } in &mut pushed
        {
            let status = client.pull(repository, tag, image).status;
            let was = *fate;
            match (was, status) {
                (Fate::There | Fate::Open, 200) => *fate = Fate::There,
                (Fate::Gone | Fate::Open, 404) => *fate = Fate::Gone,
                _ => panic!("round {round}: {repository}:{tag} was {was:?} and answers {status}"),
            }
        }
        // The remains of the kill are swept in the background.
        eventually("a whole store", || emulator.run(&["verify"]).code == 0);
        pushed.retain(|it| it.fate == Fate::There);
    }
    println!(
        "{rounds} rounds: {acknowledged} pushes and {deleted} deletions acknowledged, none lost"
    );
    assert!(
        acknowledged > rounds && deleted > 0,
        "the kills left no time for work: {acknowledged} pushes, {deleted} deletions"
    );
}

/// Pushes, pulls, deletes and rotates in several threads, and kills the emulator meanwhile.
fn work_until_killed(
    emulator: &mut Emulator,
    round: usize,
    shared: &[u8],
    earlier: Vec<Pushed>,
) -> Vec<Pushed> {
    let answered = AtomicUsize::new(0);
    let done = Mutex::new(Vec::new());
    let client = emulator.client();
    let kill_at = rand::random_range(1..REQUESTS_BEFORE_KILL);
    let mut theirs: Vec<Vec<Pushed>> = (0..PUSHERS).map(|_| Vec::new()).collect();
    for image in earlier {
        let pusher: usize = image.repository.trim_start_matches("app").parse().unwrap();
        theirs[pusher].push(image);
    }
    thread::scope(|scope| {
        for (pusher, mut mine) in theirs.into_iter().enumerate() {
            let worker = Worker {
                client: &client,
                answered: &answered,
            };
            let done = &done;
            scope.spawn(move || {
                let repository = format!("app{pusher}");
                let mut number = 0;
                loop {
                    let tag = format!("r{round}-{pusher}-{number}");
                    number += 1;
                    if worker.step(&repository, &tag, shared, &mut mine).is_none() {
                        break;
                    }
                }
                done.lock().unwrap().extend(mine);
            });
        }
        let worker = Worker {
            client: &client,
            answered: &answered,
        };
        scope.spawn(move || {
            if rand::random_ratio(1, 3) {
                worker.send(
                    "POST",
                    "/_sealock/v1/vaults/sealock/keys/registry-key/rotate",
                    &[],
                    b"",
                );
            }
        });
        eventually("enough answers", || {
            answered.load(Ordering::Relaxed) >= kill_at
        });
        emulator.kill();
    });
    done.into_inner().unwrap()
}

/// A client whose requests do not panic when the emulator is gone.
struct Worker<'a> {
    client: &'a Client,
    answered: &'a AtomicUsize,
}

impl Worker<'_> {
    /// Pushes an image, reads it, and deletes an old one. Returns `None` once the emulator is gone.
    fn step(
        &self,
        repository: &str,
        tag: &str,
        shared: &[u8],
        mine: &mut Vec<Pushed>,
    ) -> Option<()> {
        let noise = rand::random_range(0..200_000);
        let image = Image::of(vec![random_bytes(noise), shared.to_vec()]);
        mine.push(Pushed {
            repository: repository.to_owned(),
            tag: tag.to_owned(),
            image,
            fate: Fate::Open,
        });
        let newest = mine.last_mut()?;
        self.push(repository, tag, &newest.image)?;
        newest.fate = Fate::There;
        self.send(
            "GET",
            &format!("/v2/{repository}/manifests/{tag}"),
            &[],
            b"",
        )?;
        let kept: Vec<_> = (0..mine.len())
            .filter(|at| mine[*at].fate == Fate::There)
            .collect();
        if kept.len() > IMAGES_KEPT {
            let oldest = &mut mine[kept[0]];
            oldest.fate = Fate::Open;
            let digest = oldest.image.digest();
            self.send(
                "DELETE",
                &format!("/v2/{repository}/manifests/{digest}"),
                &[],
                b"",
            )?;
            oldest.fate = Fate::Gone;
        }
        Some(())
    }

    fn push(&self, repository: &str, tag: &str, image: &Image) -> Option<()> {
        let uploads = format!("/v2/{repository}/blobs/uploads/");
        for blob in image.blobs() {
            let digest = digest_of(blob);
            if rand::random() {
                self.send("POST", &format!("{uploads}?digest={digest}"), &[], blob)?;
                continue;
            }
            let location = self.send("POST", &uploads, &[], b"")?;
            let (one, other) = blob.split_at(blob.len() / 2);
            self.send("PATCH", &location, &[], one)?;
            self.send("PATCH", &location, &[], other)?;
            self.send("PUT", &format!("{location}?digest={digest}"), &[], b"")?;
        }
        let path = format!("/v2/{repository}/manifests/{tag}");
        let headers = [("content-type", Image::MEDIA_TYPE)];
        self.send("PUT", &path, &headers, image.manifest())
            .map(drop)
    }

    /// Returns the status and location of the answer, or `None` if there was no answer.
    fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Option<String> {
        let (length, mut body) = (Some(body.len()), body);
        let body = SendBody::from_reader(&mut body);
        let response = self.client.try_send(method, path, headers, body, length);
        let response = response.ok()?;
        self.answered.fetch_add(1, Ordering::Relaxed);
        let status = response.status();
        assert!(status.is_success(), "{method} {path}: {status}");
        let location = response.headers().get("location");
        Some(location.map_or_else(String::new, |it| it.to_str().unwrap().to_owned()))
    }
}

fn count(emulator: &Emulator, directory: &str) -> usize {
    let directory = emulator.data_dir().join(directory);
    std::fs::read_dir(directory).unwrap().count()
}

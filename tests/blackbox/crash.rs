use std::{
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use sealock_tests::{Client, Emulator, Image, eventually};
use ureq::SendBody;

const ROUNDS: usize = 50;
const PUSHERS: usize = 3;

/// How many requests may be answered before the kill.
const REQUESTS_BEFORE_KILL: usize = 40;

#[test]
fn nothing_acknowledged_is_lost_when_the_emulator_is_killed() {
    let mut emulator = Emulator::start();
    let mut acknowledged: Vec<(String, Image)> = Vec::new();
    for round in 0..ROUNDS {
        let pushed = push_until_killed(&mut emulator, round);
        emulator.start_again();
        assert_eq!(
            staged(&emulator),
            0,
            "round {round}: a staged file outlived the sweep"
        );

        let client = emulator.client();
        for (tag, image, was_acknowledged) in pushed {
            if was_acknowledged {
                assert_eq!(
                    client.pull("app", &tag, &image).status,
                    200,
                    "round {round}: {tag} was acknowledged"
                );
                acknowledged.push((tag, image));
            } else {
                // Not acknowledged: there whole, if only the answer was lost, or not at all.
                let status = client.pull("app", &tag, &image).status;
                assert!(
                    matches!(status, 200 | 404),
                    "round {round}: {tag} answers {status}"
                );
            }
        }
        // What the kill left behind is swept in the background.
        eventually("a whole store", || emulator.run(&["verify"]).code == 0);
    }
    let client = emulator.client();
    for (tag, image) in &acknowledged {
        assert_eq!(
            client.pull("app", tag, image).status,
            200,
            "{tag} was acknowledged"
        );
    }
    assert!(
        acknowledged.len() > ROUNDS,
        "the kills left no time for pushes: {}",
        acknowledged.len()
    );
}

/// Pushes from several threads and kills the emulator in the middle of it. Says of each push whether
/// it was acknowledged.
fn push_until_killed(emulator: &mut Emulator, round: usize) -> Vec<(String, Image, bool)> {
    let answered = AtomicUsize::new(0);
    let pushed = Mutex::new(Vec::new());
    let client = emulator.client();
    let kill_at = rand::random_range(1..REQUESTS_BEFORE_KILL);
    thread::scope(|scope| {
        for pusher in 0..PUSHERS {
            let (client, answered, pushed) = (&client, &answered, &pushed);
            scope.spawn(move || {
                for number in 0.. {
                    let tag = format!("r{round}-{pusher}-{number}");
                    let image = Image::random(&[rand::random_range(0..200_000), 100]);
                    let outcome = push(client, &tag, &image, answered);
                    pushed.lock().unwrap().push((tag, image, outcome.is_some()));
                    if outcome.is_none() {
                        return;
                    }
                }
            });
        }
        eventually("enough answers", || {
            answered.load(Ordering::Relaxed) >= kill_at
        });
        emulator.kill();
    });
    pushed.into_inner().unwrap()
}

/// A push that ends without a panic when the emulator is gone.
fn push(client: &Client, tag: &str, image: &Image, answered: &AtomicUsize) -> Option<()> {
    let send = |method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]| {
        let response = client.try_send(
            method,
            path,
            headers,
            SendBody::from_reader(&mut &*body),
            Some(body.len()),
        );
        let response = response.ok()?;
        answered.fetch_add(1, Ordering::Relaxed);
        assert!(
            response.status().is_success(),
            "{method} {path}: {}",
            response.status()
        );
        Some(response)
    };
    for blob in image.blobs() {
        let digest = sealock_tests::digest_of(blob);
        send(
            "POST",
            &format!("/v2/app/blobs/uploads/?digest={digest}"),
            &[],
            blob,
        )?;
    }
    let path = format!("/v2/app/manifests/{tag}");
    send(
        "PUT",
        &path,
        &[("content-type", Image::MEDIA_TYPE)],
        image.manifest(),
    )
    .map(drop)
}

fn staged(emulator: &Emulator) -> usize {
    let staging = emulator.data_dir().join("blobs/staging");
    std::fs::read_dir(staging).unwrap().count()
}

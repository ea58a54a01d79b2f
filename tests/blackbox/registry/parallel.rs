use std::thread;

use sealock_tests::{Emulator, Image, digest_of};

use super::{INDEX, begin, index, objects, put_manifest, random, staged, status};

#[test]
fn parallel_pushes_of_one_blob_leave_one_object() {
    let emulator = Emulator::start();
    for round in 0..5 {
        let content = random(300_000);
        let client = emulator.client();
        // Both uploads lack only their last request, so that they race there.
        let finish: Vec<String> = ["one", "two"]
            .map(|repository| {
                let location = begin(&client, repository);
                assert_eq!(client.send("PATCH", &location, &[], &content).status, 202);
                format!("{location}?digest={}", digest_of(&content))
            })
            .into();
        thread::scope(|scope| {
            for path in &finish {
                let client = client.clone();
                scope.spawn(move || assert_eq!(status(&client, "PUT", path), 201));
            }
        });
        assert_eq!(objects(&emulator).len(), round + 1);
        for repository in ["one", "two"] {
            assert!(
                client
                    .get(&format!("/v2/{repository}/blobs/{}", digest_of(&content)))
                    .body
                    == content
            );
        }
    }
    assert_eq!(staged(&emulator), 0);
    emulator.verify();
}

#[test]
fn parallel_pushes_of_one_manifest_leave_one_object() {
    let emulator = Emulator::start();
    for round in 0..10 {
        let manifest = index(&format!("round {round}"));
        thread::scope(|scope| {
            for pusher in 0..8 {
                let (client, manifest) = (emulator.client(), &manifest);
                scope.spawn(move || {
                    let pushed =
                        put_manifest(&client, "app", &format!("v{pusher}"), INDEX, manifest);
                    assert_eq!(pushed.status, 201);
                });
            }
        });
        assert_eq!(objects(&emulator).len(), round + 1);
    }
    emulator.verify();
}

#[test]
fn parallel_pushes_of_overlapping_content_leave_an_intact_store() {
    let emulator = Emulator::start();
    // Each image has its own configuration and shares its layers.
    let images: Vec<Image> = (0..4).map(|_| Image::random(&[66_000, 10])).collect();
    thread::scope(|scope| {
        for pusher in 0..16 {
            let (client, images) = (emulator.client(), &images);
            scope.spawn(move || {
                for turn in 0..4 {
                    let image = &images[(pusher + turn) % images.len()];
                    let repository = format!("app{}", pusher % 3);
                    assert_eq!(
                        client
                            .push(&repository, &format!("v{pusher}"), image)
                            .status,
                        201
                    );
                    if turn == 3 {
                        assert_eq!(
                            client
                                .pull(&repository, &format!("v{pusher}"), image)
                                .status,
                            200
                        );
                    }
                }
            });
        }
    });
    let contents: usize = images.iter().map(|image| image.blobs().count() + 1).sum();
    assert_eq!(
        objects(&emulator).len(),
        contents,
        "each content is stored once"
    );
    assert_eq!(staged(&emulator), 0);
    let verified = emulator.json(&["verify"]);
    assert_eq!(
        (&verified["whole"], &verified["registries"][0]["objects"]),
        (&true.into(), &contents.into())
    );
}

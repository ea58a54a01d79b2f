use std::{fs, thread};

use sealock_tests::{Emulator, Image, digest_of, eventually, random_bytes};
use serde_json::json;

#[test]
fn unreferenced_blob_is_collected_once_idle() {
    let emulator = Emulator::start();
    let client = emulator.client();
    emulator.cli(&["clock", "freeze"]);
    let image = Image::random(&[1000]);
    let loose = random_bytes(5000);
    let shared = random_bytes(700);
    assert_eq!(client.push("app", "v1", &image).status, 201);
    for (repository, blob) in [("app", &loose), ("app", &shared), ("other", &shared)] {
        assert_eq!(client.push_blob(repository, blob).status, 201);
    }
    let usage = || {
        emulator.json(&["registry", "show-usage"])["bytes"]
            .as_u64()
            .unwrap()
    };
    let images = image.manifest().len() + image.blobs().map(<[u8]>::len).sum::<usize>();
    let images = u64::try_from(images).unwrap();
    assert_eq!(usage(), images + 5000 + 700);

    let plan = || emulator.json(&["registry", "gc", "--dry-run"]);
    assert_eq!(
        plan(),
        json!({"blobs": [], "freed_bytes": 0}),
        "a push may be under way"
    );
    emulator.cli(&["clock", "advance", "89m"]);
    assert_eq!(plan()["blobs"], json!([]));
    // A client that asks for the blob may count on it.
    let head = |blob: &[u8]| {
        client
            .send(
                "HEAD",
                &format!("/v2/app/blobs/{}", digest_of(blob)),
                &[],
                b"",
            )
            .status
    };
    assert_eq!(head(&shared), 200);
    emulator.cli(&["clock", "advance", "1m"]);
    assert_eq!(
        plan(),
        json!({
            "blobs": [
                {"repository": "app", "digest": digest_of(&loose), "size": 5000},
                {"repository": "other", "digest": digest_of(&shared), "size": 700},
            ],
            "freed_bytes": 5000,
        })
    );
    assert_eq!(head(&loose), 200, "a dry run leaves it");
    assert_eq!(
        plan()["blobs"].as_array().unwrap().len(),
        1,
        "and so did asking"
    );
    emulator.cli(&["clock", "advance", "90m"]);
    assert_eq!(plan()["freed_bytes"], 5700);
    let collected = emulator.json(&["registry", "gc"]);
    assert_eq!(collected["freed_bytes"], 5700);
    assert_eq!(usage(), images);
    assert_eq!(head(&loose), 404);
    assert_eq!(client.pull("app", "v1", &image).status, 200);

    // A blob becomes garbage when its manifest is deleted.
    let path = format!("/v2/app/manifests/{}", image.digest());
    assert_eq!(client.send("DELETE", &path, &[], b"").status, 202);
    emulator.cli(&["clock", "advance", "2h"]);
    emulator.cli(&["registry", "gc"]);
    assert_eq!(usage(), 0);
    let left = emulator
        .files()
        .into_iter()
        .filter(|(path, _)| path.starts_with(emulator.data_dir().join("blobs")));
    assert_eq!(left.count(), 0);
    emulator.verify();
}

#[test]
fn push_during_collection_keeps_its_blob_or_is_refused() {
    let emulator = Emulator::start();
    let client = emulator.client();
    emulator.cli(&["clock", "freeze"]);
    // Makes the search for references slow.
    for tag in 0..100 {
        let image = Image::random(&[]);
        assert_eq!(client.push("app", &tag.to_string(), &image).status, 201);
    }
    for round in 0..30 {
        let image = Image::random(&[1000; 8]);
        for blob in image.blobs() {
            assert_eq!(client.push_blob("app", blob).status, 201);
        }
        emulator.cli(&["clock", "advance", "2h"]);
        let late = thread::scope(|scope| {
            let collector = scope.spawn(|| {
                let path = "/_sealock/v1/registries/sealock/garbage";
                emulator.client().send("DELETE", path, &[], b"").status
            });
            // Shifts the moment a little from round to round.
            for _ in 0..round % 10 {
                client.get("/_sealock/v1/health");
            }
            // No HEAD precedes it: the manifest alone makes the blobs needed.
            let headers = [("content-type", Image::MEDIA_TYPE)];
            let path = "/v2/app/manifests/late";
            let late = client.send("PUT", path, &headers, image.manifest());
            assert_eq!(collector.join().unwrap(), 200);
            late
        });
        match late.status {
            201 => assert_eq!(client.pull("app", "late", &image).status, 200),
            status => assert_eq!((status, &*late.code()), (400, "MANIFEST_BLOB_UNKNOWN")),
        }
    }
    emulator.verify();
}

#[test]
fn collection_keeps_everything_that_a_manifest_refers_to() {
    let emulator = Emulator::start();
    let client = emulator.client();
    let mut kept = Vec::new();
    let mut blob = |media_type: &str| {
        let content = random_bytes(100);
        assert_eq!(client.push_blob("app", &content).status, 201);
        kept.push(format!("/v2/app/blobs/{}", digest_of(&content)));
        json!({"mediaType": media_type, "digest": digest_of(&content), "size": 100})
    };
    let mut elsewhere = blob("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip");
    elsewhere["urls"] = json!(["https://elsewhere.test/layer"]);
    let image = "application/vnd.oci.image.manifest.v1+json";
    let index = "application/vnd.oci.image.index.v1+json";
    let docker = "application/vnd.docker.distribution.manifest.v2+json";
    let list = "application/vnd.docker.distribution.manifest.list.v2+json";
    let artifact = "application/vnd.oci.artifact.manifest.v1+json";
    let of_oras = "application/vnd.cncf.oras.artifact.manifest.v1+json";
    let child = json!({
        "schemaVersion": 2, "mediaType": image, "config": blob("a/b"), "layers": [blob("a/b")],
    });
    let child = child.to_string();
    let of_child =
        json!({"mediaType": image, "digest": digest_of(child.as_bytes()), "size": child.len()});
    let manifests = [
        (image, child.clone()),
        (
            docker,
            json!({"schemaVersion": 2, "mediaType": docker, "config": blob("a/b"), "layers": [blob("a/b"), elsewhere]})
                .to_string(),
        ),
        // Build caches list blobs where manifests are expected.
        (
            index,
            json!({"schemaVersion": 2, "mediaType": index, "manifests": [of_child, blob("a/b")]})
                .to_string(),
        ),
        (
            list,
            json!({"schemaVersion": 2, "mediaType": list, "manifests": [of_child, blob("a/b")]})
                .to_string(),
        ),
        (
            artifact,
            json!({"mediaType": artifact, "artifactType": "a/b", "blobs": [blob("a/b"), blob("a/b")], "subject": of_child})
                .to_string(),
        ),
        (
            of_oras,
            json!({"mediaType": of_oras, "artifactType": "a/b", "blobs": [blob("a/b")], "subject": of_child})
                .to_string(),
        ),
    ];
    for (media_type, manifest) in &manifests {
        let path = format!("/v2/app/manifests/{}", digest_of(manifest.as_bytes()));
        let headers = [("content-type", *media_type)];
        let pushed = client.send("PUT", &path, &headers, manifest.as_bytes());
        assert_eq!(pushed.status, 201, "{manifest}: {pushed:?}");
    }
    let loose = random_bytes(10);
    assert_eq!(client.push_blob("app", &loose).status, 201);
    emulator.cli(&["clock", "advance", "2h"]);
    let collected = emulator.json(&["registry", "gc"]);
    assert_eq!(
        collected["blobs"],
        json!([{"repository": "app", "digest": digest_of(&loose), "size": 10}])
    );
    for path in kept {
        assert_eq!(client.get(&path).status, 200, "{path}");
    }
}

#[test]
fn revoked_registry_is_not_collected() {
    let emulator = Emulator::start();
    assert_eq!(emulator.client().push_blob("app", b"loose").status, 201);
    emulator.cli(&["clock", "advance", "2h"]);
    emulator.cli(&["key", "disable"]);
    let refused = emulator.run(&["registry", "gc"]);
    assert_ne!(refused.code, 0);
    assert!(
        refused.stderr.contains("sealock status"),
        "{}",
        refused.stderr
    );
    emulator.cli(&["key", "enable"]);
    assert_eq!(emulator.json(&["registry", "gc"])["freed_bytes"], 5);
}

#[test]
fn orphaned_files_are_quarantined_and_removed_on_request() {
    let mut emulator = Emulator::start();
    let status = || emulator.json(&["status"])["quarantine"].clone();
    assert_eq!(status(), json!({"files": 0, "bytes": 0, "since": null}));
    emulator.stop();
    let orphan = "00112233445566778899aabbccddeeff";
    for (dir, content) in [("blobs", "12345"), ("vault-keys", "123")] {
        fs::write(emulator.data_dir().join(dir).join(orphan), content).unwrap();
    }
    emulator.start_again();
    let status = || emulator.json(&["status"])["quarantine"].clone();
    eventually("both in quarantine", || status()["files"] == 2);
    assert_eq!(status()["bytes"], 8);
    assert!(status()["since"].is_string());
    assert!(emulator.logged().contains("quarantine"));

    let shown = emulator.cli(&["status"]);
    assert!(shown.contains("2 files, 8 bytes"), "{shown}");
    let verified = emulator.cli(&["verify"]);
    assert!(
        verified.contains("2 files, 8 bytes in quarantine, which is not a problem"),
        "{verified}"
    );
    let listed = emulator.json(&["registry", "gc", "--orphans", "--dry-run"]);
    assert_eq!(listed["files"][0]["name"], format!("blobs/{orphan}"));
    assert_eq!(listed["files"][1]["name"], format!("vault-keys/{orphan}"));
    assert_eq!(status()["files"], 2, "a dry run leaves them");
    let removed = emulator.json(&["registry", "gc", "--orphans"]);
    assert_eq!(removed, listed);
    assert_eq!(status()["files"], 0);
    let left = emulator.cli(&["registry", "gc", "--orphans"]);
    assert!(left.contains("the quarantine is empty"), "{left}");
    let both = emulator.run(&["registry", "gc", "sealock", "--orphans"]);
    assert_eq!(both.code, 2, "{both:?}");
}

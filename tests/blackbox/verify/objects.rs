use std::{fs, path::PathBuf};

use sealock_tests::{Emulator, Image, Output, digest_of, eventually};
use serde_json::Value;

use crate::cli::assert_contains;

/// Returns the files of the objects with their content.
fn objects(emulator: &Emulator) -> Vec<(PathBuf, Vec<u8>)> {
    let blobs = emulator.data_dir().join("blobs");
    emulator
        .files()
        .into_iter()
        .filter(|(path, _)| path.parent() == Some(&blobs))
        .collect()
}

/// Runs `verify` as text and as JSON, and checks that it reports a problem.
fn verify(emulator: &Emulator) -> (Output, Value) {
    let (text, json) = (
        emulator.run(&["verify"]),
        emulator.run(&["verify", "--json"]),
    );
    assert_eq!((text.code, json.code), (1, 1), "{text:?}");
    let problem: Value = serde_json::from_str(&json.stderr).unwrap();
    let error = format!("error: {}\n", problem["detail"].as_str().unwrap());
    assert!(text.stderr.starts_with(&error), "{}", text.stderr);
    let json: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(json["whole"], false);
    (text, json)
}

#[test]
fn verify_reports_damaged_and_missing_objects() {
    let emulator = Emulator::start();
    let client = emulator.client();
    let image = Image::random(&[150_000]);
    assert_eq!(client.push("app", "v1", &image).status, 201);
    let of_size = |least: usize| move |(_, content): &&(PathBuf, Vec<u8>)| content.len() >= least;
    let objects = objects(&emulator);
    assert_eq!(objects.len(), 3);
    let (file, content) = objects.iter().find(of_size(150_000)).unwrap();
    let name = file.file_name().unwrap().to_str().unwrap();
    let layer = digest_of(image.blobs().next().unwrap());
    let path = format!("/v2/app/blobs/{layer}");

    // Offsets in the header's magic, version and salt, in the first, second and last segment, and in the binding.
    let (last_segment, binding) = (content.len() - 33, content.len() - 1);
    let flipped = [0, 8, 20, 48, 70_000, last_segment, binding].map(|at| {
        let mut flipped = content.clone();
        flipped[at] ^= 1;
        (format!("byte {at} flipped"), flipped)
    });
    let shorter = content[..content.len() - 1].to_vec();
    let longer = [&content[..], b"x"].concat();
    let another = objects
        .iter()
        .find(|(_, other)| other.len() < 150_000)
        .unwrap()
        .1
        .clone();
    for (what, damaged) in flipped.into_iter().chain([
        ("cut".to_owned(), shorter),
        ("extended".to_owned(), longer),
        ("empty".to_owned(), Vec::new()),
        ("another's".to_owned(), another),
    ]) {
        fs::write(file, damaged).unwrap();
        let (text, json) = verify(&emulator);
        assert_contains(&text.stdout, &["sealock: ObjectDamaged: ", &layer], &what);
        assert_contains(
            &text.stderr,
            &["error: 1 problem in the stored content"],
            &what,
        );
        assert_eq!(
            json["registries"][0]["problems"][0]["kind"], "ObjectDamaged",
            "{what}"
        );
        // The pull is refused or cut short.
        let served = client
            .try_send("GET", &path, &[], ureq::SendBody::none(), None)
            .and_then(|answer| answer.into_body().read_to_vec());
        assert!(
            !served.is_ok_and(|body| body == image.blobs().next().unwrap()),
            "{what}: it is served as if nothing had happened"
        );
    }

    fs::remove_file(file).unwrap();
    let (text, json) = verify(&emulator);
    assert_contains(
        &text.stdout,
        &["sealock: ObjectMissing: ", &layer, name],
        "missing",
    );
    assert_eq!(
        json["registries"][0]["problems"][0]["kind"],
        "ObjectMissing"
    );
    let answer = client.get(&path);
    assert_eq!((answer.status, answer.code().as_str()), (500, "UNKNOWN"));
    assert_contains(
        &String::from_utf8(answer.body).unwrap(),
        &["damaged"],
        "missing",
    );

    let (manifest, _) = objects
        .iter()
        .find(|(_, content)| content.len() > 80 + image.manifest().len() && content.len() < 2000)
        .unwrap();
    fs::remove_file(manifest).unwrap();
    let (text, _) = verify(&emulator);
    assert_contains(
        &text.stderr,
        &["error: 2 problems in the stored content"],
        "two missing",
    );

    for (path, content) in &objects {
        fs::write(path, content).unwrap();
    }
    emulator.verify();
    assert_eq!(client.pull("app", "v1", &image).status, 200);
}

#[test]
fn verify_reports_an_orphaned_object_and_the_next_start_quarantines_it() {
    let mut emulator = Emulator::start();
    let image = Image::random(&[100]);
    assert_eq!(emulator.client().push("app", "v1", &image).status, 201);
    let name = "0123456789abcdef0123456789abcdef";
    let orphan = emulator.data_dir().join("blobs").join(name);
    fs::write(&orphan, b"left behind").unwrap();
    let (text, json) = verify(&emulator);
    assert_eq!(json["problems"][0]["kind"], "ObjectOrphaned");
    assert_contains(
        json["problems"][0]["description"].as_str().unwrap(),
        &[name],
        "orphan",
    );
    assert_contains(
        &text.stdout,
        &["ObjectOrphaned", name],
        "people are told, too",
    );
    assert_contains(
        &text.stderr,
        &["error: 1 problem in the stored content"],
        "orphan",
    );

    emulator.restart();
    eventually("the sweep", || !orphan.exists());
    emulator.verify();
    assert_eq!(emulator.client().pull("app", "v1", &image).status, 200);
}

#[test]
fn verify_fails_for_a_revoked_registry() {
    let emulator = Emulator::start();
    assert_eq!(
        emulator
            .client()
            .push("app", "v1", &Image::random(&[100]))
            .status,
        201
    );
    emulator.cli(&["key", "disable"]);
    let (text, json) = verify(&emulator);
    assert_contains(
        &text.stdout,
        &["\nsealock   revoked (KeyDisabled)  0 "],
        "revoked",
    );
    assert_contains(
        &text.stderr,
        &[
            "error: registry sealock is revoked (KeyDisabled), so its content could not be read",
            "hint: enable the key with: sealock key enable registry-key --vault sealock --version ",
            "; then verify again\n",
        ],
        "revoked",
    );
    assert_eq!(
        (
            &json["registries"][0]["state"],
            &json["registries"][0]["cause"]
        ),
        (&"revoked".into(), &"KeyDisabled".into())
    );
    let shown = emulator.cli(&["inspect", "app:v1"]);
    assert_contains(
        &shown,
        &["the registry is revoked (KeyDisabled)", "manifest"],
        "inspect",
    );
    emulator.cli(&["key", "enable"]);
    emulator.verify();

    emulator.cli(&["key", "backup", "--file", "BACKUP"]);
    emulator.cli(&["key", "delete"]);
    emulator.cli(&["key", "purge", "--yes"]);
    let (text, _) = verify(&emulator);
    let hint = "hint: restore the key with: sealock key restore --vault sealock --file BACKUP; \
                without a backup, the content is lost\n";
    assert_contains(&text.stderr, &[hint], "purged");
    emulator.cli(&["key", "restore", "--file", "BACKUP"]);
    emulator.verify();

    emulator.cli(&["vault", "delete"]);
    emulator.cli(&["vault", "purge", "--yes"]);
    let (text, _) = verify(&emulator);
    let hint = "hint: restore the key with: sealock vault create sealock && \
                sealock key restore --vault sealock --file BACKUP; without a backup, the content is lost\n";
    assert_contains(&text.stderr, &[hint], "a vault that was purged");
    emulator.cli(&["vault", "create", "sealock"]);
    emulator.cli(&["key", "restore", "--file", "BACKUP"]);
    let (text, _) = verify(&emulator);
    let hint =
        "hint: give the identity access to the key with: sealock access grant --vault sealock";
    assert_contains(&text.stderr, &[hint], "a new vault");
    emulator.cli(&["access", "grant"]);
    emulator.verify();
}

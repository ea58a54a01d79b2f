use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use sealock_tests::{Client, Emulator, Image, Options};
use tempfile::TempDir;

use super::{ANY_PORT, Serve, refused};
use crate::cli::assert_contains;

#[test]
fn data_directory_in_use_is_refused() {
    let mut emulator = Emulator::start();
    let data_dir = emulator.data_dir();
    let data_dir = data_dir.to_str().unwrap();
    let arguments = [&ANY_PORT[..], &["--data-dir", data_dir]].concat();
    let error = refused(&arguments, &[]);
    assert_contains(
        &error,
        &[
            "error:",
            data_dir,
            "in use by another sealock",
            "--data-dir",
        ],
        "second start",
    );
    assert_eq!(
        emulator.client().get("/_sealock/v1/health").status,
        200,
        "the first one is not disturbed"
    );
    emulator.restart();
}

#[test]
fn data_directory_of_another_format_is_refused_and_unchanged() {
    let mut emulator = Emulator::start();
    emulator.stop();
    fs::write(emulator.data_dir().join("format"), "99 x\n").unwrap();
    let before = emulator.files();
    let data_dir = emulator.data_dir();
    let arguments = [&ANY_PORT[..], &["--data-dir", data_dir.to_str().unwrap()]].concat();
    let error = refused(&arguments, &[]);
    assert_contains(
        &error,
        &["error:", data_dir.to_str().unwrap(), "format 99"],
        "another format",
    );
    assert!(emulator.files() == before);
}

#[test]
fn ephemeral_emulator_writes_nothing() {
    let config = concat!(env!("CARGO_MANIFEST_DIR"), "/../emulator-config/ci.toml");
    for arguments in [
        [&ANY_PORT[..], &["--ephemeral"]].concat(),
        vec!["--config", config],
    ] {
        writes_nothing(&[&arguments[..], &["--ready-file", "ready"]].concat());
    }
}

fn writes_nothing(arguments: &[&str]) {
    let mut serve = Serve::start(TempDir::new().unwrap(), arguments, &[]);
    let address = serve.ready()["address"].as_str().unwrap().to_owned();
    let client = Client::new(&format!("http://{address}"));
    let image = Image::random(&[100_000]);
    assert_eq!(client.push("app", "v1", &image).status, 201);
    assert_eq!(client.pull("app", "v1", &image).status, 200);
    let audit = client.get("/_sealock/v1/audit");
    assert!(
        audit.body.windows(9).any(|part| part == b"KeyUnwrap"),
        "{audit:?}"
    );
    let names = |dir: &Path| {
        let mut names: Vec<_> = fs::read_dir(dir)
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        names.sort();
        names
    };
    assert_eq!(names(serve.dir.path()), ["ready", "stderr", "stdout"]);
    let stdout = serve.text("stdout");
    assert_contains(&stdout, &["in memory"], "banner");
    assert_eq!(serve.terminate().code, 0);
    assert_eq!(names(serve.dir.path()), ["stderr", "stdout"]);
}

#[test]
fn missing_or_damaged_service_key_is_refused_with_a_hint() {
    let mut emulator = Emulator::start();
    let image = Image::random(&[100]);
    assert_eq!(emulator.client().push("app", "v1", &image).status, 201);
    emulator.stop();
    let (data_dir, key) = (emulator.data_dir(), emulator.data_dir().join("service.key"));
    let arguments = [&ANY_PORT[..], &["--data-dir", data_dir.to_str().unwrap()]].concat();
    let content = fs::read(&key).unwrap();

    fs::remove_file(&key).unwrap();
    let error = refused(&arguments, &[]);
    assert_contains(
        &error,
        &[
            "service.key is missing",
            "hint:",
            "SEALOCK_SERVICE_KEY_FILE",
        ],
        "missing",
    );
    assert!(!key.exists(), "no new key hides the loss");
    for damaged in [&b"not base64!"[..], b"AAAA", b""] {
        fs::write(&key, damaged).unwrap();
        assert_contains(
            &refused(&arguments, &[]),
            &["error:", "service.key is damaged"],
            "damaged",
        );
    }
    // Well-formed, but of another data directory.
    fs::write(&key, format!("{}=\n", "A".repeat(43))).unwrap();
    assert_contains(
        &refused(&arguments, &[]),
        &["error:", "is not the one that wrote the data directory"],
        "foreign",
    );
    fs::write(&key, content).unwrap();
    emulator.start_again();
    assert_eq!(emulator.client().pull("app", "v1", &image).status, 200);
}

#[test]
fn service_key_is_read_from_another_file() {
    let elsewhere = TempDir::new().unwrap();
    let key = elsewhere.path().join("key");
    let mut emulator = Emulator::start_with(Options {
        environment: vec![(
            "SEALOCK_SERVICE_KEY_FILE".into(),
            key.to_str().unwrap().into(),
        )],
        ..Options::default()
    });
    let image = Image::random(&[100]);
    assert_eq!(emulator.client().push("app", "v1", &image).status, 201);
    emulator.restart();
    assert_eq!(emulator.client().pull("app", "v1", &image).status, 200);
    emulator.stop();

    assert_eq!(
        fs::metadata(&key).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let content = fs::read_to_string(&key).unwrap();
    let content = content.trim().as_bytes();
    for (path, bytes) in emulator.files() {
        let found = bytes.windows(content.len()).any(|window| window == content);
        assert!(
            !found && path.file_name().unwrap() != "service.key",
            "{}",
            path.display()
        );
    }
    let data_dir = emulator.data_dir();
    let arguments = [&ANY_PORT[..], &["--data-dir", data_dir.to_str().unwrap()]].concat();
    let error = refused(&arguments, &[]);
    assert_contains(
        &error,
        &["is missing", "SEALOCK_SERVICE_KEY_FILE"],
        "without the variable",
    );
}

/// Returns true if anyone but the owner has a permission for a file or directory.
fn is_open(path: &Path) -> bool {
    fs::metadata(path).unwrap().permissions().mode() & 0o077 != 0
}

#[test]
fn data_directory_is_private_to_its_owner() {
    let emulator = Emulator::start();
    let client = emulator.client();
    assert_eq!(
        client.push("app", "v1", &Image::random(&[1000])).status,
        201
    );
    let location = client
        .send("POST", "/v2/app/blobs/uploads/", &[], b"")
        .header("location")
        .to_owned();
    assert_eq!(client.send("PATCH", &location, &[], b"staged").status, 202);

    let data_dir = emulator.data_dir();
    let files: Vec<PathBuf> = emulator.files().into_iter().map(|(path, _)| path).collect();
    let below = |name: &str| {
        let name = data_dir.join(name);
        files
            .iter()
            .filter(|path| path.starts_with(&name))
            .cloned()
            .collect::<Vec<_>>()
    };
    for (name, least) in [
        ("service.key", 1),
        ("audit.jsonl", 1),
        ("vault-keys", 2),
        ("blobs", 4),
        ("blobs/staging", 1),
        ("uploads", 1),
    ] {
        let found = below(name);
        assert!(found.len() >= least, "{name}: {found:?}");
        for file in found {
            assert!(!is_open(&file), "{} is open to others", file.display());
        }
    }
    // Names, tags and digests are private too.
    for file in &files {
        let closed = file
            .ancestors()
            .take_while(|path| path.starts_with(&data_dir))
            .any(|path| !is_open(path));
        assert!(closed, "{} can be reached by others", file.display());
    }
}

//! The demo image that the command line generates.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::Read as _,
    path::Path,
    process::{Command, Stdio},
};

use sealock_tests::{Emulator, Image, Terminal, digest_of, run};
use serde_json::{Value, json};
use tar::Archive;
use tempfile::TempDir;

/// Returns what the command writes to standard output.
fn made(arguments: &[&str], environment: &[(&str, &str)]) -> Vec<u8> {
    let output = Command::new(Emulator::binary())
        .args(["demo", "image"])
        .args(arguments)
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    output.stdout
}

/// Returns the files of an archive.
fn files(archive: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let mut archive = Archive::new(archive);
    let entries = archive.entries().unwrap().map(|entry| {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().display().to_string();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        (path, content)
    });
    entries.collect()
}

/// Returns the names that an archive gives its image: Docker's and containerd's.
fn names(archive: &[u8]) -> [Value; 2] {
    let files = files(archive);
    let [docker, index]: [Value; 2] =
        ["manifest.json", "index.json"].map(|path| serde_json::from_slice(&files[path]).unwrap());
    [
        docker[0]["RepoTags"].clone(),
        json!([index["manifests"][0]["annotations"]["io.containerd.image.name"]]),
    ]
}

#[test]
fn demo_image_is_reproducible_with_correct_digests() {
    let archive = made(&[], &[]);
    assert_eq!(archive, made(&[], &[]));

    let packed = files(&archive);
    for (path, content) in &packed {
        if let Some(hash) = path.strip_prefix("blobs/sha256/") {
            assert_eq!(digest_of(content), format!("sha256:{hash}"));
        }
    }
    let blob = |descriptor: &Value| {
        let digest = descriptor["digest"].as_str().unwrap();
        let content = &packed[&format!("blobs/{}", digest.replace(':', "/"))];
        assert_eq!(descriptor["size"], content.len(), "{descriptor}");
        content.clone()
    };
    let parse = |bytes: &[u8]| -> Value { serde_json::from_slice(bytes).unwrap() };
    let manifest = parse(&blob(&parse(&packed["index.json"])["manifests"][0]));
    let (config, layer) = (blob(&manifest["config"]), blob(&manifest["layers"][0]));
    assert_eq!(
        parse(&config)["rootfs"]["diff_ids"],
        json!([digest_of(&layer)])
    );
    let path = |content: &[u8]| format!("blobs/{}", digest_of(content).replace(':', "/"));
    assert_eq!(
        parse(&packed["manifest.json"]),
        json!([{
            "Config": path(&config),
            "RepoTags": ["localhost:5000/hello:v1"],
            "Layers": [path(&layer)],
        }])
    );
    assert!(files(&layer)["hello.txt"].starts_with(b"Hello"));
}

#[test]
fn demo_image_is_named_after_the_emulator_by_default() {
    for (arguments, environment, name) in [
        (&[][..], &[][..], "localhost:5000/hello:v1"),
        (
            &[],
            &[("SEALOCK_EMULATOR", "http://localhost:5001")],
            "localhost:5001/hello:v1",
        ),
        (
            &["--emulator", "http://127.0.0.1:5002"],
            &[],
            "127.0.0.1:5002/hello:v1",
        ),
        (
            &["--emulator", "http://localhost"],
            &[],
            "localhost:80/hello:v1",
        ),
        (
            &["--name", "localhost:5003/team/app"],
            &[],
            "localhost:5003/team/app:latest",
        ),
    ] {
        let archive = made(arguments, environment);
        assert_eq!(names(&archive), [json!([name]), json!([name])]);
    }
    let refused = run(
        &["demo", "image", "--name", "hello:v1"],
        Path::new("."),
        &[],
    );
    assert_eq!((refused.code, &*refused.stdout), (2, ""));
    assert!(
        refused.stderr.contains("such as localhost:5000/hello:v1"),
        "{refused:?}"
    );
}

#[test]
fn demo_image_in_a_file_is_pushed_and_pulled_unchanged() {
    let emulator = Emulator::start();
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("hello.tar");
    let arguments = ["demo", "image", "--file", file.to_str().unwrap()];
    assert_eq!(
        emulator.cli(&arguments),
        format!(
            "wrote {}/hello:v1 to {}\n",
            emulator.address(),
            file.display()
        )
    );
    let layout = dir.path().join("layout");
    Archive::new(File::open(&file).unwrap())
        .unpack(&layout)
        .unwrap();
    let image = Image::from_layout(&layout);
    let client = emulator.client();
    assert_eq!(client.push("hello", "v1", &image).status, 201);
    assert_eq!(client.pull("hello", "v1", &image).status, 200);

    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    let refused = emulator.run(&arguments);
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.stderr.contains("hello.tar"), "{refused:?}");
}

#[test]
fn demo_image_is_not_written_to_a_terminal() {
    let output = Command::new(Emulator::binary())
        .args(["demo", "image", "--emulator", "http://localhost:5001"])
        .stdin(Stdio::null())
        .stdout(Terminal::open().stdio())
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        "error: cannot write an archive to a terminal\n\
         hint: load it with: sealock demo image --emulator http://localhost:5001 | docker load; \
         or write it to a file with --file FILE\n"
    );
}

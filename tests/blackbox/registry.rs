mod blobs;
mod manifests;
mod names;
mod parallel;
mod uploads;

use std::{collections::BTreeSet, fs, io::Write as _, net::TcpStream};

use sealock_tests::{Answer, Client, Emulator, Image, Options, digest_of, eventually};
use serde_json::{Value, json};

const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// Returns unique content.
fn random(size: usize) -> Vec<u8> {
    Image::random(&[size]).blobs().next().unwrap().to_owned()
}

fn send(client: &Client, method: &str, path: &str) -> Answer {
    client.send(method, path, &[], b"")
}

fn status(client: &Client, method: &str, path: &str) -> u16 {
    send(client, method, path).status
}

fn begin(client: &Client, repository: &str) -> String {
    let begun = send(client, "POST", &format!("/v2/{repository}/blobs/uploads/"));
    assert_eq!((begun.status, begun.header("range")), (202, "0-0"));
    begun.header("location").to_owned()
}

fn put_manifest(
    client: &Client,
    repository: &str,
    reference: &str,
    media_type: &str,
    manifest: &[u8],
) -> Answer {
    let path = format!("/v2/{repository}/manifests/{reference}");
    client.send("PUT", &path, &[("content-type", media_type)], manifest)
}

/// Returns an index without entries. Another note makes another index.
fn index(note: &str) -> Vec<u8> {
    let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [], "annotations": {"note": note}});
    index.to_string().into_bytes()
}

/// Returns the names of the object files.
fn objects(emulator: &Emulator) -> BTreeSet<String> {
    let entries = fs::read_dir(emulator.data_dir().join("blobs"))
        .unwrap()
        .map(Result::unwrap);
    entries
        .filter(|entry| entry.file_type().unwrap().is_file())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect()
}

fn staged(emulator: &Emulator) -> usize {
    fs::read_dir(emulator.data_dir().join("blobs/staging"))
        .unwrap()
        .count()
}

/// Returns the names in a list such as `{"tags": [...]}`.
fn names(list: &Value, key: &str) -> Vec<String> {
    let names = list[key].as_array().unwrap().iter();
    names
        .map(|name| name.as_str().unwrap().to_owned())
        .collect()
}

fn tags(client: &Client, repository: &str) -> Vec<String> {
    names(
        &client.get(&format!("/v2/{repository}/tags/list")).json(),
        "tags",
    )
}

#[test]
fn refusal_reaches_a_client_that_is_still_sending() {
    let emulator = Emulator::start();
    let client = emulator.client();
    let body = random(200_000);
    let location = begin(&client, "app");
    let unknown = "/v2/app/blobs/uploads/00000000-0000-4000-8000-000000000000";
    for _again in 0..5 {
        for (method, path, header, status) in [
            ("PATCH", unknown, ("accept", "*/*"), 404),
            ("PATCH", &location, ("content-range", "1-200000"), 416),
            ("PUT", "/v2/A/manifests/v1", ("accept", "*/*"), 400),
            (
                "PUT",
                "/v2/app/manifests/v1",
                ("authorization", "Basic YTpi"),
                401,
            ),
            ("POST", "/v2/app/blobs/uploads/", ("origin", "null"), 403),
            ("POST", "/v2/_catalog", ("accept", "*/*"), 405),
        ] {
            let answer = client.send(method, path, &[header], &body);
            assert_eq!(answer.status, status, "{method} {path}");
        }
    }
}

#[test]
fn client_that_disconnects_before_the_answer_leaves_nothing_behind() {
    let emulator = Emulator::start();
    let kept = index("kept");
    assert_eq!(
        put_manifest(&emulator.client(), "app", "kept", INDEX, &kept).status,
        201
    );
    for push in 0..100 {
        let manifest = index(&format!("{push} {}", "x".repeat(20_000)));
        let head = format!(
            "PUT /v2/app/manifests/v{push} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n",
            manifest.len()
        );
        let mut stream = TcpStream::connect(emulator.address()).unwrap();
        stream
            .write_all(&[head.as_bytes(), &manifest].concat())
            .unwrap();
    }
    // Each manifest is stored completely or not at all.
    eventually("a whole store", || {
        let tags = tags(&emulator.client(), "app").len();
        objects(&emulator).len() == tags && emulator.run(&["verify"]).code == 0
    });
}

#[test]
fn content_survives_a_restart() {
    let mut emulator = Emulator::start();
    let image = Image::random(&[200_000, 0]);
    let client = emulator.client();
    assert_eq!(client.push("app", "v1", &image).status, 201);
    assert_eq!(client.push("other/app", "v1", &image).status, 201);
    let tagged = index("tagged twice");
    assert_eq!(
        put_manifest(&client, "app", "v2", INDEX, &tagged).status,
        201
    );
    assert_eq!(status(&client, "DELETE", "/v2/other/app/manifests/v1"), 202);
    emulator.restart();

    let client = emulator.client();
    assert_eq!(client.pull("app", "v1", &image).status, 200);
    assert_eq!(
        client.pull("other/app", &image.digest(), &image).status,
        200
    );
    assert_eq!(client.get("/v2/app/manifests/v2").body, tagged);
    assert_eq!(
        status(&client, "GET", "/v2/other/app/manifests/v1"),
        404,
        "what was deleted stays so"
    );
    assert_eq!(tags(&client, "app"), ["v1", "v2"]);
    emulator.verify();
}

#[test]
fn every_kind_of_registry_serves_its_content() {
    let plain =
        "[registry]\ndefault = \"plain\"\n\n[[registries]]\nname = \"plain\"\nsku = \"Basic\"\n";
    let (ephemeral, config) = (true, || Some(plain.to_owned()));
    for (name, options, registry, layers) in [
        (
            "in memory",
            Options {
                ephemeral,
                ..Options::default()
            },
            "sealock",
            &["service", "cmk"][..],
        ),
        (
            "without a key",
            Options {
                config: config(),
                ..Options::default()
            },
            "plain",
            &["service"],
        ),
        (
            "in memory, without a key",
            Options {
                ephemeral,
                config: config(),
                ..Options::default()
            },
            "plain",
            &["service"],
        ),
    ] {
        let emulator = Emulator::start_with(options);
        let client = emulator.client();
        let image = Image::random(&[200_000, 0]);
        assert_eq!(client.push("app", "v1", &image).status, 201, "{name}");
        assert_eq!(client.pull("app", "v1", &image).status, 200, "{name}");
        let layer = image.blobs().next().unwrap();
        let path = format!("/v2/app/blobs/{}", digest_of(layer));
        let part = client.send("GET", &path, &[("range", "bytes=65530-131080")], b"");
        assert!(part.body == layer[65_530..=131_080], "{name}");

        let shown = emulator.json(&["inspect", "app:v1", "--registry", registry]);
        assert_eq!(names(&shown, "layers"), layers, "{name}");
        assert_eq!(shown["wrapped_by"].is_null(), registry == "plain", "{name}");
        assert_eq!(
            emulator.json(&["verify"])["registries"][0]["name"],
            registry,
            "{name}"
        );

        assert_eq!(
            status(
                &client,
                "DELETE",
                &format!("/v2/app/manifests/{}", image.digest())
            ),
            202,
            "{name}"
        );
        assert_eq!(status(&client, "DELETE", &path), 202, "{name}");
        assert_eq!(status(&client, "GET", &path), 404, "{name}");
        emulator.verify();
    }
}

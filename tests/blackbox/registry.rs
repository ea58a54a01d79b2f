use std::{collections::BTreeSet, fs, io::Write as _, net::TcpStream, thread};

use sealock_tests::{
    Answer, Client, Emulator, Image, Options, digest_of, eventually, random_bytes,
};
use serde_json::{Value, json};
use ureq::SendBody;

const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// Sizes around the boundaries of the 64 KiB segments in which objects are sealed.
const SIZES: [usize; 7] = [0, 1, 1000, 65_535, 65_536, 65_537, 3 * 65_536 + 1];

/// Content unlike any other.
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

/// An index without entries, unlike any other with another note.
fn index(note: &str) -> Vec<u8> {
    let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [], "annotations": {"note": note}});
    index.to_string().into_bytes()
}

/// The names of the object files.
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

/// The names in a list such as `{"tags": [...]}`.
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

fn monolithic_post(client: &Client, content: &[u8]) -> Answer {
    let path = format!("/v2/app/blobs/uploads/?digest={}", digest_of(content));
    client.send(
        "POST",
        &path,
        &[("content-type", "application/octet-stream")],
        content,
    )
}

fn post_and_put(client: &Client, content: &[u8]) -> Answer {
    let finish = format!("{}?digest={}", begin(client, "app"), digest_of(content));
    client.send("PUT", &finish, &[], content)
}

/// In three chunks, the last one in the closing PUT if `put_last`.
fn in_chunks(client: &Client, content: &[u8], put_last: bool) -> Answer {
    let mut location = begin(client, "app");
    let digest = digest_of(content);
    let cuts = [0, content.len() / 3, content.len() / 3 * 2, content.len()];
    let chunks: Vec<_> = cuts.windows(2).filter(|cut| cut[0] < cut[1]).collect();
    for (index, cut) in chunks.iter().enumerate() {
        let range = format!("{}-{}", cut[0], cut[1] - 1);
        let headers = [("content-range", range.as_str())];
        let chunk = &content[cut[0]..cut[1]];
        if put_last && index + 1 == chunks.len() {
            return client.send(
                "PUT",
                &format!("{location}?digest={digest}"),
                &headers,
                chunk,
            );
        }
        let sent = client.send("PATCH", &location, &headers, chunk);
        assert_eq!(
            (sent.status, sent.header("range")),
            (202, &*format!("0-{}", cut[1] - 1))
        );
        sent.header("location").clone_into(&mut location);
    }
    client.send("PUT", &format!("{location}?digest={digest}"), &[], b"")
}

/// Without a length: in HTTP's chunks.
fn streamed(client: &Client, content: &[u8]) -> Answer {
    let location = begin(client, "app");
    let mut body = content;
    let sent = client
        .try_send(
            "PATCH",
            &location,
            &[],
            SendBody::from_reader(&mut body),
            None,
        )
        .unwrap();
    assert_eq!(sent.status(), 202);
    client.send(
        "PUT",
        &format!("{location}?digest={}", digest_of(content)),
        &[],
        b"",
    )
}

type Upload = fn(&Client, &[u8]) -> Answer;

const UPLOADS: &[(&str, Upload)] = &[
    ("POST with a digest", monolithic_post),
    ("POST and PUT", post_and_put),
    ("POST, PATCH and PUT", |client, content| {
        client.push_blob("app", content)
    }),
    ("chunks", |client, content| {
        in_chunks(client, content, false)
    }),
    ("chunks, the last one in PUT", |client, content| {
        in_chunks(client, content, true)
    }),
    ("streamed", streamed),
];

#[test]
fn every_way_of_uploading_stores_every_size() {
    let emulator = Emulator::start();
    let client = emulator.client();
    for (name, upload) in UPLOADS {
        for size in SIZES {
            let what = format!("{name}, {size} bytes");
            let content = random(size);
            let path = format!("/v2/app/blobs/{}", digest_of(&content));
            let pushed = upload(&client, &content);
            assert_eq!(
                (pushed.status, pushed.header("location")),
                (201, path.as_str()),
                "{what}"
            );
            assert_eq!(
                pushed.header("docker-content-digest"),
                digest_of(&content),
                "{what}"
            );
            let pulled = client.get(&path);
            assert_eq!(pulled.status, 200, "{what}");
            assert!(pulled.body == content, "{what}");
            assert_eq!(pulled.header("content-length"), size.to_string(), "{what}");
        }
    }
    assert_eq!(staged(&emulator), 0);
    emulator.verify();
}

#[test]
fn an_upload_says_how_far_it_is_and_survives_a_chunk_out_of_order() {
    let emulator = Emulator::start();
    let client = emulator.client();
    let content = random(70_000);
    let location = begin(&client, "app");
    let at = |received: usize| {
        let answer = client.get(&location);
        assert_eq!(
            (answer.status, answer.header("location")),
            (204, location.as_str())
        );
        assert_eq!(
            answer.header("range"),
            format!("0-{}", received.saturating_sub(1))
        );
        assert!(location.ends_with(answer.header("docker-upload-uuid")));
    };
    let chunk = |method: &str, path: &str, begins: usize, ends: usize| {
        let range = format!("{begins}-{}", ends - 1);
        client.send(
            method,
            path,
            &[("content-range", &range)],
            &content[begins..ends],
        )
    };
    let finish = format!("{location}?digest={}", digest_of(&content));

    at(0);
    assert_eq!(chunk("PATCH", &location, 0, 30_000).status, 202);
    at(30_000);
    for (what, refused) in [
        ("a gap", chunk("PATCH", &location, 30_001, 40_000)),
        ("a repetition", chunk("PATCH", &location, 0, 30_000)),
        ("an overlap", chunk("PATCH", &location, 29_999, 40_000)),
        (
            "a gap before the end",
            chunk("PUT", &finish, 40_000, 70_000),
        ),
    ] {
        assert_eq!(
            (refused.status, refused.code().as_str()),
            (416, "RANGE_INVALID"),
            "{what}"
        );
        assert_eq!(
            (refused.header("location"), refused.header("range")),
            (location.as_str(), "0-29999"),
            "{what}"
        );
        at(30_000);
    }
    assert_eq!(chunk("PATCH", &location, 30_000, 40_000).status, 202);
    assert_eq!(chunk("PUT", &finish, 40_000, 70_000).status, 201);
    assert!(
        client
            .get(&format!("/v2/app/blobs/{}", digest_of(&content)))
            .body
            == content
    );
    assert_eq!(
        status(&client, "GET", &location),
        404,
        "a completed upload is gone"
    );
}

#[test]
fn a_cancelled_upload_is_gone_and_leaves_nothing() {
    let emulator = Emulator::start();
    let client = emulator.client();
    let location = begin(&client, "app");
    assert_eq!(
        client
            .send("PATCH", &location, &[], &random(100_000))
            .status,
        202
    );
    assert_eq!(staged(&emulator), 1);
    assert_eq!(status(&client, "DELETE", &location), 204);
    let finish = format!("{location}?digest={}", digest_of(b""));
    for (method, path) in [
        ("GET", &location),
        ("PATCH", &location),
        ("DELETE", &location),
        ("PUT", &finish),
    ] {
        let answer = send(&client, method, path);
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (404, "BLOB_UPLOAD_UNKNOWN"),
            "{method}"
        );
    }
    assert_eq!((staged(&emulator), objects(&emulator).len()), (0, 0));
}

#[test]
fn a_blob_is_mounted_from_the_repository_that_has_it() {
    let emulator = Emulator::start();
    let client = emulator.client();
    let content = random(1000);
    let digest = digest_of(&content);
    assert_eq!(client.push_blob("from/here", &content).status, 201);

    let mount = |digest: &str, from: &str| {
        send(
            &client,
            "POST",
            &format!("/v2/to/blobs/uploads/?mount={digest}&from={from}"),
        )
    };
    for (what, answer) in [
        (
            "another repository does not have it",
            mount(&digest, "elsewhere"),
        ),
        (
            "nobody has it",
            mount(&digest_of(b"never pushed"), "from/here"),
        ),
        (
            "nobody has it, whoever is asked",
            send(
                &client,
                "POST",
                &format!("/v2/to/blobs/uploads/?mount={}", digest_of(b"never pushed")),
            ),
        ),
    ] {
        assert_eq!(answer.status, 202, "{what}");
        assert_eq!(
            status(&client, "GET", answer.header("location")),
            204,
            "{what}: an upload begins instead"
        );
    }
    assert_eq!(
        status(&client, "HEAD", &format!("/v2/to/blobs/{digest}")),
        404
    );

    for _again in 0..2 {
        let mounted = mount(&digest, "from/here");
        assert_eq!(
            (mounted.status, mounted.header("location")),
            (201, &*format!("/v2/to/blobs/{digest}"))
        );
        assert_eq!(mounted.header("docker-content-digest"), digest);
    }
    assert!(client.get(&format!("/v2/to/blobs/{digest}")).body == content);
    // From whichever repository has it.
    let anonymous = format!("/v2/third/blobs/uploads/?mount={digest}");
    let mounted = send(&client, "POST", &anonymous);
    assert_eq!(mounted.status, 201);
    assert!(client.get(&format!("/v2/third/blobs/{digest}")).body == content);
    assert_eq!(objects(&emulator).len(), 1);

    assert_eq!(
        status(&client, "DELETE", &format!("/v2/from/here/blobs/{digest}")),
        202
    );
    assert!(
        client.get(&format!("/v2/to/blobs/{digest}")).body == content,
        "the mounted blob does not depend on it"
    );
    emulator.verify();
}

#[test]
fn a_blob_is_stored_once_and_freed_with_its_last_repository() {
    let emulator = Emulator::start();
    let client = emulator.client();
    let content = random(70_000);
    let digest = digest_of(&content);
    let path = |repository: &str| format!("/v2/{repository}/blobs/{digest}");
    assert_eq!(client.push_blob("one", &content).status, 201);
    let stored = objects(&emulator);
    assert_eq!(stored.len(), 1);
    for repository in ["two", "one", "two"] {
        assert_eq!(client.push_blob(repository, &content).status, 201);
        assert_eq!(
            objects(&emulator),
            stored,
            "the first object stays the only one"
        );
    }

    assert_eq!(status(&client, "DELETE", &path("one")), 202);
    let gone = send(&client, "GET", &path("one"));
    assert_eq!((gone.status, gone.code().as_str()), (404, "BLOB_UNKNOWN"));
    assert_eq!(
        objects(&emulator),
        stored,
        "the other repository still has it"
    );
    assert!(client.get(&path("two")).body == content);

    assert_eq!(status(&client, "DELETE", &path("two")), 202);
    assert_eq!(
        objects(&emulator),
        BTreeSet::new(),
        "nobody has it any more"
    );
    assert_eq!(status(&client, "DELETE", &path("two")), 404);

    assert_eq!(
        client.push_blob("one", &content).status,
        201,
        "it can come back"
    );
    assert!(client.get(&path("one")).body == content);
    emulator.verify();
}

#[test]
fn a_range_is_that_slice() {
    let emulator = Emulator::start();
    let client = emulator.client();
    let content = random(3 * 65_536 + 1);
    let size = content.len();
    assert_eq!(client.push_blob("app", &content).status, 201);
    assert_eq!(client.push_blob("app", b"").status, 201);
    let blob = format!("/v2/app/blobs/{}", digest_of(&content));
    let get = |path: &str, range: &str| client.send("GET", path, &[("range", range)], b"");

    for (range, slice) in [
        ("bytes=0-0".to_owned(), 0..1),
        ("bytes=10-99".to_owned(), 10..100),
        ("bytes=65535-65536".to_owned(), 65_535..65_537),
        ("bytes=65536-131071".to_owned(), 65_536..131_072),
        ("bytes=65530-140000".to_owned(), 65_530..140_001),
        ("bytes=100-".to_owned(), 100..size),
        ("bytes=196608-".to_owned(), 196_608..size),
        ("bytes=-1".to_owned(), size - 1..size),
        ("bytes=-70000".to_owned(), size - 70_000..size),
        ("bytes=-99999999".to_owned(), 0..size),
        ("bytes=196600-99999999".to_owned(), 196_600..size),
        (format!("bytes=0-{}", size - 1), 0..size),
    ] {
        let part = get(&blob, &range);
        assert_eq!(part.status, 206, "{range}");
        let expected = format!("bytes {}-{}/{size}", slice.start, slice.end - 1);
        assert_eq!(part.header("content-range"), expected, "{range}");
        assert_eq!(
            part.header("content-length"),
            slice.len().to_string(),
            "{range}"
        );
        assert!(part.body == content[slice], "{range}");
    }
    // What a server may ignore: another unit.
    let whole = get(&blob, "items=0-1");
    assert_eq!(whole.status, 200);
    assert!(whole.body == content);

    let several = get(&blob, "bytes=0-1,5-9,-3");
    assert_eq!(several.status, 206);
    let content_type = several.header("content-type");
    let (_, boundary) = content_type
        .split_once("multipart/byteranges; boundary=")
        .unwrap();
    let mut expected = Vec::new();
    for (from, to) in [(0, 2), (5, 10), (size - 3, size)] {
        let head = format!(
            "\r\n--{boundary}\r\nContent-Type: application/octet-stream\r\nContent-Range: bytes {from}-{}/{size}\r\n\r\n",
            to - 1
        );
        expected.extend_from_slice(head.as_bytes());
        expected.extend_from_slice(&content[from..to]);
    }
    expected.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
    assert_eq!(several.header("content-length"), expected.len().to_string());
    assert!(several.body == expected);
    let empty = format!("/v2/app/blobs/{}", digest_of(b""));
    for (path, range, size) in [
        (&blob, format!("bytes={size}-"), size),
        (&blob, "bytes=99999999-".to_owned(), size),
        (&blob, "bytes=500-0".to_owned(), size),
        (&blob, "bytes=-0".to_owned(), size),
        (&empty, "bytes=0-0".to_owned(), 0),
        (&empty, "bytes=-1".to_owned(), 0),
    ] {
        let refused = get(path, &range);
        assert_eq!(
            (refused.status, refused.code().as_str()),
            (416, "RANGE_INVALID"),
            "{range}"
        );
        assert_eq!(
            refused.header("content-range"),
            format!("bytes */{size}"),
            "{range}"
        );
    }
}

#[test]
fn head_describes_the_whole_blob_whatever_range_it_names() {
    let emulator = Emulator::start();
    let client = emulator.client();
    assert_eq!(client.push_blob("app", b"0123456789").status, 201);
    let blob = format!("/v2/app/blobs/{}", digest_of(b"0123456789"));
    for range in ["bytes=0-1", "bytes=0-1,4-5", "bytes=10-", "bytes=5-1", "-"] {
        let head = client.send("HEAD", &blob, &[("range", range)], b"");
        assert_eq!(head.status, 200, "{range}");
        assert_eq!(head.header("content-length"), "10", "{range}");
        assert!(!head.headers.contains_key("content-range"), "{range}");
    }
}

#[test]
fn a_manifest_of_a_type_that_a_browser_renders_is_refused() {
    let emulator = Emulator::start();
    let client = emulator.client();
    let script = "<script>alert(1)</script>";
    for media_type in [
        "text/html",
        "text/html; charset=utf-8",
        "application/xhtml+xml",
        "image/svg+xml",
        "text/xml",
        "application/json",
        "application/vnd.example.other.v1+json",
        "application/vnd.oci.image.manifest.v1+json,text/html",
    ] {
        let bare = media_type.split(';').next().unwrap();
        let manifest = json!({"schemaVersion": 2, "mediaType": bare, "note": script}).to_string();
        for content_type in [media_type, ""] {
            for reference in ["v1", &digest_of(manifest.as_bytes())] {
                let refused =
                    put_manifest(&client, "app", reference, content_type, manifest.as_bytes());
                assert_eq!(refused.status, 400, "{media_type}");
                assert_eq!(refused.code(), "MANIFEST_INVALID", "{media_type}");
                let message = refused.json()["errors"][0]["message"].to_string();
                let accepted = [Image::MEDIA_TYPE, INDEX, "docker", "oras", "artifact"];
                assert!(
                    message.contains(&format!("'{bare}'"))
                        && accepted.iter().all(|accepted| message.contains(accepted)),
                    "{message}"
                );
            }
        }
    }
    assert_eq!(client.get("/v2/app/tags/list").status, 404);

    // Whatever a manifest speaks of has any type.
    let content = b"<script>alert(1)</script>";
    assert_eq!(client.push_blob("app", content).status, 201);
    let descriptor =
        json!({"mediaType": "text/html", "digest": digest_of(content), "size": content.len()});
    let manifest = json!({
        "schemaVersion": 2, "mediaType": Image::MEDIA_TYPE, "artifactType": "text/html",
        "config": descriptor, "layers": [descriptor],
    });
    let manifest = manifest.to_string();
    let pushed = put_manifest(&client, "app", "v1", Image::MEDIA_TYPE, manifest.as_bytes());
    assert_eq!(pushed.status, 201, "{pushed:?}");
}

#[test]
fn content_is_answered_so_that_no_browser_renders_it() {
    let emulator = Emulator::start();
    let client = emulator.client();
    let image = Image::random(&[1000]);
    assert_eq!(client.push("app", "v1", &image).status, 201);
    let blob = format!("/v2/app/blobs/{}", digest_of(image.blobs().next().unwrap()));
    let several = ("range", "bytes=0-0,2-2");
    for (path, header, status) in [
        ("/v2/app/manifests/v1", ("accept", "text/html"), 404),
        ("/v2/app/manifests/v1", ("range", "bytes=0-9"), 200),
        ("/v2/app/manifests/v1", ("if-none-match", "*"), 304),
        (&blob, ("accept", "text/html"), 200),
        (&blob, ("range", "bytes=0-9"), 206),
        (&blob, several, 206),
        (&blob, ("if-none-match", "*"), 304),
    ] {
        for method in ["GET", "HEAD"] {
            let answer = client.send(method, path, &[header], b"");
            let status = match (method, status) {
                ("HEAD", 206) => 200,
                (_, status) => status,
            };
            assert_eq!(answer.status, status, "{method} {path} {header:?}");
            assert_eq!(answer.header("x-content-type-options"), "nosniff");
            if status == 404 {
                continue;
            }
            let policy = answer.header("content-security-policy");
            assert_eq!(policy, "sandbox; default-src 'none'");
            assert_eq!(answer.header("content-disposition"), "attachment");
        }
    }
}

#[test]
fn an_artifact_manifest_keeps_its_blobs_and_needs_no_schema_version() {
    let emulator = Emulator::start();
    let client = emulator.client();
    let content = random_bytes(1000);
    let blob = digest_of(&content);
    assert_eq!(client.push_blob("app", &content).status, 201);
    for media_type in [
        "application/vnd.oci.artifact.manifest.v1+json",
        "application/vnd.cncf.oras.artifact.manifest.v1+json",
    ] {
        let of_blob = |digest: &str| {
            let blobs = json!([{"mediaType": "text/html", "digest": digest, "size": 1000}]);
            let manifest = json!({"mediaType": media_type, "artifactType": "a/b", "blobs": blobs});
            manifest.to_string().into_bytes()
        };
        let manifest = of_blob(&blob);
        let pushed = put_manifest(&client, "app", "v1", media_type, &manifest);
        assert_eq!(pushed.status, 201, "{pushed:?}");
        let served = client.get("/v2/app/manifests/v1");
        assert_eq!(served.header("content-type"), media_type);
        assert_eq!(served.body, manifest);
        let missing = of_blob(&digest_of(b"never pushed"));
        let refused = put_manifest(&client, "app", "v2", media_type, &missing);
        assert_eq!(refused.code(), "MANIFEST_BLOB_UNKNOWN", "{media_type}");
    }
    // Long enough that no client counts on a blob.
    emulator.cli(&["clock", "advance", "2h"]);
    emulator.cli(&["registry", "gc"]);
    let kept = client.get(&format!("/v2/app/blobs/{blob}"));
    assert_eq!(kept.status, 200);
}

#[test]
fn a_manifest_is_served_byte_for_byte_under_its_type() {
    let emulator = Emulator::start();
    let client = emulator.client();
    let image = Image::random(&[10]);
    assert_eq!(client.push("app", "image", &image).status, 201);
    let blobs: Vec<String> = image.blobs().map(digest_of).collect();

    let docker = "application/vnd.docker.distribution.manifest.v2+json";
    let foreign = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";
    let absent = digest_of(b"never pushed");
    let of = |digest: &str| format!(r#"{{"mediaType":"a/b","digest":"{digest}","size":1}}"#);
    let odd = format!(
        "\n{{ \"schemaVersion\":2,\t\"config\":{}, \"layers\" :null, \"unknown\": [1.0, null] }}\n\n",
        of(&blobs[0])
    );
    let layers = format!(
        r#"{{"schemaVersion":2,"mediaType":"{docker}","config":{},"layers":[{}]}}"#,
        of(&blobs[0]),
        of(&blobs[1])
    );
    let lists = format!(
        r#"{{"schemaVersion":2,"mediaType":"{INDEX}","manifests":[{}]}}"#,
        of(&image.digest())
    );
    let cache = format!(
        r#"{{"schemaVersion":2,"mediaType":"{INDEX}","manifests":[{}]}}"#,
        of(&blobs[0])
    );
    let urls = r#""digest":"{absent}","size":1,"urls":["https://example.org/"]"#;
    let urls = urls.replace("{absent}", &absent);
    let lives_elsewhere = format!(
        r#"{{"schemaVersion":2,"mediaType":"{docker}","config":{},"layers":[{{"mediaType":"{foreign}",{urls}}},{{"mediaType":"a/b",{urls}}}]}}"#,
        of(&blobs[0])
    );
    let largest = index(&"x".repeat((4 << 20) - index("").len()));
    assert_eq!(largest.len(), 4 << 20);

    for (name, content_type, media_type, manifest) in [
        (
            "odd spaces and unknown fields",
            Image::MEDIA_TYPE,
            Image::MEDIA_TYPE,
            odd.into_bytes(),
        ),
        ("docker's type", docker, docker, layers.into_bytes()),
        (
            "parameters are no part of the type",
            &format!("{INDEX}; charset=utf-8"),
            INDEX,
            lists.into_bytes(),
        ),
        ("an index of blobs", INDEX, INDEX, cache.into_bytes()),
        ("only the body says its type", "", INDEX, index("no header")),
        (
            "layers that live elsewhere",
            docker,
            docker,
            lives_elsewhere.into_bytes(),
        ),
        ("4 MiB", INDEX, INDEX, largest),
    ] {
        let digest = digest_of(&manifest);
        for reference in ["v1", &digest] {
            let pushed = put_manifest(&client, "app", reference, content_type, &manifest);
            assert_eq!(
                pushed.status,
                201,
                "{name}: {}",
                String::from_utf8_lossy(&pushed.body)
            );
            assert_eq!(pushed.header("docker-content-digest"), digest, "{name}");
            assert_eq!(
                pushed.header("location"),
                format!("/v2/app/manifests/{digest}"),
                "{name}"
            );
        }
        for reference in ["v1", &digest] {
            let pulled = client.get(&format!("/v2/app/manifests/{reference}"));
            assert_eq!(
                (pulled.status, pulled.header("content-type")),
                (200, media_type),
                "{name}"
            );
            assert_eq!(pulled.header("docker-content-digest"), digest, "{name}");
            assert!(pulled.body == manifest, "{name}");
            let etag = pulled.header("etag").to_owned();
            let path = format!("/v2/app/manifests/{reference}");
            assert_eq!(
                client
                    .send("GET", &path, &[("if-none-match", &etag)], b"")
                    .status,
                304,
                "{name}"
            );
        }
    }
    emulator.verify();
}

#[test]
fn deleting_a_manifest_takes_its_tags_and_deleting_a_tag_leaves_the_manifest() {
    let emulator = Emulator::start();
    let client = emulator.client();
    let (kept, deleted) = (index("kept"), index("deleted"));
    for (tag, manifest) in [
        ("a", &deleted),
        ("b", &deleted),
        ("c", &kept),
        ("d", &kept),
        ("moved", &deleted),
    ] {
        assert_eq!(
            put_manifest(&client, "app", tag, INDEX, manifest).status,
            201
        );
    }
    assert_eq!(
        put_manifest(&client, "app", "moved", INDEX, &kept).status,
        201
    );
    assert_eq!(objects(&emulator).len(), 2);
    let manifest = |reference: &str| format!("/v2/app/manifests/{reference}");
    let by_digest = |content: &[u8]| manifest(&digest_of(content));

    assert_eq!(status(&client, "DELETE", &manifest("d")), 202);
    assert_eq!(status(&client, "GET", &manifest("d")), 404);
    assert_eq!(client.get(&by_digest(&kept)).body, kept);

    assert_eq!(status(&client, "DELETE", &by_digest(&deleted)), 202);
    for reference in ["a", "b", &digest_of(&deleted)] {
        let gone = client.get(&manifest(reference));
        assert_eq!(
            (gone.status, gone.code().as_str()),
            (404, "MANIFEST_UNKNOWN"),
            "{reference}"
        );
    }
    assert_eq!(tags(&client, "app"), ["c", "moved"]);
    assert_eq!(objects(&emulator).len(), 1, "its content is freed at once");

    for tag in ["c", "moved"] {
        assert_eq!(status(&client, "DELETE", &manifest(tag)), 202);
    }
    assert_eq!(
        client.get(&by_digest(&kept)).body,
        kept,
        "without any tag, too"
    );
    assert_eq!(
        tags(&client, "app"),
        [""; 0],
        "as long as it has a manifest"
    );
    assert_eq!(status(&client, "DELETE", &by_digest(&kept)), 202);
    assert_eq!(objects(&emulator).len(), 0);
    let unknown = client.get("/v2/app/tags/list");
    assert_eq!((unknown.status, &*unknown.code()), (404, "NAME_UNKNOWN"));
    emulator.verify();
}

#[test]
fn a_manifest_that_was_just_read_is_not_served_once_its_tag_moves_or_it_is_deleted() {
    let emulator = Emulator::start();
    let client = emulator.client();
    let (old, new) = (index("old"), index("new"));
    let (tagged, by_digest) = (
        "/v2/app/manifests/v1",
        format!("/v2/app/manifests/{}", digest_of(&old)),
    );
    for _ in 0..3 {
        assert_eq!(put_manifest(&client, "app", "v1", INDEX, &old).status, 201);
        // Read twice, so that the second answer may come from memory.
        for path in [tagged, tagged, &by_digest] {
            assert_eq!(client.get(path).body, old);
        }
        assert_eq!(put_manifest(&client, "app", "v1", INDEX, &new).status, 201);
        assert_eq!(client.get(tagged).body, new);
        assert_eq!(client.get(&by_digest).body, old);
        assert_eq!(status(&client, "DELETE", &by_digest), 202);
        for method in ["GET", "HEAD"] {
            assert_eq!(status(&client, method, &by_digest), 404);
        }
        let elsewhere = by_digest.replace("/app/", "/other/");
        assert_eq!(status(&client, "GET", &elsewhere), 404);
    }
}

/// Follows the links from `first` to the end, and says what each page had.
fn pages(client: &Client, first: &str, key: &str) -> Vec<Vec<String>> {
    let mut pages = Vec::new();
    let mut next = Some(first.to_owned());
    while let Some(path) = next {
        let page = client.get(&path);
        assert_eq!(page.status, 200, "{path}");
        pages.push(names(&page.json(), key));
        assert!(pages.len() <= 20, "the links lead nowhere: {pages:?}");
        next = page.headers.get("link").map(|link| {
            let link = link.to_str().unwrap().strip_prefix('<').unwrap();
            link.strip_suffix(">; rel=\"next\"").unwrap().to_owned()
        });
    }
    pages
}

#[test]
fn tags_and_catalog_are_sorted_and_come_in_pages() {
    let emulator = Emulator::start();
    let client = emulator.client();
    // As bytes: upper case before `_` before lower case.
    let tags = ["1.0", "B", "_x", "a", "a-b", "a.b", "b"];
    let repositories = ["0", "a", "a-b", "a.b", "a/b", "a__b", "z"];
    let manifest = index("any");
    for tag in tags.iter().rev() {
        assert_eq!(
            put_manifest(&client, "z", tag, INDEX, &manifest).status,
            201
        );
    }
    for repository in repositories {
        assert_eq!(
            put_manifest(&client, repository, "b", INDEX, &manifest).status,
            201
        );
    }

    for (path, key, all) in [
        ("/v2/z/tags/list", "tags", tags),
        ("/v2/_catalog", "repositories", repositories),
    ] {
        assert_eq!(pages(&client, path, key), [all]);
        for (query, expected) in [
            ("n=7", vec![&all[..]]),
            ("n=1000", vec![&all[..]]),
            ("n=99999", vec![&all[..]]),
            ("n=3", vec![&all[..3], &all[3..6], &all[6..]]),
            ("n=6", vec![&all[..6], &all[6..]]),
            ("n=0", vec![&[][..]]),
            // As of a form that was not filled in.
            ("n=&last=", vec![&all[..]]),
            (&format!("last={}", all[2]), vec![&all[3..]]),
            (&format!("n=2&last={}", all[3]), vec![&all[4..6], &all[6..]]),
            ("last=zz", vec![&[][..]]),
            ("last=.", vec![&all[..]]),
        ] {
            assert_eq!(
                pages(&client, &format!("{path}?{query}"), key),
                expected,
                "{path}?{query}"
            );
        }
    }
    assert_eq!(client.get("/v2/z/tags/list").json()["name"], "z");
}

#[test]
fn repositories_may_be_called_like_endpoints() {
    let emulator = Emulator::start();
    let client = emulator.client();
    let repositories = [
        "v2",
        "manifests",
        "blobs/uploads",
        "a/blobs/b",
        "x/manifests",
        "tags/list/tags",
        "uploads/list",
        "a/referrers",
    ];
    for repository in repositories {
        let image = Image::random(&[100]);
        assert_eq!(
            client.push(repository, "list", &image).status,
            201,
            "{repository}"
        );
        assert_eq!(
            client.pull(repository, "list", &image).status,
            200,
            "{repository}"
        );
        assert_eq!(
            client.pull(repository, &image.digest(), &image).status,
            200,
            "{repository}"
        );
        assert_eq!(tags(&client, repository), ["list"], "{repository}");
    }
    let mut sorted = repositories;
    sorted.sort_unstable();
    assert_eq!(
        names(&client.get("/v2/_catalog").json(), "repositories"),
        sorted
    );
}

#[test]
fn a_doubled_slash_is_answered_as_a_registry_does() {
    let emulator = Emulator::start();
    let client = emulator.client();
    let image = Image::random(&[10]);
    assert_eq!(client.push("app", "v1", &image).status, 201);
    let host = "sealock.azurecr.localhost";
    for (path, single) in [
        ("//v2/", "/v2/"),
        ("///v2//", "/v2/"),
        ("/v2//app/tags/list", "/v2/app/tags/list"),
        ("//v2/app//tags/list?n=1", "/v2/app/tags/list?n=1"),
        ("//acr/v1/_catalog", "/acr/v1/_catalog"),
        ("//oauth2/token?service=x", "/oauth2/token?service=x"),
    ] {
        for host in [emulator.address(), host] {
            let send = |method: &str| client.send(method, path, &[("host", host)], b"");
            for method in ["GET", "HEAD"] {
                let answer = send(method);
                assert_eq!(answer.status, 301, "{method} {path} at {host}");
                assert_eq!(answer.header("location"), single);
            }
            // A client that follows would come without its body.
            for method in ["POST", "PUT", "PATCH", "DELETE"] {
                let answer = send(method);
                assert_eq!(answer.status, 404, "{method} {path} at {host}");
                assert_eq!(answer.code(), "UNSUPPORTED");
                let message = answer.json()["errors"][0]["message"].to_string();
                assert!(message.contains(&format!("'{single}'")), "{message}");
                let version = answer.header("docker-distribution-api-version");
                assert_eq!(version, "registry/2.0");
            }
        }
    }
    assert_eq!(send(&client, "GET", "//nowhere").status, 404);
}

#[test]
fn a_name_may_be_as_long_as_clients_allow_and_a_longer_one_is_said_to_be_too_long() {
    let emulator = Emulator::start();
    let client = emulator.client();
    let image = Image::random(&[10]);
    let longest = format!("{}/{}", "a".repeat(127), "b".repeat(127));
    assert_eq!(client.push(&longest, "v1", &image).status, 201);
    assert_eq!(client.pull(&longest, "v1", &image).status, 200);
    assert_eq!(status(&client, "GET", &format!("/acr/v1/{longest}")), 200);
    let scope = format!("/oauth2/token?scope=repository:{longest}:pull");
    assert_eq!(status(&client, "GET", &scope), 200);
    for (name, said) in [
        (
            format!("{longest}c"),
            "is too long: it has 256 characters of at most 255",
        ),
        (format!("{longest}C"), "is not a repository name"),
        ("A".to_owned(), "is not a repository name"),
    ] {
        for path in [
            format!("/v2/{name}/manifests/v1"),
            format!("/v2/{name}/tags/list"),
            format!("/v2/{name}/blobs/uploads/"),
            format!("/acr/v1/{name}"),
            format!("/acr/v1/{name}/_tags"),
        ] {
            let refused = send(&client, "GET", &path);
            assert_eq!((refused.status, &*refused.code()), (400, "NAME_INVALID"));
            let message = refused.json()["errors"][0]["message"].to_string();
            assert!(message.contains(said), "{path}: {message}");
        }
    }
}

#[test]
fn parallel_pushes_of_one_blob_leave_one_object() {
    let emulator = Emulator::start();
    for round in 0..5 {
        let content = random(300_000);
        let client = emulator.client();
        // Both uploads are complete but for their last request, so that they meet there.
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
fn parallel_pushes_of_overlapping_content_leave_a_whole_store() {
    let emulator = Emulator::start();
    // Each has a configuration of its own and shares its layers with others.
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

#[test]
fn a_refusal_reaches_a_client_that_is_still_sending() {
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
fn a_client_that_leaves_before_the_answer_leaves_nothing_behind() {
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
    // Whatever of them arrived: each is there whole or not at all.
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

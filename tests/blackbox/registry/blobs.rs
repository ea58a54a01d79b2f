use std::collections::BTreeSet;

use sealock_tests::{Emulator, digest_of};

use super::{objects, random, send, status};

#[test]
fn blob_is_mounted_from_a_repository_that_has_it() {
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
    // From any repository that has it.
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
fn blob_is_stored_once_and_freed_with_its_last_repository() {
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
fn range_request_returns_that_slice() {
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
    // A server may ignore other units.
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
fn head_ignores_the_range_and_describes_the_whole_blob() {
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

use sealock_tests::{Answer, Client, Emulator, digest_of};
use ureq::SendBody;

use super::{begin, objects, random, send, staged, status};

/// Sizes around the boundaries of the 64 KiB segments in which objects are sealed.
const SIZES: [usize; 7] = [0, 1, 1000, 65_535, 65_536, 65_537, 3 * 65_536 + 1];

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

/// Uploads in three chunks, the last in the closing PUT if `put_last`.
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

/// Uploads without a length, in HTTP chunks.
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
fn every_upload_method_stores_every_size() {
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
fn upload_reports_its_progress_and_survives_an_out_of_order_chunk() {
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
fn cancelled_upload_is_unknown_and_leaves_nothing() {
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

mod damage;

use std::{fs, io::Write as _, net::TcpStream, os::unix::fs::PermissionsExt as _, path::PathBuf};

use sealock_tests::{Answer, Client, Emulator, Options, digest_of, eventually, random_bytes};
use sha2::{Digest as _, Sha512};
use ureq::SendBody;

const UPLOADS: &str = "/v2/app/blobs/uploads/";

/// The plaintext of a full segment.
const SEGMENT: usize = 65_536;

/// A way to end an emulator.
type End = fn(&mut Emulator);

const ENDS: [(&str, End); 2] = [("stopped", Emulator::stop), ("killed", Emulator::kill)];

fn begin(client: &Client) -> String {
    let begun = client.send("POST", UPLOADS, &[], b"");
    assert_eq!(begun.status, 202);
    begun.header("location").to_owned()
}

/// Sends a range of `content` as a chunk with its position.
fn patch(client: &Client, location: &str, content: &[u8], begins: usize, ends: usize) -> Answer {
    let range = format!("{begins}-{}", ends.saturating_sub(1));
    let headers = [("content-range", &*range)];
    let headers = if begins == ends { &[][..] } else { &headers };
    client.send("PATCH", location, headers, &content[begins..ends])
}

/// Checks that an upload exists and has received this many bytes.
fn check_received(client: &Client, location: &str, received: usize, what: &str) {
    let status = client.get(location);
    assert_eq!(status.status, 204, "{what}: {status:?}");
    assert_eq!(status.header("location"), location, "{what}");
    let last = received.saturating_sub(1);
    assert_eq!(status.header("range"), format!("0-{last}"), "{what}");
}

/// Checks that every request to an upload reports it as unknown.
fn check_unknown(client: &Client, location: &str, what: &str) {
    let finish = format!("{location}?digest={}", digest_of(b""));
    for (method, path) in [
        ("GET", location),
        ("PATCH", location),
        ("PUT", &finish),
        ("DELETE", location),
    ] {
        let answer = client.send(method, path, &[], b"");
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (404, "BLOB_UPLOAD_UNKNOWN"),
            "{what}: {method}"
        );
    }
}

fn files(emulator: &Emulator, directory: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(emulator.data_dir().join(directory)).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

/// Counts the files of sessions and the staged objects.
fn left(emulator: &Emulator) -> (usize, usize) {
    (
        files(emulator, "uploads").len(),
        files(emulator, "blobs/staging").len(),
    )
}

fn only(emulator: &Emulator, directory: &str) -> PathBuf {
    let files = files(emulator, directory);
    assert_eq!(files.len(), 1, "{directory}: {files:?}");
    files[0].clone()
}

#[test]
fn upload_continues_where_it_was_after_a_stop_or_kill() {
    // The ends of the chunks. The emulator ends between two chunks and before the last.
    let chunks: &[&[usize]] = &[
        &[0, 0, 0],
        &[1, 1, 2],
        &[10, 40_000, 70_000],
        &[SEGMENT, 2 * SEGMENT, 3 * SEGMENT],
        &[SEGMENT + 1, 2 * SEGMENT + 1, 2 * SEGMENT + 2],
        &[300_000, 3_000_000, 3_000_001],
        &[2_500_000, 2_500_000, 2_500_000],
    ];
    let mut emulator = Emulator::start();
    for (how, end) in ENDS {
        let content = random_bytes(3_000_002);
        let client = emulator.client();
        let begun = chunks.iter().map(|cuts| (begin(&client), *cuts));
        let uploads: Vec<_> = begun.collect();
        let mut begins = vec![0; uploads.len()];
        for round in 0..3 {
            // Even a session that nobody used since the last end.
            for _ in 0..=round % 2 {
                end(&mut emulator);
                emulator.start_again();
            }
            let client = emulator.client();
            for ((location, cuts), begins) in uploads.iter().zip(&mut begins) {
                let what = format!("{how}, {cuts:?}, round {round}");
                if round != 1 {
                    check_received(&client, location, *begins, &what);
                    let far = patch(&client, location, &content, *begins + 1, *begins + 2);
                    assert_eq!(far.status, 416, "{what}");
                }
                let sent = patch(&client, location, &content, *begins, cuts[round]);
                assert_eq!(sent.status, 202, "{what}: {sent:?}");
                // Acknowledged bytes are kept, even if nobody asks for them before the end.
                *begins = cuts[round];
            }
        }
        end(&mut emulator);
        emulator.start_again();
        let client = emulator.client();
        for (location, cuts) in &uploads {
            let what = format!("{how}, {cuts:?}");
            // The last request sends one more byte.
            let whole = &content[..=cuts[2]];
            let digest = digest_of(whole);
            let finish = format!("{location}?digest={digest}");
            let finished = client.send("PUT", &finish, &[], &whole[cuts[2]..]);
            assert_eq!(finished.status, 201, "{what}: {finished:?}");
            let pulled = client.get(&format!("/v2/app/blobs/{digest}"));
            assert!(pulled.body == whole, "{what}: the content has changed");
            check_unknown(&client, location, &what);
        }
        assert_eq!(left(&emulator), (0, 0), "{how}");
        emulator.restart();
        emulator.verify();
    }
}

#[test]
fn sha512_upload_continues_after_a_restart() {
    let mut emulator = Emulator::start();
    let client = emulator.client();
    let content = random_bytes(200_003);
    let begun = client.send(
        "POST",
        &format!("{UPLOADS}?digest-algorithm=sha512"),
        &[],
        b"",
    );
    let location = begun.header("location");
    let sent = patch(&client, location, &content, 0, 150_001);
    assert_eq!(sent.status, 202);
    emulator.restart();
    let client = emulator.client();
    let digest = format!("sha512:{}", hex::encode(Sha512::digest(&content)));
    let finish = format!("{location}?digest={digest}");
    let finished = client.send("PUT", &finish, &[], &content[150_001..]);
    assert_eq!(finished.status, 201, "{finished:?}");
    let pulled = client.get(&format!("/v2/app/blobs/{digest}"));
    assert!(pulled.body == content, "the content has changed");
}

#[test]
fn upload_survives_a_kill_while_its_registry_is_revoked() {
    let mut emulator = Emulator::start();
    let client = emulator.client();
    let content = random_bytes(400_000);
    let location = begin(&client);
    assert_eq!(patch(&client, &location, &content, 0, 200_000).status, 202);
    emulator.cli(&["key", "disable"]);
    let finish = format!("{location}?digest={}", digest_of(&content));
    for _ in 0..2 {
        emulator.kill();
        emulator.start_again();
        let client = emulator.client();
        for (method, path) in [
            ("GET", &location),
            ("PATCH", &location),
            ("PUT", &finish),
            ("DELETE", &location),
        ] {
            let answer = client.send(method, path, &[], b"");
            assert_eq!(
                (answer.status, answer.code().as_str()),
                (403, "DENIED"),
                "{method}"
            );
        }
        assert_eq!(left(&emulator), (1, 1));
    }
    emulator.cli(&["key", "enable"]);
    let client = emulator.client();
    check_received(&client, &location, 200_000, "restored");
    let sent = patch(&client, &location, &content, 200_000, 300_000);
    assert_eq!(sent.status, 202);
    let finished = client.send("PUT", &finish, &[], &content[300_000..]);
    assert_eq!(finished.status, 201);
    let pulled = client.get(&format!("/v2/app/blobs/{}", digest_of(&content)));
    assert!(pulled.body == content, "the content has changed");
}

/// Sends the first bytes of `content`, and stops.
fn unfinished_patch(emulator: &Emulator, location: &str, content: &[u8], sent: usize) -> TcpStream {
    let mut connection = TcpStream::connect(emulator.address()).unwrap();
    let length = content.len();
    write!(
        connection,
        "PATCH {location} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n"
    )
    .unwrap();
    connection.write_all(&content[..sent]).unwrap();
    connection
}

#[test]
fn kill_discards_unacknowledged_upload_bytes() {
    let mut emulator = Emulator::start();
    let client = emulator.client();
    let content = random_bytes(5 << 20);
    let location = begin(&client);
    let acknowledged = 300_000;
    let sent = patch(&client, &location, &content, 0, acknowledged);
    assert_eq!(sent.status, 202);
    let object = only(&emulator, "blobs/staging");
    let written = || fs::metadata(&object).unwrap().len();
    let before = written();
    // These bytes differ from those sent in the end.
    let other = random_bytes(4 << 20);
    let connection = unfinished_patch(&emulator, &location, &other, 3 << 20);
    eventually("a part to be written", || written() > before);
    emulator.kill();
    drop(connection);
    emulator.start_again();
    let client = emulator.client();
    check_received(&client, &location, acknowledged, "killed");
    let finish = format!("{location}?digest={}", digest_of(&content));
    let finished = client.send("PUT", &finish, &[], &content[acknowledged..]);
    assert_eq!(finished.status, 201, "{finished:?}");
    let pulled = client.get(&format!("/v2/app/blobs/{}", digest_of(&content)));
    assert!(pulled.body == content, "the content has changed");
}

#[test]
fn upload_bytes_of_a_broken_request_survive_a_kill_once_reported() {
    let mut emulator = Emulator::start();
    let client = emulator.client();
    let content = random_bytes(5 << 20);
    let location = begin(&client);
    drop(unfinished_patch(&emulator, &location, &content, 3 << 20));
    let received = |client: &Client| -> usize {
        let status = client.get(&location);
        assert_eq!(status.status, 204);
        let range = status.header("range").strip_prefix("0-").unwrap();
        range.parse::<usize>().unwrap() + 1
    };
    let mut told = 0;
    eventually("a part to arrive", || {
        told = received(&client);
        told > SEGMENT
    });
    emulator.kill();
    emulator.start_again();
    let client = emulator.client();
    assert_eq!(received(&client), told);
    let finish = format!("{location}?digest={}", digest_of(&content));
    let finished = client.send("PUT", &finish, &[], &content[told..]);
    assert_eq!(finished.status, 201, "{finished:?}");
}

#[test]
fn finished_upload_leaves_no_file() {
    let mut emulator = Emulator::start();
    let content = random_bytes(100_000);
    let wrong = format!("?digest={}", digest_of(b"something else"));
    let right = format!("?digest={}", digest_of(&content));
    for (what, method, query, status) in [
        ("cancelled", "DELETE", "", 204),
        ("of another digest", "PUT", &*wrong, 400),
        ("completed", "PUT", &*right, 201),
    ] {
        for restarted in [false, true] {
            let client = emulator.client();
            let location = begin(&client);
            assert_eq!(left(&emulator), (1, 1), "{what}");
            assert_eq!(patch(&client, &location, &content, 0, 100_000).status, 202);
            assert_eq!(left(&emulator), (1, 1), "{what}");
            if restarted {
                emulator.restart();
                assert_eq!(left(&emulator), (1, 1), "{what}");
            }
            let client = emulator.client();
            let over = client.send(method, &format!("{location}{query}"), &[], b"");
            assert_eq!(over.status, status, "{what}: {over:?}");
            assert_eq!(left(&emulator), (0, 0), "{what}");
            check_unknown(&client, &location, what);
            emulator.restart();
            check_unknown(&emulator.client(), &location, what);
        }
    }
}

#[test]
fn upload_idle_for_a_day_expires_and_leaves_no_file() {
    let mut emulator = Emulator::start();
    emulator.cli(&["clock", "freeze"]);
    let content = random_bytes(100_000);
    for restarted in [false, true] {
        let client = emulator.client();
        let (old, young) = (begin(&client), begin(&client));
        assert_eq!(patch(&client, &old, &content, 0, 100_000).status, 202);
        emulator.cli(&["clock", "advance", "23h"]);
        assert_eq!(patch(&client, &young, &content, 0, 100_000).status, 202);
        if restarted {
            emulator.restart();
            assert_eq!(left(&emulator), (2, 2), "neither has expired");
        }
        emulator.cli(&["clock", "advance", "1h"]);
        if restarted {
            emulator.restart();
            assert_eq!(left(&emulator), (1, 1), "the start sweeps it");
        }
        let client = emulator.client();
        let new = begin(&client);
        assert_eq!(left(&emulator), (2, 2), "the next upload sweeps it");
        check_unknown(&client, &old, "expired");
        check_received(&client, &young, 100_000, "an hour old");
        for location in [young, new] {
            assert_eq!(client.send("DELETE", &location, &[], b"").status, 204);
        }
        assert_eq!(left(&emulator), (0, 0));
    }
}

#[test]
fn only_an_upload_over_several_requests_has_a_file() {
    let emulator = Emulator::start();
    let client = emulator.client();
    // The modification time shows every file created in it.
    let directory = emulator.data_dir().join("uploads");
    let changed = || fs::metadata(&directory).unwrap().modified().unwrap();
    let before = changed();
    let content = random_bytes(100_000);
    let whole = format!("{UPLOADS}?digest={}", digest_of(&content));
    assert_eq!(client.send("POST", &whole, &[], &content).status, 201);
    assert_eq!(changed(), before);
    begin(&client);
    assert_ne!(changed(), before);
    let mode = fs::metadata(only(&emulator, "uploads"))
        .unwrap()
        .permissions();
    assert_eq!(mode.mode() & 0o777, 0o600);
}

#[test]
fn refused_chunk_leaves_the_upload_unchanged() {
    for ephemeral in [false, true] {
        let emulator = Emulator::start_with(Options {
            ephemeral,
            ..Options::default()
        });
        let client = emulator.client();
        let content = random_bytes(3_000_000);
        let location = begin(&client);
        let finish = format!("{location}?digest={}", digest_of(&content));
        let mut arrived = 0;
        for next in [10, SEGMENT, 500_000, 2_000_000] {
            assert_eq!(
                patch(&client, &location, &content, arrived, next).status,
                202
            );
            arrived = next;
            for (method, path, length) in [
                ("PATCH", &location, 9),
                ("PATCH", &location, 2 * SEGMENT),
                ("PUT", &finish, 900_000),
            ] {
                let what = format!("{method} of {length} at {arrived}, ephemeral: {ephemeral}");
                // The length is known only at the end.
                let range = format!("{arrived}-{}", arrived + length);
                let other = random_bytes(length);
                let refused = client.try_send(
                    method,
                    path,
                    &[("content-range", &range)],
                    SendBody::from_reader(&mut &*other),
                    None,
                );
                assert_eq!(refused.unwrap().status(), 400, "{what}");
                check_received(&client, &location, arrived, &what);
            }
        }
        let finished = client.send("PUT", &finish, &[], &content[arrived..]);
        assert_eq!(finished.status, 201);
        let pulled = client.get(&format!("/v2/app/blobs/{}", digest_of(&content)));
        assert!(pulled.body == content, "the content has changed");
        if !ephemeral {
            assert_eq!(left(&emulator), (0, 0));
        }
    }
}

#[test]
fn upload_resumes_although_its_client_has_disconnected() {
    let mut emulator = Emulator::start();
    let client = emulator.client();
    let content = random_bytes(30 << 20);
    let location = begin(&client);
    assert_eq!(
        patch(&client, &location, &content, 0, content.len()).status,
        202
    );
    emulator.restart();
    let before = only(&emulator, "blobs/staging");
    let mut connection = TcpStream::connect(emulator.address()).unwrap();
    write!(
        connection,
        "GET {location} HTTP/1.1\r\nHost: localhost\r\n\r\n"
    )
    .unwrap();
    eventually("it to be begun", || {
        files(&emulator, "blobs/staging") != [before.clone()]
    });
    drop(connection);
    eventually("it to be done", || !before.exists());
    check_received(&emulator.client(), &location, content.len(), "taken up");
}

#[test]
fn content_range_with_a_unit_is_refused_quoting_it() {
    let emulator = Emulator::start();
    let client = emulator.client();
    let begun = client.send("POST", "/v2/app/blobs/uploads/", &[], b"");
    let range = [("content-range", "bytes 0-2/*")];
    let refused = client.send("PATCH", begun.header("location"), &range, b"abc");
    assert_eq!(refused.status, 400);
    let detail = &refused.json()["errors"][0]["detail"];
    assert_eq!(detail["Range"], "bytes 0-2/*");
    assert_eq!(
        detail["Reason"],
        "the Content-Range header format is invalid"
    );
}

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
};

use sealock_tests::{Emulator, Image, digest_of};
use serde_json::Value;

use crate::malformed::connection::{Connection, bytes_of, head};

/// Returns a request with these headers, and a body in one chunk.
fn chunked(line: &str, headers: &str, content: &[u8]) -> Vec<u8> {
    let length = format!("{:x}\r\n", content.len());
    [
        &head(line, headers),
        length.as_bytes(),
        content,
        b"\r\n0\r\n\r\n",
    ]
    .concat()
}

#[test]
fn transfer_coding_other_than_chunked_is_refused_and_stores_nothing() {
    let emulator = Emulator::start();
    let client = emulator.client();
    let image = Image::random(&[1000]);
    assert_eq!(client.push("app", "v1", &image).status, 201);
    let digest = digest_of(b"content");
    let blob = format!("POST /v2/app/blobs/uploads/?digest={digest}");
    let send = |request: &[u8]| Connection::new(emulator.address()).send(request).unwrap();
    for (headers, status) in [
        ("Transfer-Encoding: gzip, chunked\r\n", 501),
        (
            "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n",
            501,
        ),
        ("Transfer-Encoding: identity, chunked\r\n", 501),
        ("Transfer-Encoding: chunked;q=1, chunked\r\n", 501),
        ("Transfer-Encoding: chunked, chunked\r\n", 400),
        (
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: Chunked\r\n",
            400,
        ),
        // With these, no server could tell where the body ends.
        ("Transfer-Encoding: \u{ff}, chunked\r\n", 400),
        ("Transfer-Encoding: identity\r\n", 400),
        ("Transfer-Encoding: chunked,\r\n", 400),
        (
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip\r\n",
            400,
        ),
    ] {
        let answer = send(&chunked(&blob, headers, b"content"));
        assert_eq!(answer.status, status, "{headers}");
        assert_eq!(answer.header("connection"), Some("close"), "{headers}");
        let found = client.send("HEAD", &format!("/v2/app/blobs/{digest}"), &[], b"");
        assert_eq!(found.status, 404, "{headers}");
    }
    for headers in [
        "Transfer-Encoding: CHUNKED\r\n",
        "Transfer-Encoding: , chunked\r\n",
    ] {
        let answer = send(&chunked(&blob, headers, b"content"));
        assert_eq!(answer.status, 201, "{headers}");
        let path = format!("/v2/app/blobs/{digest}");
        assert_eq!(client.get(&path).body, b"content", "{headers}");
        assert_eq!(client.send("DELETE", &path, &[], b"").status, 202);
    }
}

#[test]
fn transfer_coding_is_refused_in_the_form_of_each_service() {
    let emulator = Emulator::start();
    for (line, host, pointer) in [
        ("PUT /v2/app/manifests/v1", "", "/errors/0/message"),
        ("PATCH /acr/v1/app", "", "/errors/0/message"),
        ("POST /oauth2/token", "", "/errors/0/message"),
        (
            "PUT /keys/v1",
            "sealock.azurecr.localhost",
            "/errors/0/message",
        ),
        ("POST /keys/k/create", "", "/error/message"),
        ("GET /x", "sealock.vault.localhost", "/error/message"),
        ("PUT /_sealock/v1/vaults/abc", "", "/detail"),
        ("GET /", "", "/error/message"),
        ("POST /tenant/oauth2/v2.0/token", "", "/error_description"),
        ("POST /x", "login.localhost", "/error_description"),
        (
            "GET /metadata/identity/oauth2/token",
            "",
            "/error_description",
        ),
        ("GET /msi/token", "", "/message"),
    ] {
        let host = if host.is_empty() { "localhost" } else { host };
        let request = format!(
            "{line} HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"
        );
        let sent = Connection::new(emulator.address()).send(&bytes_of(&request));
        let answer = sent.unwrap();
        assert_eq!(answer.status, 501, "{line}");
        let body = answer.json();
        let message = body.pointer(pointer).and_then(Value::as_str);
        assert!(
            message.is_some_and(|message| message.contains("'gzip'")),
            "{line}: {body}"
        );
        let is_registrys = pointer.starts_with("/errors");
        let version = answer.header("docker-distribution-api-version");
        assert_eq!(version.is_some(), is_registrys, "{line}");
    }
}

#[test]
fn chunked_body_overrides_the_content_length_and_closes_the_connection() {
    let emulator = Emulator::start();
    let smuggled = b"GET /v2/ HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let digest = digest_of(b"content");
    let line = format!("POST /v2/app/blobs/uploads/?digest={digest}");
    for headers in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: x\r\n",
    ] {
        let mut stream = TcpStream::connect(emulator.address()).unwrap();
        let request = [&chunked(&line, headers, b"content")[..], smuggled].concat();
        stream.write_all(&request).unwrap();
        let mut answers = String::new();
        stream.read_to_string(&mut answers).unwrap();
        assert!(answers.starts_with("HTTP/1.1 201 "), "{headers}: {answers}");
        assert_eq!(answers.matches("HTTP/1.1").count(), 1, "{answers}");
    }
}

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::TcpStream,
};

use sealock_tests::{Emulator, Options, digest_of};
use serde_json::Value;

use crate::{
    entra::token,
    malformed::connection::{Connection, RawAnswer, bytes_of, head},
};

/// The announced length of a body, and the number of bytes that are sent.
const ANNOUNCED: usize = 16 << 20;
const SENT: usize = 1024;

const VAULT: &str = "&resource=https://vault.azure.net";

/// Returns the head of a request that announces a large body, with the beginning of that body.
fn begun(line: &str, headers: &str) -> Vec<u8> {
    let headers = format!("{headers}Content-Length: {ANNOUNCED}\r\n");
    let line = format!("{line} HTTP/1.1\r\n");
    let host = if headers.contains("Host: ") {
        ""
    } else {
        "Host: localhost\r\n"
    };
    [
        bytes_of(&format!("{line}{host}{headers}\r\n")),
        vec![b' '; SENT],
    ]
    .concat()
}

/// Returns the answer that arrives while most of the body is missing.
fn early(emulator: &Emulator, line: &str, headers: &str) -> RawAnswer {
    let answer = Connection::new(emulator.address()).send(&begun(line, headers));
    answer.unwrap_or_else(|why| panic!("{line}: {why}"))
}

/// Returns the newest event, without the fields that differ between requests.
fn newest_event(emulator: &Emulator) -> Value {
    let events = emulator.cli(&["audit", "--json"]);
    let mut event: Value = serde_json::from_str(events.lines().last().unwrap()).unwrap();
    for name in ["time", "durationMs", "correlationId"] {
        event.as_object_mut().unwrap().remove(name);
    }
    event
}

#[test]
fn vault_judges_the_permission_before_it_reads_the_body() {
    let emulator = Emulator::start();
    let bearer = token(&emulator, VAULT);
    let authorization = format!("Authorization: Bearer {bearer}\r\nUser-Agent: sdk\r\n");
    let client = emulator.client();
    let bearer = format!("Bearer {bearer}");
    let headers = [("authorization", &*bearer), ("user-agent", "sdk")];
    let refused_alike = |line: &str, status: u16| {
        let line = format!("{line}?api-version=7.4");
        let answer = early(&emulator, &line, &authorization);
        assert_eq!(answer.status, status, "{line}");
        let event = newest_event(&emulator);
        let (method, path) = line.split_once(' ').unwrap();
        let whole = client.send(method, path, &headers, br#"{"alg":"A256KW","value":"AA"}"#);
        assert_eq!(whole.status, status, "{line}");
        assert_eq!(answer.json(), whole.json(), "{line}");
        assert_eq!(event, newest_event(&emulator), "{line}");
    };
    let events = || emulator.cli(&["audit", "--json"]).lines().count();
    let lines = [
        "POST /keys/k/create",
        "PUT /keys/k",
        "PATCH /keys/registry-key",
        "POST /keys/registry-key/encrypt",
        "POST /keys/registry-key/sign",
        "POST /keys/restore",
        "PUT /keys/registry-key/rotationpolicy",
        // Operations without a body do not wait for it.
        "POST /keys/registry-key/rotate",
        "DELETE /keys/registry-key",
    ];
    let before = events();
    for line in lines {
        refused_alike(line, 403);
    }
    assert_eq!(
        events(),
        before + 2 * lines.len(),
        "one event for each request"
    );
    for line in lines {
        assert_eq!(early(&emulator, line, "").status, 401, "{line}");
    }
    refused_alike("POST /keys/a_b/create", 400);
    refused_alike("PATCH /keys", 405);
    refused_alike("POST /keys/registry-key/release", 403);
    assert_eq!(
        early(
            &emulator,
            "GET /keys/registry-key?api-version=7.4",
            &authorization
        )
        .status,
        200
    );

    // Random bytes need no permission, but the network is judged before the body.
    emulator.cli(&[
        "vault",
        "network",
        "update",
        "sealock",
        "--public-access",
        "disabled",
        "--bypass",
        "none",
    ]);
    refused_alike("POST /rng", 403);
}

#[test]
fn permission_revoked_while_the_body_arrives_refuses_the_request() {
    let emulator = Emulator::start();
    emulator.cli(&["access", "grant", "--permissions", "all"]);
    let bearer = token(&emulator, VAULT);
    let body = br#"{"kty":"EC"}"#;
    let request = head(
        "POST /keys/late/create?api-version=7.4",
        &format!(
            "Authorization: Bearer {bearer}\r\nExpect: 100-continue\r\nContent-Length: {}\r\n",
            body.len()
        ),
    );
    let mut stream = BufReader::new(TcpStream::connect(emulator.address()).unwrap());
    stream.get_mut().write_all(&request).unwrap();
    // The body is requested once the permission has been judged.
    let mut asked = String::new();
    while !asked.ends_with("\r\n\r\n") {
        stream.read_line(&mut asked).unwrap();
    }
    assert!(asked.starts_with("HTTP/1.1 100 "), "{asked}");
    emulator.cli(&["access", "revoke", "--permissions", "create"]);
    stream.get_mut().write_all(body).unwrap();
    let answer = RawAnswer::read(&mut stream).unwrap();
    assert_eq!(answer.status, 403, "{}", answer.json());
}

#[test]
fn no_service_reads_the_body_of_an_unauthorized_request() {
    let emulator = Emulator::start_with(Options {
        environment: vec![("SEALOCK_SERVER__AUTH".into(), "enforced".into())],
        ..Options::default()
    });
    let named = "Host: sealock.azurecr.localhost\r\n";
    let wrong = "Authorization: Basic YTpi\r\n";
    let foreign = "Sec-Fetch-Site: cross-site\r\n";
    let upload = "/v2/app/blobs/uploads/2b5a3d3e-7d0f-4d3a-9f5e-1c2d3e4f5a6b";
    let blob = format!("/v2/app/blobs/uploads/?digest={}", digest_of(b"x"));
    for (line, headers, status) in [
        ("PUT /v2/app/manifests/v1", "", 401),
        ("PUT /v2/app/manifests/v1", wrong, 401),
        ("PUT /v2/app/manifests/v1", named, 401),
        ("PUT /v2/app/manifests/-", "", 400),
        ("GET /v2/app/manifests/v1", "", 401),
        (&format!("POST {blob}"), "", 401),
        (&format!("PATCH {upload}"), "", 401),
        (&format!("PUT {upload}"), "", 401),
        ("PATCH /acr/v1/app", "", 401),
        ("PATCH /acr/v1/app/_tags/v1", wrong, 401),
        ("PUT /oauth2/token", "", 405),
        ("GET /oauth2/exchange", "", 405),
        ("PUT /_sealock/v1/vaults/abc", "", 401),
        ("POST /_sealock/v1/vaults/sealock/restore", "", 401),
        (
            "POST /_sealock/v1/vaults/sealock/restore",
            "Authorization: Bearer x\r\n",
            401,
        ),
        ("POST /_sealock/v1/health", "", 405),
        ("POST /_sealock/v1/nowhere", "", 404),
        ("POST /tenant/oauth2/v2.0/token", "", 400),
        ("PUT /tenant/oauth2/v2.0/token", "", 405),
        ("POST /metadata/identity/oauth2/token", "", 405),
        ("POST /msi/token", "", 403),
        ("PUT /msi/token", "", 405),
        ("POST /v1.0/directoryObjects/getByIds", "", 401),
        ("POST /keys/k/create", "", 401),
        ("POST /", "", 405),
        ("POST /nowhere", "", 404),
        ("PUT /v2/app/manifests/v1", foreign, 403),
        ("PUT /v2/app/manifests/v1", "Host: evil.test\r\n", 421),
    ] {
        let answer = early(&emulator, line, headers);
        assert_eq!(
            answer.status,
            status,
            "{line} {headers}: {}",
            String::from_utf8_lossy(&answer.body)
        );
    }
}

#[test]
fn unauthenticated_heads_and_bodies_are_limited() {
    let emulator = Emulator::start();
    let mut head = b"GET /v2/ HTTP/1.1\r\nHost: localhost\r\nX: ".to_vec();
    head.resize(128 << 10, b'x');
    let answer = Connection::new(emulator.address()).send(&head).unwrap();
    assert_eq!(answer.status, 431);

    let bearer = token(&emulator, VAULT);
    let authorization = format!("Authorization: Bearer {bearer}\r\n");
    let tenant = emulator.json(&["identity", "list"])["identities"][0]["tenant_id"].clone();
    let tenant = tenant.as_str().unwrap();
    for (line, headers) in [
        ("POST /oauth2/token", ""),
        ("POST /oauth2/exchange", ""),
        (&format!("POST /{tenant}/oauth2/token"), ""),
        (&format!("POST /{tenant}/oauth2/v2.0/token"), ""),
        ("POST /rng?api-version=7.4", &authorization),
    ] {
        // One byte more than the limit, of a longer announced body.
        let mut request = begun(line, headers);
        request.extend(vec![b'a'; (64 << 10) + 1 - SENT]);
        let answer = Connection::new(emulator.address()).send(&request).unwrap();
        assert_eq!(answer.status, 400, "{line}");
    }
}

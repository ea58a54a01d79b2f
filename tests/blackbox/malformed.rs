pub(crate) mod connection;
mod table;

use std::{collections::BTreeSet, path::PathBuf};

use sealock_tests::{Answer, Emulator, Image, digest_of};
use serde_json::Value;

use self::{
    connection::{Connection, RawAnswer, bytes_of, head},
    table::{BARE, Bad, table},
};

/// The content of an upload that stays unfinished during the bad requests.
const BEGUN: &[u8] = b"01234";

/// Returns the registry's lists, and the paths of its object files.
fn state(emulator: &Emulator) -> (Vec<Vec<u8>>, BTreeSet<PathBuf>) {
    let client = emulator.client();
    let lists = ["/v2/_catalog", "/v2/app/tags/list"].map(|path| client.get(path).body);
    let blobs = emulator.data_dir().join("blobs");
    let files = emulator.files().into_iter().map(|(path, _)| path);
    let objects = files
        .filter(|path| path.starts_with(&blobs))
        .filter(|path| !path.to_string_lossy().contains("staging"));
    (lists.into(), objects.collect())
}

/// Starts an upload, and returns its location.
fn upload(emulator: &Emulator, repository: &str) -> String {
    let path = format!("/v2/{repository}/blobs/uploads/");
    let begun = emulator.client().send("POST", &path, &[], b"");
    begun.header("location").to_owned()
}

/// The values of the words in braces.
struct Words<'a> {
    emulator: &'a Emulator,
    values: [(&'static str, String); 7],
}

impl<'a> Words<'a> {
    fn new(emulator: &'a Emulator, image: &Image) -> Self {
        let begun = upload(emulator, "app");
        let sent = emulator.client().send("PATCH", &begun, &[], BEGUN);
        assert_eq!(sent.status, 202);
        Self {
            emulator,
            values: [
                ("{never}", digest_of(b"never pushed")),
                ("{layer}", digest_of(image.blobs().next().unwrap())),
                ("{manifest}", image.digest()),
                ("{foreign}", digest_of(b"")),
                ("{bare}", digest_of(BARE)),
                ("{hex}", "0a".repeat(32)),
                ("{upload}", begun),
            ],
        }
    }

    fn fill(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (word, value) in &self.values {
            text = text.replace(word, value);
        }
        if text.contains("{fresh}") {
            text = text.replace("{fresh}", &upload(self.emulator, "app"));
        }
        if text.contains("{elsewhere}") {
            let elsewhere = upload(self.emulator, "other").replace("/v2/other/", "/v2/app/");
            text = text.replace("{elsewhere}", &elsewhere);
        }
        assert!(
            !text.contains('{'),
            "a word that stands for nothing: {text}"
        );
        text
    }
}

#[test]
fn bad_requests_get_clear_errors_and_change_nothing() {
    let emulator = Emulator::start();
    let client = emulator.client();
    let image = Image::random(&[1000]);
    assert_eq!(client.push("app", "v1", &image).status, 201);
    assert_eq!(client.push_blob("other", b"").status, 201);
    let words = Words::new(&emulator, &image);
    let before = state(&emulator);

    let table = table();
    assert!(table.len() >= 150, "the table has only {}", table.len());
    let mut connection = Connection::new(emulator.address());
    let mut wrong = Vec::new();
    for bad in &table {
        let request = bad.bytes(&words.fill(&bad.line));
        let checked = connection
            .send(&request)
            .and_then(|answer| check(bad, &answer));
        // The next request is served, on this connection if it is still open.
        let next = connection.send(&head("GET /v2/_catalog", ""));
        let next = next.map(|answer| answer.status);
        if let Err(why) = checked {
            wrong.push(format!("{}: {} -> {why}", bad.name, bad.line));
        } else if next != Ok(200) {
            wrong.push(format!("{}: the next request got {next:?}", bad.name));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} rows:\n{}",
        wrong.len(),
        wrong.join("\n")
    );

    assert_eq!(state(&emulator), before);
    assert_eq!(client.pull("app", "v1", &image).status, 200);
    emulator.verify();
    let end = format!("{}?digest={}", words.fill("{upload}"), digest_of(BEGUN));
    assert_eq!(
        client.send("PUT", &end, &[], b"").status,
        201,
        "the upload goes on"
    );
}

/// Checks that a refusal is the expected one, in OCI's form.
fn check(bad: &Bad, answer: &RawAnswer) -> Result<(), String> {
    let text = String::from_utf8_lossy(&answer.body);
    if answer.status != bad.status {
        return Err(format!(
            "{} instead of {}: {text}",
            answer.status, bad.status
        ));
    }
    let json: Value =
        serde_json::from_slice(&answer.body).map_err(|error| format!("{error}: {text}"))?;
    let errors = json["errors"].as_array().map(Vec::as_slice);
    let Some([error]) = errors else {
        return Err(format!("not one error: {text}"));
    };
    let message = error["message"].as_str().unwrap_or_default();
    if error["code"] != bad.code || message.is_empty() {
        return Err(format!("not {} with a message: {text}", bad.code));
    }
    let mut headers = vec![
        ("content-type", "application/json"),
        ("docker-distribution-api-version", "registry/2.0"),
    ];
    headers.extend((bad.status == 405).then_some(("allow", "")));
    headers.extend((bad.status == 401).then_some(("www-authenticate", "Bearer realm=")));
    for (name, begins) in headers {
        let value = answer.header(name);
        if !value.is_some_and(|value| value.starts_with(begins)) {
            return Err(format!("{name} is {value:?}"));
        }
    }
    Ok(())
}

/// Requests that never reach the registry, with their status. Malformed HTTP gets no body. Other requests get one in
/// the form of the service that they name.
#[expect(clippy::too_many_lines, reason = "a table")]
fn improper() -> Vec<(&'static str, Vec<u8>, u16)> {
    let raw = |text: &str| bytes_of(text);
    let (long, many) = ("a".repeat(1 << 20), "X: 1\r\n".repeat(200));
    let get = |headers: &str| head("GET /v2/", headers);
    let post = |headers: &str| head("POST /v2/app/blobs/uploads/", headers);
    let host = |hosts: &str| raw(&format!("GET /v2/ HTTP/1.1\r\n{hosts}\r\n"));
    vec![
        ("not HTTP", raw("GARBAGE\r\n\r\n"), 400),
        (
            "bytes that are not text",
            raw("\u{ff}\u{fe}\u{0}\r\n\r\n"),
            400,
        ),
        ("a request without a version", raw("GET /v2/\r\n\r\n"), 400),
        (
            "an unknown version",
            raw("GET /v2/ HTTP/9.9\r\nHost: localhost\r\n\r\n"),
            400,
        ),
        (
            "a version in lower case",
            raw("GET /v2/ http/1.1\r\nHost: localhost\r\n\r\n"),
            400,
        ),
        ("two spaces in its line", head("GET  /v2/", ""), 400),
        ("a tab in its line", head("GET\t/v2/", ""), 400),
        ("a method that is not a word", head("G(T /v2/", ""), 400),
        (
            "no path",
            raw("GET  HTTP/1.1\r\nHost: localhost\r\n\r\n"),
            400,
        ),
        ("a path without its slash", head("GET v2/", ""), 400),
        (
            "a space in the path",
            head("GET /v2/a b/tags/list", ""),
            400,
        ),
        (
            "bytes in the path",
            head("GET /v2/\u{ff}/tags/list", ""),
            400,
        ),
        (
            "a NUL in the path",
            head("GET /v2/\u{0}/tags/list", ""),
            400,
        ),
        (
            "bytes in the query",
            head("GET /v2/_catalog?n=\u{ff}", ""),
            400,
        ),
        (
            "a path of 70 000 letters",
            head(&format!("GET /v2/{}", &long[..70_000]), ""),
            414,
        ),
        (
            "a query of 70 000 letters",
            head(&format!("GET /v2/_catalog?n={}", &long[..70_000]), ""),
            414,
        ),
        ("no Host", host(""), 400),
        ("no Host, HTTP/1.0", raw("GET /v2/ HTTP/1.0\r\n\r\n"), 400),
        ("an empty Host", host("Host:\r\n"), 400),
        ("a Host of two words", host("Host: local host\r\n"), 400),
        ("a Host that is not text", host("Host: \u{ff}\r\n"), 400),
        (
            "two Hosts",
            host("Host: localhost\r\nHost: evil.test\r\n"),
            400,
        ),
        (
            "a Host with a user",
            host("Host: evil.test@localhost\r\n"),
            400,
        ),
        ("a Host with a path", host("Host: localhost/v2/\r\n"), 400),
        (
            "a Host with an invalid port",
            host("Host: localhost:x\r\n"),
            400,
        ),
        (
            "an absolute target on a foreign host",
            head("GET http://evil.test/v2/", ""),
            421,
        ),
        ("a header of a MiB", get(&format!("X: {long}\r\n")), 431),
        ("200 headers", get(&many), 431),
        ("a header name of two words", get("Two Words: 1\r\n"), 400),
        ("a header name that is not text", get("\u{ff}: 1\r\n"), 400),
        ("a header without a colon", get("Header\r\n"), 400),
        ("a header without a name", get(": 1\r\n"), 400),
        ("a header on two lines", get("X: 1\r\n 2\r\n"), 400),
        (
            "a carriage return alone in a header",
            get("X: a\rb\r\n"),
            400,
        ),
        ("a NUL in a header", get("X: \u{0}\r\n"), 400),
        (
            "a length that is not a number",
            post("Content-Length: x\r\n"),
            400,
        ),
        ("a negative length", post("Content-Length: -1\r\n"), 400),
        ("a length with a sign", post("Content-Length: +1\r\n"), 400),
        ("an empty length", post("Content-Length:\r\n"), 400),
        (
            "a length beyond 64 bits",
            post("Content-Length: 99999999999999999999\r\n"),
            400,
        ),
        (
            "two lengths",
            post("Content-Length: 1\r\nContent-Length: 2\r\n"),
            400,
        ),
        ("two lengths in one", post("Content-Length: 1, 2\r\n"), 400),
        (
            "an unknown encoding",
            head("PUT /v2/app/manifests/v1", "Transfer-Encoding: gzip\r\n"),
            400,
        ),
        (
            "an encoding after the chunks",
            head(
                "PUT /v2/app/manifests/v1",
                "Transfer-Encoding: chunked, gzip\r\n",
            ),
            400,
        ),
        (
            "a tunnel",
            raw("CONNECT localhost:443 HTTP/1.1\r\nHost: localhost\r\n\r\n"),
            405,
        ),
        (
            "a change to the index page",
            head("POST /", "Content-Length: 0\r\n"),
            405,
        ),
        (
            "a path that begins with two slashes",
            head("GET //v2/", ""),
            301,
        ),
        ("another version of the registry", head("GET /v1/", ""), 404),
        (
            "a path with the prefix of an endpoint",
            head("GET /v2x/", ""),
            404,
        ),
        (
            "the control API without a version",
            head("GET /_sealock/", ""),
            404,
        ),
    ]
}

#[test]
fn malformed_http_is_refused_and_never_hangs() {
    let emulator = Emulator::start();
    let client = emulator.client();
    let image = Image::random(&[1000]);
    assert_eq!(client.push("app", "v1", &image).status, 201);
    let before = state(&emulator);

    let mut wrong = Vec::new();
    for (what, request, expected) in improper() {
        let mut connection = Connection::new(emulator.address());
        match connection.send(&request) {
            Ok(answer) if answer.status == expected => {
                let body = String::from_utf8_lossy(&answer.body);
                if !body.is_empty() && serde_json::from_str::<Value>(&body).is_err() {
                    wrong.push(format!("{what}: {body} is no JSON"));
                }
            }
            Ok(answer) => wrong.push(format!("{what}: {} instead of {expected}", answer.status)),
            Err(why) => wrong.push(format!("{what}: {why}")),
        }
        let next = connection.send(&head("GET /v2/_catalog", ""));
        if next.map(|answer| answer.status) != Ok(200) {
            wrong.push(format!("{what}: the next request fails"));
        }
    }
    // Valid but unusual.
    let token = client.get("/oauth2/token").json()["access_token"].clone();
    let token = token.as_str().unwrap();
    for (what, request) in [
        (
            "HTTP/1.0",
            bytes_of("GET /v2/_catalog HTTP/1.0\r\nHost: localhost\r\n\r\n"),
        ),
        (
            "an absolute target",
            bytes_of("GET http://localhost/v2/_catalog HTTP/1.1\r\nHost: evil.test\r\n\r\n"),
        ),
        (
            "a base without its slash",
            head("GET /v2", &format!("Authorization: Bearer {token}\r\n")),
        ),
        (
            "lines that end with a line feed alone",
            bytes_of("GET /v2/_catalog HTTP/1.1\nHost: localhost\n\n"),
        ),
        (
            "an empty line before it",
            [b"\r\n".to_vec(), head("GET /v2/_catalog", "")].concat(),
        ),
    ] {
        let answer = Connection::new(emulator.address()).send(&request);
        if answer.map(|answer| answer.status) != Ok(200) {
            wrong.push(format!("{what} is refused"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));

    assert_eq!(state(&emulator), before);
    assert_eq!(client.pull("app", "v1", &image).status, 200);
    emulator.verify();
}

/// Requests of every kind that exists as GET and HEAD, with their headers and their status while the registry is
/// available. A revoked registry refuses those that it would serve.
fn readings() -> Vec<(&'static str, &'static str, u16)> {
    vec![
        ("/v2/", "", 401),
        ("/v2/_catalog", "", 200),
        ("/v2/_catalog?n=1", "", 200),
        ("/v2/_catalog?n=x", "", 400),
        ("/v2/app/tags/list", "", 200),
        ("/v2/app/tags/list?n=0", "", 200),
        ("/v2/unknown/tags/list", "", 404),
        ("/v2/A/tags/list", "", 400),
        ("/v2/app/manifests/v1", "", 200),
        ("/v2/app/manifests/v1", "accept: text/plain", 404),
        ("/v2/app/manifests/v1", "if-none-match: \"{manifest}\"", 304),
        (
            "/v2/app/manifests/v1",
            "if-none-match: \"x\", W/\"{manifest}\"",
            304,
        ),
        ("/v2/app/manifests/v1", "if-none-match: \"{layer}\"", 200),
        ("/v2/app/manifests/v1", "authorization: Basic YTpi", 401),
        ("/v2/app/manifests/{manifest}", "", 200),
        ("/v2/app/manifests/v2", "", 404),
        ("/v2/app/manifests/-", "", 400),
        ("/v2/app/manifests/{never}", "", 404),
        ("/v2/app/manifests/sha256:short", "", 400),
        ("/v2/app/blobs/{layer}", "", 200),
        ("/v2/app/blobs/{foreign}", "", 404),
        ("/v2/other/blobs/{foreign}", "", 200),
        ("/v2/app/blobs/{layer}", "range: bytes=10-99", 206),
        ("/v2/app/blobs/{layer}", "range: bytes=-10", 206),
        ("/v2/app/blobs/{layer}", "range: lines=1-2", 200),
        ("/v2/app/blobs/{layer}", "range: bytes=500-0", 416),
        ("/v2/app/blobs/{layer}", "range: bytes=70000-", 416),
        ("/v2/other/blobs/{foreign}", "range: bytes=0-0", 416),
        ("/v2/app/blobs/{layer}", "if-none-match: \"{layer}\"", 304),
        ("/v2/app/blobs/{layer}", "if-none-match: *", 304),
        ("/v2/app/blobs/{layer}", "if-none-match:", 200),
        ("/v2/app/blobs/{never}", "if-none-match: *", 404),
        ("/v2/app/blobs/{never}", "", 404),
        ("/v2/app/blobs/v1", "", 400),
        ("{upload}", "", 204),
        ("/v2/app/blobs/uploads/1", "", 404),
        ("/v2/app/referrers/{manifest}", "", 404),
        ("/v2/app/nowhere", "", 404),
    ]
}

#[test]
fn head_and_get_agree_on_every_request_even_while_revoked() {
    let emulator = Emulator::start();
    let client = emulator.client();
    let image = Image::random(&[70_000]);
    assert_eq!(client.push("app", "v1", &image).status, 201);
    assert_eq!(client.push_blob("other", b"").status, 201);
    let words = Words::new(&emulator, &image);
    let agree = |expected: &dyn Fn(&str, u16) -> u16| {
        for (path, header, status) in readings() {
            let [path, header] = [path, header].map(|text| words.fill(text));
            let what = format!("{path} {header}");
            let header = header
                .split_once(':')
                .map(|(name, value)| (name, value.trim()));
            let send = |method| client.send(method, &path, header.as_slice(), b"");
            let (get, head) = (send("GET"), send("HEAD"));
            assert_eq!(get.status, expected(&path, status), "{what}");
            let described = |answer: &Answer| {
                let mut headers = answer.headers.clone();
                headers.remove("date");
                let id = headers.remove("x-ms-correlation-request-id");
                assert!(id.is_some(), "{what} has no correlation id");
                (answer.status, headers)
            };
            // Ranges apply to GET only: RFC 9110, 14.2.
            let whole = match header {
                Some(("range", _)) => Some(client.send("GET", &path, &[], b"")),
                _ => None,
            };
            let alike = whole.as_ref().unwrap_or(&get);
            assert_eq!(described(&head), described(alike), "{what}");
            assert_eq!(head.body, b"", "{what}");
            let length = get.body.len().to_string();
            match get.status {
                204 | 304 => assert_eq!(length, "0", "{what}"),
                _ => assert_eq!(get.header("content-length"), length, "{what}"),
            }
            assert!(
                get.status < 400 || get.header("content-type").starts_with("application/json"),
                "{what}"
            );
            assert_eq!(
                get.header("docker-distribution-api-version"),
                "registry/2.0",
                "{what}"
            );
        }
    };
    agree(&|_, status| status);
    emulator.cli(&["key", "disable"]);
    agree(&|path, status| match status {
        // Unknown endpoints, invalid names and bad credentials are refused before the key is used.
        400 if !path.ends_with("n=x") => 400,
        401 => 401,
        404 if path.ends_with("/nowhere") || path.ends_with("/uploads/1") => 404,
        _ => 403,
    });
    emulator.cli(&["key", "enable"]);
    agree(&|_, status| status);
}

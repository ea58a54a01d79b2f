use std::{
    collections::BTreeSet,
    io::{Read as _, Write as _},
    net::TcpStream,
    path::PathBuf,
    time::Duration,
};

use sealock_tests::{Answer, Client, Emulator, Image, digest_of};
use serde_json::json;

/// How long a refusal may take before it counts as a hang.
const PATIENCE: Duration = Duration::from_secs(20);

/// A request that the registry refuses.
struct Bad {
    method: &'static str,
    path: String,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    status: u16,
    code: &'static str,
}

impl Bad {
    fn new(method: &'static str, path: impl Into<String>, status: u16, code: &'static str) -> Self {
        let (path, headers, body) = (path.into(), Vec::new(), Vec::new());
        Self {
            method,
            path,
            headers,
            body,
            status,
            code,
        }
    }

    fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    fn body(self, body: impl Into<Vec<u8>>) -> Self {
        Self {
            body: body.into(),
            ..self
        }
    }
}

fn bad_names() -> Vec<Bad> {
    let long = "a".repeat(201);
    let names = [
        "A", "a_", "_a", "-a", "a-", "a.", ".a", "a..b", "a___b", "a._b", "a//b", "/a", "a/",
        "a/../b", "%C3%A9", "a%20b", "a%00", "a%zz", "a%", "a%0A", "a+b", "a:b", "a@b", &long,
    ];
    let mut bad: Vec<_> = names
        .iter()
        .map(|name| Bad::new("GET", format!("/v2/{name}/tags/list"), 400, "NAME_INVALID"))
        .collect();
    let digest = digest_of(b"");
    bad.extend([
        Bad::new("POST", "/v2/A/blobs/uploads/", 400, "NAME_INVALID"),
        Bad::new("PUT", "/v2/A/manifests/v1", 400, "NAME_INVALID").body(b"{}"),
        Bad::new("GET", format!("/v2/A/blobs/{digest}"), 400, "NAME_INVALID"),
        Bad::new(
            "POST",
            format!("/v2/app/blobs/uploads/?mount={digest}&from=A"),
            400,
            "NAME_INVALID",
        ),
    ]);
    bad
}

fn bad_tags() -> Vec<Bad> {
    let long = "a".repeat(129);
    let tags = [
        ".a", "-a", "a+b", "a%20b", "%C3%A9", "", "a%00", "a%", &long,
    ];
    let refused = |method| {
        move |tag: &&str| {
            Bad::new(
                method,
                format!("/v2/app/manifests/{tag}"),
                400,
                "TAG_INVALID",
            )
        }
    };
    let (get, put) = (
        tags.iter().map(refused("GET")),
        tags.iter().map(refused("PUT")),
    );
    get.chain(put).collect()
}

fn bad_digests(client: &Client) -> Vec<Bad> {
    let hex = "0a".repeat(32);
    let digests = [
        "sha256:".to_owned(),
        "sha256:baddigeststring".to_owned(),
        format!("sha256:{}", &hex[1..]),
        format!("sha256:{hex}0"),
        format!("sha256:{}", hex.to_uppercase()),
        format!("SHA256:{hex}"),
        format!("md5:{}", &hex[..32]),
        format!("sha512:{hex}"),
        format!("blake3:{hex}"),
        format!(":{hex}"),
        format!("sha256:{hex}%20"),
    ];
    let mut bad = Vec::new();
    for digest in &digests {
        for (method, path) in [
            ("GET", format!("/v2/app/blobs/{digest}")),
            ("DELETE", format!("/v2/app/blobs/{digest}")),
            ("GET", format!("/v2/app/manifests/{digest}")),
            ("PUT", format!("/v2/app/manifests/{digest}")),
            ("GET", format!("/v2/app/referrers/{digest}")),
            ("POST", format!("/v2/app/blobs/uploads/?digest={digest}")),
            (
                "POST",
                format!("/v2/app/blobs/uploads/?mount={digest}&from=other"),
            ),
            ("PUT", format!("{}?digest={digest}", upload(client, "app"))),
        ] {
            bad.push(Bad::new(method, path, 400, "DIGEST_INVALID").body(b"{}"));
        }
    }
    bad.push(Bad::new(
        "GET",
        format!("/v2/app/blobs/{hex}"),
        400,
        "DIGEST_INVALID",
    ));
    bad.push(Bad::new("GET", "/v2/app/blobs/v1", 400, "DIGEST_INVALID"));
    bad
}

fn bad_uploads(client: &Client) -> Vec<Bad> {
    let never = digest_of(b"never pushed");
    let unknown = "/v2/app/blobs/uploads/00000000-0000-4000-8000-000000000000".to_owned();
    let foreign = upload(client, "other").replace("/v2/other/", "/v2/app/");
    let mut bad = vec![
        Bad::new(
            "POST",
            format!("/v2/app/blobs/uploads/?digest={never}"),
            400,
            "DIGEST_INVALID",
        )
        .body(b"something else"),
        Bad::new(
            "PUT",
            format!("{}?digest={never}", upload(client, "app")),
            400,
            "DIGEST_INVALID",
        )
        .body(b"something else"),
        Bad::new("PUT", upload(client, "app"), 400, "DIGEST_INVALID").body(b"which?"),
        Bad::new(
            "PUT",
            format!("{}?digest=", upload(client, "app")),
            400,
            "DIGEST_INVALID",
        )
        .body(b"which?"),
    ];
    for location in [
        unknown,
        foreign,
        "/v2/app/blobs/uploads/not-an-id".to_owned(),
        "/v2/app/blobs/uploads/%00".to_owned(),
    ] {
        for method in ["GET", "PATCH", "DELETE"] {
            bad.push(Bad::new(method, &location, 404, "BLOB_UPLOAD_UNKNOWN"));
        }
        bad.push(
            Bad::new(
                "PUT",
                format!("{location}?digest={never}"),
                404,
                "BLOB_UPLOAD_UNKNOWN",
            )
            .body(b"never pushed"),
        );
    }

    let digest = digest_of(b"12345");
    let max = u64::MAX;
    for (range, status, code) in [
        ("bytes 0-4".to_owned(), 400, "SIZE_INVALID"),
        ("bytes=0-4".to_owned(), 400, "SIZE_INVALID"),
        ("0-4/5".to_owned(), 400, "SIZE_INVALID"),
        ("0".to_owned(), 400, "SIZE_INVALID"),
        ("0-".to_owned(), 400, "SIZE_INVALID"),
        ("-4".to_owned(), 400, "SIZE_INVALID"),
        ("a-b".to_owned(), 400, "SIZE_INVALID"),
        ("+0-+4".to_owned(), 400, "SIZE_INVALID"),
        ("4-0".to_owned(), 400, "SIZE_INVALID"),
        (String::new(), 400, "SIZE_INVALID"),
        (format!("0-{max}"), 400, "SIZE_INVALID"),
        ("0-99999999999999999999".to_owned(), 400, "SIZE_INVALID"),
        // Of other than the five bytes that come.
        ("0-3".to_owned(), 400, "SIZE_INVALID"),
        ("0-5".to_owned(), 400, "SIZE_INVALID"),
        ("1-5".to_owned(), 416, "RANGE_INVALID"),
        (format!("{max}-{max}"), 416, "RANGE_INVALID"),
    ] {
        let finish = format!("{}?digest={digest}", upload(client, "app"));
        for (method, path) in [("PATCH", upload(client, "app")), ("PUT", finish)] {
            bad.push(
                Bad::new(method, path, status, code)
                    .header("content-range", &range)
                    .body(b"12345"),
            );
        }
    }
    bad
}

fn bad_manifests() -> Vec<Bad> {
    let (never, empty) = (digest_of(b"never pushed"), digest_of(b""));
    let layer = |digest: &str| {
        json!({"schemaVersion": 2, "layers": [{"digest": digest}]})
            .to_string()
            .into_bytes()
    };
    let mut bad: Vec<_> = [
        &b""[..],
        b"no json",
        b"[]",
        b"\"text\"",
        b"null",
        b"{}",
        b"{\"schemaVersion\":2",
        b"{\"schemaVersion\":2} {}",
        b"{\"schemaVersion\":\"2\"}",
        b"{\"schemaVersion\":1}",
        b"{\"schemaVersion\":3}",
        b"{\"schemaVersion\":2,\"layers\":{}}",
        b"{\"schemaVersion\":2,\"layers\":[{}]}",
        b"{\"schemaVersion\":2,\"config\":\"sha256:\"}",
        b"{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.index.v1+json\"}",
        b"{\"schemaVersion\":2,\"annotations\":\"\xff\"}",
        &layer("sha256:short"),
        &[&b"{\"schemaVersion\":2,\"x\":"[..], &vec![b'['; 100_000]].concat(),
    ]
    .iter()
    .map(|body| {
        let bad = Bad::new("PUT", "/v2/app/manifests/v1", 400, "MANIFEST_INVALID")
            .header("content-type", Image::MEDIA_TYPE);
        bad.body(*body)
    })
    .collect();
    let put = |content_type: &str, status, code| {
        Bad::new("PUT", "/v2/app/manifests/v1", status, code).header("content-type", content_type)
    };
    let schema_1 = "application/vnd.docker.distribution.manifest.v1+prettyjws";
    let bare = b"{\"schemaVersion\":2}";
    bad.extend([
        put(schema_1, 400, "MANIFEST_INVALID").body(bare),
        put("two words", 400, "MANIFEST_INVALID").body(bare),
        put("", 400, "MANIFEST_INVALID").body(bare),
        put(Image::MEDIA_TYPE, 400, "MANIFEST_BLOB_UNKNOWN").body(layer(&never)),
        // Another repository has it.
        put(Image::MEDIA_TYPE, 400, "MANIFEST_BLOB_UNKNOWN").body(layer(&empty)),
        put(Image::MEDIA_TYPE, 413, "MANIFEST_INVALID").body(vec![b' '; (4 << 20) + 1]),
        Bad::new(
            "PUT",
            format!("/v2/app/manifests/{never}"),
            400,
            "DIGEST_INVALID",
        )
        .header("content-type", Image::MEDIA_TYPE)
        .body(bare),
    ]);
    bad
}

fn unknown_things() -> Vec<Bad> {
    let (never, empty) = (digest_of(b"never pushed"), digest_of(b""));
    let mut bad = vec![
        Bad::new("GET", "/v2/unknown/tags/list", 404, "NAME_UNKNOWN"),
        // Another repository has it.
        Bad::new("GET", format!("/v2/app/blobs/{empty}"), 404, "BLOB_UNKNOWN"),
        Bad::new(
            "DELETE",
            format!("/v2/app/blobs/{empty}"),
            404,
            "BLOB_UNKNOWN",
        ),
        Bad::new(
            "GET",
            format!("/v2/app/referrers/{never}"),
            404,
            "UNSUPPORTED",
        ),
    ];
    for repository in ["app", "unknown"] {
        bad.push(Bad::new(
            "GET",
            format!("/v2/{repository}/blobs/{never}"),
            404,
            "BLOB_UNKNOWN",
        ));
        bad.push(Bad::new(
            "DELETE",
            format!("/v2/{repository}/blobs/{never}"),
            404,
            "BLOB_UNKNOWN",
        ));
        for reference in ["v2", &never] {
            let path = format!("/v2/{repository}/manifests/{reference}");
            bad.push(Bad::new("GET", &path, 404, "MANIFEST_UNKNOWN"));
            bad.push(Bad::new("DELETE", &path, 404, "MANIFEST_UNKNOWN"));
        }
    }
    for path in [
        "/v2/app",
        "/v2/app/",
        "/v2/app/v1",
        "/v2/app/tags",
        "/v2/app/tags/lists",
        "/v2/_catalog/",
        "/v2/_oci/ext/discover",
        "/v2//",
        "/v2/%FF/tags/list",
        "/v2/app/manifests",
    ] {
        bad.push(Bad::new("GET", path, 404, "UNSUPPORTED"));
    }
    for path in ["/v2/_catalog", "/v2/app/tags/list"] {
        for n in [
            "x",
            "-1",
            "",
            "1.5",
            "0x10",
            "%201",
            "99999999999999999999999",
        ] {
            bad.push(Bad::new(
                "GET",
                format!("{path}?n={n}"),
                400,
                "PAGINATION_NUMBER_INVALID",
            ));
        }
    }
    bad
}

fn wrong_methods(client: &Client) -> Vec<Bad> {
    let blob = format!("/v2/app/blobs/{}", digest_of(b""));
    let upload = upload(client, "app");
    [
        ("/v2/", &["POST", "PUT", "DELETE", "PATCH", "OPTIONS"][..]),
        ("/v2/_catalog", &["POST", "PUT", "DELETE"]),
        ("/v2/app/tags/list", &["POST", "PUT", "DELETE"]),
        ("/v2/app/manifests/v1", &["POST", "PATCH", "OPTIONS"]),
        (&blob, &["POST", "PUT", "PATCH"]),
        ("/v2/app/blobs/uploads/", &["GET", "PUT", "PATCH", "DELETE"]),
        (&upload, &["POST", "OPTIONS"]),
    ]
    .into_iter()
    .flat_map(|(path, methods)| {
        methods
            .iter()
            .map(move |method| Bad::new(method, path, 405, "UNSUPPORTED"))
    })
    .collect()
}

fn unknown_credentials() -> Vec<Bad> {
    let mut bad = Vec::new();
    for credentials in [
        "Basic YTpi",
        "Basic !",
        "Basic",
        "Bearer x.y.z",
        "Negotiate abc",
        "nonsense",
        "",
    ] {
        for (method, path) in [
            ("GET", "/v2/"),
            ("GET", "/v2/app/manifests/v1"),
            ("POST", "/v2/app/blobs/uploads/"),
        ] {
            bad.push(
                Bad::new(method, path, 401, "UNAUTHORIZED").header("authorization", credentials),
            );
        }
    }
    bad
}

/// Begins an upload and says where it goes on.
fn upload(client: &Client, repository: &str) -> String {
    let begun = client.send(
        "POST",
        &format!("/v2/{repository}/blobs/uploads/"),
        &[],
        b"",
    );
    begun.header("location").to_owned()
}

/// What the registry has, and every file of its objects.
fn state(emulator: &Emulator) -> (Vec<Vec<u8>>, BTreeSet<PathBuf>) {
    let client = emulator.client();
    let lists = ["/v2/_catalog", "/v2/app/tags/list"].map(|path| client.get(path).body);
    let files = emulator.files().into_iter().map(|(path, _)| path);
    let objects = files.filter(|path| path.starts_with(emulator.data_dir().join("blobs")));
    (
        lists.into(),
        objects
            .filter(|path| !path.to_string_lossy().contains("staging"))
            .collect(),
    )
}

#[test]
fn bad_requests_get_clear_errors_and_change_nothing() {
    let emulator = Emulator::start();
    let client = emulator.client();
    let image = Image::random(&[1000]);
    assert_eq!(client.push("app", "v1", &image).status, 201);
    assert_eq!(client.push_blob("other", b"").status, 201);
    let before = state(&emulator);

    let table = [
        bad_names(),
        bad_tags(),
        bad_digests(&client),
        bad_uploads(&client),
        bad_manifests(),
        unknown_things(),
        wrong_methods(&client),
        unknown_credentials(),
    ];
    let mut wrong = Vec::new();
    for bad in table.iter().flatten() {
        let headers: Vec<_> = bad
            .headers
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let answer = client.send(bad.method, &bad.path, &headers, &bad.body);
        if let Err(why) = check(bad, &answer) {
            let body: String = String::from_utf8_lossy(&bad.body)
                .chars()
                .take(80)
                .collect();
            wrong.push(format!(
                "{} {} {headers:?} {body:?}: {why}",
                bad.method, bad.path
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));

    assert_eq!(state(&emulator), before);
    assert_eq!(client.pull("app", "v1", &image).status, 200);
    emulator.cli(&["verify"]);
}

/// Whether a refusal is the one that is expected, in OCI's shape.
fn check(bad: &Bad, answer: &Answer) -> Result<(), String> {
    let text = String::from_utf8_lossy(&answer.body);
    if answer.status != bad.status {
        return Err(format!(
            "{} instead of {}: {text}",
            answer.status, bad.status
        ));
    }
    let json: serde_json::Value =
        serde_json::from_slice(&answer.body).map_err(|error| format!("{error}: {text}"))?;
    let [error] = json["errors"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default()
    else {
        return Err(format!("not one error: {text}"));
    };
    let message = error["message"].as_str().unwrap_or_default();
    if error["code"] != bad.code || message.is_empty() || error.get("detail").is_none() {
        return Err(format!(
            "not {} with a message and a detail: {text}",
            bad.code
        ));
    }
    let mut headers = vec![
        ("content-type", "application/json"),
        ("docker-distribution-api-version", "registry/2.0"),
    ];
    headers.extend((bad.status == 405).then_some(("allow", "")));
    headers.extend((bad.status == 401).then_some(("www-authenticate", "Bearer realm=")));
    for (name, begins) in headers {
        let value = answer
            .headers
            .get(name)
            .and_then(|value| value.to_str().ok());
        if !value.is_some_and(|value| value.starts_with(begins)) {
            return Err(format!("{name} is {value:?}"));
        }
    }
    Ok(())
}

/// Sends bytes, and reads until the emulator closes the connection.
fn converse(address: &str, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    // Refused before everything was sent, perhaps.
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => answer.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => break,
            Err(error) => panic!("{error} after {:?}", String::from_utf8_lossy(&answer)),
        }
    }
    String::from_utf8_lossy(&answer).into_owned()
}

/// A request's head on `localhost` that asks to close the connection afterwards.
fn head(line: &str, headers: &str) -> Vec<u8> {
    format!("{line} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n").into_bytes()
}

#[test]
fn what_is_no_proper_http_is_refused_and_never_hangs() {
    let emulator = Emulator::start();
    let client = emulator.client();
    let image = Image::random(&[1000]);
    assert_eq!(client.push("app", "v1", &image).status, 201);
    let before = state(&emulator);

    let close = "Connection: close\r\n\r\n";
    let long = "a".repeat(1 << 20);
    let many = "X: 1\r\n".repeat(200);
    let text = |text: &str| text.as_bytes().to_vec();
    let chunked =
        "Transfer-Encoding: chunked\r\nContent-Type: application/vnd.oci.image.index.v1+json\r\n";
    let mut wrong = Vec::new();
    for (what, request, expected) in [
        ("no HTTP", text("GARBAGE\r\n\r\n"), 400),
        ("an unknown version", text(&format!("GET /v2/ HTTP/9.9\r\nHost: localhost\r\n{close}")), 400),
        ("no Host", text(&format!("GET /v2/ HTTP/1.1\r\n{close}")), 400),
        ("no Host, HTTP/1.0", text("GET /v2/ HTTP/1.0\r\n\r\n"), 400),
        ("an empty Host", text(&format!("GET /v2/ HTTP/1.1\r\nHost:\r\n{close}")), 400),
        ("a Host of two words", text(&format!("GET /v2/ HTTP/1.1\r\nHost: local host\r\n{close}")), 400),
        ("a Host that is no text", b"GET /v2/ HTTP/1.1\r\nHost: \xff\r\nConnection: close\r\n\r\n".to_vec(), 400),
        ("two Hosts", text(&format!("GET /v2/ HTTP/1.1\r\nHost: localhost\r\nHost: evil.test\r\n{close}")), 400),
        ("a Host with a user", text(&format!("GET /v2/ HTTP/1.1\r\nHost: evil.test@localhost\r\n{close}")), 400),
        ("another's absolute target", head("GET http://evil.test/v2/", ""), 421),
        ("an absolute target of no endpoint", head("GET http://localhost/v2/app", ""), 404),
        ("a long header", head("GET /v2/", &format!("X: {long}\r\n")), 431),
        ("many headers", head("GET /v2/", &many), 431),
        ("a long target", head(&format!("GET /v2/{}", &long[..70_000]), ""), 414),
        ("a header's name of two words", head("GET /v2/", "Two Words: 1\r\n"), 400),
        ("a line feed alone in a header", head("GET /v2/", "X: a\rb\r\n"), 400),
        ("a space in the path", head("GET /v2/a b/tags/list", ""), 400),
        ("bytes in the path", b"GET /v2/\xff/tags/list HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".to_vec(), 400),
        ("bad percent encoding", head("GET /v2/a%zz/tags/list", ""), 400),
        ("no UTF-8", head("GET /v2/%C3%28/tags/list", ""), 404),
        ("a length that is none", head("POST /v2/app/blobs/uploads/", "Content-Length: x\r\n"), 400),
        ("two lengths", head("POST /v2/app/blobs/uploads/", "Content-Length: 1\r\nContent-Length: 2\r\n"), 400),
        ("an unknown encoding", head("PUT /v2/app/manifests/v1", "Transfer-Encoding: gzip\r\n"), 400),
        ("broken chunks", [head("PUT /v2/app/manifests/v1", chunked), text("zz\r\n{}\r\n0\r\n\r\n")].concat(), 400),
        ("an unknown method", head("BREW /v2/", ""), 405),
        ("a tunnel", text(&format!("CONNECT localhost:443 HTTP/1.1\r\nHost: localhost\r\n{close}")), 405),
        ("a change to the index page", head("POST /", "Content-Length: 0\r\n"), 405),
        ("a path that begins with two slashes", head("GET //v2/", ""), 404),
        ("another path", head("GET /v1/", ""), 404),
        ("a name with a beginning in common", head("GET /v2x/", ""), 404),
        ("no credentials in text", b"GET /v2/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: \xff\r\n\r\n".to_vec(), 401),
    ] {
        let answer = converse(emulator.address(), &request);
        let status = answer.split(' ').nth(1).and_then(|status| status.parse::<u16>().ok());
        let body = answer.split_once("\r\n\r\n").map(|(_, body)| body).unwrap_or_default();
        if status != Some(expected) {
            wrong.push(format!("{what}: {status:?} instead of {expected}: {body}"));
        } else if !body.is_empty() && serde_json::from_str::<serde_json::Value>(body).is_err() {
            wrong.push(format!("{what}: {body} is no JSON"));
        }
    }
    // Proper, if rare.
    for (what, request) in [
        (
            "HTTP/1.0",
            text("GET /v2/ HTTP/1.0\r\nHost: localhost\r\n\r\n"),
        ),
        (
            "an absolute target",
            text(&format!(
                "GET http://localhost/v2/ HTTP/1.1\r\nHost: evil.test\r\n{close}"
            )),
        ),
        ("a base without slash", head("GET /v2", "")),
    ] {
        let answer = converse(emulator.address(), &request);
        if !answer.contains(" 200 OK\r\n") || !answer.ends_with("{}") {
            wrong.push(format!("{what}: {answer}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));

    assert_eq!(state(&emulator), before);
    assert_eq!(client.pull("app", "v1", &image).status, 200);
    emulator.cli(&["verify"]);
}

#[test]
fn a_chunk_range_that_is_no_text_is_refused() {
    let emulator = Emulator::start();
    let client = emulator.client();
    let location = upload(&client, "app");
    let line = format!("PATCH {location}");
    for range in [&b"\xff"[..], b"0-4\r\nContent-Range: 5-9"] {
        let headers = [
            &head(&line, "Content-Length: 5\r\nContent-Range: ")[..],
            b"",
        ]
        .concat();
        let headers = headers.strip_suffix(b"\r\n").unwrap();
        let answer = converse(
            emulator.address(),
            &[headers, range, b"\r\n\r\n12345"].concat(),
        );
        assert!(answer.starts_with("HTTP/1.1 400 "), "{range:?}: {answer}");
        assert_eq!(
            client.get(&location).header("range"),
            "0-0",
            "{range:?}: nothing was appended"
        );
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn the_control_api_refuses_in_its_own_shape() {
    let emulator = Emulator::start();
    let client = emulator.client();
    let shown = emulator.json(&["vault", "show"]);
    let large = vec![b' '; 100_000];
    for (method, path, body, status, code) in [
        ("GET", "nope", &b""[..], 404, "NotFound"),
        ("GET", "", b"", 404, "NotFound"),
        ("PUT", "health", b"", 405, "MethodNotAllowed"),
        ("DELETE", "registries/sealock", b"", 405, "MethodNotAllowed"),
        ("GET", "vaults/A", b"", 400, "BadRequest"),
        ("GET", "vaults/%00", b"", 400, "BadRequest"),
        ("GET", "vaults/%FF", b"", 400, "BadRequest"),
        ("GET", "vaults/unknown", b"", 404, "VaultNotFound"),
        ("PUT", "vaults/abc", b"no json", 400, "BadRequest"),
        ("PUT", "vaults/abc", b"{\"purge\": true}", 400, "BadRequest"),
        (
            "PUT",
            "vaults/abc",
            b"{\"soft_delete_retention_days\": 6}",
            400,
            "BadParameter",
        ),
        ("PUT", "vaults/abc", &large, 413, "BadRequest"),
        ("GET", "vaults/sealock/keys/a_b", b"", 400, "BadRequest"),
        (
            "POST",
            "vaults/sealock/keys/k",
            b"{\"kty\": \"EC\"}",
            400,
            "BadParameter",
        ),
        (
            "POST",
            "vaults/sealock/keys/k",
            b"{\"kty\": \"none\"}",
            400,
            "BadRequest",
        ),
        (
            "POST",
            "vaults/sealock/keys/k",
            b"{\"key_size\": 1024}",
            400,
            "BadParameter",
        ),
        (
            "PATCH",
            "vaults/sealock/keys/registry-key",
            b"",
            400,
            "BadRequest",
        ),
        (
            "PATCH",
            "vaults/sealock/keys/registry-key/v1",
            b"{\"enabled\": false}",
            400,
            "BadRequest",
        ),
        (
            "POST",
            "vaults/sealock/access/registry-identity/grant",
            b"{\"permissions\": [\"everything\"]}",
            400,
            "BadRequest",
        ),
        (
            "POST",
            "vaults/sealock/access/nobody/grant",
            b"{\"permissions\": []}",
            404,
            "IdentityNotFound",
        ),
        ("PUT", "registries/abc", b"", 400, "BadRequest"),
        (
            "PUT",
            "registries/abcde",
            b"{\"sku\": \"Gold\"}",
            400,
            "BadRequest",
        ),
        (
            "PUT",
            "registries/abcde",
            b"{\"key\": \"k\"}",
            400,
            "BadRequest",
        ),
        ("GET", "registries/unknown", b"", 404, "NAME_UNKNOWN"),
        ("GET", "registries/sealock/inspect", b"", 400, "BadRequest"),
        (
            "GET",
            "registries/sealock/inspect?name=A",
            b"",
            400,
            "NAME_INVALID",
        ),
        (
            "GET",
            "registries/sealock/inspect?name=app",
            b"",
            404,
            "MANIFEST_UNKNOWN",
        ),
        ("GET", "audit?follow=maybe", b"", 400, "BadRequest"),
    ] {
        let answer = client.send(method, &format!("/_sealock/v1/{path}"), &[], body);
        let what = format!("{method} {path}: {}", String::from_utf8_lossy(&answer.body));
        assert_eq!(answer.status, status, "{what}");
        assert_eq!(answer.header("content-type"), "application/json", "{what}");
        let error = &answer.json()["error"];
        assert_eq!(error["code"], code, "{what}");
        assert!(!error["message"].as_str().unwrap().is_empty(), "{what}");
        assert_eq!(
            answer.headers.contains_key("allow"),
            status == 405,
            "{what}"
        );
    }
    assert_eq!(emulator.json(&["vault", "show"]), shown);
    assert_eq!(
        emulator.json(&["vault", "list"])["vaults"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert_eq!(
        emulator.json(&["key", "list"])["keys"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert_eq!(
        emulator.json(&["registry", "list"])["registries"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

use sealock_tests::{Image, digest_of};
use serde_json::json;

use super::connection::bytes_of;

const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// A request that the registry refuses.
///
/// In the line and the headers, a character stands for the byte of its code point, so `\u{ff}` is a byte that no text
/// has. Words in braces stand for values of the running emulator:
///
/// - `{never}` is an unknown digest, `{layer}` one of the repository `app`, and `{foreign}` one
///   that only the repository `other` has
/// - `{hex}` is sixty-four digits
/// - `{upload}` is an upload of the repository `app` that has five bytes and does not change
/// - `{fresh}` is a new empty upload, and `{elsewhere}` one of the repository `other`
/// - `{bare}` is the digest of [`BARE`], and `{manifest}` that of a manifest of `app`
pub(super) struct Bad {
    pub(super) name: String,
    pub(super) line: String,
    headers: String,
    body: Vec<u8>,
    pub(super) status: u16,
    pub(super) code: &'static str,
}

fn bad(name: impl Into<String>, line: impl Into<String>, status: u16, code: &'static str) -> Bad {
    Bad {
        name: name.into(),
        line: line.into(),
        headers: String::new(),
        body: Vec::new(),
        status,
        code,
    }
}

impl Bad {
    fn header(mut self, header: impl AsRef<str>) -> Self {
        self.headers = format!("{}{}\r\n", self.headers, header.as_ref());
        self
    }

    fn body(self, body: impl Into<Vec<u8>>) -> Self {
        Self {
            body: body.into(),
            ..self
        }
    }
}

pub(super) fn table() -> Vec<Bad> {
    [
        names(),
        tags(),
        digests(),
        paths(),
        pages(),
        ranges(),
        uploads(),
        chunks(),
        mounts(),
        manifests(),
        media_types(),
        tag_parameters(),
        unknown_things(),
        methods(),
        credentials(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn names() -> Vec<Bad> {
    let refused = |name: &str, line: &str| {
        bad(
            format!("a repository's name: {name}"),
            line,
            400,
            "NAME_INVALID",
        )
    };
    let long = "a".repeat(256);
    let huge = "a".repeat(20_000);
    let deep = "a/".repeat(150);
    let mut table: Vec<_> = [
        ("upper case", "A"),
        ("upper case in the second segment", "a/B"),
        ("begins with an underscore", "_a"),
        ("ends with an underscore", "a_"),
        ("begins with a hyphen", "-a"),
        ("ends with a hyphen", "a-"),
        ("begins with a dot", ".a"),
        ("ends with a dot", "a."),
        ("two dots", "a..b"),
        ("three underscores", "a___b"),
        ("two separators", "a._b"),
        ("an empty segment in the middle", "a/%2Fb"),
        ("an empty segment at the beginning", "%2Fa"),
        ("an empty segment at the end", "a%2F"),
        ("a parent directory", "a/../b"),
        ("a parent directory, encoded", "a%2F..%2Fb"),
        ("a backslash", "a%5Cb"),
        ("beyond ASCII", "%C3%A9"),
        ("a space", "a%20b"),
        ("a NUL", "a%00"),
        ("a line feed", "a%0A"),
        ("a percent sign without digits", "a%"),
        ("a percent sign with one digit", "a%4"),
        ("a percent sign with letters", "a%zz"),
        ("encoded twice", "a%2561"),
        ("a plus", "a+b"),
        ("a colon", "a:b"),
        ("an at", "a@b"),
        ("a semicolon", "a;b"),
        ("an asterisk", "*"),
        ("more than 255 letters", &long),
        ("20 000 letters", &huge),
        (
            "more than 255 letters in short segments",
            &format!("{deep}a"),
        ),
    ]
    .iter()
    .map(|(name, text)| refused(name, &format!("GET /v2/{text}/tags/list")))
    .collect();
    table.extend([
        refused("in a push", "POST /v2/A/blobs/uploads/"),
        refused(
            "in a mount's target",
            "POST /v2/A/blobs/uploads/?mount={layer}&from=app",
        ),
        refused(
            "in an upload",
            "PATCH /v2/A/blobs/uploads/00000000-0000-4000-8000-000000000000",
        ),
        refused("at a blob", "GET /v2/A/blobs/{layer}"),
        refused("at a blob's deletion", "DELETE /v2/A/blobs/{layer}"),
        refused("at a manifest", "GET /v2/A/manifests/v1"),
        refused("at a manifest's push", "PUT /v2/A/manifests/v1").body("{}"),
        refused("at a manifest's deletion", "DELETE /v2/A/manifests/v1"),
        refused("at referrers", "GET /v2/A/referrers/{never}"),
    ]);
    table
}

fn tags() -> Vec<Bad> {
    let long = "a".repeat(129);
    [
        ("begins with a dot", ".a"),
        ("begins with a hyphen", "-a"),
        ("a plus", "a+b"),
        ("a space", "a%20b"),
        ("a slash's look-alike", "a%5Cb"),
        ("beyond ASCII", "%C3%A9"),
        ("empty", ""),
        ("a NUL", "a%00"),
        ("a percent sign without digits", "a%"),
        ("encoded twice", "%2576"),
        ("a digest without a colon", "sha256-{hex}=="),
        ("more than 128 letters", &long),
    ]
    .iter()
    .flat_map(|(name, tag)| {
        ["GET", "PUT", "DELETE"].map(|method| {
            let line = format!("{method} /v2/app/manifests/{tag}");
            bad(
                format!("a tag in {method}: {name}"),
                line,
                400,
                "TAG_INVALID",
            )
        })
    })
    .collect()
}

fn digests() -> Vec<Bad> {
    let digests = [
        ("no hash", "sha256:"),
        ("not hexadecimal", "sha256:baddigeststring"),
        ("a digit too many", "sha256:{hex}0"),
        ("a space at its end", "sha256:{hex}%20"),
        ("a second colon", "sha256::{hex}"),
        ("no algorithm", ":{hex}"),
        ("an algorithm in upper case", "SHA256:{hex}"),
        ("a hash of the wrong length", "sha512:{hex}"),
        ("an unknown algorithm", "sha257:{hex}"),
        (
            "an algorithm of the past",
            "md5:d41d8cd98f00b204e9800998ecf8427e",
        ),
        ("an algorithm that is not served", "blake3:{hex}"),
        (
            "a digit too few",
            "sha256:a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a",
        ),
        (
            "upper case",
            "sha256:A0A0A0A0A0A0A0A0A0A0A0A0A0A0A0A0A0A0A0A0A0A0A0A0A0A0A0A0A0A0A0A0",
        ),
    ];
    let places = [
        "GET /v2/app/blobs/",
        "DELETE /v2/app/blobs/",
        "GET /v2/app/manifests/",
        "PUT /v2/app/manifests/",
        "DELETE /v2/app/manifests/",
        "GET /v2/app/referrers/",
        "POST /v2/app/blobs/uploads/?digest=",
        "POST /v2/app/blobs/uploads/?mount=",
        "POST /v2/app/blobs/uploads/?from=other&mount=",
        "PUT {upload}?digest=",
    ];
    let refused = |name: String, line: String| bad(name, line, 400, "DIGEST_INVALID");
    let mut table: Vec<_> = digests
        .iter()
        .flat_map(|(name, digest)| {
            places.map(|place| {
                refused(
                    format!("a digest in {place}: {name}"),
                    format!("{place}{digest}"),
                )
            })
        })
        .collect();
    table.extend(
        [
            ("a blob by its hash alone", "GET /v2/app/blobs/{hex}"),
            ("a blob by a tag", "GET /v2/app/blobs/v1"),
            ("a blob without a digest", "GET /v2/app/blobs/"),
            ("referrers of a tag", "GET /v2/app/referrers/v1"),
            ("referrers without a digest", "GET /v2/app/referrers/"),
            (
                "a push with an empty digest",
                "POST /v2/app/blobs/uploads/?digest=",
            ),
            (
                "a digest in broken percent encoding",
                "POST /v2/app/blobs/uploads/?digest=sha256%3",
            ),
            (
                "a digest that is no UTF-8",
                "POST /v2/app/blobs/uploads/?digest=sha256:%FF{hex}",
            ),
            (
                "an upload's algorithm that is not served",
                "POST /v2/app/blobs/uploads/?digest-algorithm=md5",
            ),
            (
                "an upload's algorithm in upper case",
                "POST /v2/app/blobs/uploads/?digest-algorithm=SHA256",
            ),
            (
                "an upload's algorithm that is empty",
                "POST /v2/app/blobs/uploads/?digest-algorithm=",
            ),
            ("the end of an upload without a digest", "PUT {upload}"),
            (
                "the end of an upload with an empty digest",
                "PUT {upload}?digest=",
            ),
            (
                "an end with the digest's name in upper case",
                "PUT {upload}?Digest={never}",
            ),
        ]
        .map(|(name, line)| refused(name.to_owned(), line.to_owned())),
    );
    table
}

fn paths() -> Vec<Bad> {
    let long = "a/".repeat(2_000);
    [
        ("a repository without an endpoint", "/v2/app"),
        ("a repository with a slash", "/v2/app/"),
        ("a tag without its endpoint", "/v2/app/v1"),
        ("tags alone", "/v2/app/tags"),
        ("the tags' list with a slash", "/v2/app/tags/list/"),
        ("another list of tags", "/v2/app/tags/lists"),
        ("an endpoint in upper case", "/v2/app/Tags/List"),
        ("manifests alone", "/v2/app/manifests"),
        ("blobs alone", "/v2/app/blobs"),
        ("referrers alone", "/v2/app/referrers"),
        ("a blob without a repository", "/v2/blobs/{layer}"),
        ("a manifest without a repository", "/v2/manifests/v1"),
        ("tags without a repository", "/v2/tags/list"),
        ("the catalog with a slash", "/v2/_catalog/"),
        ("the catalog of a repository", "/v2/app/_catalog"),
        ("extensions", "/v2/_oci/ext/discover"),
        ("a repository's extensions", "/v2/app/_oci/ext/discover"),
        ("an empty path", "/v2/%2F"),
        ("a path of slashes", "/v2/%2F%2F"),
        ("a parent directory", "/v2/.."),
        ("not UTF-8", "/v2/%FF/tags/list"),
        ("half of a character", "/v2/%C3%28/tags/list"),
        (
            "a parent directory outside the registry",
            "/v2/../_sealock/v1/health",
        ),
        ("a slash in a tag", "/v2/app/manifests/a%2Fb"),
        ("a slash after a digest", "/v2/app/blobs/{layer}/"),
        ("thousands of segments", &format!("/v2/{long}")),
    ]
    .iter()
    .map(|(name, path)| {
        bad(
            format!("a path: {name}"),
            format!("GET {path}"),
            404,
            "UNSUPPORTED",
        )
    })
    .collect()
}

fn pages() -> Vec<Bad> {
    ["/v2/_catalog", "/v2/app/tags/list"]
        .iter()
        .flat_map(|path| {
            [
                ("a word", "x"),
                ("negative", "-1"),
                ("a fraction", "1.5"),
                ("with an exponent", "1e3"),
                ("hexadecimal", "0x10"),
                ("after a space", "%201"),
                ("before a NUL", "1%00"),
                ("in another script's digits", "%D9%A1"),
                ("beyond 64 bits", "99999999999999999999999"),
                ("good the second time only", "x&n=1"),
            ]
            .map(|(name, n)| {
                bad(
                    format!("a page's size: {name}"),
                    format!("GET {path}?n={n}"),
                    400,
                    "PAGINATION_NUMBER_INVALID",
                )
            })
        })
        .collect()
}

/// Ranges of the layer, which has 1000 bytes.
fn ranges() -> Vec<Bad> {
    [
        ("the end before the start", "bytes=500-0"),
        ("beyond the end", "bytes=1000-"),
        ("far beyond the end", "bytes=5000-10000"),
        ("the last 0 bytes", "bytes=-0"),
        ("neither end", "bytes=-"),
        ("nothing", "bytes="),
        ("a word", "bytes=x-1"),
        ("hexadecimal", "bytes=0x0-0x9"),
        ("negative", "bytes=-1-2"),
        ("beyond 64 bits", "bytes=99999999999999999999-"),
        ("two, both beyond the end", "bytes=5000-6000,7000-8000"),
        ("two, one of them invalid", "bytes=0-1,x"),
        ("bytes that are not text", "bytes=0-\u{ff}"),
    ]
    .map(|(name, range)| {
        bad(
            format!("a range: {name}"),
            "GET /v2/app/blobs/{layer}",
            416,
            "RANGE_INVALID",
        )
        .header(format!("Range: {range}"))
    })
    .into()
}

fn uploads() -> Vec<Bad> {
    let mut table = vec![
        bad(
            "a push of other content",
            "POST /v2/app/blobs/uploads/?digest={never}",
            400,
            "DIGEST_INVALID",
        )
        .body("something else"),
        bad(
            "an end of other content",
            "PUT {fresh}?digest={never}",
            400,
            "DIGEST_INVALID",
        )
        .body("something else"),
        bad(
            "an end of no content",
            "PUT {fresh}?digest={never}",
            400,
            "DIGEST_INVALID",
        ),
        bad(
            "an end of other content under the digest of some that is there",
            "PUT {fresh}?digest={layer}",
            400,
            "DIGEST_INVALID",
        )
        .body("something else"),
    ];
    for (name, id) in [
        ("unknown", "00000000-0000-4000-8000-000000000000"),
        ("not one", "not-an-id"),
        ("a number", "1"),
        ("a NUL", "%00"),
        ("a digest", "{never}"),
        ("with braces", "%7B00000000-0000-4000-8000-000000000001%7D"),
    ] {
        for method in ["GET", "PATCH", "PUT", "DELETE"] {
            let line = format!("{method} /v2/app/blobs/uploads/{id}?digest={{never}}");
            let name = format!("an upload's id in {method}: {name}");
            table.push(bad(name, line, 404, "BLOB_UPLOAD_UNKNOWN").body("never pushed"));
        }
    }
    for method in ["GET", "PATCH", "PUT", "DELETE"] {
        let line = format!("{method} {{elsewhere}}?digest={{never}}");
        let name = format!("another repository's upload in {method}");
        table.push(bad(name, line, 404, "BLOB_UPLOAD_UNKNOWN").body("never pushed"));
    }
    table
}

/// Chunks of five bytes for an upload that has five bytes.
fn chunks() -> Vec<Bad> {
    let too_many = format!("5-{}", u64::MAX);
    let (invalid, out_of_order) = ((400, "SIZE_INVALID"), (416, "RANGE_INVALID"));
    [
        ("with a unit", "bytes 5-9", invalid),
        ("with a unit and a sign", "bytes=5-9", invalid),
        ("with a size", "5-9/10", invalid),
        ("one number", "5", invalid),
        ("no end", "5-", invalid),
        ("no beginning", "-9", invalid),
        ("words", "a-b", invalid),
        ("signs", "+5-+9", invalid),
        ("spaces within", "5 - 9", invalid),
        ("three numbers", "5-7-9", invalid),
        ("the end before the start", "9-5", invalid),
        ("empty", "", invalid),
        ("not text", "5-\u{ff}", invalid),
        ("up to the largest number", &too_many, invalid),
        ("beyond 64 bits", "5-99999999999999999999", invalid),
        ("fewer bytes than the body", "5-8", invalid),
        ("more bytes than the body", "5-10", invalid),
        ("two of them", "5-9\r\nContent-Range: 5-9", invalid),
        ("a gap", "6-10", out_of_order),
        ("a repetition", "0-4", out_of_order),
        ("an overlap", "4-8", out_of_order),
        (
            "the largest number",
            "18446744073709551615-18446744073709551615",
            out_of_order,
        ),
    ]
    .iter()
    .flat_map(|(name, range, (status, code))| {
        ["PATCH {upload}", "PUT {upload}?digest={never}"].map(|line| {
            bad(format!("a chunk's range: {name}"), line, *status, code)
                .header(format!("Content-Range: {range}"))
                .body("56789")
        })
    })
    .collect()
}

fn mounts() -> Vec<Bad> {
    let uploads = "POST /v2/app/blobs/uploads/";
    [
        ("no digest", "?mount=&from=other", "DIGEST_INVALID"),
        ("a tag", "?mount=v1&from=other", "DIGEST_INVALID"),
        (
            "from no repository",
            "?mount={foreign}&from=",
            "NAME_INVALID",
        ),
        ("from a bad name", "?mount={foreign}&from=A", "NAME_INVALID"),
        (
            "from a parent directory",
            "?mount={foreign}&from=a/../other",
            "NAME_INVALID",
        ),
        (
            "from a name with a tag",
            "?mount={foreign}&from=other:v1",
            "NAME_INVALID",
        ),
        (
            "from a URL",
            "?mount={foreign}&from=http://other",
            "NAME_INVALID",
        ),
        (
            "from a name that is not UTF-8",
            "?mount={foreign}&from=%FF",
            "NAME_INVALID",
        ),
        (
            "from two names in one",
            "?mount={foreign}&from=other,app",
            "NAME_INVALID",
        ),
        (
            "the second of two is good",
            "?mount=x&mount={foreign}&from=other",
            "DIGEST_INVALID",
        ),
    ]
    .map(|(name, query, code)| {
        bad(
            format!("a mount: {name}"),
            format!("{uploads}{query}"),
            400,
            code,
        )
    })
    .into()
}

#[expect(clippy::too_many_lines, reason = "a table")]
fn manifests() -> Vec<Bad> {
    let deep = [&b"{\"schemaVersion\":2,\"x\":"[..], &vec![b'['; 100_000]].concat();
    let mut table: Vec<_> = [
        ("nothing", &b""[..]),
        ("not JSON", b"no json"),
        ("an array", b"[]"),
        ("a text", b"\"text\""),
        ("null", b"null"),
        ("an empty object", b"{}"),
        ("cut off", b"{\"schemaVersion\":2"),
        ("two", b"{\"schemaVersion\":2} {}"),
        ("a comma too many", b"{\"schemaVersion\":2,}"),
        (
            "a field twice",
            b"{\"schemaVersion\":2,\"schemaVersion\":2}",
        ),
        ("its version in text", b"{\"schemaVersion\":\"2\"}"),
        ("version 1", b"{\"schemaVersion\":1}"),
        ("version 3", b"{\"schemaVersion\":3}"),
        ("version -2", b"{\"schemaVersion\":-2}"),
        (
            "layers that are an object",
            b"{\"schemaVersion\":2,\"layers\":{}}",
        ),
        (
            "a layer without a digest",
            b"{\"schemaVersion\":2,\"layers\":[{}]}",
        ),
        (
            "a layer that is null",
            b"{\"schemaVersion\":2,\"layers\":[null]}",
        ),
        (
            "a layer with a short digest",
            b"{\"schemaVersion\":2,\"layers\":[{\"digest\":\"sha256:0a\"}]}",
        ),
        (
            "a configuration that is a text",
            b"{\"schemaVersion\":2,\"config\":\"sha256:\"}",
        ),
        (
            "an entry without a digest",
            b"{\"schemaVersion\":2,\"manifests\":[{\"size\":1}]}",
        ),
        (
            "a subject without a digest",
            b"{\"schemaVersion\":2,\"subject\":{\"size\":1}}",
        ),
        (
            "a subject that is a tag",
            b"{\"schemaVersion\":2,\"subject\":{\"digest\":\"v1\"}}",
        ),
        (
            "an artifact type that is a number",
            b"{\"schemaVersion\":2,\"artifactType\":1}",
        ),
        (
            "annotations that are a list",
            b"{\"schemaVersion\":2,\"annotations\":[]}",
        ),
        (
            "an annotation that is a number",
            b"{\"schemaVersion\":2,\"annotations\":{\"a\":1}}",
        ),
        (
            "another type than its header's",
            b"{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.index.v1+json\"}",
        ),
        (
            "bytes that are not text",
            b"{\"schemaVersion\":2,\"annotations\":{\"a\":\"\xff\"}}",
        ),
        ("a byte order mark", b"\xef\xbb\xbf{\"schemaVersion\":2}"),
        ("UTF-16", b"\xff\xfe{\0}\0"),
        ("nesting that would overflow the stack", &deep),
    ]
    .iter()
    .map(|(name, body)| {
        bad(
            format!("a manifest: {name}"),
            "PUT /v2/app/manifests/v1",
            400,
            "MANIFEST_INVALID",
        )
        .header(format!("Content-Type: {}", Image::MEDIA_TYPE))
        .body(*body)
    })
    .collect();
    let with_layer = |digest: &str| {
        let layer = json!({"mediaType": "a/b", "digest": digest, "size": 1});
        let manifest = json!({"schemaVersion": 2, "config": layer, "layers": [layer]});
        manifest.to_string().into_bytes()
    };
    let put = |name: &str, reference: &str, status, code| {
        let line = format!("PUT /v2/app/manifests/{reference}");
        bad(format!("a manifest: {name}"), line, status, code)
            .header(format!("Content-Type: {}", Image::MEDIA_TYPE))
    };
    let never = digest_of(b"never pushed");
    table.extend([
        put("an unknown layer", "v1", 400, "MANIFEST_BLOB_UNKNOWN").body(with_layer(&never)),
        put(
            "a layer of another repository",
            "v1",
            400,
            "MANIFEST_BLOB_UNKNOWN",
        )
        .body(with_layer(&digest_of(b""))),
        put(
            "the digest of another manifest",
            "{never}",
            400,
            "DIGEST_INVALID",
        )
        .body(with_layer(&never)),
        put("a byte more than 4 MiB", "v1", 413, "MANIFEST_INVALID")
            .body(vec![b' '; (4 << 20) + 1]),
        put("broken in its chunks", "v1", 400, "SIZE_INVALID")
            .header("Transfer-Encoding: chunked")
            .body("zz\r\n{}\r\n0\r\n\r\n"),
        put("a chunk size beyond 64 bits", "v1", 400, "SIZE_INVALID")
            .header("Transfer-Encoding: chunked")
            .body("fffffffffffffffff\r\n{}\r\n0\r\n\r\n"),
    ]);
    table
}

fn media_types() -> Vec<Bad> {
    let schema_1 = "application/vnd.docker.distribution.manifest.v1";
    let long = "a".repeat(256);
    [
        ("none", String::new()),
        ("empty", "Content-Type:\r\n".into()),
        (
            "a parameter alone",
            "Content-Type: ; charset=utf-8\r\n".into(),
        ),
        ("two words", "Content-Type: two words\r\n".into()),
        ("not text", "Content-Type: \u{ff}\r\n".into()),
        ("256 letters", format!("Content-Type: {long}\r\n")),
        ("schema 1", format!("Content-Type: {schema_1}+json\r\n")),
        (
            "schema 1, signed",
            format!("Content-Type: {schema_1}+prettyjws\r\n"),
        ),
    ]
    .map(|(name, headers)| {
        let name = format!("a media type: {name}");
        let mut refused = bad(name, "PUT /v2/app/manifests/v1", 400, "MANIFEST_INVALID")
            .body("{\"schemaVersion\":2}");
        refused.headers = headers;
        refused
    })
    .into()
}

/// Tags in a push by digest.
fn tag_parameters() -> Vec<Bad> {
    let long = "a".repeat(129);
    let many = vec!["tag=x"; 101].join("&");
    [
        ("empty", "tag=", 400),
        ("no value", "tag", 400),
        ("a bad one after a good one", "tag=good&tag=-bad", 400),
        ("a slash", "tag=a/b", 400),
        ("a digest", "tag={never}", 400),
        ("not UTF-8", "tag=%FF", 400),
        ("two in one", "tag=a,b", 400),
        ("more than 128 letters", &format!("tag={long}"), 400),
        ("more than 100", &many, 414),
    ]
    .iter()
    .map(|(name, query, status)| {
        let line = format!("PUT /v2/app/manifests/{{bare}}?{query}");
        bad(
            format!("a tag parameter: {name}"),
            line,
            *status,
            "TAG_INVALID",
        )
        .header(format!("Content-Type: {INDEX}"))
        .body(BARE)
    })
    .collect()
}

/// A manifest that is valid except for its tags.
pub(super) const BARE: &[u8] = b"{\"schemaVersion\":2,\"manifests\":[]}";

fn unknown_things() -> Vec<Bad> {
    let mut table = vec![
        bad(
            "the tags of an unknown repository",
            "GET /v2/unknown/tags/list",
            404,
            "NAME_UNKNOWN",
        ),
        bad(
            "another repository's blob",
            "GET /v2/app/blobs/{foreign}",
            404,
            "BLOB_UNKNOWN",
        ),
        bad(
            "another repository's blob deleted",
            "DELETE /v2/app/blobs/{foreign}",
            404,
            "BLOB_UNKNOWN",
        ),
        bad(
            "a blob as a manifest",
            "GET /v2/app/manifests/{layer}",
            404,
            "MANIFEST_UNKNOWN",
        ),
        bad(
            "a blob deleted as a manifest",
            "DELETE /v2/app/manifests/{layer}",
            404,
            "MANIFEST_UNKNOWN",
        ),
        bad(
            "a manifest as a blob",
            "GET /v2/app/blobs/{manifest}",
            404,
            "BLOB_UNKNOWN",
        ),
        bad(
            "a manifest deleted as a blob",
            "DELETE /v2/app/blobs/{manifest}",
            404,
            "BLOB_UNKNOWN",
        ),
        bad(
            "another repository's manifest",
            "GET /v2/other/manifests/{manifest}",
            404,
            "MANIFEST_UNKNOWN",
        ),
        bad(
            "a range of an unknown blob",
            "GET /v2/app/blobs/{never}",
            404,
            "BLOB_UNKNOWN",
        )
        .header("Range: bytes=0-9"),
        bad(
            "referrers in a CMK registry",
            "GET /v2/app/referrers/{never}",
            404,
            "UNSUPPORTED",
        ),
    ];
    for repository in ["app", "unknown"] {
        for method in ["GET", "DELETE"] {
            for (what, path, code) in [
                ("blob", "blobs/{never}", "BLOB_UNKNOWN"),
                ("tag", "manifests/v2", "MANIFEST_UNKNOWN"),
                ("manifest", "manifests/{never}", "MANIFEST_UNKNOWN"),
            ] {
                let name = format!("{method} of an unknown {what} of the repository {repository}");
                table.push(bad(
                    name,
                    format!("{method} /v2/{repository}/{path}"),
                    404,
                    code,
                ));
            }
        }
    }
    table
}

fn methods() -> Vec<Bad> {
    [
        ("/v2/_catalog", "POST PUT DELETE PATCH OPTIONS BREW get"),
        ("/v2/app/tags/list", "POST PUT DELETE PATCH OPTIONS"),
        ("/v2/app/manifests/v1", "POST PATCH OPTIONS TRACE BREW"),
        ("/v2/app/blobs/{layer}", "POST PUT PATCH OPTIONS BREW"),
        ("/v2/app/blobs/uploads/", "GET PUT PATCH DELETE OPTIONS"),
        ("{upload}", "POST OPTIONS BREW"),
        ("/v2/app/referrers/{never}", "POST PUT DELETE"),
    ]
    .iter()
    .flat_map(|(path, methods)| {
        methods.split(' ').map(move |method| {
            let name = format!("the method {method} at {path}");
            bad(name, format!("{method} {path}"), 405, "UNSUPPORTED")
        })
    })
    .collect()
}

fn credentials() -> Vec<Bad> {
    let long = "a".repeat(10_000);
    [
        ("an unknown user", "Basic YTpi"),
        ("not base64", "Basic !"),
        ("nothing", "Basic"),
        ("no colon", "Basic YQ=="),
        ("bytes that are not text", "Basic //8="),
        ("not a token", "Bearer x.y.z"),
        (
            "an unsigned token",
            "Bearer eyJhbGciOiJub25lIn0.eyJhY2Nlc3MiOltdfQ.",
        ),
        ("an empty token", "Bearer "),
        ("an unknown scheme", "Negotiate abc"),
        ("one word", "nonsense"),
        ("no word", ""),
        ("a header that is not text", "\u{ff}"),
        ("10 000 letters", &format!("Bearer {long}")),
    ]
    .iter()
    .flat_map(|(name, credentials)| {
        [
            "GET /v2/",
            "GET /v2/app/manifests/v1",
            "POST /v2/app/blobs/uploads/",
        ]
        .map(|line| {
            bad(format!("credentials: {name}"), line, 401, "UNAUTHORIZED")
                .header(format!("Authorization: {credentials}"))
        })
    })
    .collect()
}

impl Bad {
    /// Returns the request to send, with the words in braces filled in.
    pub(super) fn bytes(&self, line: &str) -> Vec<u8> {
        let chunked = self.headers.contains("Transfer-Encoding");
        let length = if chunked {
            String::new()
        } else {
            format!("Content-Length: {}\r\n", self.body.len())
        };
        let head = format!(
            "{line} HTTP/1.1\r\nHost: localhost\r\n{length}{}\r\n",
            self.headers
        );
        [bytes_of(&head), self.body.clone()].concat()
    }
}

use std::thread;

use sealock_tests::{Answer, Client, Emulator, Image, digest_of};
use serde_json::{Value, json};

fn get(client: &Client, path: &str) -> Value {
    let answer = client.get(path);
    assert_eq!(answer.status, 200, "{path}: {answer:?}");
    answer.json()
}

fn names(list: &Value, field: &str) -> Vec<String> {
    let items = list.as_array().unwrap().iter();
    items
        .map(|item| item[field].as_str().unwrap().to_owned())
        .collect()
}

/// Where the page behind this one is, if there is one.
fn next(answer: &Answer) -> Option<&str> {
    let link = answer.headers.get("link")?.to_str().unwrap();
    let link = link.strip_suffix(">; rel=\"next\"").unwrap();
    Some(link.strip_prefix('<').unwrap())
}

/// Follows the links of a list to its end.
fn pages(client: &Client, path: &str, list: &str, field: &str) -> Vec<Vec<String>> {
    let mut path = path.to_owned();
    let mut pages = Vec::new();
    loop {
        let answer = client.get(&path);
        assert_eq!(answer.status, 200, "{path}");
        let items = &answer.json()[list];
        pages.push(match field {
            "" => items
                .as_array()
                .unwrap()
                .iter()
                .map(|item| item.as_str().unwrap().to_owned())
                .collect(),
            field => names(items, field),
        });
        match next(&answer) {
            Some(next) => next.clone_into(&mut path),
            None => return pages,
        }
    }
}

#[test]
fn repositories_tags_and_manifests_show_themselves_as_in_acr() {
    let emulator = Emulator::start();
    let client = emulator.client();
    emulator.cli(&["clock", "set", "2026-03-01T10:00:00Z"]);
    emulator.cli(&["clock", "freeze"]);
    let image = Image::random(&[1000, 2000]);
    assert_eq!(client.push("team/app", "v1", &image).status, 201);
    emulator.cli(&["clock", "advance", "1h"]);
    assert_eq!(client.push("team/app", "latest", &image).status, 201);
    let (created, updated) = (
        "2026-03-01T10:00:00.0000000Z",
        "2026-03-01T11:00:00.0000000Z",
    );
    let attributes = json!({"deleteEnabled": true, "writeEnabled": true, "readEnabled": true, "listEnabled": true});
    let registry = get(&client, "/acr/v1/team/app")["registry"].clone();
    assert!(
        registry
            .as_str()
            .unwrap()
            .starts_with("sealock.azurecr.localhost")
    );
    let about = |mut value: Value| {
        value["registry"] = registry.clone();
        value["imageName"] = "team/app".into();
        value
    };
    for path in [
        "/acr/v1/team/app",
        "/acr/v1/team%2Fapp",
        "/acr/v1/team%2Fapp?api-version=2021-07-01",
    ] {
        assert_eq!(
            get(&client, path),
            about(json!({
                "createdTime": created, "lastUpdateTime": updated, "manifestCount": 1, "tagCount": 2,
                "changeableAttributes": attributes,
            }))
        );
    }
    let tag = json!({
        "name": "v1", "digest": image.digest(), "createdTime": created, "lastUpdateTime": created, "signed": false,
        "changeableAttributes": attributes,
    });
    assert_eq!(
        get(&client, "/acr/v1/team/app/_tags/v1"),
        about(json!({ "tag": tag }))
    );
    let tags = get(&client, "/acr/v1/team/app/_tags");
    assert_eq!(tags["tags"][1], tag);
    let manifest = get(
        &client,
        &format!(
            "/acr/v1/team/app/_manifests/{}",
            image.digest().replace(':', "%3A")
        ),
    );
    let manifest = &manifest["manifest"];
    assert_eq!(manifest["digest"], image.digest());
    assert_eq!(manifest["tags"], json!(["latest", "v1"]));
    assert_eq!(manifest["architecture"], "amd64");
    assert_eq!(manifest["os"], "linux");
    assert_eq!(
        manifest["mediaType"],
        "application/vnd.oci.image.manifest.v1+json"
    );
    assert_eq!(
        manifest["configMediaType"],
        "application/vnd.oci.image.config.v1+json"
    );
    let size: usize = image.blobs().map(<[u8]>::len).sum();
    assert_eq!(manifest["imageSize"], size);
    assert_eq!(manifest["createdTime"], created);
    assert_eq!(
        get(&client, "/acr/v1/team/app/_manifests")["manifests"][0],
        *manifest
    );

    let index = json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [{
            "mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": image.digest(),
            "size": image.manifest().len(), "platform": {"architecture": "amd64", "os": "linux"},
        }],
    });
    let headers = [("content-type", "application/vnd.oci.image.index.v1+json")];
    let put = client.send(
        "PUT",
        "/v2/team/app/manifests/multi",
        &headers,
        index.to_string().as_bytes(),
    );
    let digest = put.header("docker-content-digest");
    let manifest = get(&client, &format!("/acr/v1/team/app/_manifests/{digest}"));
    assert_eq!(
        manifest["manifest"]["references"],
        json!([{"digest": image.digest(), "architecture": "amd64", "os": "linux"}])
    );
}

#[test]
fn lists_come_in_pages_and_in_the_order_that_was_asked_for() {
    let emulator = Emulator::start();
    let client = emulator.client();
    emulator.cli(&["clock", "freeze"]);
    let images: Vec<Image> = (0..3).map(|_| Image::random(&[10])).collect();
    // Against the alphabet, so that no order is another by chance.
    for (tag, image) in [("c", 0), ("a", 1), ("b", 2)] {
        emulator.cli(&["clock", "advance", "1s"]);
        assert_eq!(client.push("app", tag, &images[image]).status, 201);
    }
    assert_eq!(client.push("zoo", "v1", &images[0]).status, 201);
    assert_eq!(
        pages(&client, "/acr/v1/_catalog?n=1&orderby=", "repositories", ""),
        [["app"], ["zoo"]]
    );
    for (order, expected) in [
        ("", [&["a", "b"][..], &["c"]]),
        ("&orderby=none", [&["a", "b"], &["c"]]),
        ("&orderby=timeasc", [&["c", "a"], &["b"]]),
        ("&orderby=timedesc", [&["b", "a"], &["c"]]),
    ] {
        assert_eq!(
            pages(
                &client,
                &format!("/acr/v1/app/_tags?n=2{order}"),
                "tags",
                "name"
            ),
            expected,
            "{order}"
        );
    }
    let digests: Vec<String> = images.iter().map(Image::digest).collect();
    assert_eq!(
        pages(
            &client,
            "/acr/v1/app/_manifests?n=2&orderby=timedesc",
            "manifests",
            "digest"
        ),
        [
            &[digests[2].clone(), digests[1].clone()][..],
            &[digests[0].clone()]
        ]
    );
    // A page goes on behind what is gone by then, whether clients follow the link or make it up.
    let first = client.get("/acr/v1/app/_tags?n=1&orderby=timeasc");
    assert_eq!(names(&first.json()["tags"], "name"), ["c"]);
    let made_up = "/acr/v1/app/_tags?last=c&orderby=timeasc";
    assert_eq!(names(&get(&client, made_up)["tags"], "name"), ["a", "b"]);
    client.send("DELETE", "/acr/v1/app/_tags/c", &[], b"");
    let rest = get(&client, next(&first).unwrap());
    assert_eq!(names(&rest["tags"], "name"), ["a"]);
    let unknown = client.get(made_up);
    assert_eq!((unknown.status, &*unknown.code()), (400, "UNSUPPORTED"));

    let filtered = get(&client, &format!("/acr/v1/app/_tags?digest={}", digests[1]));
    assert_eq!(names(&filtered["tags"], "name"), ["a"]);
    for (path, status, code) in [
        ("/acr/v1/app/_tags?orderby=size", 400, "UNSUPPORTED"),
        ("/acr/v1/app/_tags?n=x", 400, "PAGINATION_NUMBER_INVALID"),
        ("/acr/v1/app/_tags?digest=x", 400, "DIGEST_INVALID"),
        ("/acr/v1/none", 404, "NAME_UNKNOWN"),
        ("/acr/v1/none/_tags", 404, "NAME_UNKNOWN"),
        ("/acr/v1/none/_manifests", 404, "NAME_UNKNOWN"),
        ("/acr/v1/app/_tags/none", 404, "TAG_UNKNOWN"),
        (
            &format!("/acr/v1/app/_manifests/sha256:{}", "0".repeat(64)),
            404,
            "MANIFEST_UNKNOWN",
        ),
        ("/acr/v1/app/_tagsx", 400, "NAME_INVALID"),
        ("/acr/v1/App", 400, "NAME_INVALID"),
        ("/acr/v1/", 400, "NAME_INVALID"),
        ("/acr/v1/_deleted/_catalog", 400, "NAME_INVALID"),
        ("/acr/v2/app", 404, "UNSUPPORTED"),
    ] {
        let answer = client.get(path);
        assert_eq!((answer.status, &*answer.code()), (status, code), "{path}");
    }
    let wrong = client.send("PATCH", "/acr/v1/app", &[], br#"{"teleportEnabled":true}"#);
    assert_eq!((wrong.status, &*wrong.code()), (400, "UNSUPPORTED"));
    assert_eq!(client.send("POST", "/acr/v1/app", &[], b"").status, 405);
    assert_eq!(
        client.send("DELETE", "/acr/v1/_catalog", &[], b"").status,
        405
    );
}

/// Every item of a list, by one page after the other: its name, and when it was last updated.
fn timed(client: &Client, path: &str, list: &str, name: &str) -> Vec<(String, String)> {
    let named = pages(client, path, list, name).concat();
    let times = pages(client, path, list, "lastUpdateTime").concat();
    named.into_iter().zip(times).collect()
}

#[test]
fn lists_by_time_have_the_newest_first_however_little_time_has_passed() {
    let mut emulator = Emulator::start();
    let client = emulator.client();
    let mut pushed = Vec::new();
    let mut push = |client: &Client, tags: &[&str]| {
        for tag in tags {
            let image = Image::random(&[]);
            assert_eq!(client.push("app", tag, &image).status, 201);
            pushed.push(((*tag).to_owned(), image.digest()));
        }
    };
    // Within a second, and then within none, also across a restart and when the clock comes back to that time.
    push(&client, &["c", "a", "d"]);
    emulator.cli(&["clock", "advance", "1h"]);
    emulator.cli(&["clock", "freeze"]);
    push(&client, &["h", "f", "g"]);
    emulator.kill();
    emulator.start_again();
    let client = emulator.client();
    push(&client, &["b", "i", "e"]);
    emulator.cli(&["clock", "advance", "1h"]);
    emulator.cli(&["clock", "advance", "-1h"]);
    push(&client, &["k", "j"]);

    for at in [1, 4, 100] {
        for (list, field, which) in [("tags", "name", 0), ("manifests", "digest", 1)] {
            let mut expected: Vec<String> = pushed
                .iter()
                .map(|(tag, digest)| [tag, digest][which].clone())
                .collect();
            let path = |order: &str| format!("/acr/v1/app/_{list}?n={at}&orderby={order}");
            let oldest_first = timed(&client, &path("timeasc"), list, field);
            let names: Vec<_> = oldest_first.iter().map(|(name, _)| name.clone()).collect();
            assert_eq!(names, expected, "{list} by {at}");
            expected.reverse();
            let newest_first = timed(&client, &path("timedesc"), list, field);
            let names: Vec<_> = newest_first.iter().map(|(name, _)| name.clone()).collect();
            assert_eq!(names, expected, "{list} by {at}");
            // Clients sort themselves, too.
            for ((_, one), (_, next)) in oldest_first.iter().zip(&oldest_first[1..]) {
                assert!(one < next, "{one} is before {next}");
            }
        }
    }
}

#[test]
fn times_have_seven_digits_of_a_second() {
    let emulator = Emulator::start();
    let client = emulator.client();
    for tag in ["a", "b", "c"] {
        assert_eq!(client.push("app", tag, &Image::random(&[])).status, 201);
    }
    let path = "/acr/v1/app/_tags?orderby=timeasc";
    let times = pages(&client, path, "tags", "lastUpdateTime").concat();
    let fraction = |time: &String| time.rsplit_once('.').unwrap().1.to_owned();
    let fractions: Vec<String> = times.iter().map(fraction).collect();
    assert!(fractions.iter().all(|it| it.len() == 8), "{fractions:?}");
    assert!(fractions.iter().any(|it| it != "0000000Z"), "{fractions:?}");
}

#[test]
fn a_page_without_tags_or_manifests_has_no_list_of_them() {
    let emulator = Emulator::start();
    let client = emulator.client();
    let image = Image::random(&[]);
    assert_eq!(client.push("app", "v1", &image).status, 201);
    let behind = format!("/acr/v1/app/_manifests?last={}", image.digest());
    for (path, list) in [
        ("/acr/v1/app/_tags?last=v1", "tags"),
        ("/acr/v1/app/_tags?n=0", "tags"),
        (behind.as_str(), "manifests"),
    ] {
        assert_eq!(get(&client, path)[list], Value::Null, "{path}");
    }
    client.send("DELETE", "/acr/v1/app/_tags/v1", &[], b"");
    assert_eq!(get(&client, "/acr/v1/app/_tags")["tags"], Value::Null);
    // What is not ACR's own has an empty list, and so has an untagged manifest.
    let manifests = get(&client, "/acr/v1/app/_manifests");
    assert_eq!(manifests["manifests"][0]["tags"], json!([]));
    assert_eq!(get(&client, "/v2/app/tags/list")["tags"], json!([]));
}

#[test]
fn a_page_names_the_next_one_as_acr_does_and_the_last_one_names_none() {
    let emulator = Emulator::start();
    let client = emulator.client();
    let image = Image::random(&[]);
    for repository in ["alpine", "contoso-marketing", "node"] {
        for tag in ["latest", "v1", "v2"] {
            assert_eq!(client.push(repository, tag, &image).status, 201);
        }
    }
    for (path, link) in [
        (
            "/v2/_catalog?n=2",
            "/v2/_catalog?last=contoso-marketing&n=2&orderby=",
        ),
        (
            "/v2/alpine/tags/list?n=2",
            "/v2/alpine/tags/list?last=v1&n=2&orderby=",
        ),
        (
            "/acr/v1/_catalog?n=2",
            "/acr/v1/_catalog?last=contoso-marketing&n=2&orderby=",
        ),
        (
            "/acr/v1/alpine/_tags?n=2&orderby=none",
            "/acr/v1/alpine/_tags?last=v1&n=2&orderby=",
        ),
    ] {
        let page = client.get(path);
        assert_eq!(next(&page), Some(link), "{path}");
        assert_eq!(next(&client.get(link)), None, "{link}");
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn what_is_not_there_is_said_as_acr_says_it() {
    let emulator = Emulator::start();
    let client = emulator.client();
    assert_eq!(client.push("app", "v1", &Image::random(&[])).status, 201);
    let none = digest_of(b"none");
    let manifest =
        format!(r#"manifest {none} is not found","detail":{{"Name":"app","Revision":"{none}"}}"#);
    let blob = format!(r#"blob unknown to registry","detail":"{none}""#);
    let upload = r#"blob upload unknown to registry","detail":{}"#;
    let session = "/v2/app/blobs/uploads/0d7c1f5c-9c1e-4a0e-8a57-0f6a4ed3f2b1";
    for (method, path, code, message) in [
        (
            "GET",
            "/v2/app/manifests/v2",
            "MANIFEST_UNKNOWN",
            r#"manifest tagged by \"v2\" is not found","detail":{"Tag":"v2"}"#,
        ),
        (
            "DELETE",
            "/v2/app/manifests/v2",
            "MANIFEST_UNKNOWN",
            r#"manifest tagged by \"v2\" is not found","detail":{"Tag":"v2"}"#,
        ),
        (
            "GET",
            &format!("/v2/app/manifests/{none}"),
            "MANIFEST_UNKNOWN",
            &manifest,
        ),
        (
            "DELETE",
            &format!("/v2/app/manifests/{none}"),
            "MANIFEST_UNKNOWN",
            &manifest,
        ),
        (
            "GET",
            &format!("/acr/v1/app/_manifests/{none}"),
            "MANIFEST_UNKNOWN",
            r#"manifest unknown""#,
        ),
        (
            "PATCH",
            &format!("/acr/v1/app/_manifests/{none}"),
            "MANIFEST_UNKNOWN",
            r#"manifest unknown""#,
        ),
        (
            "GET",
            &format!("/v2/app/blobs/{none}"),
            "BLOB_UNKNOWN",
            &blob,
        ),
        (
            "DELETE",
            &format!("/v2/app/blobs/{none}"),
            "BLOB_UNKNOWN",
            &blob,
        ),
        ("GET", session, "BLOB_UPLOAD_UNKNOWN", upload),
        ("PATCH", session, "BLOB_UPLOAD_UNKNOWN", upload),
        (
            "PUT",
            &format!("{session}?digest={none}"),
            "BLOB_UPLOAD_UNKNOWN",
            upload,
        ),
        ("DELETE", session, "BLOB_UPLOAD_UNKNOWN", upload),
        (
            "GET",
            "/acr/v1/app/_tags/v2",
            "TAG_UNKNOWN",
            r#"the specified tag does not exist""#,
        ),
        (
            "DELETE",
            "/acr/v1/app/_tags/v2",
            "TAG_UNKNOWN",
            r#"the specified tag does not exist""#,
        ),
        (
            "GET",
            "/v2/team/none/tags/list",
            "NAME_UNKNOWN",
            r#"repository \"team/none\" is not found""#,
        ),
        (
            "GET",
            "/acr/v1/team/none",
            "NAME_UNKNOWN",
            r#"repository \"team/none\" is not found""#,
        ),
        (
            "GET",
            "/acr/v1/team/none/_tags",
            "NAME_UNKNOWN",
            r#"repository \"team/none\" is not found""#,
        ),
        (
            "GET",
            "/acr/v1/team/none/_manifests",
            "NAME_UNKNOWN",
            r#"repository \"team/none\" is not found""#,
        ),
        (
            "DELETE",
            "/acr/v1/team/none",
            "NAME_UNKNOWN",
            r#"repository name not known to registry","detail":{"name":"team/none"}"#,
        ),
    ] {
        let body: &[u8] = if path.starts_with("/acr") { b"{}" } else { b"" };
        let answer = client.send(method, path, &[], body);
        let expected =
            format!("{{\"errors\":[{{\"code\":\"{code}\",\"message\":\"{message}}}]}}\n");
        assert_eq!(answer.status, 404, "{method} {path}");
        assert_eq!(
            String::from_utf8_lossy(&answer.body),
            expected,
            "{method} {path}"
        );
        assert_eq!(
            answer.header("content-type"),
            "application/json; charset=utf-8"
        );
    }
}

#[test]
fn what_a_manifest_lacks_is_said_as_acr_says_it() {
    let emulator = Emulator::start();
    let client = emulator.client();
    let (none, other) = (digest_of(b"none"), digest_of(b"other"));
    let descriptor = |digest: &str| json!({"mediaType": "a/b", "digest": digest, "size": 1});
    let manifest = json!({
        "schemaVersion": 2, "mediaType": Image::MEDIA_TYPE, "config": descriptor(&none), "layers": [descriptor(&other)],
    });
    let headers = [("content-type", Image::MEDIA_TYPE)];
    let refused = client.send(
        "PUT",
        "/v2/app/manifests/v2",
        &headers,
        manifest.to_string().as_bytes(),
    );
    let entry = |digest: &str| {
        format!(
            r#"{{"code":"MANIFEST_BLOB_UNKNOWN","message":"blob unknown to registry","detail":"{digest}"}}"#
        )
    };
    let expected = format!("{{\"errors\":[{},{}]}}\n", entry(&none), entry(&other));
    assert_eq!(
        (refused.status, String::from_utf8(refused.body).unwrap()),
        (400, expected)
    );
}

#[test]
fn what_is_deleted_is_gone_and_its_space_with_it() {
    let emulator = Emulator::start();
    let client = emulator.client();
    let image = Image::random(&[1000]);
    for tag in ["v1", "v2"] {
        assert_eq!(client.push("app", tag, &image).status, 201);
    }
    let untagged = client.send("DELETE", "/acr/v1/app/_tags/v1", &[], b"");
    assert_eq!(untagged.status, 202);
    assert_eq!(
        untagged.header("x-ms-int-docker-content-digest"),
        image.digest()
    );
    assert_eq!(client.get("/v2/app/manifests/v1").status, 404);
    assert_eq!(client.pull("app", "v2", &image).status, 200);
    let again = client.send("DELETE", "/acr/v1/app/_tags/v1", &[], b"");
    assert_eq!((again.status, &*again.code()), (404, "TAG_UNKNOWN"));

    let deleted = client.send("DELETE", "/acr/v1/app", &[], b"");
    assert_eq!(deleted.status, 202);
    assert_eq!(
        deleted.json(),
        json!({"manifestsDeleted": [image.digest()], "tagsDeleted": ["v2"]})
    );
    assert_eq!(client.get("/acr/v1/app").status, 404);
    assert_eq!(client.get("/v2/_catalog").json()["repositories"], json!([]));
    let left = emulator
        .files()
        .into_iter()
        .filter(|(path, _)| path.starts_with(emulator.data_dir().join("blobs")));
    assert_eq!(
        left.map(|(path, _)| path).collect::<Vec<_>>(),
        Vec::<std::path::PathBuf>::new()
    );
    assert_eq!(client.send("DELETE", "/acr/v1/app", &[], b"").status, 404);
    emulator.verify();
}

#[test]
fn what_is_acknowledged_beside_the_deletion_of_its_repository_is_whole() {
    const ROUNDS: usize = 40;
    let emulator = Emulator::start();
    let client = emulator.client();
    let base = Image::random(&[10]);
    for round in 0..ROUNDS {
        let image = Image::random(&[10; 12]);
        assert_eq!(client.push("app", "base", &base).status, 201);
        for blob in image.blobs() {
            assert_eq!(client.push_blob("app", blob).status, 201);
        }
        let late = thread::scope(|scope| {
            let deletion =
                scope.spawn(|| emulator.client().send("DELETE", "/acr/v1/app", &[], b""));
            // From round to round a little later.
            for _ in 0..round % 20 {
                client.get("/_sealock/v1/health");
            }
            let headers = [("content-type", Image::MEDIA_TYPE)];
            let path = "/v2/app/manifests/late";
            let late = client.send("PUT", path, &headers, image.manifest());
            assert_eq!(deletion.join().unwrap().status, 202);
            late
        });
        match late.status {
            // Deleted with the repository, perhaps; but not in part.
            201 if client.get("/v2/app/manifests/late").status == 200 => {
                let pulled = client.pull("app", "late", &image);
                assert_eq!(pulled.status, 200, "round {round}: {pulled:?}");
            }
            201 => {}
            status => assert_eq!((status, &*late.code()), (400, "MANIFEST_BLOB_UNKNOWN")),
        }
    }
    emulator.verify();
}

#[test]
fn a_page_of_manifests_that_say_much_ends_early() {
    let emulator = Emulator::start();
    let client = emulator.client();
    for tag in ["a", "b", "c"] {
        // What lives elsewhere need not be there.
        let entry = |at: usize| {
            let digest = digest_of(format!("{tag}{at}").as_bytes());
            json!({"mediaType": "a/b", "digest": digest, "size": 1, "urls": ["http://elsewhere.test"]})
        };
        let entries: Vec<Value> = (0..7000).map(entry).collect();
        let media_type = "application/vnd.oci.image.index.v1+json";
        let index = json!({
            "schemaVersion": 2, "mediaType": media_type, "manifests": entries,
        });
        let path = format!("/v2/app/manifests/{tag}");
        let headers = [("content-type", media_type)];
        let put = client.send("PUT", &path, &headers, index.to_string().as_bytes());
        assert_eq!(put.status, 201, "{put:?}");
    }
    let pages = pages(&client, "/acr/v1/app/_manifests", "manifests", "digest");
    let sizes: Vec<usize> = pages.iter().map(Vec::len).collect();
    assert_eq!(sizes, [2, 1]);
}

#[test]
fn a_manifest_whose_configuration_does_not_open_is_not_described_without_it() {
    let emulator = Emulator::start();
    let client = emulator.client();
    let image = Image::random(&[]);
    let config = image.blobs().next().unwrap();
    assert_eq!(client.push_blob("app", config).status, 201);
    let files = emulator.files().into_iter();
    let mut objects = files.filter(|(path, _)| path.starts_with(emulator.data_dir().join("blobs")));
    let (path, mut object) = objects.next().unwrap();
    assert_eq!(client.push("app", "v1", &image).status, 201);
    *object.last_mut().unwrap() ^= 1;
    std::fs::write(path, object).unwrap();
    let path = format!("/acr/v1/app/_manifests/{}", image.digest());
    let damaged = client.get(&path);
    assert_eq!((damaged.status, &*damaged.code()), (500, "UNKNOWN"));
}

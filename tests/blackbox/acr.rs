mod lists;

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

/// Returns the link to the next page, if there is one.
fn next(answer: &Answer) -> Option<&str> {
    let link = answer.headers.get("link")?.to_str().unwrap();
    let link = link.strip_suffix(">; rel=\"next\"").unwrap();
    Some(link.strip_prefix('<').unwrap())
}

/// Follows the links of a list to its end, and returns the items of each page.
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
fn repositories_tags_and_manifests_have_acrs_fields() {
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
fn times_have_seven_fractional_digits() {
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
#[expect(clippy::too_many_lines, reason = "a table")]
fn missing_resources_are_refused_with_acrs_errors() {
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
fn manifest_with_missing_content_is_refused_with_acrs_errors() {
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
fn deletion_removes_the_resource_and_frees_its_space() {
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
fn manifest_acknowledged_during_a_repository_deletion_is_complete() {
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
            // Shifts the moment a little from round to round.
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
            // The manifest may be deleted with the repository, but not in part.
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
fn manifest_with_an_unreadable_configuration_is_refused_not_described_in_part() {
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

#[test]
fn soft_deleted_content_and_streaming_are_refused_as_unsupported() {
    let emulator = Emulator::start();
    let client = emulator.client();
    for (path, what) in [
        ("/acr/v1/_deleted/_catalog", "soft-deleted content"),
        ("/acr/v1/_deleted/app/_tags", "soft-deleted content"),
        ("/acr/v1/_deleted/app/_manifests", "soft-deleted content"),
        ("/acr/v1/app/_streaming", "artifact streaming"),
    ] {
        let refused = client.get(path);
        assert_eq!(refused.status, 404, "{path}");
        let error = &refused.json()["errors"][0];
        let text = format!("this version of the emulator does not support {what}");
        assert_eq!(
            (&error["code"], &error["message"]),
            (&json!("UNSUPPORTED"), &json!(text)),
            "{path}"
        );
    }
}

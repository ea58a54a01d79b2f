use sealock_tests::{Answer, Client, Emulator, Image, digest_of};
use serde_json::{Value, json};

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const ARTIFACT: &str = "application/vnd.oci.artifact.manifest.v1+json";
const DOCKER: &str = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
const FOREIGN: &str = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";

fn put(client: &Client, media_type: &str, body: &str) -> Answer {
    let headers = [("content-type", media_type)];
    client.send("PUT", "/v2/app/manifests/v1", &headers, body.as_bytes())
}

/// Changes or removes the value at `pointer`.
fn with(manifest: &Value, pointer: &str, value: Option<Value>) -> Value {
    let mut manifest = manifest.clone();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let parent = manifest.pointer_mut(parent).unwrap();
    match (parent, value) {
        (Value::Array(list), Some(value)) => list[name.parse::<usize>().unwrap()] = value,
        (Value::Object(fields), Some(value)) => drop(fields.insert(name.to_owned(), value)),
        (Value::Object(fields), None) => drop(fields.remove(name)),
        (other, _) => panic!("{pointer} of {other}"),
    }
    manifest
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn manifest_without_required_fields_or_types_is_refused() {
    let emulator = Emulator::start();
    let client = emulator.client();
    let blob = b"content";
    assert_eq!(client.push_blob("app", blob).status, 201);
    let blob = json!({"mediaType": "a/b", "digest": digest_of(blob), "size": blob.len()});
    let image = json!({
        "schemaVersion": 2, "mediaType": Image::MEDIA_TYPE, "config": blob, "layers": [blob, blob],
        "subject": blob, "artifactType": "a/b", "annotations": {"a": "b"},
    });
    let pushed = put(&client, Image::MEDIA_TYPE, &image.to_string());
    assert_eq!(pushed.status, 201, "{pushed:?}");
    let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [blob]});
    assert_eq!(put(&client, INDEX, &index.to_string()).status, 201);
    let artifact = json!({"mediaType": ARTIFACT, "artifactType": "a/b", "blobs": [blob]});
    assert_eq!(put(&client, ARTIFACT, &artifact.to_string()).status, 201);
    let docker = with(&image, "/mediaType", Some(json!(DOCKER)));
    assert_eq!(put(&client, DOCKER, &docker.to_string()).status, 201);

    let array = |descriptor: &Value| {
        json!([
            descriptor["mediaType"],
            descriptor["digest"],
            null,
            descriptor["size"],
            null
        ])
    };
    let some = |value: Value| Some(value);
    let cases = [
        (&image, "/config", None),
        (&image, "/config", some(Value::Null)),
        (&image, "/config", some(array(&blob))),
        (&image, "/config", some(blob["digest"].clone())),
        (&image, "/layers", None),
        (&image, "/layers", some(json!({}))),
        (&image, "/layers/1", some(array(&blob))),
        (&image, "/layers/1", some(Value::Null)),
        (&image, "/layers/1/mediaType", None),
        (&image, "/layers/1/mediaType", some(json!(""))),
        (&image, "/layers/1/digest", None),
        (&image, "/layers/1/size", None),
        (&image, "/layers/1/size", some(json!("7"))),
        (&image, "/layers/1/size", some(json!(-1))),
        (&image, "/layers/1/size", some(json!(7.5))),
        (&image, "/layers/1/size", some(json!(u64::MAX))),
        (&image, "/layers/1/size", some(Value::Null)),
        (&image, "/layers/1/urls", some(json!("https://example.org"))),
        (&image, "/layers/1/urls", some(json!([1]))),
        (&image, "/layers/1/mediaType", some(json!(FOREIGN))),
        (&image, "/layers/1/annotations", some(json!([]))),
        (&image, "/layers/1/annotations", some(json!({"a": 1}))),
        (&image, "/layers/1/data", some(json!("no base64"))),
        (&image, "/layers/1/data", some(json!(1))),
        (
            &image,
            "/layers/1/platform",
            some(json!(["amd64", "linux"])),
        ),
        (&image, "/layers/1/platform", some(json!({"os": 1}))),
        (&image, "/layers/1/artifactType", some(json!(1))),
        (&image, "/layers/1/Digest", some(blob["digest"].clone())),
        (&image, "/subject", some(array(&blob))),
        (&image, "/subject/size", some(json!("1"))),
        (&image, "/artifactType", some(json!(1))),
        (&image, "/annotations", some(json!([["a", "b"]]))),
        (&image, "/mediaType", some(json!(1))),
        (&image, "/schemaVersion", None),
        (&image, "/schemaVersion", some(json!("2"))),
        // The kind of a document does not depend on its fields' order.
        (&image, "/manifests", some(json!([]))),
        (&image, "/Manifests", some(json!([]))),
        (&image, "/MEDIATYPE", some(json!(INDEX))),
        (&image, "/layer\u{17f}", some(json!([]))),
        (&index, "/manifests", None),
        (&index, "/manifests/0", some(array(&blob))),
        (&index, "/config", some(blob.clone())),
        (&index, "/layers", some(json!([]))),
        (&artifact, "/blobs", some(json!({}))),
        (&artifact, "/blobs/0", some(array(&blob))),
        (&artifact, "/mediaType", None),
        (&artifact, "/config", some(blob.clone())),
        (&artifact, "/layers", some(json!([blob]))),
        (&artifact, "/manifests", some(json!([blob]))),
        (&docker, "/mediaType", None),
        (&docker, "/layers/1/mediaType", some(json!(FOREIGN))),
    ];
    let refuse = |media_type: &str, body: &str| {
        let refused = put(&client, media_type, body);
        assert_eq!(
            (refused.status, &*refused.code()),
            (400, "MANIFEST_INVALID"),
            "{body}"
        );
    };
    for (base, pointer, value) in cases {
        let media_type = base["mediaType"].as_str().unwrap();
        refuse(media_type, &with(base, pointer, value).to_string());
    }
    // An array is never a manifest.
    for media_type in [Image::MEDIA_TYPE, DOCKER, INDEX, ARTIFACT] {
        let fields = json!([2, media_type, blob, [blob], null, [blob], null, null, null]);
        refuse(media_type, &fields.to_string());
    }
    let bare = with(&docker, "/mediaType", None).to_string();
    assert_eq!(
        put(&client, Image::MEDIA_TYPE, &bare).status,
        201,
        "OCI's may leave it out"
    );
    let list = json!({"schemaVersion": 2, "manifests": []}).to_string();
    refuse(DOCKER_LIST, &list);
    assert_eq!(put(&client, INDEX, &list).status, 201);
    // Go clients write an empty list this way.
    for (base, pointer) in [
        (&image, "/layers"),
        (&index, "/manifests"),
        (&artifact, "/blobs"),
    ] {
        let media_type = base["mediaType"].as_str().unwrap();
        let body = with(base, pointer, Some(Value::Null)).to_string();
        assert_eq!(put(&client, media_type, &body).status, 201, "{body}");
    }
    let mut foreign = blob.clone();
    foreign["mediaType"] = json!(FOREIGN);
    foreign["digest"] = json!(digest_of(b"never pushed"));
    foreign["urls"] = json!(["https://example.org/layer"]);
    let elsewhere = with(&docker, "/layers/1", Some(foreign)).to_string();
    assert_eq!(put(&client, DOCKER, &elsewhere).status, 201);
    // An OCI foreign layer without a URL is an ordinary layer.
    let nondistributable = json!("application/vnd.oci.image.layer.nondistributable.v1.tar");
    let here = with(
        &image,
        "/layers/1/mediaType",
        Some(nondistributable.clone()),
    );
    assert_eq!(
        put(&client, Image::MEDIA_TYPE, &here.to_string()).status,
        201
    );
    let missing = with(
        &here,
        "/layers/1/digest",
        Some(json!(digest_of(b"never pushed"))),
    );
    let refused = put(&client, Image::MEDIA_TYPE, &missing.to_string());
    assert_eq!(refused.code(), "MANIFEST_BLOB_UNKNOWN");
    assert_eq!(emulator.json(&["verify"])["problems"], json!([]));
}

#[test]
fn attributes_accept_only_a_json_object() {
    let emulator = Emulator::start();
    let client = emulator.client();
    let image = Image::random(&[10]);
    assert_eq!(client.push("app", "v1", &image).status, 201);
    let manifest = format!("/acr/v1/app/_manifests/{}", image.digest());
    for path in ["/acr/v1/app", "/acr/v1/app/_tags/v1", &manifest] {
        let change = |body: &str| client.send("PATCH", path, &[], body.as_bytes());
        for bad in [
            "[false, false, false, false]",
            "[]",
            "null",
            "\"deleteEnabled\"",
            "{\"deleteEnabled\":\"false\"}",
            "{\"deleteEnabled\":0}",
            "{\"DeleteEnabled\":false}",
            "{\"deleteEnabled\":true,\"deleteEnabled\":false}",
            "{\"deleteEnabled\":false} {}",
            "",
        ] {
            let refused = change(bad);
            assert_eq!(refused.status, 400, "{path}: {bad}");
            assert_eq!(refused.code(), "UNSUPPORTED", "{path}: {bad}");
        }
        assert_eq!(change("{\"listEnabled\":null}").status, 200);
        assert_eq!(change("{}").status, 200);
    }
    assert_eq!(client.send("DELETE", "/acr/v1/app", &[], b"").status, 202);
}

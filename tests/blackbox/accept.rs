use sealock_tests::{Answer, Client, Emulator, Image, digest_of};
use serde_json::json;

const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
const OCI_ARTIFACT: &str = "application/vnd.oci.artifact.manifest.v1+json";
const ORAS_ARTIFACT: &str = "application/vnd.cncf.oras.artifact.manifest.v1+json";
const DOCKER: &str = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

/// Pushes a manifest, and returns its digest.
fn put(client: &Client, tag: &str, media_type: &str, manifest: &serde_json::Value) -> String {
    let (path, body) = (format!("/v2/app/manifests/{tag}"), manifest.to_string());
    let headers = [("content-type", media_type)];
    let pushed = client.send("PUT", &path, &headers, body.as_bytes());
    assert_eq!(pushed.status, 201, "{pushed:?}");
    digest_of(body.as_bytes())
}

fn get(client: &Client, method: &str, reference: &str, accept: &str) -> Answer {
    let path = format!("/v2/app/manifests/{reference}");
    client.send(method, &path, &[("accept", accept)], b"")
}

/// Returns the code and the message of a refusal.
fn refused(answer: &Answer, status: u16) -> (String, String) {
    assert_eq!(answer.status, status, "{answer:?}");
    let message = answer.json()["errors"][0]["message"].clone();
    (answer.code(), message.as_str().unwrap().to_owned())
}

fn descriptor(media_type: &str, content: &[u8]) -> serde_json::Value {
    json!({"mediaType": media_type, "digest": digest_of(content), "size": content.len()})
}

#[test]
fn oci_manifest_is_not_found_unless_its_type_is_accepted() {
    let emulator = Emulator::start();
    let client = emulator.client();
    let image = Image::random(&[10]);
    assert_eq!(client.push("app", "image", &image).status, 201);
    let layer = image.blobs().next().unwrap();
    let entry = descriptor(Image::MEDIA_TYPE, image.manifest());
    let index = json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [entry]});
    let index = put(&client, "index", OCI_INDEX, &index);
    let artifact = |media_type: &str| json!({"mediaType": media_type, "artifactType": "text/plain", "blobs": [descriptor("text/plain", layer)]});
    let oci_artifact = put(&client, "artifact", OCI_ARTIFACT, &artifact(OCI_ARTIFACT));
    put(&client, "oras", ORAS_ARTIFACT, &artifact(ORAS_ARTIFACT));
    let docker = json!({
        "schemaVersion": 2,
        "mediaType": DOCKER,
        "config": descriptor("application/vnd.docker.container.image.v1+json", image.blobs().last().unwrap()),
        "layers": [descriptor("application/vnd.docker.image.rootfs.diff.tar.gzip", layer)],
    });
    put(&client, "docker", DOCKER, &docker);

    for (tag, digest, media_type, found, unsupported) in [
        (
            "image",
            &image.digest(),
            Image::MEDIA_TYPE,
            "OCI manifest",
            "OCI manifests",
        ),
        ("index", &index, OCI_INDEX, "OCI index", "OCI indexes"),
        (
            "artifact",
            &oci_artifact,
            OCI_ARTIFACT,
            "OCI artifact",
            "OCI artifacts",
        ),
    ] {
        for reference in [tag, digest] {
            for accept in ["*/*", "application/*", "", DOCKER, "text/plain, */*;q=0.1"] {
                let answer = get(&client, "GET", reference, accept);
                let message =
                    format!("{found} found, but accept header does not support {unsupported}");
                let expected = ("MANIFEST_UNKNOWN".to_owned(), message);
                assert_eq!(refused(&answer, 404), expected, "{tag}: {accept:?}");
                assert_eq!(get(&client, "HEAD", reference, accept).status, 404);
            }
            let among = format!("{DOCKER}, {};q=0.5 ,*/*", media_type.to_uppercase());
            for accept in [media_type, &among] {
                let answer = get(&client, "GET", reference, accept);
                assert_eq!(answer.status, 200, "{tag}: {accept}");
                assert_eq!(answer.header("content-type"), media_type);
            }
            // A client that already has the manifest gets the same answer.
            let path = format!("/v2/app/manifests/{reference}");
            let etag = format!("\"{digest}\"");
            let known = [("accept", "*/*"), ("if-none-match", etag.as_str())];
            assert_eq!(client.send("GET", &path, &known, b"").status, 304);
        }
    }
    // Manifests of other types are always served.
    for (tag, media_type) in [("docker", DOCKER), ("oras", ORAS_ARTIFACT)] {
        let answer = get(&client, "GET", tag, "text/plain");
        assert_eq!(answer.status, 200, "{tag}");
        assert_eq!(answer.header("content-type"), media_type);
    }
    // Several header lines form one list.
    let lines = [("accept", "*/*"), ("accept", OCI_INDEX)];
    let answer = client.send("GET", "/v2/app/manifests/index", &lines, b"");
    assert_eq!(answer.status, 200);
    assert_eq!(
        get(&client, "GET", "none", "*/*").code(),
        "MANIFEST_UNKNOWN"
    );
}

#[test]
fn docker_list_resolves_to_its_linux_image_unless_lists_are_accepted() {
    let emulator = Emulator::start();
    let client = emulator.client();
    let image = Image::random(&[10]);
    assert_eq!(client.push("app", "v1", &image).status, 201);
    let of = |layer: &[u8]| {
        json!({
            "schemaVersion": 2,
            "mediaType": DOCKER,
            "config": descriptor("application/vnd.docker.container.image.v1+json", image.blobs().last().unwrap()),
            "layers": [descriptor("application/vnd.docker.image.rootfs.diff.tar.gzip", layer)],
        })
    };
    let amd64 = of(image.blobs().next().unwrap());
    let digest = put(&client, "amd64", DOCKER, &amd64);
    let list = |architecture: &str| {
        let mut entry = descriptor(DOCKER, amd64.to_string().as_bytes());
        entry["platform"] = json!({"architecture": architecture, "os": "linux"});
        json!({"schemaVersion": 2, "mediaType": DOCKER_LIST, "manifests": [entry]})
    };
    let listed = put(&client, "multi", DOCKER_LIST, &list("amd64"));
    put(&client, "arm64", DOCKER_LIST, &list("arm64"));

    let accept = format!("{DOCKER}, {DOCKER_LIST}");
    let answer = get(&client, "GET", "multi", &accept);
    assert_eq!(answer.header("docker-content-digest"), listed);
    for method in ["GET", "HEAD"] {
        let answer = get(&client, method, "multi", DOCKER);
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.header("docker-content-digest"), digest);
        assert_eq!(answer.header("content-type"), DOCKER);
    }
    assert_eq!(
        refused(&get(&client, "GET", "multi", "*/*"), 400),
        (
            "MANIFEST_INVALID".to_owned(),
            "Schema 2 manifest not supported by client".to_owned()
        )
    );
    let none = get(&client, "GET", "arm64", DOCKER);
    assert_eq!(refused(&none, 404).0, "MANIFEST_UNKNOWN");
    // By its digest, the list itself is served.
    let answer = get(&client, "GET", &listed, "*/*");
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("docker-content-digest"), listed);
}

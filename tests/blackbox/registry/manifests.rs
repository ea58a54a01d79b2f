use sealock_tests::{Emulator, Image, digest_of, random_bytes};
use serde_json::json;

use super::{INDEX, index, objects, put_manifest, status, tags};

#[test]
fn manifest_of_a_type_that_browsers_render_is_refused() {
    let emulator = Emulator::start();
    let client = emulator.client();
    let script = "<script>alert(1)</script>";
    for media_type in [
        "text/html",
        "text/html; charset=utf-8",
        "application/xhtml+xml",
        "image/svg+xml",
        "text/xml",
        "application/json",
        "application/vnd.example.other.v1+json",
        "application/vnd.oci.image.manifest.v1+json,text/html",
    ] {
        let bare = media_type.split(';').next().unwrap();
        let manifest = json!({"schemaVersion": 2, "mediaType": bare, "note": script}).to_string();
        for content_type in [media_type, ""] {
            for reference in ["v1", &digest_of(manifest.as_bytes())] {
                let refused =
                    put_manifest(&client, "app", reference, content_type, manifest.as_bytes());
                assert_eq!(refused.status, 400, "{media_type}");
                assert_eq!(refused.code(), "MANIFEST_INVALID", "{media_type}");
                let message = refused.json()["errors"][0]["message"].to_string();
                let accepted = [Image::MEDIA_TYPE, INDEX, "docker", "oras", "artifact"];
                assert!(
                    message.contains(&format!("'{bare}'"))
                        && accepted.iter().all(|accepted| message.contains(accepted)),
                    "{message}"
                );
            }
        }
    }
    assert_eq!(client.get("/v2/app/tags/list").status, 404);

    // Descriptors in a manifest may have any type.
    let content = b"<script>alert(1)</script>";
    assert_eq!(client.push_blob("app", content).status, 201);
    let descriptor =
        json!({"mediaType": "text/html", "digest": digest_of(content), "size": content.len()});
    let manifest = json!({
        "schemaVersion": 2, "mediaType": Image::MEDIA_TYPE, "artifactType": "text/html",
        "config": descriptor, "layers": [descriptor],
    });
    let manifest = manifest.to_string();
    let pushed = put_manifest(&client, "app", "v1", Image::MEDIA_TYPE, manifest.as_bytes());
    assert_eq!(pushed.status, 201, "{pushed:?}");
}

#[test]
fn content_is_served_with_headers_that_prevent_rendering() {
    let emulator = Emulator::start();
    let client = emulator.client();
    let image = Image::random(&[1000]);
    assert_eq!(client.push("app", "v1", &image).status, 201);
    let blob = format!("/v2/app/blobs/{}", digest_of(image.blobs().next().unwrap()));
    let several = ("range", "bytes=0-0,2-2");
    for (path, header, status) in [
        ("/v2/app/manifests/v1", ("accept", "text/html"), 404),
        ("/v2/app/manifests/v1", ("range", "bytes=0-9"), 200),
        ("/v2/app/manifests/v1", ("if-none-match", "*"), 304),
        (&blob, ("accept", "text/html"), 200),
        (&blob, ("range", "bytes=0-9"), 206),
        (&blob, several, 206),
        (&blob, ("if-none-match", "*"), 304),
    ] {
        for method in ["GET", "HEAD"] {
            let answer = client.send(method, path, &[header], b"");
            let status = match (method, status) {
                ("HEAD", 206) => 200,
                (_, status) => status,
            };
            assert_eq!(answer.status, status, "{method} {path} {header:?}");
            assert_eq!(answer.header("x-content-type-options"), "nosniff");
            if status == 404 {
                continue;
            }
            let policy = answer.header("content-security-policy");
            assert_eq!(policy, "sandbox; default-src 'none'");
            assert_eq!(answer.header("content-disposition"), "attachment");
        }
    }
}

#[test]
fn artifact_manifest_keeps_its_blobs_and_needs_no_schema_version() {
    let emulator = Emulator::start();
    let client = emulator.client();
    let content = random_bytes(1000);
    let blob = digest_of(&content);
    assert_eq!(client.push_blob("app", &content).status, 201);
    for media_type in [
        "application/vnd.oci.artifact.manifest.v1+json",
        "application/vnd.cncf.oras.artifact.manifest.v1+json",
    ] {
        let of_blob = |digest: &str| {
            let blobs = json!([{"mediaType": "text/html", "digest": digest, "size": 1000}]);
            let manifest = json!({"mediaType": media_type, "artifactType": "a/b", "blobs": blobs});
            manifest.to_string().into_bytes()
        };
        let manifest = of_blob(&blob);
        let pushed = put_manifest(&client, "app", "v1", media_type, &manifest);
        assert_eq!(pushed.status, 201, "{pushed:?}");
        let served = client.get("/v2/app/manifests/v1");
        assert_eq!(served.header("content-type"), media_type);
        assert_eq!(served.body, manifest);
        let missing = of_blob(&digest_of(b"never pushed"));
        let refused = put_manifest(&client, "app", "v2", media_type, &missing);
        assert_eq!(refused.code(), "MANIFEST_BLOB_UNKNOWN", "{media_type}");
    }
    // Long enough for the blobs to be idle.
    emulator.cli(&["clock", "advance", "2h"]);
    emulator.cli(&["registry", "gc"]);
    let kept = client.get(&format!("/v2/app/blobs/{blob}"));
    assert_eq!(kept.status, 200);
}

#[test]
fn manifest_is_served_byte_for_byte_under_its_type() {
    let emulator = Emulator::start();
    let client = emulator.client();
    let image = Image::random(&[10]);
    assert_eq!(client.push("app", "image", &image).status, 201);
    let blobs: Vec<String> = image.blobs().map(digest_of).collect();

    let docker = "application/vnd.docker.distribution.manifest.v2+json";
    let foreign = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";
    let absent = digest_of(b"never pushed");
    let of = |digest: &str| format!(r#"{{"mediaType":"a/b","digest":"{digest}","size":1}}"#);
    let odd = format!(
        "\n{{ \"schemaVersion\":2,\t\"config\":{}, \"layers\" :null, \"unknown\": [1.0, null] }}\n\n",
        of(&blobs[0])
    );
    let layers = format!(
        r#"{{"schemaVersion":2,"mediaType":"{docker}","config":{},"layers":[{}]}}"#,
        of(&blobs[0]),
        of(&blobs[1])
    );
    let lists = format!(
        r#"{{"schemaVersion":2,"mediaType":"{INDEX}","manifests":[{}]}}"#,
        of(&image.digest())
    );
    let cache = format!(
        r#"{{"schemaVersion":2,"mediaType":"{INDEX}","manifests":[{}]}}"#,
        of(&blobs[0])
    );
    let urls = r#""digest":"{absent}","size":1,"urls":["https://example.org/"]"#;
    let urls = urls.replace("{absent}", &absent);
    let lives_elsewhere = format!(
        r#"{{"schemaVersion":2,"mediaType":"{docker}","config":{},"layers":[{{"mediaType":"{foreign}",{urls}}},{{"mediaType":"a/b",{urls}}}]}}"#,
        of(&blobs[0])
    );
    let largest = index(&"x".repeat((4 << 20) - index("").len()));
    assert_eq!(largest.len(), 4 << 20);

    for (name, content_type, media_type, manifest) in [
        (
            "odd spaces and unknown fields",
            Image::MEDIA_TYPE,
            Image::MEDIA_TYPE,
            odd.into_bytes(),
        ),
        ("docker's type", docker, docker, layers.into_bytes()),
        (
            "parameters are no part of the type",
            &format!("{INDEX}; charset=utf-8"),
            INDEX,
            lists.into_bytes(),
        ),
        ("an index of blobs", INDEX, INDEX, cache.into_bytes()),
        ("only the body says its type", "", INDEX, index("no header")),
        (
            "layers that live elsewhere",
            docker,
            docker,
            lives_elsewhere.into_bytes(),
        ),
        ("4 MiB", INDEX, INDEX, largest),
    ] {
        let digest = digest_of(&manifest);
        for reference in ["v1", &digest] {
            let pushed = put_manifest(&client, "app", reference, content_type, &manifest);
            assert_eq!(
                pushed.status,
                201,
                "{name}: {}",
                String::from_utf8_lossy(&pushed.body)
            );
            assert_eq!(pushed.header("docker-content-digest"), digest, "{name}");
            assert_eq!(
                pushed.header("location"),
                format!("/v2/app/manifests/{digest}"),
                "{name}"
            );
        }
        for reference in ["v1", &digest] {
            let pulled = client.get(&format!("/v2/app/manifests/{reference}"));
            assert_eq!(
                (pulled.status, pulled.header("content-type")),
                (200, media_type),
                "{name}"
            );
            assert_eq!(pulled.header("docker-content-digest"), digest, "{name}");
            assert!(pulled.body == manifest, "{name}");
            let etag = pulled.header("etag").to_owned();
            let path = format!("/v2/app/manifests/{reference}");
            assert_eq!(
                client
                    .send("GET", &path, &[("if-none-match", &etag)], b"")
                    .status,
                304,
                "{name}"
            );
        }
    }
    emulator.verify();
}

#[test]
fn deleting_a_manifest_deletes_its_tags_and_deleting_a_tag_keeps_the_manifest() {
    let emulator = Emulator::start();
    let client = emulator.client();
    let (kept, deleted) = (index("kept"), index("deleted"));
    for (tag, manifest) in [
        ("a", &deleted),
        ("b", &deleted),
        ("c", &kept),
        ("d", &kept),
        ("moved", &deleted),
    ] {
        assert_eq!(
            put_manifest(&client, "app", tag, INDEX, manifest).status,
            201
        );
    }
    assert_eq!(
        put_manifest(&client, "app", "moved", INDEX, &kept).status,
        201
    );
    assert_eq!(objects(&emulator).len(), 2);
    let manifest = |reference: &str| format!("/v2/app/manifests/{reference}");
    let by_digest = |content: &[u8]| manifest(&digest_of(content));

    assert_eq!(status(&client, "DELETE", &manifest("d")), 202);
    assert_eq!(status(&client, "GET", &manifest("d")), 404);
    assert_eq!(client.get(&by_digest(&kept)).body, kept);

    assert_eq!(status(&client, "DELETE", &by_digest(&deleted)), 202);
    for reference in ["a", "b", &digest_of(&deleted)] {
        let gone = client.get(&manifest(reference));
        assert_eq!(
            (gone.status, gone.code().as_str()),
            (404, "MANIFEST_UNKNOWN"),
            "{reference}"
        );
    }
    assert_eq!(tags(&client, "app"), ["c", "moved"]);
    assert_eq!(objects(&emulator).len(), 1, "its content is freed at once");

    for tag in ["c", "moved"] {
        assert_eq!(status(&client, "DELETE", &manifest(tag)), 202);
    }
    assert_eq!(
        client.get(&by_digest(&kept)).body,
        kept,
        "without any tag, too"
    );
    assert_eq!(
        tags(&client, "app"),
        [""; 0],
        "as long as it has a manifest"
    );
    assert_eq!(status(&client, "DELETE", &by_digest(&kept)), 202);
    assert_eq!(objects(&emulator).len(), 0);
    let unknown = client.get("/v2/app/tags/list");
    assert_eq!((unknown.status, &*unknown.code()), (404, "NAME_UNKNOWN"));
    emulator.verify();
}

#[test]
fn cached_manifest_is_not_served_after_its_tag_moves_or_it_is_deleted() {
    let emulator = Emulator::start();
    let client = emulator.client();
    let (old, new) = (index("old"), index("new"));
    let (tagged, by_digest) = (
        "/v2/app/manifests/v1",
        format!("/v2/app/manifests/{}", digest_of(&old)),
    );
    for _ in 0..3 {
        assert_eq!(put_manifest(&client, "app", "v1", INDEX, &old).status, 201);
        // Reads twice, so that the second answer may come from the cache.
        for path in [tagged, tagged, &by_digest] {
            assert_eq!(client.get(path).body, old);
        }
        assert_eq!(put_manifest(&client, "app", "v1", INDEX, &new).status, 201);
        assert_eq!(client.get(tagged).body, new);
        assert_eq!(client.get(&by_digest).body, old);
        assert_eq!(status(&client, "DELETE", &by_digest), 202);
        for method in ["GET", "HEAD"] {
            assert_eq!(status(&client, method, &by_digest), 404);
        }
        let elsewhere = by_digest.replace("/app/", "/other/");
        assert_eq!(status(&client, "GET", &elsewhere), 404);
    }
}

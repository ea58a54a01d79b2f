use sealock_tests::{Answer, Client, Emulator, Image, Options, digest_of, random_bytes};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha512};

use crate::malformed::connection::{Connection, head};

const INDEX: &str = "application/vnd.oci.image.index.v1+json";

fn sha512_of(content: &[u8]) -> String {
    format!("sha512:{}", hex::encode(Sha512::digest(content)))
}

/// Starts an emulator whose registry on localhost has no customer-managed key.
fn without_cmk() -> Emulator {
    let emulator = Emulator::start_with(Options {
        environment: vec![("SEALOCK_REGISTRY__DEFAULT".into(), "plain".into())],
        ..Options::default()
    });
    emulator.cli(&["registry", "create", "plain"]);
    emulator
}

fn put(client: &Client, path: &str, media_type: &str, manifest: &Value) -> Answer {
    let body = manifest.to_string();
    client.send(
        "PUT",
        path,
        &[("content-type", media_type)],
        body.as_bytes(),
    )
}

/// Returns a manifest with a subject, and its digest.
fn artifact(subject: &str, artifact_type: &str, note: usize) -> (Value, String) {
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": Image::MEDIA_TYPE,
        "artifactType": artifact_type,
        "config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": digest_of(b"{}"), "size": 2},
        "layers": [],
        "subject": {"mediaType": Image::MEDIA_TYPE, "digest": subject, "size": 1},
        "annotations": {"org.example.note": note.to_string()},
    });
    let digest = digest_of(manifest.to_string().as_bytes());
    (manifest, digest)
}

fn listed(answer: &Answer) -> Vec<String> {
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), INDEX);
    let index = answer.json();
    assert_eq!(index["schemaVersion"], 2);
    assert_eq!(index["mediaType"], INDEX);
    let manifests = index["manifests"].as_array().unwrap();
    let digest = |found: &Value| found["digest"].as_str().unwrap().to_owned();
    manifests.iter().map(digest).collect()
}

#[test]
fn content_is_addressable_by_sha512_however_it_is_pushed() {
    let emulator = Emulator::start();
    let client = emulator.client();
    let uploads = "/v2/app/blobs/uploads/";
    for (way, size) in [(0, 1_000), (1, 200_000), (2, 0), (3, 70_000)] {
        let content = random_bytes(size);
        let digest = sha512_of(&content);
        let pushed = match way {
            0 => client.send("POST", &format!("{uploads}?digest={digest}"), &[], &content),
            _ => {
                let hint = ["", "", "", "?digest-algorithm=sha512"][way];
                let begun = client.send("POST", &format!("{uploads}{hint}"), &[], b"");
                let location = begun.header("location");
                assert_eq!(client.send("PATCH", location, &[], &content).status, 202);
                client.send("PUT", &format!("{location}?digest={digest}"), &[], b"")
            }
        };
        assert_eq!(pushed.status, 201, "{way}");
        assert_eq!(pushed.header("docker-content-digest"), digest);
        let pulled = client.get(&format!("/v2/app/blobs/{digest}"));
        assert!(pulled.status == 200 && pulled.body == content, "{way}");
        assert_eq!(pulled.header("docker-content-digest"), digest);
    }
    // A wrong hint, and content of another digest.
    let content = random_bytes(5_000);
    for (hint, digest, status) in [
        ("?digest-algorithm=sha512", digest_of(&content), 201),
        ("", sha512_of(b"another"), 400),
        ("?digest-algorithm=sha512", sha512_of(b"another"), 400),
        ("?digest-algorithm=sha512", digest_of(b"another"), 400),
    ] {
        let begun = client.send("POST", &format!("{uploads}{hint}"), &[], b"");
        let location = begun.header("location");
        assert_eq!(client.send("PATCH", location, &[], &content).status, 202);
        let pushed = client.send("PUT", &format!("{location}?digest={digest}"), &[], b"");
        assert_eq!(pushed.status, status, "{hint} {digest}");
    }
    let unknown = client.send("POST", &format!("{uploads}?digest-algorithm=md5"), &[], b"");
    assert_eq!((unknown.status, &*unknown.code()), (400, "DIGEST_INVALID"));

    let image = Image::random(&[10]);
    assert_eq!(client.push("app", "v1", &image).status, 201);
    let digest = sha512_of(image.manifest());
    let path = format!("/v2/app/manifests/{digest}");
    let media_type = [("content-type", Image::MEDIA_TYPE)];
    let pushed = client.send("PUT", &path, &media_type, image.manifest());
    assert_eq!(pushed.status, 201);
    assert_eq!(client.get(&path).body, image.manifest());
    assert_eq!(client.get(&path).header("docker-content-digest"), digest);
    emulator.verify();
}

#[test]
fn mirror_requests_are_served_local_content() {
    let emulator = Emulator::start();
    let client = emulator.client();
    let image = Image::random(&[100]);
    assert_eq!(client.push("app", "v1", &image).status, 201);
    for path in [
        "manifests/v1".to_owned(),
        format!("manifests/{}", image.digest()),
    ] {
        let answer = client.get(&format!("/v2/app/{path}?ns=docker.io"));
        assert_eq!(answer.status, 200);
        assert_eq!(answer.body, image.manifest());
    }
}

#[test]
fn push_by_digest_sets_all_its_tags() {
    let emulator = Emulator::start();
    let client = emulator.client();
    let image = Image::random(&[10]);
    assert_eq!(client.push("app", "v1", &image).status, 201);
    let path = format!("/v2/app/manifests/{}", image.digest());
    let media_type = [("content-type", Image::MEDIA_TYPE)];
    let tags: Vec<_> = (0..20).map(|n| format!("t{n:02}")).collect();
    let query = tags
        .iter()
        .map(|tag| format!("tag={tag}"))
        .collect::<Vec<_>>();
    let push = |query: &str| {
        client.send(
            "PUT",
            &format!("{path}?{query}"),
            &media_type,
            image.manifest(),
        )
    };
    let pushed = push(&query.join("&"));
    assert_eq!(pushed.status, 201);
    assert_eq!(pushed.header("oci-tag"), tags.join(", "));
    for tag in &tags {
        let found = client.get(&format!("/v2/app/manifests/{tag}"));
        assert_eq!(found.header("docker-content-digest"), image.digest());
    }
    // With one invalid tag, no tag is set.
    let refused = push("tag=good&tag=-bad");
    assert_eq!((refused.status, &*refused.code()), (400, "TAG_INVALID"));
    assert_eq!(client.get("/v2/app/manifests/good").status, 404);
    assert_eq!(push(&vec!["tag=x"; 101].join("&")).status, 414);
}

#[test]
fn push_with_100_long_tags_is_answered_in_readable_header_lines() {
    let emulator = Emulator::start();
    let client = emulator.client();
    let image = Image::random(&[10]);
    assert_eq!(client.push("app", "v1", &image).status, 201);
    let tags: Vec<_> = (0..100).map(|n| format!("{n:0>128}")).collect();
    let line = format!(
        "PUT /v2/app/manifests/{}?tag={}",
        image.digest(),
        tags.join("&tag=")
    );
    let headers = format!(
        "Content-Type: {}\r\nContent-Length: {}\r\n",
        Image::MEDIA_TYPE,
        image.manifest().len()
    );
    let request = [&head(&line, &headers), image.manifest()].concat();
    let answer = Connection::new(emulator.address()).send(&request).unwrap();
    assert_eq!(answer.status, 201);
    let named: Vec<_> = answer.header("oci-tag").unwrap().split(", ").collect();
    assert_eq!(named, tags);
    // Python and hyper read 100 lines, Node reads 16 KiB.
    let (lines, bytes) = answer.size();
    assert!(lines < 50, "{lines} lines");
    assert!(bytes < 16 << 10, "{bytes} bytes");
}

#[test]
fn referrers_are_listed_filtered_and_paged() {
    let emulator = without_cmk();
    let client = emulator.client();
    let subject = digest_of(b"pushed later, or never");
    let path = format!("/v2/app/referrers/{subject}");
    assert_eq!(listed(&client.get(&path)), [""; 0], "not even a repository");
    assert_eq!(client.push_blob("app", b"{}").status, 201);
    let mut signatures = Vec::new();
    let mut all = Vec::new();
    for n in 0..12 {
        let kind = if n % 3 == 0 { "a/signature" } else { "a/sbom" };
        let (manifest, digest) = artifact(&subject, kind, n);
        let to = format!("/v2/app/manifests/{digest}");
        let pushed = put(&client, &to, Image::MEDIA_TYPE, &manifest);
        assert_eq!(pushed.status, 201);
        assert_eq!(pushed.header("oci-subject"), subject);
        if n % 3 == 0 {
            signatures.push(digest.clone());
        }
        all.push(digest);
    }
    signatures.sort();
    all.sort();
    let answer = client.get(&path);
    assert_eq!(listed(&answer), all);
    assert!(!answer.headers.contains_key("oci-filters-applied"));
    let one = &answer.json()["manifests"][0];
    assert!(one["annotations"]["org.example.note"].is_string());
    assert_eq!(one["mediaType"], Image::MEDIA_TYPE);
    assert!(one["size"].as_u64().unwrap() > 100);

    let filtered = client.get(&format!("{path}?artifactType=a%2Fsignature"));
    assert_eq!(listed(&filtered), signatures);
    assert_eq!(filtered.header("oci-filters-applied"), "artifactType");
    assert_eq!(
        listed(&client.get(&format!("{path}?artifactType=a/none"))),
        [""; 0]
    );

    let mut next = Some(format!("{path}?n=2&artifactType=a/sbom"));
    let mut paged = Vec::new();
    while let Some(page) = next {
        let answer = client.get(&page);
        let found = listed(&answer);
        assert!((1..=2).contains(&found.len()));
        paged.extend(found);
        next = answer.headers.get("link").map(|link| {
            let link = link.to_str().unwrap();
            let (url, rel) = link.trim_start_matches('<').split_once('>').unwrap();
            assert_eq!(rel, "; rel=\"next\"");
            url.to_owned()
        });
    }
    let is_sbom = |digest: &&String| !signatures.contains(digest);
    let sboms: Vec<_> = all.iter().filter(is_sbom).cloned().collect();
    assert_eq!(paged, sboms);

    // A deleted referrer is gone from the list.
    let gone = format!("/v2/app/manifests/{}", all[0]);
    assert_eq!(client.send("DELETE", &gone, &[], b"").status, 202);
    assert_eq!(listed(&client.get(&path)), all[1..]);
    emulator.verify();
}

#[test]
fn referrers_list_includes_the_referrers_tag() {
    let emulator = without_cmk();
    let client = emulator.client();
    assert_eq!(client.push_blob("app", b"{}").status, 201);
    let subject = digest_of(b"subject");
    // Pushed without a subject, as by a client that found no referrers API.
    let (mut old, _) = artifact(&subject, "a/old", 1);
    old.as_object_mut().unwrap().remove("subject");
    let old_digest = digest_of(old.to_string().as_bytes());
    let (new, new_digest) = artifact(&subject, "a/new", 2);
    for (manifest, digest) in [(&old, &old_digest), (&new, &new_digest)] {
        let to = format!("/v2/app/manifests/{digest}");
        assert_eq!(put(&client, &to, Image::MEDIA_TYPE, manifest).status, 201);
    }
    let descriptor =
        |digest: &str| json!({"mediaType": Image::MEDIA_TYPE, "digest": digest, "size": 1});
    let index = json!({
        "schemaVersion": 2,
        "mediaType": INDEX,
        "manifests": [descriptor(&old_digest), descriptor(&new_digest)],
    });
    let tag = subject.replace(':', "-");
    let to = format!("/v2/app/manifests/{tag}");
    assert_eq!(put(&client, &to, INDEX, &index).status, 201);
    let mut both = [old_digest, new_digest];
    both.sort();
    assert_eq!(
        listed(&client.get(&format!("/v2/app/referrers/{subject}"))),
        both
    );
}

/// Pushes a manifest with a subject by its digest, optionally with a tag, and returns the digest.
fn attach(client: &Client, subject: &str, note: usize, tag: &str) -> String {
    let (manifest, digest) = artifact(subject, "a/b", note);
    let to = format!("/v2/app/manifests/{digest}?{tag}");
    assert_eq!(put(client, &to, Image::MEDIA_TYPE, &manifest).status, 201);
    digest
}

fn delete(client: &Client, digest: &str) -> Answer {
    client.send("DELETE", &format!("/v2/app/manifests/{digest}"), &[], b"")
}

#[test]
fn deleting_a_manifest_deletes_its_referrers_and_the_empty_repository() {
    let emulator = without_cmk();
    let client = emulator.client();
    assert_eq!(client.push_blob("app", b"{}").status, 201);
    let image = Image::random(&[10]);
    assert_eq!(client.push("app", "v1", &image).status, 201);
    let signature = attach(&client, &image.digest(), 1, "");
    let sbom = attach(&client, &image.digest(), 2, "");
    let of_sbom = attach(&client, &sbom, 3, "");
    let others = [attach(&client, &digest_of(b"another"), 4, "")];
    assert_eq!(delete(&client, &sbom).status, 202);
    assert_eq!(
        delete(&client, &of_sbom).status,
        404,
        "with what it is about"
    );
    assert_eq!(
        client.get(&format!("/v2/app/manifests/{signature}")).status,
        200
    );
    assert_eq!(delete(&client, &image.digest()).status, 202);
    for gone in [&image.digest(), &signature, &sbom, &of_sbom] {
        assert_eq!(client.get(&format!("/v2/app/manifests/{gone}")).status, 404);
    }
    let listed = client.get("/acr/v1/app/_manifests").json();
    assert_eq!(listed["manifests"][0]["digest"], *others[0]);
    assert_eq!(listed["manifests"].as_array().unwrap().len(), 1);
    assert_eq!(delete(&client, &others[0]).status, 202);
    assert_eq!(client.get("/v2/_catalog").json()["repositories"], json!([]));
    assert_eq!(client.get("/acr/v1/app/_manifests").code(), "NAME_UNKNOWN");
    emulator.verify();
}

#[test]
fn tagged_referrer_outlives_its_subject_and_keeps_its_own_referrers() {
    let emulator = without_cmk();
    let client = emulator.client();
    assert_eq!(client.push_blob("app", b"{}").status, 201);
    let subject = attach(&client, &digest_of(b"never pushed"), 1, "tag=v1");
    let tagged = attach(&client, &subject, 2, "tag=v2");
    let untagged = attach(&client, &subject, 3, "");
    let of_tagged = attach(&client, &tagged, 4, "");
    // Untagging deletes no manifest.
    assert_eq!(delete(&client, "v1").status, 202);
    assert_eq!(
        client.get(&format!("/v2/app/manifests/{untagged}")).status,
        200
    );
    assert_eq!(delete(&client, &subject).status, 202);
    let status = |digest: &str| client.get(&format!("/v2/app/manifests/{digest}")).status;
    let statuses = [&subject, &untagged, &tagged, &of_tagged].map(|digest| status(digest));
    assert_eq!(statuses, [404, 404, 200, 200]);
}

#[test]
fn locked_referrer_prevents_deleting_its_subject_and_referrers() {
    let emulator = without_cmk();
    let client = emulator.client();
    assert_eq!(client.push_blob("app", b"{}").status, 201);
    let subject = attach(&client, &digest_of(b"never pushed"), 1, "");
    let all: Vec<String> = (2..5)
        .map(|note| attach(&client, &subject, note, ""))
        .collect();
    let locked = format!("/acr/v1/app/_manifests/{}", all[1]);
    client.send("PATCH", &locked, &[], br#"{"deleteEnabled":false}"#);
    let refused = delete(&client, &subject);
    assert_eq!(
        (refused.status, &*refused.code()),
        (405, "REGISTRY_DISALLOWED_OPERATION")
    );
    let mut expected = all.clone();
    expected.sort();
    assert_eq!(
        listed(&client.get(&format!("/v2/app/referrers/{subject}"))),
        expected
    );
    client.send("PATCH", &locked, &[], br#"{"deleteEnabled":true}"#);
    assert_eq!(delete(&client, &subject).status, 202);
    assert_eq!(client.get("/v2/_catalog").json()["repositories"], json!([]));
}

#[test]
fn cmk_registry_keeps_referrers_of_a_deleted_manifest() {
    let emulator = Emulator::start();
    let client = emulator.client();
    assert_eq!(client.push_blob("app", b"{}").status, 201);
    let subject = attach(&client, &digest_of(b"never pushed"), 1, "");
    let referrer = attach(&client, &subject, 2, "");
    assert_eq!(delete(&client, &subject).status, 202);
    assert_eq!(
        client.get(&format!("/v2/app/manifests/{referrer}")).status,
        200
    );
}

#[test]
fn cmk_registry_offers_referrers_only_if_configured() {
    let mut emulator = Emulator::start();
    let client = emulator.client();
    assert_eq!(client.push_blob("app", b"{}").status, 201);
    let subject = digest_of(b"subject");
    let (manifest, digest) = artifact(&subject, "a/b", 1);
    let to = format!("/v2/app/manifests/{digest}");
    let pushed = put(&client, &to, Image::MEDIA_TYPE, &manifest);
    assert_eq!(pushed.status, 201);
    assert!(
        !pushed.headers.contains_key("oci-subject"),
        "so that clients keep the referrers tag"
    );
    let path = format!("/v2/app/referrers/{subject}");
    assert_eq!(client.get(&path).status, 404);

    emulator.stop();
    emulator.set_environment(vec![(
        "SEALOCK_FIDELITY__REFERRERS_ON_CMK".into(),
        "true".into(),
    )]);
    emulator.start_again();
    assert_eq!(listed(&emulator.client().get(&path)), [digest]);
    emulator.cli(&["key", "disable"]);
    assert_eq!(emulator.client().get(&path).code(), "DENIED");
}

#[test]
fn sparse_manifests_are_accepted_only_if_configured() {
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": Image::MEDIA_TYPE,
        "config": {"mediaType": "a/b", "digest": digest_of(b"missing"), "size": 7},
        "layers": [],
    });
    let path = "/v2/app/manifests/v1";
    let mut emulator = Emulator::start();
    let refused = put(&emulator.client(), path, Image::MEDIA_TYPE, &manifest);
    assert_eq!(
        (refused.status, &*refused.code()),
        (400, "MANIFEST_BLOB_UNKNOWN")
    );
    emulator.stop();
    emulator.set_environment(vec![(
        "SEALOCK_FIDELITY__SPARSE_MANIFESTS".into(),
        "true".into(),
    )]);
    emulator.start_again();
    let client = emulator.client();
    assert_eq!(put(&client, path, Image::MEDIA_TYPE, &manifest).status, 201);
    assert_eq!(client.get(path).body, manifest.to_string().into_bytes());
    emulator.verify();
}

#[test]
fn manifest_with_missing_content_is_refused_naming_all_of_it() {
    let emulator = Emulator::start();
    let client = emulator.client();
    assert_eq!(client.push_blob("app", b"there").status, 201);
    let descriptor = |content: &str| {
        let digest = digest_of(content.as_bytes());
        json!({"mediaType": "a/b", "digest": digest, "size": content.len()})
    };
    let named = |layers: Vec<Value>| -> Vec<Value> {
        let manifest = json!({
            "schemaVersion": 2, "mediaType": Image::MEDIA_TYPE, "config": descriptor("config"), "layers": layers,
        });
        let path = "/v2/app/manifests/v1";
        let refused = put(&client, path, Image::MEDIA_TYPE, &manifest);
        assert_eq!(refused.status, 400);
        let errors = refused.json()["errors"].as_array().unwrap().clone();
        for error in &errors {
            assert_eq!(error["code"], "MANIFEST_BLOB_UNKNOWN");
        }
        let digests = errors.iter().map(|error| error["detail"].clone());
        digests.collect()
    };
    let layers = ["there", "one", "other", "one"].map(descriptor).to_vec();
    let expected = ["config", "one", "other"].map(|content| digest_of(content.as_bytes()));
    assert_eq!(named(layers), expected);
    let many = (0..1000).map(|at| descriptor(&at.to_string()));
    assert_eq!(named(many.collect()).len(), 100);
}

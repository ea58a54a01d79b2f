use sealock_tests::{Answer, Client, Emulator, Image, digest_of};
use serde_json::json;

fn patch(client: &Client, path: &str, attributes: &str) {
    let headers = [("content-type", "application/json")];
    let answer = client.send("PATCH", path, &headers, attributes.as_bytes());
    assert_eq!(answer.status, 200, "{answer:?}");
}

/// ACR's refusal of an operation that a lock forbids.
fn is_disallowed(answer: &Answer) -> bool {
    if answer.status != 405 {
        return false;
    }
    let error = &answer.json()["errors"][0];
    let message = "The operation is disallowed on this registry, repository or image. View troubleshooting steps at \
                   https://aka.ms/acr/faq/#why-does-my-pull-or-push-request-fail-with-disallowed-operation";
    assert_eq!(error["code"], "REGISTRY_DISALLOWED_OPERATION");
    assert_eq!(error["message"], message);
    assert_eq!(error["detail"], json!({}));
    true
}

#[test]
fn each_lock_forbids_its_operations() {
    let emulator = Emulator::start();
    let client = emulator.client();
    let (first, second) = (Image::random(&[100]), Image::random(&[200]));
    let digest = first.digest();
    let blob = digest_of(first.blobs().next().unwrap());
    let by_digest = format!("app/manifests/{digest}");
    let blob_path = format!("app/blobs/{blob}");

    // The operations: pull by tag, pull by digest, pull a blob, push to the tag, push to another tag, delete the tag,
    // the manifest, a blob, the repository.
    let tries = || -> String {
        // The second image's tag is deleted in each round, so that pushing it is always a change.
        let push = |tag: &str| {
            let headers = [("content-type", "application/vnd.oci.image.manifest.v1+json")];
            client.send(
                "PUT",
                &format!("/v2/app/manifests/{tag}"),
                &headers,
                second.manifest(),
            )
        };
        let answers = [
            ('t', client.get("/v2/app/manifests/v1")),
            ('d', client.get(&format!("/v2/{by_digest}"))),
            ('b', client.get(&format!("/v2/{blob_path}"))),
            ('o', push("other")),
            (
                'D',
                client.send("DELETE", &format!("/v2/{by_digest}"), &[], b""),
            ),
            ('p', push("v1")),
            ('T', client.send("DELETE", "/v2/app/manifests/v1", &[], b"")),
            (
                'B',
                client.send("DELETE", &format!("/v2/{blob_path}"), &[], b""),
            ),
            ('R', client.send("DELETE", "/acr/v1/app", &[], b"")),
        ];
        answers
            .iter()
            .filter(|(_, answer)| is_disallowed(answer))
            .map(|(name, _)| *name)
            .collect()
    };
    for (path, attributes, forbidden) in [
        ("app", r#"{"writeEnabled":false}"#, "oDpTBR"),
        ("app", r#"{"deleteEnabled":false}"#, "DTBR"),
        ("app", r#"{"readEnabled":false}"#, "tdb"),
        ("app", r#"{"listEnabled":false}"#, ""),
        ("app/_tags/v1", r#"{"writeEnabled":false}"#, "DpTBR"),
        // The push moves the tag away from its manifest.
        ("app/_tags/v1", r#"{"deleteEnabled":false}"#, "DTR"),
        ("app/_tags/v1", r#"{"readEnabled":false}"#, "t"),
        (
            &format!("app/_manifests/{digest}"),
            r#"{"writeEnabled":false}"#,
            "DBR",
        ),
        (
            &format!("app/_manifests/{digest}"),
            r#"{"deleteEnabled":false}"#,
            "DBR",
        ),
        (
            &format!("app/_manifests/{digest}"),
            r#"{"readEnabled":false}"#,
            "td",
        ),
        ("app", "{}", ""),
    ] {
        assert_eq!(client.push("app", "v1", &first).status, 201);
        assert_eq!(client.push("app", "two", &second).status, 201);
        let path = format!("/acr/v1/{path}");
        patch(&client, &path, attributes);
        assert_eq!(tries(), forbidden, "{path} {attributes}");
        let unlock =
            r#"{"deleteEnabled":true,"writeEnabled":true,"readEnabled":true,"listEnabled":true}"#;
        // Deleted resources have lost their attributes.
        client.send("PATCH", &path, &[], unlock.as_bytes());
        client.send("DELETE", "/acr/v1/app", &[], b"");
    }
    emulator.verify();
}

#[test]
fn unlistable_resources_are_omitted_from_lists() {
    let emulator = Emulator::start();
    let client = emulator.client();
    let image = Image::random(&[100]);
    for (repository, tag) in [("app", "v1"), ("app", "v2"), ("hidden", "v1")] {
        assert_eq!(client.push(repository, tag, &image).status, 201);
    }
    let hide = r#"{"listEnabled":false}"#;
    patch(&client, "/acr/v1/hidden", hide);
    patch(&client, "/acr/v1/app/_tags/v1", hide);
    for path in ["/v2/_catalog", "/acr/v1/_catalog", "/v2/_catalog?n=1"] {
        assert_eq!(
            client.get(path).json()["repositories"],
            json!(["app"]),
            "{path}"
        );
    }
    assert_eq!(
        client.get("/v2/app/tags/list").json()["tags"],
        json!(["v2"])
    );
    let tags = client.get("/acr/v1/app/_tags").json()["tags"].clone();
    assert_eq!(tags.as_array().unwrap().len(), 1);
    assert_eq!(tags[0]["name"], "v2");
    patch(
        &client,
        &format!("/acr/v1/app/_manifests/{}", image.digest()),
        hide,
    );
    let listed = client.get("/acr/v1/app/_manifests").json();
    assert_eq!(listed["manifests"], json!(null));
    // Hidden resources are still available by name.
    assert_eq!(client.pull("hidden", "v1", &image).status, 200);
    assert_eq!(client.pull("app", "v1", &image).status, 200);
}

#[test]
fn repository_attributes_are_removed_with_its_last_manifest() {
    let emulator = Emulator::start();
    let client = emulator.client();
    let images = [Image::random(&[]), Image::random(&[])];
    for image in &images {
        assert_eq!(
            client.push("app", &image.digest()[7..20], image).status,
            201
        );
    }
    patch(&client, "/acr/v1/app", r#"{"listEnabled":false}"#);
    let listed = || client.get("/v2/_catalog").json()["repositories"].clone();
    let delete = |image: &Image| {
        let path = format!("/v2/app/manifests/{}", image.digest());
        assert_eq!(client.send("DELETE", &path, &[], b"").status, 202);
    };
    delete(&images[0]);
    assert_eq!(client.push("app", "again", &images[0]).status, 201);
    assert_eq!(listed(), json!([]), "it was never empty");
    for image in &images {
        delete(image);
    }
    assert_eq!(client.push("app", "again", &images[0]).status, 201);
    assert_eq!(listed(), json!(["app"]));
}

#[test]
fn locks_survive_a_restart_and_a_push_elsewhere() {
    let mut emulator = Emulator::start();
    let image = Image::random(&[100]);
    assert_eq!(emulator.client().push("app", "v1", &image).status, 201);
    patch(
        &emulator.client(),
        "/acr/v1/app/_tags/v1",
        r#"{"writeEnabled":false}"#,
    );
    emulator.kill();
    emulator.start_again();
    let client = emulator.client();
    assert!(is_disallowed(&client.push(
        "app",
        "v1",
        &Image::random(&[10])
    )));
    // A tag's lock does not prevent further tags on its manifest.
    assert_eq!(client.push("app", "v2", &image).status, 201);
    let headers = [("content-type", "application/vnd.oci.image.manifest.v1+json")];
    let path = format!("/v2/app/manifests/{}?tag=v1&tag=v3", image.digest());
    assert!(is_disallowed(&client.send(
        "PUT",
        &path,
        &headers,
        image.manifest()
    )));
    assert_eq!(
        client.get("/v2/app/manifests/v3").status,
        404,
        "all tags or none"
    );
}

#[test]
fn locks_apply_to_unfinished_uploads_and_mounts() {
    let emulator = Emulator::start();
    let client = emulator.client();
    let image = Image::random(&[100]);
    for repository in ["locked", "unreadable"] {
        assert_eq!(client.push(repository, "v1", &image).status, 201);
    }
    let begun = client.send("POST", "/v2/locked/blobs/uploads/", &[], b"");
    patch(&client, "/acr/v1/locked", r#"{"writeEnabled":false}"#);
    let end = format!("{}?digest={}", begun.header("location"), digest_of(b"late"));
    assert!(is_disallowed(&client.send("PUT", &end, &[], b"late")));
    for query in ["mount=x", "digest=x", "digest-algorithm=x"] {
        let path = format!("/v2/locked/blobs/uploads/?{query}");
        let refused = client.send("POST", &path, &[], b"");
        assert!(is_disallowed(&refused), "{query}");
    }
    let session = begun.header("location");
    assert!(is_disallowed(&client.send("PATCH", session, &[], b"late")));
    let late = format!("/v2/locked/blobs/{}", digest_of(b"late"));
    assert_eq!(client.get(&late).status, 404);
    // The upload continues where it was.
    assert_eq!(client.get(session).header("range"), "0-0");
    patch(&client, "/acr/v1/locked", r#"{"writeEnabled":true}"#);
    assert_eq!(client.send("PUT", &end, &[], b"late").status, 201);
    assert_eq!(client.get(&late).status, 200);
    patch(&client, "/acr/v1/locked", r#"{"writeEnabled":false}"#);

    patch(&client, "/acr/v1/unreadable", r#"{"readEnabled":false}"#);
    let blob = digest_of(image.blobs().next().unwrap());
    let mount = format!("/v2/other/blobs/uploads/?mount={blob}&from=unreadable");
    assert!(is_disallowed(&client.send("POST", &mount, &[], b"")));
    assert_eq!(client.get(&format!("/v2/other/blobs/{blob}")).status, 404);

    // Without a repository, the mount takes the blob from any readable one. Manifests are not blobs.
    let mount = |digest: &str| {
        let path = format!("/v2/other/blobs/uploads/?mount={digest}");
        client.send("POST", &path, &[], b"").status
    };
    let other = Image::random(&[10]);
    assert_eq!(client.push("unreadable", "v2", &other).status, 201);
    assert_eq!(mount(&digest_of(other.blobs().next().unwrap())), 202);
    assert_eq!(mount(&image.digest()), 202);
    assert_eq!(mount(&blob), 201, "the locked repository can be read");
    emulator.verify();
}

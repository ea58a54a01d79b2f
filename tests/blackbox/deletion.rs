//! The deletion of registries and repositories.

use sealock_tests::{Emulator, Image, digest_of, eventually};
use serde_json::json;

use crate::exchange::role_assignments;

fn objects(emulator: &Emulator) -> usize {
    let files = emulator.files().into_iter();
    files
        .filter(|(path, _)| path.components().any(|part| part.as_os_str() == "blobs"))
        .count()
}

/// Starts the emulator again, with another registry on localhost.
fn serve_on_localhost(emulator: &mut Emulator, registry: &str) {
    let variable = "SEALOCK_REGISTRY__DEFAULT".to_owned();
    emulator.set_environment(vec![(variable, registry.to_owned())]);
    emulator.restart();
}

#[test]
fn registry_deletion_removes_its_content_and_logins() {
    let mut emulator = Emulator::start();
    let kept = Image::random(&[1000]);
    assert_eq!(emulator.client().push("kept", "v1", &kept).status, 201);
    let before = objects(&emulator);
    emulator.cli(&[
        "registry",
        "create",
        "other",
        "--key",
        "registry-key",
        "--identity",
        "registry-identity",
    ]);
    emulator.cli(&["role", "assign", "--role", "AcrPull", "--registry", "other"]);
    emulator.cli(&[
        "registry",
        "token",
        "create",
        "reader",
        "-r",
        "other",
        "--scope-map",
        "_repositories_pull",
    ]);
    let first_id = emulator.json(&["registry", "show", "other"])["id"].clone();
    serve_on_localhost(&mut emulator, "other");
    let image = Image::random(&[70_000, 5]);
    assert_eq!(emulator.client().push("app", "v1", &image).status, 201);
    assert!(objects(&emulator) > before);

    let refused = emulator.run(&["registry", "delete", "other"]);
    assert_eq!(
        (refused.code, &*refused.stderr),
        (
            1,
            "error: deleting registry other cannot be undone; all its content is lost\n\
             hint: to confirm, add --yes\n"
        )
    );
    assert_eq!(emulator.client().pull("app", "v1", &image).status, 200);

    let deleted = emulator.cli(&["registry", "delete", "other", "--yes"]);
    assert_eq!(deleted, "deleted registry other\n");
    eventually("the objects to go", || objects(&emulator) == before);
    let id = first_id.as_str().unwrap();
    let paths = emulator.files().into_iter().map(|(path, _)| path);
    let named: Vec<_> = paths
        .filter(|path| path.to_string_lossy().contains(id))
        .collect();
    assert!(named.is_empty(), "{named:?}");
    assert_eq!(role_assignments(&emulator), json!([]));
    assert_eq!(emulator.client().get("/v2/app/manifests/v1").status, 404);
    assert_eq!(emulator.run(&["registry", "delete", "other", "-y"]).code, 1);

    // One of the same name has nothing of it.
    emulator.cli(&["registry", "create", "other"]);
    assert_ne!(
        emulator.json(&["registry", "show", "other"])["id"],
        first_id
    );
    assert_eq!(
        emulator.json(&["repository", "list", "other"])["repositories"],
        json!([])
    );
    assert_eq!(
        emulator.json(&["registry", "token", "list", "other"])["tokens"],
        json!([])
    );
    serve_on_localhost(&mut emulator, "sealock");
    emulator.verify();
    assert_eq!(emulator.client().pull("kept", "v1", &kept).status, 200);
}

#[test]
fn upload_to_a_registry_deleted_meanwhile_is_refused_and_leaves_nothing() {
    let emulator = Emulator::start();
    let client = emulator.client();
    let content = vec![7; 100_000];
    let begun = client.send("POST", "/v2/app/blobs/uploads/", &[], b"");
    assert_eq!(begun.status, 202, "{begun:?}");
    let location = begun.header("location").to_owned();
    let sent = client.send(
        "PATCH",
        &location,
        &[("content-type", "application/octet-stream")],
        &content,
    );
    assert_eq!(sent.status, 202, "{sent:?}");
    emulator.cli(&["registry", "delete", "sealock", "--yes"]);
    let more = client.send(
        "PATCH",
        &location,
        &[("content-type", "application/octet-stream")],
        &content,
    );
    assert_eq!(more.status, 404, "{more:?}");
    let finished = client.send(
        "PUT",
        &format!("{location}?digest={}", digest_of(&content)),
        &[],
        b"",
    );
    assert_eq!(finished.status, 404, "{finished:?}");
    assert_eq!(objects(&emulator), 0);
    emulator.verify();
}

#[test]
fn repository_is_listed_shown_and_deleted() {
    let emulator = Emulator::start();
    let client = emulator.client();
    let (one, two) = (Image::random(&[1000]), Image::random(&[2000]));
    assert_eq!(client.push("team/app", "v1", &one).status, 201);
    assert_eq!(client.push("team/app", "v2", &two).status, 201);
    assert_eq!(client.push("hello", "v1", &one).status, 201);

    let list = emulator.json(&["repository", "list"]);
    let names: Vec<_> = list["repositories"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["name"].clone())
        .collect();
    assert_eq!(names, [json!("hello"), json!("team/app")]);
    let shown = emulator.json(&["repository", "show", "team/app"]);
    assert_eq!(
        (&shown["manifest_count"], &shown["tag_count"]),
        (&json!(2), &json!(2))
    );
    let digests: Vec<_> = shown["manifests"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["digest"].clone())
        .collect();
    assert!(
        digests.contains(&one.digest().into()) && digests.contains(&two.digest().into()),
        "{shown}"
    );
    let text = emulator.cli(&["repository", "show", "team/app"]);
    assert!(text.starts_with("team/app\n  manifests  2\n"), "{text}");

    let unknown = emulator.run(&["repository", "show", "nope"]);
    assert_eq!(unknown.code, 1);
    assert!(unknown.stderr.contains("nope"), "{unknown:?}");
    let refused = emulator.run(&["repository", "delete", "team/app"]);
    assert!(refused.stderr.contains("--yes"), "{refused:?}");
    let deleted = emulator.cli(&["repository", "delete", "team/app", "--yes"]);
    assert_eq!(
        deleted,
        "deleted repository team/app with 2 manifests and 2 tags\n"
    );
    assert_eq!(client.get("/v2/team/app/manifests/v1").status, 404);
    assert_eq!(client.pull("hello", "v1", &one).status, 200);

    emulator.cli(&["key", "disable"]);
    for command in [
        &["repository", "list"][..],
        &["repository", "show", "hello"],
        &["repository", "delete", "hello", "-y"],
    ] {
        let refused = emulator.run(command);
        assert_eq!(refused.code, 1, "{command:?}");
        assert!(
            refused
                .stderr
                .contains("Access to Key Encryption Key is forbidden"),
            "{refused:?}"
        );
    }
}

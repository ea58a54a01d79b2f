mod objects;

use std::fs;

use sealock_tests::{Emulator, Image, digest_of, random_bytes};
use serde_json::{Value, json};

/// Damages a file of a running emulator, and returns the findings of `verify`.
fn found_after(emulator: &Emulator, file: &str) -> Vec<(String, String)> {
    let path = emulator.data_dir().join(file);
    let whole = fs::read(&path).unwrap();
    let mut damaged = whole.clone();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    fs::write(&path, damaged).unwrap();
    let output = emulator.run(&["verify", "--json"]);
    fs::write(&path, whole).unwrap();
    let found: Value = serde_json::from_str(&output.stdout).unwrap();
    let lost = found["registries"][0]["lost_uploads"].as_array().unwrap();
    // A loss of power may destroy an upload, so a lost upload is not a problem.
    assert_eq!(
        output.code,
        i32::from(lost.is_empty()),
        "{file}: {output:?}"
    );
    let of_registry = found["registries"][0]["problems"].as_array().unwrap();
    let problems = found["problems"]
        .as_array()
        .unwrap()
        .iter()
        .chain(of_registry);
    let text = |it: &Value| it.as_str().unwrap().to_owned();
    let problems = problems.map(|it| (text(&it["kind"]), text(&it["description"])));
    let lost = lost.iter().map(|it| ("lost".to_owned(), text(it)));
    problems.chain(lost).collect()
}

#[test]
fn damage_outside_content_is_reported() {
    let mut emulator = Emulator::start();
    let client = emulator.client();
    assert_eq!(
        client.push("app", "v1", &Image::random(&[1000])).status,
        201
    );
    let begun = client.send("POST", "/v2/app/blobs/uploads/", &[], b"");
    let location = begun.header("location").to_owned();
    assert_eq!(
        client
            .send("PATCH", &location, &[], &random_bytes(300_000))
            .status,
        202
    );
    emulator.restart();
    let verified = emulator.json(&["verify"]);
    assert_eq!(
        (&verified["whole"], &verified["problems"]),
        (&json!(true), &json!([]))
    );
    assert_eq!(verified["registries"][0]["uploads"], 1);

    let names = |dir: &str| {
        let entries = fs::read_dir(emulator.data_dir().join(dir)).unwrap();
        let files = entries
            .map(Result::unwrap)
            .filter(|entry| entry.path().is_file());
        let names = files.map(|entry| format!("{dir}/{}", entry.file_name().to_str().unwrap()));
        names.collect::<Vec<_>>()
    };
    let one = |dir: &str| names(dir).swap_remove(0);
    let copy = names("metadata")
        .into_iter()
        .find(|name| name.contains("copy-"));
    let kid = "keys/registry-key/";
    let upload = one("uploads").replace("uploads/", "the unfinished upload ");
    for (file, kind, named) in [
        (one("vault-keys"), "PrivateKeyDamaged", kid),
        ("audit.jsonl".to_owned(), "MetadataDamaged", "audit.jsonl"),
        (
            copy.clone().unwrap(),
            "MetadataDamaged",
            copy.as_deref().unwrap(),
        ),
        (
            one("custodies"),
            "CustodyDamaged",
            one("custodies").as_str(),
        ),
        (
            "tls/authority.pem".to_owned(),
            "TlsFileDamaged",
            "authority.pem",
        ),
        ("tls/ca.pem".to_owned(), "TlsFileDamaged", "ca.pem"),
        ("tls/bundle.pem".to_owned(), "TlsFileDamaged", "bundle.pem"),
        (one("uploads"), "lost", upload.as_str()),
        (one("blobs/staging"), "lost", upload.as_str()),
    ] {
        let found = found_after(&emulator, &file);
        assert_eq!(found.len(), 1, "{file}: {found:?}");
        assert_eq!(found[0].0, kind, "{file}");
        assert!(found[0].1.contains(named), "{file}: {found:?}");
    }
    emulator.cli(&["verify"]);
    let went_on = emulator.client().send("GET", &location, &[], b"").status;
    assert_ne!(went_on, 404, "what was mended goes on");
}

#[test]
fn damaged_upload_is_unknown_and_quarantined() {
    let mut emulator = Emulator::start();
    let client = emulator.client();
    let begun = client.send("POST", "/v2/app/blobs/uploads/", &[], b"");
    let location = begun.header("location").to_owned();
    assert_eq!(
        client
            .send("PATCH", &location, &[], &random_bytes(1000))
            .status,
        202
    );
    emulator.stop();
    let uploads = emulator.data_dir().join("uploads");
    let file = fs::read_dir(&uploads)
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let whole = fs::read(&file).unwrap();
    // Changes the time of the last request, as if the upload had expired.
    let text = String::from_utf8_lossy(&whole);
    let touched = text.find("\"touched\":\"20").unwrap() + "\"touched\":\"".len();
    let mut earlier = whole.clone();
    earlier[touched] = b'1';
    fs::write(&file, &earlier).unwrap();
    emulator.start_again();
    assert_eq!(emulator.client().get(&location).status, 404);
    let set_aside = emulator.json(&["registry", "gc", "--orphans", "--dry-run"]);
    let names: Vec<_> = set_aside["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["name"].as_str().unwrap().split('/').next().unwrap())
        .collect();
    assert_eq!(names, ["staging", "uploads"]);
}

#[test]
fn deleted_parts_of_an_image_are_reported_but_no_problem() {
    let emulator = Emulator::start();
    let client = emulator.client();
    let image = Image::random(&[1000]);
    let other = Image::random(&[1000]);
    assert_eq!(client.push("app", "v1", &image).status, 201);
    assert_eq!(client.push("app", "v2", &other).status, 201);
    let media_type = "application/vnd.oci.image.index.v1+json";
    let index = json!({"schemaVersion": 2, "mediaType": media_type, "manifests": [{
        "mediaType": Image::MEDIA_TYPE, "digest": image.digest(), "size": image.manifest().len(),
    }]});
    let index = index.to_string();
    let headers = [("content-type", media_type)];
    let put = client.send("PUT", "/v2/app/manifests/multi", &headers, index.as_bytes());
    assert_eq!(put.status, 201);
    let registry = || emulator.json(&["verify"])["registries"][0].clone();
    assert_eq!(registry()["deleted_references"], json!([]));

    let layer = digest_of(other.blobs().last().unwrap());
    for path in [
        format!("/v2/app/manifests/{}", image.digest()),
        format!("/v2/app/blobs/{layer}"),
    ] {
        assert_eq!(client.send("DELETE", &path, &[], b"").status, 202);
    }
    let verified = registry();
    assert_eq!(verified["problems"], json!([]));
    let notes = verified["deleted_references"].as_array().unwrap();
    let notes: Vec<&str> = notes.iter().map(|note| note.as_str().unwrap()).collect();
    let named = |from: &str, to: &str| {
        let named = |note: &&str| note.contains(from) && note.contains(to);
        notes.iter().any(named)
    };
    assert!(
        named(&digest_of(index.as_bytes()), &image.digest()),
        "{notes:?}"
    );
    assert!(named(&other.digest(), &layer), "{notes:?}");
    assert_eq!(notes.len(), 2);
    let shown = emulator.cli(&["verify"]);
    assert!(shown.contains(notes[0]), "{shown}");
}

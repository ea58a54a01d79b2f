use std::{
    fs,
    os::unix::fs::{chown, symlink},
};

use sealock_tests::{Image, digest_of};

use super::{Place, STRANGER, USER, follow, is_root, set_mode, shell};
use crate::repair::assert_contains;

#[test]
fn file_of_another_user_is_refused_until_removed() {
    if !is_root("what another user planted") {
        return;
    }
    let place = Place::new();
    let image = place.push();
    let data_dir = place.data_dir();
    for name in [
        "planted",
        "control.token",
        "developer.secret",
        "identity.header",
        "blobs/planted",
        "blobs/staging/planted",
        "vault-keys/planted",
        "uploads/planted",
        "metadata/planted",
        "custodies/planted",
        "tls/ca.new",
    ] {
        let path = data_dir.join(name);
        fs::write(&path, "planted").unwrap();
        chown(&path, Some(STRANGER), None).unwrap();
        assert_contains(
            &place.refused(),
            &[
                "error:",
                path.to_str().unwrap(),
                "uid 4242",
                &format!("chown -R 0 {}", data_dir.display()),
            ],
        );
        assert_eq!(fs::read(&path).unwrap(), b"planted");
        fs::remove_file(&path).unwrap();
    }
    place.pull(&image);
}

#[test]
fn data_directory_of_another_user_is_refused_until_its_owner_changes() {
    if !is_root("a change of user") {
        return;
    }
    let mut place = Place::of_user(None);
    place.mount(USER, USER, 0o700);
    let image = place.push();
    let before = place.contents();

    place.user = None;
    let refused = place.refused();
    assert_contains(&refused, &["data belongs to another user", "uid 1000"]);
    assert_eq!(place.contents(), before);
    follow(&refused, "chown -R");
    place.pull(&image);

    // Other users cannot read root's files, and the emulator says so.
    place.user = Some((USER, None));
    set_mode(&place.data_dir(), 0o755);
    let refused = place.refused();
    assert_contains(&refused, &["no access to", "lock: it belongs to uid 0"]);
    follow(&refused, "chown -R");
    place.pull(&image);
}

#[test]
fn symlink_in_the_data_directory_is_refused_and_not_followed() {
    let place = Place::new();
    let image = place.push();
    let target = place.path("target");
    for name in [
        "audit.jsonl",
        "audit.jsonl.00000000000000065536",
        "control.token",
        "developer.secret",
        "identity.header",
        "format",
        "lock",
        "service.key",
        "metadata",
        "metadata/conf",
        "metadata/db",
        "metadata/planted",
        "blobs",
        "blobs/staging",
        "blobs/planted",
        "vault-keys",
        "uploads/planted.new",
        "tls",
        "tls/authority.pem",
        "tls/ca.new",
        "tls/ca.pem",
    ] {
        let path = place.data_dir().join(name);
        let kept = place.path("kept");
        let was_there = fs::rename(&path, &kept).is_ok();
        if kept.is_dir() {
            fs::create_dir(&target).unwrap();
        } else {
            fs::write(&target, "untouched").unwrap();
        }
        symlink(&target, &path).unwrap();

        let refused = place.refused();
        let path = path.to_str().unwrap();
        assert_contains(&refused, &["error:", &format!("{path} is a link"), "rm "]);
        if name == "service.key" {
            assert_contains(&refused, &["hint:", "SEALOCK_SERVICE_KEY_FILE"]);
        }
        if target.is_dir() {
            assert_eq!(fs::read_dir(&target).unwrap().count(), 0, "{name}");
            fs::remove_dir(&target).unwrap();
        } else {
            assert_eq!(fs::read(&target).unwrap(), b"untouched", "{name}");
            fs::remove_file(&target).unwrap();
        }
        fs::remove_file(path).unwrap();
        if was_there {
            fs::rename(&kept, path).unwrap();
        }
    }
    place.pull(&image);
}

#[test]
fn fifo_in_the_data_directory_is_refused() {
    let place = Place::new();
    let image = place.push();
    let lock = place.data_dir().join("lock");
    fs::remove_file(&lock).unwrap();
    shell(&format!("mkfifo {}", lock.display()));
    let refused = place.refused();
    assert_contains(&refused, &["lock is a FIFO"]);
    follow(&refused, "rm ");
    place.pull(&image);
}

#[test]
fn content_replaced_at_runtime_is_not_served() {
    let place = Place::new();
    let image = Image::random(&[1000]);
    let mut emulator = place.start();
    assert_eq!(emulator.client.push("app", "v1", &image).status, 201);
    let elsewhere = place.path("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    let blobs: Vec<_> = fs::read_dir(place.data_dir().join("blobs"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file())
        .collect();
    assert!(blobs.len() >= 3);
    let layer = format!("/v2/app/blobs/{}", digest_of(image.blobs().next().unwrap()));
    let is_served = || emulator.client.get(&layer).status == 200;
    assert!(is_served());
    for blob in &blobs {
        let moved = elsewhere.join(blob.file_name().unwrap());
        fs::rename(blob, &moved).unwrap();
        symlink(&moved, blob).unwrap();
    }
    assert!(!is_served(), "through a link");
    for blob in &blobs {
        fs::rename(elsewhere.join(blob.file_name().unwrap()), blob).unwrap();
    }
    assert!(is_served());
    if is_root("content of another user") {
        for blob in &blobs {
            chown(blob, Some(STRANGER), None).unwrap();
        }
        assert!(!is_served(), "another user's");
    }
    emulator.stop();
}

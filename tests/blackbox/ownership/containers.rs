use std::{
    fs,
    os::unix::fs::{MetadataExt as _, chown, symlink},
};

use super::{
    GROUP, Place, STRANGER, USER, assert_contains, follow, is_root, mode, service_key, set_mode,
    shell,
};

#[test]
fn service_key_is_read_from_a_kubernetes_secret() {
    if !is_root("a mounted secret") {
        return;
    }
    let mut place = Place::of_user(Some(GROUP));
    place.mount(USER, USER, 0o700);
    let secrets = place.path("secrets");
    let version = secrets.join("..2026_11_29_08_00_00.1");
    fs::create_dir_all(&version).unwrap();
    let key = version.join("key");
    fs::write(&key, service_key()).unwrap();
    chown(&key, Some(0), Some(GROUP)).unwrap();
    set_mode(&key, 0o440);
    symlink("..2026_11_29_08_00_00.1", secrets.join("..data")).unwrap();
    symlink("..data/key", secrets.join("key")).unwrap();
    place.environment = vec![("SEALOCK_SERVICE_KEY_FILE", secrets.join("key"))];

    let image = place.push();
    place.pull(&image);
    assert!(!place.log().contains("WARN"), "{}", place.log());
    assert_eq!(mode(&key), 0o440);
    assert!(!place.data_dir().join("service.key").exists());
}

#[test]
fn named_volume_is_accepted_as_data_directory() {
    let place = Place::new();
    // Docker creates the volume like this for root. The path to it contains the mounting user's symlink.
    let volume = place.path("volume");
    fs::create_dir(&volume).unwrap();
    set_mode(&volume, 0o755);
    symlink(&volume, place.data_dir()).unwrap();

    let image = place.push();
    place.pull(&image);
    assert!(!place.log().contains("WARN"), "{}", place.log());
    assert_eq!(mode(&volume), 0o755, "the directory keeps its mode");
    assert!(volume.join("audit.jsonl").exists());
}

#[test]
fn bind_mount_is_accepted_from_its_owner_only() {
    if !is_root("a bind mount") {
        return;
    }
    let place = Place::of_user(None);
    place.mount(USER, USER, 0o755);
    let image = place.push();
    place.pull(&image);
    assert!(!place.log().contains("WARN"), "{}", place.log());
    for path in place.contents() {
        assert_eq!(path.metadata().unwrap().uid(), USER, "{}", path.display());
    }

    // Another user cannot write to a directory that root mounted.
    let place = Place::of_user(None);
    place.mount(0, 0, 0o755);
    let refused = place.refused();
    assert_contains(&refused, &["error:", "no access to"]);
    follow(&refused, "chown -R");
    place.pull(&place.push());
}

#[test]
fn volume_with_an_fsgroup_is_accepted_as_data_directory() {
    if !is_root("a volume with an fsGroup") {
        return;
    }
    let place = Place::of_user(Some(GROUP));
    place.mount(0, GROUP, 0o2775);
    // ext4 creates this directory, which the user cannot read.
    fs::create_dir(place.data_dir().join("lost+found")).unwrap();
    set_mode(&place.data_dir().join("lost+found"), 0o700);
    let image = place.push();
    for _ in 0..2 {
        // The kubelet does this at each mount.
        let data_dir = place.data_dir();
        let data_dir = data_dir.display();
        shell(&format!(
            "chgrp -R {GROUP} {data_dir}; chmod -R g+rwX {data_dir}; find {data_dir} -type d -exec chmod g+s {{}} +"
        ));
        place.pull(&image);
        assert!(!place.log().contains("WARN"), "{}", place.log());
        assert_eq!(mode(&place.data_dir()), 0o2775);
        assert_eq!(mode(&place.data_dir().join("service.key")), 0o600);
    }
}

#[test]
fn world_writable_volume_is_used_with_a_warning_but_planted_files_are_refused() {
    if !is_root("a volume that everyone can write") {
        return;
    }
    // An emptyDir of Kubernetes, and a tmpfs of Docker.
    for mode_of_volume in [0o777, 0o1777] {
        let place = Place::of_user(None);
        place.mount(0, 0, mode_of_volume);
        let image = place.push();
        assert_contains(&place.log(), &["WARN", "everyone can write to"]);
        let planted = place.data_dir().join("control.token");
        fs::write(&planted, "0".repeat(64)).unwrap();
        chown(&planted, Some(STRANGER), None).unwrap();
        assert_contains(&place.refused(), &["control.token", "uid 4242"]);
        fs::remove_file(&planted).unwrap();
        place.pull(&image);
        assert_eq!(mode(&place.data_dir()), mode_of_volume);
    }
}

#[test]
fn shared_directory_keeps_its_mode() {
    let place = Place::new();
    fs::create_dir(place.data_dir()).unwrap();
    set_mode(&place.data_dir(), 0o1777);
    place.push();
    assert_contains(&place.log(), &["WARN", "everyone can write to"]);
    assert_eq!(mode(&place.data_dir()), 0o1777);
}

//! The owners and modes of files that the emulator accepts, in the places that containers use for them.
//!
//! Some tests need several users, and so root. Without root they report that they did nothing.

use std::{
    fs::{self, File},
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use sealock_tests::{Client, Emulator, Image, digest_of, eventually, random_bytes};
use serde_json::Value;
use tempfile::TempDir;

/// The user of emulators in containers that forbid root.
const USER: u32 = 1000;
/// The `fsGroup` of a pod.
const GROUP: u32 = 2000;
/// A user that has no part in the tests' files.
const STRANGER: u32 = 4242;

/// A directory for one test, with a data directory in it.
struct Place {
    dir: TempDir,
    /// The user of the emulator and its additional group; `None` for the user of the test.
    user: Option<(u32, Option<u32>)>,
    environment: Vec<(&'static str, PathBuf)>,
    config: Option<String>,
}

/// A running emulator.
struct Running {
    process: Child,
    client: Client,
}

impl Place {
    /// Makes a place for an emulator of the user of the test.
    fn new() -> Self {
        Self {
            dir: TempDir::new().unwrap(),
            user: None,
            environment: Vec::new(),
            config: None,
        }
    }

    /// Makes a place for an emulator of the user 1000.
    fn of_user(group: Option<u32>) -> Self {
        let place = Self {
            user: Some((USER, group)),
            ..Self::new()
        };
        // The emulator writes its ready file there.
        chown(place.dir.path(), Some(USER), Some(USER)).unwrap();
        set_mode(place.dir.path(), 0o755);
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn data_dir(&self) -> PathBuf {
        self.path("data")
    }

    /// Makes the data directory like a container runtime does.
    fn mount(&self, owner: u32, group: u32, mode: u32) {
        fs::create_dir(self.data_dir()).unwrap();
        chown(self.data_dir(), Some(owner), Some(group)).unwrap();
        set_mode(&self.data_dir(), mode);
    }

    fn spawn(&self) -> Child {
        let mut command = match self.user {
            None => Command::new(Emulator::binary()),
            Some((user, group)) => {
                let mut command = Command::new("setpriv");
                command.arg(format!("--reuid={user}"));
                command.arg(format!("--regid={user}"));
                command.arg(match group {
                    Some(group) => format!("--groups={group}"),
                    None => "--clear-groups".to_owned(),
                });
                command.arg(self.binary());
                command
            }
        };
        command.args(["serve", "--listen", "127.0.0.1:0", "--ready-file"]);
        command.arg(self.path("ready"));
        command.arg("--data-dir").arg(self.data_dir());
        if let Some(config) = &self.config {
            fs::write(self.path("config.toml"), config).unwrap();
            command.arg("--config").arg(self.path("config.toml"));
        }
        command
            .envs(self.environment.iter().cloned())
            .current_dir(self.dir.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(self.path("log")).unwrap())
            .spawn()
            .expect("the emulator starts")
    }

    /// Returns a path of the binary that other users can reach.
    fn binary(&self) -> PathBuf {
        let binary = Emulator::binary();
        let mut above = binary.ancestors().skip(1);
        if above.all(|dir| mode(dir) & 0o001 != 0) {
            return binary;
        }
        let copy = self.path("sealock");
        if !copy.exists() {
            fs::hard_link(&binary, &copy)
                .or_else(|_| fs::copy(&binary, &copy).map(drop))
                .unwrap();
        }
        copy
    }

    fn start(&self) -> Running {
        let mut process = self.spawn();
        let ready = self.path("ready");
        eventually("the emulator to be ready", || {
            let ended = process.try_wait().unwrap();
            assert!(ended.is_none(), "{ended:?}: {}", self.log());
            ready.exists()
        });
        let ready: Value = serde_json::from_slice(&fs::read(&ready).unwrap()).unwrap();
        let address = ready["address"].as_str().unwrap();
        Running {
            process,
            client: Client::new(&format!("http://{address}")),
        }
    }

    /// Checks that the emulator does not start, and returns its log.
    fn refused(&self) -> String {
        let mut process = Running {
            process: self.spawn(),
            client: Client::new("http://127.0.0.1:1"),
        };
        assert_eq!(process.end(), Some(1), "{}", self.log());
        assert!(!self.path("ready").exists(), "{}", self.log());
        self.log()
    }

    /// Starts an emulator, pushes an image and stops it.
    fn push(&self) -> Image {
        let image = Image::random(&[1000]);
        let mut emulator = self.start();
        let pushed = emulator.client.push("app", "v1", &image);
        assert_eq!(pushed.status, 201, "{}", self.log());
        emulator.stop();
        image
    }

    /// Starts an emulator, pulls an image and stops it.
    fn pull(&self, image: &Image) {
        let mut emulator = self.start();
        let pulled = emulator.client.pull("app", "v1", image);
        assert_eq!(pulled.status, 200, "{}", self.log());
        emulator.stop();
    }

    fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap()
    }

    /// Lists the data directory and everything in it.
    fn contents(&self) -> Vec<PathBuf> {
        let mut paths = vec![self.data_dir()];
        let mut seen = 0;
        while let Some(path) = paths.get(seen).cloned() {
            seen += 1;
            if path.is_dir() {
                let entries = fs::read_dir(path).unwrap();
                paths.extend(entries.map(|entry| entry.unwrap().path()));
            }
        }
        paths
    }
}

impl Running {
    fn end(&mut self) -> Option<i32> {
        let mut status = None;
        eventually("the emulator to end", || {
            status = self.process.try_wait().unwrap();
            status.is_some()
        });
        status.and_then(|status| status.code())
    }

    fn stop(&mut self) {
        shell(&format!("kill {}", self.process.id()));
        assert_eq!(self.end(), Some(0));
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn shell(command: &str) {
    let status = Command::new("sh").args(["-ec", command]).status().unwrap();
    assert!(status.success(), "{command}");
}

/// Runs the command at the end of a refusal.
fn follow(advice: &str, command: &str) {
    let (_, arguments) = advice.rsplit_once(command).unwrap_or_else(|| {
        panic!("no {command:?} in:\n{advice}");
    });
    shell(&format!("{command}{}", arguments.lines().next().unwrap()));
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o7777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn assert_contains(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in:\n{text}");
    }
}

/// Returns true if this test can act as several users.
pub(crate) fn is_root(test: &str) -> bool {
    let is_root = TempDir::new().unwrap().path().metadata().unwrap().uid() == 0;
    if !is_root {
        #[expect(clippy::print_stdout, reason = "for whoever reads what was tested")]
        {
            println!("not tested, since it takes root: {test}");
        }
    }
    is_root
}

fn service_key() -> String {
    STANDARD.encode(random_bytes(32))
}

#[test]
fn what_another_user_planted_is_refused_until_it_is_removed() {
    if !is_root("what another user planted") {
        return;
    }
    let place = Place::new();
    let image = place.push();
    let data_dir = place.data_dir();
    for name in [
        "planted",
        "control.token",
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
fn a_data_directory_whose_user_changed_is_refused_until_it_is_handed_over() {
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

    // The files of root are closed to others, and the emulator tells them so.
    place.user = Some((USER, None));
    set_mode(&place.data_dir(), 0o755);
    let refused = place.refused();
    assert_contains(&refused, &["no access to", "lock: it belongs to uid 0"]);
    follow(&refused, "chown -R");
    place.pull(&image);
}

#[test]
fn a_link_inside_the_data_directory_is_refused_and_not_written_through() {
    let place = Place::new();
    let image = place.push();
    let target = place.path("target");
    for name in [
        "audit.jsonl",
        "control.token",
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
fn a_fifo_inside_the_data_directory_is_refused() {
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
fn content_that_was_replaced_while_the_emulator_runs_is_not_served() {
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

#[test]
fn loose_modes_are_mended() {
    let place = Place::new();
    let image = place.push();
    let other = place.data_dir().join("notes.txt");
    fs::write(&other, "").unwrap();
    for path in place.contents() {
        set_mode(&path, if path.is_dir() { 0o777 } else { 0o666 });
    }
    place.pull(&image);
    assert_contains(
        &place.log(),
        &[
            "everyone could write to",
            "others had access to",
            "service.key",
        ],
    );
    let certificates = ["ca.pem", "bundle.pem"];
    for path in place.contents() {
        let name = path.file_name().unwrap().to_str().unwrap();
        let expected = match name {
            "data" => 0o775,
            "notes.txt" => 0o666,
            _ if path.is_dir() => 0o700,
            // Clients of other users may get them.
            _ if certificates.contains(&name) => 0o644,
            // The database writes these files again, with the modes of the umask.
            _ if name.starts_with("snap.") => continue,
            _ => 0o600,
        };
        assert_eq!(mode(&path), expected, "{}", path.display());
    }
    place.pull(&image);
    assert!(!place.log().contains("others could"), "{}", place.log());
}

#[test]
fn a_mode_that_cannot_be_mended_is_warned_about() {
    if !is_root("a mode that cannot be mended") {
        return;
    }
    let place = Place::of_user(None);
    place.mount(USER, USER, 0o700);
    let image = place.push();
    let keys = place.data_dir().join("vault-keys");
    let files = fs::read_dir(keys).unwrap();
    let files: Vec<_> = files.map(|entry| entry.unwrap().path()).collect();
    let files: Vec<_> = files.into_iter().filter(|path| path.is_file()).collect();
    for file in &files {
        chown(file, Some(0), None).unwrap();
        set_mode(file, 0o644);
    }
    place.pull(&image);
    let log = place.log();
    assert!(log.contains("WARN"), "{log}");
    let named = files
        .iter()
        .filter(|file| log.contains(&format!("chmod go-rwx {}", file.display())));
    assert_eq!(named.count(), 1, "{log}");
}

#[test]
fn a_named_file_that_everyone_can_write_is_refused_until_that_is_mended() {
    let mut place = Place::new();
    let (key, token, ca) = (place.path("key"), place.path("token"), place.path("ca.pem"));
    place.config = Some(format!("server.auth = \"enforced\"\n[tls]\nca = {ca:?}\n"));
    place.environment = vec![
        ("SEALOCK_SERVICE_KEY_FILE", key.clone()),
        ("SEALOCK_CONTROL_TOKEN_FILE", token.clone()),
    ];
    let other = Place::new();
    other.push();
    fs::copy(other.data_dir().join("tls/authority.pem"), &ca).unwrap();
    fs::write(&key, service_key()).unwrap();
    place.start().stop();

    for file in [&key, &token, &ca] {
        set_mode(file, 0o602);
        let refused = place.refused();
        let shown = file.display();
        assert_contains(
            &refused,
            &["error:", &format!("everyone can write {shown}")],
        );
        assert_eq!(mode(file), 0o602, "what the user named keeps its mode");
        follow(&refused, "chmod o-w");
        place.start().stop();
        assert!(!place.log().contains("WARN"), "{}", place.log());
    }

    // The user may let a group write a named file, or everyone read it.
    for (mode, warning) in [(0o660, "chmod g-w"), (0o644, "chmod o-r")] {
        set_mode(&key, mode);
        place.start().stop();
        assert_contains(&place.log(), &["WARN", warning, key.to_str().unwrap()]);
    }
}

#[test]
fn a_named_file_of_another_user_is_refused_until_it_is_handed_over() {
    if !is_root("a named file of another user") {
        return;
    }
    let mut place = Place::new();
    let key = place.path("key");
    place.environment = vec![("SEALOCK_SERVICE_KEY_FILE", key.clone())];
    fs::write(&key, service_key()).unwrap();
    chown(&key, Some(STRANGER), None).unwrap();
    let refused = place.refused();
    assert_contains(&refused, &["key belongs to another user", "uid 4242"]);
    follow(&refused, "chown");
    place.start().stop();
}

#[test]
fn a_secret_that_kubernetes_mounts_is_a_service_key() {
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
fn a_named_volume_is_a_data_directory() {
    let place = Place::new();
    // Docker makes the volume like this for root. A link of the user who mounted it leads to it.
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
fn a_bind_mount_is_a_data_directory_of_its_user() {
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
fn a_volume_with_an_fsgroup_is_a_data_directory() {
    if !is_root("a volume with an fsGroup") {
        return;
    }
    let place = Place::of_user(Some(GROUP));
    place.mount(0, GROUP, 0o2775);
    // ext4 makes this directory, and the user cannot read it.
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
fn a_volume_that_everyone_can_write_is_used_with_a_warning_but_nothing_that_was_planted_in_it() {
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
fn a_shared_directory_stays_one() {
    let place = Place::new();
    fs::create_dir(place.data_dir()).unwrap();
    set_mode(&place.data_dir(), 0o1777);
    place.push();
    assert_contains(&place.log(), &["WARN", "everyone can write to"]);
    assert_eq!(mode(&place.data_dir()), 0o1777);
}

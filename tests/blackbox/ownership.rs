//! The owners and modes of files that the emulator accepts, in the places that containers use for them.
//!
//! Some tests need several users, and so root. Without root they report that they did nothing.

mod containers;
mod planted;

use std::{
    fs::{self, File},
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use sealock_tests::{Client, Emulator, Image, eventually, random_bytes};
use serde_json::Value;
use tempfile::TempDir;

use crate::repair::assert_contains;

/// The user of emulators in containers that forbid root.
const USER: u32 = 1000;

/// The `fsGroup` of a pod.
const GROUP: u32 = 2000;

/// A user that owns none of the tests' files.
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
    /// Creates a directory for an emulator that runs as the user of the test.
    fn new() -> Self {
        Self {
            dir: TempDir::new().unwrap(),
            user: None,
            environment: Vec::new(),
            config: None,
        }
    }

    /// Creates a directory for an emulator that runs as user 1000.
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

    /// Creates the data directory like a container runtime.
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
fn loose_file_modes_are_tightened() {
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
            // The database rewrites these files, with modes by the umask.
            _ if name.starts_with("snap.") => continue,
            _ => 0o600,
        };
        assert_eq!(mode(&path), expected, "{}", path.display());
    }
    place.pull(&image);
    assert!(!place.log().contains("others could"), "{}", place.log());
}

#[test]
fn file_mode_that_cannot_be_tightened_causes_a_warning() {
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
fn world_writable_named_file_is_refused_until_fixed() {
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
fn named_file_of_another_user_is_refused_until_its_owner_changes() {
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

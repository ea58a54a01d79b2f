//! A disk that fills up, turns read-only or fails, and a lack of file descriptors: the existing content is served, an
//! impossible request is refused at once, and the emulator recovers by itself.
//!
//! Some tests mount file systems of their own and so need root. Without root they report that they did nothing.

use std::{
    fs::{self, File},
    io::{Read as _, Write as _},
    net::TcpStream,
    path::{Path, PathBuf},
    process::Command,
    thread,
};

use sealock_tests::{Client, Emulator, Options, digest_of, eventually, random_bytes};
use serde_json::Value;
use tempfile::TempDir;

use crate::entra;

const MIB: usize = 1024 * 1024;

/// The size of a small disk in bytes.
const DISK: usize = 30 * MIB;

/// A separate file system, removed with the test.
struct SmallDisk {
    dir: TempDir,
}

impl SmallDisk {
    /// Mounts a file system in memory. Returns `None` if this user may not mount it.
    fn in_memory() -> Option<Self> {
        let dir = TempDir::new().unwrap();
        let options = format!("size={DISK},mode=700");
        mount(&["-t", "tmpfs", "-o", &options, "tmpfs"], dir.path()).then_some(Self { dir })
    }

    /// Mounts ext4 from a file. It turns read-only on demand.
    fn of_ext4() -> Option<Self> {
        let dir = TempDir::new().unwrap();
        let (image, files) = (dir.path().join("image"), dir.path().join("files"));
        fs::create_dir(&files).unwrap();
        File::create(&image).unwrap().set_len(DISK as u64).unwrap();
        let made = Command::new("mkfs.ext4").arg("-q").arg(&image).status();
        if !made.is_ok_and(|status| status.success()) {
            return None;
        }
        let options = ["-o", "loop", &image.display().to_string()];
        mount(&options, &files).then_some(Self { dir })
    }

    fn path(&self) -> PathBuf {
        let files = self.dir.path().join("files");
        if files.exists() {
            files
        } else {
            self.dir.path().to_owned()
        }
    }

    fn start(&self) -> Emulator {
        Emulator::start_with(Options {
            data_dir: Some(self.path().join("data")),
            ..Options::default()
        })
    }

    fn foreign(&self) -> PathBuf {
        self.path().join("foreign")
    }

    /// Fills all space but `left` bytes with a foreign file.
    fn fill_but(&self, left: usize) {
        let mut foreign = File::create(self.foreign()).unwrap();
        let chunk = vec![1; MIB];
        let mut free = usize::MAX;
        while free > left {
            free = self.free();
            let bytes = free.saturating_sub(left).min(MIB);
            if bytes == 0 || foreign.write_all(&chunk[..bytes]).is_err() {
                break;
            }
        }
    }

    fn free(&self) -> usize {
        let found = Command::new("df")
            .args(["--output=avail", "-B1"])
            .arg(self.path())
            .output()
            .unwrap();
        let found = String::from_utf8(found.stdout).unwrap();
        found.lines().nth(1).unwrap().trim().parse().unwrap()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}

fn mount(options: &[&str], at: &Path) -> bool {
    let mounted = Command::new("mount").args(options).arg(at).output();
    let is_mounted = mounted.is_ok_and(|output| output.status.success());
    if !is_mounted {
        skipped("no file system can be mounted");
    }
    is_mounted
}

fn skipped(why: &str) {
    #[expect(clippy::print_stderr, reason = "a test that does nothing says so")]
    {
        eprintln!("skipped: {why}");
    }
}

fn push(client: &Client, bytes: &[u8]) -> String {
    let pushed = client.push_blob("app", bytes);
    assert_eq!(pushed.status, 201, "{pushed:?}");
    format!("/v2/app/blobs/{}", digest_of(bytes))
}

/// Returns the code and message of an OCI error.
fn refusal(body: &[u8]) -> (String, String) {
    let body: Value = serde_json::from_slice(body).unwrap();
    let text = |name: &str| body["errors"][0][name].as_str().unwrap().to_owned();
    (text("code"), text("message"))
}

fn problems(emulator: &Emulator) -> String {
    let health = emulator.json(&["health"]);
    let is_ok = health["status"] == "ok";
    assert_eq!(
        is_ok,
        health["problems"] == serde_json::json!([]),
        "{health}"
    );
    health["problems"].to_string()
}

/// Returns the authorization of a client of the default vault.
fn vault_token(emulator: &Emulator) -> String {
    let token = entra::token(emulator, "&resource=https://vault.azure.net");
    format!("Bearer {token}")
}

/// Sends a request with a body, and reads the answer meanwhile, like a client that notices a refusal early.
fn exchange(emulator: &Emulator, request: &str, body: Vec<u8>) -> String {
    let mut stream = TcpStream::connect(emulator.address()).unwrap();
    let length = body.len();
    let head = format!(
        "{request} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut sending = stream.try_clone().unwrap();
    let sent = thread::spawn(move || drop(sending.write_all(&body)));
    let mut answer = Vec::new();
    // The connection ends with a reset if the emulator did not read the whole body.
    let _ = stream.read_to_end(&mut answer);
    sent.join().unwrap();
    String::from_utf8(answer).unwrap()
}

#[test]
fn push_larger_than_the_disk_is_refused_at_once_and_leaves_nothing() {
    let Some(disk) = SmallDisk::in_memory() else {
        return;
    };
    let emulator = disk.start();
    let client = emulator.client();
    let small = push(&client, &random_bytes(100_000));

    let begun = client.send("POST", "/v2/app/blobs/uploads/", &[], b"");
    let patch = format!("PATCH {}", begun.header("location"));
    let refused = exchange(&emulator, &patch, random_bytes(2 * DISK));
    // Docker's engine tries again for most of a minute unless the status line has the system's words.
    let line = refused.lines().next();
    let full = "HTTP/1.1 507 Insufficient Storage: no space left on device";
    assert_eq!(line, Some(full));
    let body = refused.lines().last().unwrap();
    let (code, message) = refusal(body.as_bytes());
    assert_eq!(code, "INSUFFICIENT_STORAGE");
    assert!(
        message.starts_with("no space is left on the disk"),
        "{message}"
    );
    let staging = disk.path().join("data/blobs/staging");
    eventually("what was staged to be freed", || {
        fs::read_dir(&staging).unwrap().count() == 0
    });
    assert_eq!(client.get(&small).status, 200);
    assert_eq!(problems(&emulator), "[]", "there is room again");
    push(&client, &random_bytes(MIB));
}

#[test]
fn pushes_leave_space_for_key_changes() {
    let Some(disk) = SmallDisk::in_memory() else {
        return;
    };
    let emulator = disk.start();
    let client = emulator.client();
    let small = push(&client, &random_bytes(100_000));
    disk.fill_but(6 * MIB);

    assert_eq!(client.push_blob("app", b"another").status, 507);
    let told = problems(&emulator);
    assert!(told.contains("no space is left"), "{told}");
    assert!(
        told.contains("pushes are refused, pulls and key changes still work"),
        "{told}"
    );
    let status = emulator.cli(&["status"]);
    assert!(status.contains("sealock registry gc"), "{status}");

    emulator.cli(&["key", "create", "another"]);
    emulator.cli(&["key", "disable"]);
    let refused = client.get(&small);
    assert_eq!(refused.status, 403);
    assert!(
        String::from_utf8_lossy(&refused.body).contains("KeyDisabled"),
        "{refused:?}"
    );
    emulator.cli(&["key", "enable"]);
    assert_eq!(client.get(&small).status, 200);
    emulator.cli(&["key", "delete", "another"]);
    emulator.cli(&["key", "purge", "another", "--yes"]);
    emulator.cli(&["registry", "gc"]);

    fs::remove_file(disk.foreign()).unwrap();
    push(&client, &random_bytes(MIB));
    assert_eq!(problems(&emulator), "[]");
}

#[test]
fn full_disk_still_serves_and_starts() {
    let Some(disk) = SmallDisk::in_memory() else {
        return;
    };
    let mut emulator = disk.start();
    let client = emulator.client();
    let small = push(&client, &random_bytes(100_000));
    let token = vault_token(&emulator);
    let key = "/keys/registry-key?api-version=7.4";
    let get_key = |client: &Client| client.send("GET", key, &[("authorization", &token)], b"");
    disk.fill_but(0);

    // A reserve is left.
    emulator.cli(&["key", "disable"]);
    assert_eq!(client.get(&small).status, 403);
    emulator.cli(&["key", "enable"]);
    assert_eq!(client.get(&small).status, 200);
    let refused = emulator.run(&["key", "create", "another"]);
    assert_eq!(refused.code, 1);
    assert!(refused.stderr.contains("no space is left"), "{refused:?}");

    // Each record takes some of the reserve.
    let mut answer = get_key(&client);
    eventually("the reserve to be used up", || {
        answer = get_key(&client);
        answer.status != 200
    });
    assert_eq!(answer.status, 503, "{answer:?}");
    let body: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(body["error"]["code"], "ServiceUnavailable");
    let why = body["error"]["message"].as_str().unwrap();
    assert!(why.contains("no space is left"), "{why}");
    assert!(!why.contains("data/"), "it names no file: {why}");
    let told = problems(&emulator);
    assert!(told.contains("changes are refused"), "{told}");
    assert_eq!(client.get(&small).status, 200);
    let refused = emulator.run(&["key", "disable"]);
    assert!(refused.stderr.contains("no space is left"), "{refused:?}");
    emulator.cli(&["key", "show"]);

    for is_killed in [false, true] {
        if is_killed {
            emulator.kill();
        } else {
            emulator.stop();
        }
        // The space that a stop frees is filled, too.
        disk.fill_but(0);
        emulator.start_again();
        let client = emulator.client();
        assert_eq!(client.get(&small).status, 200, "killed: {is_killed}");
        assert!(problems(&emulator).contains("no space is left"));
        eventually("the log to say what to do", || {
            emulator.logged().contains("free space on that disk")
        });
    }

    fs::remove_file(disk.foreign()).unwrap();
    let client = emulator.client();
    eventually("the emulator to go on", || {
        problems(&emulator) == "[]" && client.push_blob("app", b"another").status == 201
    });
    emulator.cli(&["key", "disable"]);
    assert_eq!(client.get(&small).status, 403);
}

#[test]
fn read_only_disk_still_serves_and_refuses_changes_at_once() {
    let Some(disk) = SmallDisk::of_ext4() else {
        return skipped("there is no mkfs.ext4, or no loop device");
    };
    let mut emulator = disk.start();
    let client = emulator.client();
    let small = push(&client, &random_bytes(100_000));
    let token = vault_token(&emulator);
    assert!(mount(&["-o", "remount,abort"], &disk.path()));

    assert_eq!(client.get(&small).status, 200);
    assert_eq!(client.send("HEAD", &small, &[], b"").status, 200);
    let refused = client.push_blob("app", b"another");
    assert_eq!(refused.status, 405, "{refused:?}");
    let (code, message) = refusal(&refused.body);
    assert_eq!(code, "UNSUPPORTED");
    assert!(message.contains("read-only"), "{message}");
    let refused = emulator.run(&["key", "disable"]);
    assert_eq!(refused.code, 1);
    assert!(refused.stderr.contains("read-only"), "{refused:?}");
    let key = "/keys/registry-key?api-version=7.4";
    let refused = client.send("GET", key, &[("authorization", &token)], b"");
    assert_eq!(refused.status, 503, "{refused:?}");
    assert_eq!(client.get(&small).status, 200, "no revocation");
    let told = problems(&emulator);
    assert!(told.contains("read-only"), "{told}");
    assert!(emulator.cli(&["status"]).contains("read-only"));

    emulator.stop();
    let data_dir = disk.path().join("data").display().to_string();
    let arguments = ["serve", "--listen", "127.0.0.1:0", "--data-dir", &data_dir];
    let refused = sealock_tests::run(&arguments, Path::new("/"), &[]);
    assert_eq!(refused.code, 1);
    assert!(
        refused
            .stderr
            .contains("mount the disk of the data directory for writing"),
        "{refused:?}"
    );
}

fn permit_files(emulator: &Emulator, files: usize) -> bool {
    let pid = emulator.pid().to_string();
    // The hard limit stays, so that anybody may raise it again.
    let changed = Command::new("prlimit")
        .args(["--pid", &pid, &format!("--nofile={files}:")])
        .status();
    changed.is_ok_and(|status| status.success())
}

#[test]
fn requests_are_refused_at_once_while_file_descriptors_are_exhausted() {
    let emulator = Emulator::start();
    let client = emulator.client();
    let blob = push(&client, &random_bytes(100_000));
    assert_eq!(client.get(&blob).status, 200);
    if !permit_files(&emulator, 1) {
        return skipped("there is no prlimit");
    }
    // On the existing connection.
    let refused = client.get(&blob);
    assert_eq!(refused.status, 503, "{refused:?}");
    assert_eq!(refusal(&refused.body).0, "UNAVAILABLE");
    assert_eq!(refused.header("retry-after"), "1");
    let health = client.get("/_sealock/v1/health");
    let told = String::from_utf8_lossy(&health.body).into_owned();
    assert!(told.contains("too many files are open"), "{told}");
    assert_eq!(client.push_blob("app", b"another").status, 503);

    assert!(permit_files(&emulator, 1024));
    assert_eq!(client.get(&blob).status, 200);
    assert_eq!(problems(&emulator), "[]");
    push(&client, b"another");
}

#[test]
fn idle_connections_are_closed_in_favour_of_active_ones() {
    let emulator = Emulator::start();
    let blob = push(&emulator.client(), &random_bytes(100_000));
    let open = fs::read_dir(format!("/proc/{}/fd", emulator.pid()));
    let Ok(open) = open else {
        return skipped("there is no /proc");
    };
    if !permit_files(&emulator, open.count() + 8) {
        return skipped("there is no prlimit");
    }
    let idle: Vec<_> = (0..40)
        .map(|_| TcpStream::connect(emulator.address()).unwrap())
        .collect();
    let asks = || emulator.client().get(&blob).status;
    eventually("a request to be served", || asks() == 200);
    drop(idle);
    eventually("requests to be served again", || asks() == 200);
}

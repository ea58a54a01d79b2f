mod configuration;
mod data_directory;

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use sealock_tests::{Client, Emulator, Image, Output, eventually};
use serde_json::Value;
use tempfile::TempDir;

use crate::cli::assert_contains;

/// A `sealock serve` with exactly the test's arguments, in its own working directory.
struct Serve {
    process: Child,
    dir: TempDir,
}

impl Serve {
    fn start(dir: TempDir, arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let output = |name| File::create(dir.path().join(name)).unwrap();
        let process = Command::new(Emulator::binary())
            .arg("serve")
            .args(arguments)
            .envs(environment.iter().copied())
            .current_dir(dir.path())
            .stdin(Stdio::null())
            .stdout(output("stdout"))
            .stderr(output("stderr"))
            .spawn()
            .unwrap();
        Self { process, dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// Waits until the emulator serves. The arguments must name the ready file `ready`.
    fn ready(&mut self) -> Value {
        eventually("the ready file", || {
            let ended = self.process.try_wait().unwrap();
            assert!(
                ended.is_none(),
                "it ended with {ended:?}: {}",
                self.text("stderr")
            );
            self.path("ready").exists()
        });
        serde_json::from_str(&self.text("ready")).unwrap()
    }

    fn end(&mut self) -> Output {
        let mut status = None;
        eventually("the end of the process", || {
            status = self.process.try_wait().unwrap();
            status.is_some()
        });
        Output {
            code: status.and_then(|status| status.code()).unwrap_or(-1),
            stdout: self.text("stdout"),
            stderr: self.text("stderr"),
        }
    }

    fn terminate(&mut self) -> Output {
        let killed = Command::new("kill")
            .arg(self.process.id().to_string())
            .status()
            .unwrap();
        assert!(killed.success());
        self.end()
    }
}

impl Drop for Serve {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Checks that a start fails, and returns its standard error.
fn refused(arguments: &[&str], environment: &[(&str, &str)]) -> String {
    refused_in(TempDir::new().unwrap(), arguments, environment)
}

fn refused_in(dir: TempDir, arguments: &[&str], environment: &[(&str, &str)]) -> String {
    let output = Serve::start(dir, arguments, environment).end();
    let (code, stdout) = (output.code, output.stdout.as_str());
    assert_eq!(
        (code, stdout),
        (1, ""),
        "{arguments:?} {environment:?}: {}",
        output.stderr
    );
    output.stderr
}

const ANY_PORT: [&str; 2] = ["--listen", "127.0.0.1:0"];

#[test]
fn unusable_listen_address_is_refused_with_a_hint() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    // Another loopback address, to avoid conflicts with services on the usual one.
    let airplay = "127.0.0.2:5000";
    let _airplay = TcpListener::bind(airplay);
    for (address, parts) in [
        (
            taken.as_str(),
            &["is in use", "hint:", "--listen 127.0.0.1:0"][..],
        ),
        (
            airplay,
            &["is in use", "hint:", "AirPlay", "--listen 127.0.0.1:5001"],
        ),
        (
            "0.0.0.0:0",
            &[
                "not a loopback address",
                "without a login",
                "hint:",
                "127.0.0.1",
                "server.auth = \"enforced\"",
                "server.open_to_network = true",
            ],
        ),
        ("[::]:0", &["not a loopback address"]),
        ("192.0.2.1:0", &["not a loopback address"]),
    ] {
        for keep in [&["--ephemeral"][..], &["--data-dir", "data"]] {
            let error = refused(&[&["--listen", address], keep].concat(), &[]);
            assert_contains(&error, &["error:", address], address);
            assert_contains(&error, parts, address);
        }
    }
    // One bad address among good ones prevents the start.
    let error = refused(
        &[
            "--listen",
            "127.0.0.1:0",
            "--listen",
            "0.0.0.0:0",
            "--ephemeral",
        ],
        &[],
    );
    assert_contains(
        &error,
        &["0.0.0.0:0 is not a loopback address"],
        "the second address",
    );
}

#[test]
fn ready_file_appears_complete_once_requests_are_served() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("ready"), "of an earlier run").unwrap();
    let arguments = [&ANY_PORT[..], &["--ephemeral", "--ready-file", "ready"]].concat();
    let mut serve = Serve::start(dir, &arguments, &[]);
    let mut ready = Value::Null;
    eventually("the ready file", || {
        // The file is never incomplete.
        match fs::read_to_string(serve.path("ready")) {
            Err(error) => assert_eq!(error.kind(), ErrorKind::NotFound),
            Ok(text) if text == "of an earlier run" => {}
            Ok(text) => ready = serde_json::from_str(&text).expect("a whole file"),
        }
        !ready.is_null()
    });
    let address = ready["address"].as_str().unwrap();
    let (host, port) = address.rsplit_once(':').unwrap();
    assert_eq!(
        (host, port.parse::<u16>().is_ok_and(|port| port > 0)),
        ("127.0.0.1", true)
    );
    assert_eq!(
        Client::new(&format!("http://{address}"))
            .get("/_sealock/v1/health")
            .status,
        200,
        "served already"
    );
    assert_eq!(ready["pid"], serve.process.id());
    assert!(ready["ca"].is_null());
    for (endpoint, path) in [("registry", ""), ("control", "/_sealock/v1")] {
        assert_eq!(
            ready["endpoints"][endpoint],
            format!("http://localhost:{port}{path}")
        );
    }
    assert_eq!(serve.terminate().code, 0);
    assert!(!serve.path("ready").exists(), "it goes with the emulator");
}

#[test]
fn sigterm_stops_the_emulator_whatever_its_clients_do() {
    let mut emulator = Emulator::start();
    let client = emulator.client();
    let image = Image::random(&[8 << 20]);
    assert_eq!(client.push("app", "v1", &image).status, 201);
    let connect = || TcpStream::connect(emulator.address()).unwrap();

    let mut idle = connect();
    idle.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .unwrap();
    let mut first = [0; 12];
    idle.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"HTTP/1.1 200");

    let mut half_a_head = connect();
    half_a_head
        .write_all(b"GET /v2/ HTTP/1.1\r\nHost: loc")
        .unwrap();

    let location = client
        .send("POST", "/v2/app/blobs/uploads/", &[], b"")
        .header("location")
        .to_owned();
    let mut upload = connect();
    let head =
        format!("PATCH {location} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nhalf");
    upload.write_all(head.as_bytes()).unwrap();

    let layer = sealock_tests::digest_of(image.blobs().next().unwrap());
    let mut stuck_download = client.stream(&format!("/v2/app/blobs/{layer}"));
    stuck_download.read_exact(&mut first).unwrap();

    let mut follow = Command::new(Emulator::binary())
        .args([
            "audit",
            "--follow",
            "--emulator",
            &format!("http://{}", emulator.address()),
        ])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut events = BufReader::new(follow.stdout.take().unwrap());
    let mut event = String::new();
    events.read_line(&mut event).unwrap();
    assert!(event.contains("VaultGet"), "{event}");

    emulator.stop();
    let mut rest = String::new();
    events.read_to_string(&mut rest).unwrap();
    assert!(rest.contains("KeyUnwrap"), "{rest}");
    assert_eq!(
        follow.wait().unwrap().code(),
        Some(0),
        "the audit came to its end"
    );

    emulator.start_again();
    assert_eq!(emulator.client().pull("app", "v1", &image).status, 200);
    emulator.cli(&["verify"]);
}

#[test]
fn banner_shows_endpoints_key_and_commands() {
    let arguments = [
        &ANY_PORT[..],
        &["--ready-file", "ready", "--data-dir", "kept/here"],
    ]
    .concat();
    let mut serve = Serve::start(TempDir::new().unwrap(), &arguments, &[]);
    let ready = serve.ready();
    eventually("the banner", || {
        serve.text("stdout").contains("docker pull")
    });
    let banner = serve.text("stdout");
    let port = ready["address"]
        .as_str()
        .unwrap()
        .rsplit_once(':')
        .unwrap()
        .1;
    assert_contains(
        &banner,
        &[
            &format!("http://localhost:{port}   (sealock)"),
            &format!("https://sealock.vault.localhost:{port}/keys/registry-key/"),
            "kept/here",
            &format!("https://localhost:{port}, with the CA "),
            "kept/here/tls/ca.pem\n",
            &format!("sealock trust --emulator http://localhost:{port}\n"),
            &format!("sealock hosts --emulator http://localhost:{port}\n"),
            &format!("sealock demo image --emulator http://localhost:{port} | docker load\n"),
            &format!("docker push localhost:{port}/hello:v1\n"),
            &format!("sealock key disable --emulator http://localhost:{port}\n"),
            &format!("docker pull localhost:{port}/hello:v1\n"),
        ],
        "banner",
    );
    assert!(
        !banner.contains('\u{1b}'),
        "no colours where no terminal is: {banner:?}"
    );
    Client::new(&format!("http://127.0.0.1:{port}")).get("/v2/_catalog");
    let output = serve.terminate();
    assert_eq!(output.stdout, banner, "logs go elsewhere");
    assert_contains(&output.stderr, &["/v2/_catalog", "status=200"], "log");
}

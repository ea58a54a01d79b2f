use std::{
    fs::{self, File},
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use sealock_tests::{Client, Emulator};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::medium::Medium;

/// The deadline for a peer's answer.
const DEADLINE: Duration = Duration::from_secs(30);

/// The interval between requests to a starting peer.
const POLL: Duration = Duration::from_millis(1);

/// The two registries that are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    DockerRegistry,
    Sealock,
}

impl Kind {
    pub(crate) const BOTH: [Self; 2] = [Self::Sealock, Self::DockerRegistry];
}

/// The way in which clients reach a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    Plain,
    Tls,
}

/// A registry process with its own port and temporary directory.
pub(crate) struct Peer {
    kind: Kind,
    scheme: Scheme,
    process: Option<Child>,
    dir: TempDir,
    port: u16,
}

impl Peer {
    /// Starts a peer with an empty data directory on `medium`, and waits until it answers.
    pub(crate) fn start(kind: Kind, medium: &Medium) -> Self {
        Self::start_with(kind, medium, Scheme::Plain)
    }

    pub(crate) fn start_with(kind: Kind, medium: &Medium, scheme: Scheme) -> Self {
        let mut peer = Self::idle(kind, medium);
        peer.scheme = scheme;
        peer.prepare();
        peer.spawn();
        peer
    }

    /// Creates a peer without starting it.
    pub(crate) fn idle(kind: Kind, medium: &Medium) -> Self {
        Self {
            kind,
            scheme: Scheme::Plain,
            process: None,
            dir: TempDir::with_prefix_in("sealock-bench-", &medium.dir).unwrap(),
            port: 0,
        }
    }

    /// Writes the files for the first start.
    fn prepare(&self) {
        if (self.kind, self.scheme) != (Kind::DockerRegistry, Scheme::Tls) {
            return;
        }
        let made = Command::new("openssl")
            .args([
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
            ])
            .args(["-nodes", "-days", "7", "-subj", "/CN=localhost"])
            .args(["-addext", "subjectAltName=DNS:localhost", "-keyout"])
            .arg(self.path("key.pem"))
            .arg("-out")
            .arg(self.path("cert.pem"))
            .stderr(Stdio::null())
            .status();
        assert!(made.unwrap().success(), "openssl makes a certificate");
    }

    /// Starts the process, waits until it answers, and returns the time that it took.
    pub(crate) fn spawn(&mut self) -> Duration {
        assert!(self.process.is_none(), "it runs already");
        self.port = free_port();
        let mut command = match self.kind {
            Kind::DockerRegistry => self.docker_registry(),
            Kind::Sealock => self.sealock(),
        };
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.path("log"))
            .unwrap();
        command
            .current_dir(self.dir.path())
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        let began = Instant::now();
        self.process = Some(command.spawn().unwrap());
        while !answers(self.port) {
            assert!(
                began.elapsed() < DEADLINE,
                "{:?} does not answer",
                self.kind
            );
            thread::sleep(POLL);
        }
        began.elapsed()
    }

    fn sealock(&self) -> Command {
        let mut command = Command::new(Emulator::binary());
        command
            .args(["serve", "--listen", &self.address(), "--data-dir"])
            .arg(self.path("data"))
            .arg("--ready-file")
            .arg(self.path("ready.json"));
        command
    }

    /// Returns Debian's configuration, but without the login and with `relativeurls`, so that clients need no names.
    /// It reads YAML, and so JSON.
    fn docker_registry(&self) -> Command {
        let mut config = json!({
            "version": "0.1",
            "log": {"level": "warn", "accesslog": {"disabled": true}},
            "storage": {
                "cache": {"blobdescriptor": "inmemory"},
                "filesystem": {"rootdirectory": self.path("data")},
                "delete": {"enabled": true},
            },
            "http": {"addr": self.address(), "relativeurls": true},
        });
        if self.scheme == Scheme::Tls {
            config["http"]["tls"] = json!({
                "certificate": self.path("cert.pem"),
                "key": self.path("key.pem"),
            });
        }
        fs::write(self.path("config.yml"), config.to_string()).unwrap();
        let mut command = Command::new(docker_registry());
        command.arg("serve").arg(self.path("config.yml"));
        command
    }

    /// Stops the process as a service manager would.
    pub(crate) fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let told = Command::new("kill").arg(process.id().to_string()).status();
            assert!(told.unwrap().success());
            process.wait().unwrap();
        }
    }

    /// Returns the address, such as `127.0.0.1:5000`.
    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Returns the URL.
    pub(crate) fn url(&self) -> String {
        match self.scheme {
            Scheme::Plain => format!("http://{}", self.address()),
            Scheme::Tls => format!("https://localhost:{}", self.port),
        }
    }

    /// Returns the certificates that a client has to trust, or `None` without TLS.
    pub(crate) fn ca(&self) -> Option<PathBuf> {
        match self.kind {
            Kind::DockerRegistry => Some(self.path("cert.pem")),
            Kind::Sealock => {
                let file = self.path("ready.json");
                let began = Instant::now();
                while !file.exists() {
                    assert!(began.elapsed() < DEADLINE, "no ready file");
                    thread::sleep(POLL);
                }
                let ready: Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
                Some(ready["ca"].as_str()?.into())
            }
        }
    }

    /// Returns a client without TLS.
    pub(crate) fn client(&self) -> Client {
        Client::new(&self.url())
    }

    /// Runs a `sealock` command on the peer.
    pub(crate) fn cli(&self, arguments: &[&str]) {
        let url = self.url();
        let arguments = [arguments, &["--emulator", &url]].concat();
        let output = sealock_tests::run(&arguments, self.dir.path(), &[]);
        assert_eq!(output.code, 0, "sealock {arguments:?}: {output:?}");
    }

    /// Reads a memory figure of the process, `VmRSS` or `VmHWM`, in 10^6 bytes.
    pub(crate) fn memory(&self, line: &str) -> f64 {
        let pid = self.process.as_ref().unwrap().id();
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let found = status
            .lines()
            .find_map(|found| found.strip_prefix(line))
            .unwrap();
        let kilobytes: f64 = found
            .trim_matches([':', '\t', ' ', 'k', 'B'])
            .parse()
            .unwrap();
        kilobytes * 1024.0 / 1e6
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// Returns the peer's binary, installed or unpacked by `tests/bench/run`.
pub(crate) fn docker_registry() -> String {
    let unpacked = crate::target().join("bench/docker-registry/usr/bin/docker-registry");
    if Path::new(&unpacked).exists() {
        unpacked.display().to_string()
    } else {
        "docker-registry".to_owned()
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

/// Returns true if an HTTP server answers. One with TLS answers that it expects TLS.
fn answers(port: u16) -> bool {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else {
        return false;
    };
    let request = b"GET /v2/ HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    let mut answer = [0; 4];
    stream
        .write_all(request)
        .and_then(|()| stream.read_exact(&mut answer))
        .is_ok()
}

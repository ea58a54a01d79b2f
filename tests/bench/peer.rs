use std::{
    fs::{self, File},
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use sealock_tests::Client;
use serde_json::Value;
use tempfile::TempDir;

use crate::{cpu::Cpu, medium::Medium, product::Product};

/// The deadline for a peer's answer.
const DEADLINE: Duration = Duration::from_secs(30);

/// The interval between requests to a starting peer.
const POLL: Duration = Duration::from_millis(1);

/// The way in which clients reach a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    Plain,
    Tls,
}

/// A registry process with its own port and temporary directory, or one that runs already.
pub(crate) struct Peer {
    product: Product,
    scheme: Scheme,
    process: Option<Child>,
    dir: TempDir,
    address: String,
}

impl Peer {
    /// Starts a peer with an empty data directory on `medium`, and waits until it answers.
    pub(crate) fn start(product: &Product, medium: &Medium) -> Self {
        Self::start_with(product, medium, Scheme::Plain)
    }

    pub(crate) fn start_with(product: &Product, medium: &Medium, scheme: Scheme) -> Self {
        let mut peer = Self::idle(product, medium);
        peer.scheme = scheme;
        peer.prepare();
        peer.spawn();
        peer
    }

    /// Creates a peer without starting it.
    pub(crate) fn idle(product: &Product, medium: &Medium) -> Self {
        Self {
            product: product.clone(),
            scheme: Scheme::Plain,
            process: None,
            dir: TempDir::with_prefix_in("sealock-bench-", &medium.dir).unwrap(),
            address: String::new(),
        }
    }

    /// Writes the files for the first start.
    fn prepare(&self) {
        if self.scheme == Scheme::Plain || !self.product.needs_certificate() {
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

    /// Starts the process unless it runs already, waits until it answers, and returns the time that it took.
    pub(crate) fn spawn(&mut self) -> Duration {
        assert!(self.process.is_none(), "it runs already");
        let began = Instant::now();
        if let Product::Running { address, .. } = &self.product {
            self.address.clone_from(address);
        } else {
            self.address = free_address();
            let log = File::options()
                .create(true)
                .append(true)
                .open(self.path("log"))
                .unwrap();
            let mut command = self.product.command(&self.address, self.dir.path());
            command
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(log);
            self.process = Some(command.spawn().unwrap());
        }
        while !answers(&self.address) {
            assert!(
                began.elapsed() < DEADLINE,
                "{:?} does not answer: {}",
                self.product,
                fs::read_to_string(self.path("log")).unwrap_or_default()
            );
            thread::sleep(POLL);
        }
        began.elapsed()
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
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Returns the URL.
    pub(crate) fn url(&self) -> String {
        match self.scheme {
            Scheme::Plain => format!("http://{}", self.address),
            Scheme::Tls => {
                let (.., port) = self.address.rsplit_once(':').unwrap();
                format!("https://localhost:{port}")
            }
        }
    }

    /// Returns the certificates that a client has to trust, or `None` without TLS.
    pub(crate) fn ca(&self) -> Option<PathBuf> {
        if self.product.needs_certificate() {
            return Some(self.path("cert.pem"));
        }
        let file = self.path("ready.json");
        let began = Instant::now();
        while !file.exists() {
            assert!(began.elapsed() < DEADLINE, "no ready file");
            thread::sleep(POLL);
        }
        let ready: Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
        Some(ready["ca"].as_str()?.into())
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

    /// Returns the processor time that the process has taken, or `None` if it is not the bench's.
    pub(crate) fn cpu(&self) -> Option<Cpu> {
        let process = self.process.as_ref()?;
        Some(Cpu::of_process(process.id()))
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

fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

/// Returns true if an HTTP server answers. One with TLS answers that it expects TLS.
fn answers(address: &str) -> bool {
    let Ok(mut stream) = TcpStream::connect(address) else {
        return false;
    };
    let request = b"GET /v2/ HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    let mut answer = [0; 4];
    stream
        .write_all(request)
        .and_then(|()| stream.read_exact(&mut answer))
        .is_ok()
}

use std::{
    fs::File,
    io::{BufRead as _, BufReader, Write as _},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use crate::{
    choice::Choice,
    location::{completion_of, path_of},
    median::time,
    medium::Medium,
    peer::{Peer, Scheme},
    report::{Figure, Report, Unit},
};

/// The size of the large blob: 1 GiB.
pub(crate) const SIZE: usize = 1 << 30;

/// The number of bytes that are generated at once.
const CHUNK: usize = 1 << 20;

const REPOSITORY: &str = "large";

/// The large blob, kept in memory so that no disk limits the sender.
pub(crate) struct Source {
    path: PathBuf,
    /// The hash of all chunks but the last.
    hasher: Sha256,
    digest: String,
    _dir: TempDir,
}

impl Source {
    /// Creates a blob of random bytes.
    pub(crate) fn random() -> Self {
        let dir = TempDir::with_prefix_in("sealock-bench-", "/dev/shm").unwrap();
        let path = dir.path().join("blob");
        let mut file = File::create(&path).unwrap();
        let mut hasher = Sha256::new();
        for _ in 1..SIZE / CHUNK {
            let chunk = random_chunk();
            hasher.update(&chunk);
            file.write_all(&chunk).unwrap();
        }
        let mut source = Self {
            path,
            hasher,
            digest: String::new(),
            _dir: dir,
        };
        source.change();
        source
    }

    /// Changes the content, so that no peer that keeps its data has it already.
    fn change(&mut self) {
        let chunk = random_chunk();
        let file = File::options().write(true).open(&self.path).unwrap();
        file.write_all_at(&chunk, (SIZE - CHUNK) as u64).unwrap();
        let digest = self.hasher.clone().chain_update(&chunk).finalize();
        self.digest = format!("sha256:{}", hex::encode(digest));
    }
}

fn random_chunk() -> Vec<u8> {
    let mut chunk = vec![0; CHUNK];
    rand::fill(&mut chunk[..]);
    chunk
}

/// The rate of a transfer, and the processor time that it takes the server.
struct Transfers {
    rate: Figure,
    user: Figure,
    system: Figure,
}

impl Transfers {
    fn new(what: &str) -> Self {
        Self {
            rate: Figure::new(what.to_owned(), Unit::GigabytesPerSecond),
            user: Figure::new(format!("{what}: user time"), Unit::Seconds),
            system: Figure::new(format!("{what}: system time"), Unit::Seconds),
        }
    }

    /// Measures a transfer.
    fn add(&mut self, column: usize, peer: &Peer, transfer: impl FnOnce()) {
        let before = peer.cpu();
        let (.., took) = time(transfer);
        self.rate.add(column, rate(took.as_secs_f64()));
        if let Some((before, after)) = before.zip(peer.cpu()) {
            let taken = after - before;
            self.user.add(column, taken.user);
            self.system.add(column, taken.system);
        }
    }

    fn report(self, report: &mut Report) {
        report.compare(self.rate);
        report.compare(self.user);
        report.compare(self.system);
    }
}

/// Measures pushes and pulls of the large blob. Each sample has new content, and a new peer without memory of earlier
/// samples, unless it runs already. Returns the median rate of Sealock's pushes.
pub(crate) fn measure(
    choice: &Choice,
    medium: &Medium,
    scheme: Scheme,
    source: &mut Source,
    report: &mut Report,
) -> Option<f64> {
    let what = |verb| match scheme {
        Scheme::Plain => format!("{verb} 1 GiB, {}", medium.name),
        Scheme::Tls => format!("{verb} 1 GiB, TLS, {}", medium.name),
    };
    let mut pushes = Transfers::new(&what("push"));
    let mut pulls = Transfers::new(&what("pull"));
    for _ in 0..choice.rounds {
        source.change();
        for (column, product) in choice.turns() {
            if scheme == Scheme::Tls && !product.has_tls() {
                continue;
            }
            let peer = Peer::start_with(product, medium, scheme);
            let ca = match scheme {
                Scheme::Plain => None,
                Scheme::Tls => match peer.ca() {
                    Some(ca) => Some(ca),
                    None => {
                        report.note(
                            "Sealock has no TLS here, so nothing was measured with it.".to_owned(),
                        );
                        return None;
                    }
                },
            };
            pushes.add(column, &peer, || push(&peer, ca.as_deref(), source));
            pulls.add(column, &peer, || pull(&peer, ca.as_deref(), source));
            if !product.is_started() {
                delete(&peer, source);
            }
        }
    }
    let rate = pushes.rate.median(0);
    pushes.report(report);
    pulls.report(report);
    rate
}

/// Pushes like Docker: POST, PATCH, PUT.
fn push(peer: &Peer, ca: Option<&Path>, source: &Source) {
    let location = begin(peer, ca, REPOSITORY);
    let sent = send(peer, ca, source, &location);
    complete(peer, ca, source, sent);
}

/// Opens an upload and returns its location.
pub(crate) fn begin(peer: &Peer, ca: Option<&Path>, repository: &str) -> String {
    let url = format!("{}/v2/{repository}/blobs/uploads/", peer.url());
    location(curl(ca).args(["-X", "POST", &url]).spawn().unwrap())
}

/// Starts sending the blob.
pub(crate) fn send(peer: &Peer, ca: Option<&Path>, source: &Source, location: &str) -> Child {
    send_to(&format!("{}{location}", peer.url()), ca, source)
}

/// Starts sending the blob to any URL.
pub(crate) fn send_to(url: &str, ca: Option<&Path>, source: &Source) -> Child {
    curl(ca)
        .args([
            "-X",
            "PATCH",
            "-H",
            "content-type: application/octet-stream",
            "-T",
        ])
        .arg(&source.path)
        .arg(url)
        .spawn()
        .unwrap()
}

/// Completes the upload once the blob is sent.
pub(crate) fn complete(peer: &Peer, ca: Option<&Path>, source: &Source, sent: Child) {
    let path = completion_of(&location(sent), &source.digest);
    let url = format!("{}{path}", peer.url());
    let mut put = curl(ca).args(["-X", "PUT", &url]).spawn().unwrap();
    assert!(put.wait().unwrap().success(), "the blob is stored");
}

fn pull(peer: &Peer, ca: Option<&Path>, source: &Source) {
    let output = curl(ca)
        .args(["-o", "/dev/null", "-w", "%{size_download}"])
        .arg(blob_url(peer, source))
        .output()
        .unwrap();
    assert!(output.status.success());
    assert!(
        output.stdout.ends_with(SIZE.to_string().as_bytes()),
        "the whole blob"
    );
}

/// Deletes the blob if the peer permits it, so that it does not fill the peer's file system.
fn delete(peer: &Peer, source: &Source) {
    let _ = curl(None)
        .args(["-X", "DELETE"])
        .arg(blob_url(peer, source))
        .stderr(Stdio::null())
        .output();
}

fn blob_url(peer: &Peer, source: &Source) -> String {
    format!("{}/v2/{REPOSITORY}/blobs/{}", peer.url(), source.digest)
}

/// curl needs less time for each byte than a client in this process.
fn curl(ca: Option<&Path>) -> Command {
    let mut command = Command::new("curl");
    command
        .args([
            "--disable",
            "--silent",
            "--show-error",
            "--fail",
            "--ipv4",
            "--noproxy",
            "*",
        ])
        .args(["-H", "expect:", "-D", "-"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    if let Some(ca) = ca {
        command.arg("--cacert").arg(ca);
    }
    command
}

fn location(mut curl: Child) -> String {
    let headers = BufReader::new(curl.stdout.take().unwrap()).lines();
    let location = headers.map_while(Result::ok).find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("location")
            .then(|| path_of(value.trim()).to_owned())
    });
    assert!(curl.wait().unwrap().success(), "curl succeeds");
    location.unwrap()
}

/// Returns the rate of a transfer that takes this many seconds, in GB/s.
#[expect(clippy::cast_precision_loss, reason = "it is a power of two")]
pub(crate) fn rate(seconds: f64) -> f64 {
    SIZE as f64 / 1e9 / seconds
}

use std::{
    fs::File,
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use crate::{
    median::{ROUNDS, median, time},
    medium::Medium,
    peer::{Kind, Peer, Scheme},
    report::{Report, Unit},
};

/// The size of the large blob: 1 GiB.
pub(crate) const SIZE: usize = 1 << 30;

/// The number of bytes that are generated at once.
const CHUNK: usize = 1 << 20;

/// The large blob, kept in memory so that no disk limits the sender.
pub(crate) struct Source {
    path: PathBuf,
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
        let mut chunk = vec![0; CHUNK];
        for _ in 0..SIZE / CHUNK {
            rand::fill(&mut chunk[..]);
            hasher.update(&chunk);
            file.write_all(&chunk).unwrap();
        }
        Self {
            path,
            digest: format!("sha256:{}", hex::encode(hasher.finalize())),
            _dir: dir,
        }
    }
}

/// Measures pushes and pulls of the large blob. Each sample has a new peer, without the blob and without memory of
/// earlier samples.
pub(crate) fn measure(medium: &Medium, scheme: Scheme, source: &Source, report: &mut Report) {
    let mut samples = [const { (Vec::new(), Vec::new()) }; 2];
    for _ in 0..ROUNDS {
        for (kind, (pushes, pulls)) in Kind::BOTH.into_iter().zip(&mut samples) {
            let peer = Peer::start_with(kind, medium, scheme);
            let ca = match scheme {
                Scheme::Plain => None,
                Scheme::Tls => match peer.ca() {
                    Some(ca) => Some(ca),
                    None => {
                        report.note(
                            "Sealock has no TLS here, so nothing was measured with it.".to_owned(),
                        );
                        return;
                    }
                },
            };
            let (.., took) = time(|| push(&peer, ca.as_deref(), source, "large"));
            pushes.push(rate(took.as_secs_f64()));
            let (.., took) = time(|| pull(&peer, ca.as_deref(), source));
            pulls.push(rate(took.as_secs_f64()));
        }
    }
    let [sealock, docker_registry] = samples.map(|(pushes, pulls)| (median(pushes), median(pulls)));
    let what = |verb| match scheme {
        Scheme::Plain => format!("{verb} 1 GiB, {}", medium.name),
        Scheme::Tls => format!("{verb} 1 GiB, TLS, {}", medium.name),
    };
    let unit = Unit::GigabytesPerSecond;
    report.compare(&what("push"), unit, sealock.0, docker_registry.0);
    report.compare(&what("pull"), unit, sealock.1, docker_registry.1);
}

/// Pushes like Docker: POST, PATCH, PUT.
pub(crate) fn push(peer: &Peer, ca: Option<&Path>, source: &Source, repository: &str) {
    let location = begin(peer, ca, repository);
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
    let url = format!("{}{location}", peer.url());
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
    let location = location(sent);
    let separator = if location.contains('?') { '&' } else { '?' };
    let url = format!(
        "{}{location}{separator}digest={}",
        peer.url(),
        source.digest
    );
    let mut put = curl(ca).args(["-X", "PUT", &url]).spawn().unwrap();
    assert!(put.wait().unwrap().success(), "the blob is stored");
}

fn pull(peer: &Peer, ca: Option<&Path>, source: &Source) {
    let url = format!("{}/v2/large/blobs/{}", peer.url(), source.digest);
    let output = curl(ca)
        .args(["-o", "/dev/null", "-w", "%{size_download}", &url])
        .output()
        .unwrap();
    assert!(output.status.success());
    assert!(
        output.stdout.ends_with(SIZE.to_string().as_bytes()),
        "the whole blob"
    );
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
            .then(|| value.trim().to_owned())
    });
    assert!(curl.wait().unwrap().success(), "curl succeeds");
    location.unwrap()
}

#[expect(clippy::cast_precision_loss, reason = "it is a power of two")]
fn rate(seconds: f64) -> f64 {
    SIZE as f64 / 1e9 / seconds
}

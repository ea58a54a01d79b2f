use std::{
    convert::Infallible,
    fs::File,
    hint::black_box,
    io::{Read as _, Write as _},
    net::{TcpListener as StdListener, TcpStream as StdStream},
    path::Path,
    process::{Command, Stdio},
    thread,
};

use bytes::Bytes;
use futures_util::stream;
use http::Response;
use http_body_util::StreamBody;
use hyper::{body::Frame, service::service_fn};
use hyper_util::rt::TokioIo;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use sha2::{Digest as _, Sha256};
use tokio::net::TcpListener;

use crate::{
    choice::Choice,
    cpu::Cpu,
    median::{median, time},
    medium::Medium,
    report::{Report, Unit},
    transfer::{SIZE, Source, rate, send_to},
};

/// The segment size of Sealock's format.
const SEGMENT: usize = 64 * 1024;

/// The number of bytes that are received at once, which stay in a core's cache.
const RECEIVED: usize = 256 * 1024;

/// The number of bytes that are written at once.
const WRITTEN: usize = 1024 * 1024;

/// The number of small writes that are synced.
const APPENDS: usize = 200;

/// The median rate of Sealock's pushes of 1 GiB on a medium, in GB/s.
pub(crate) struct Pushed<'a> {
    pub(crate) medium: &'a Medium,
    pub(crate) rate: f64,
}

/// The seconds that some work on 1 GiB takes one core, and takes altogether.
#[derive(Clone, Copy)]
struct Work {
    cpu: f64,
    elapsed: f64,
}

/// The stages of a push that do not depend on the medium.
struct Stages {
    receive: Work,
    hash: Work,
    seal_twice: Work,
    client: Work,
}

/// Measures the machine's limits for hashing, sealing, receiving, sending, writing and syncing; and from these, the
/// limit of a push.
pub(crate) fn measure(
    choice: &Choice,
    scratch: &Path,
    source: &Source,
    pushes: &[Pushed<'_>],
    report: &mut Report,
) {
    let rounds = choice.rounds;
    let show = |seconds: f64| Unit::GigabytesPerSecond.show(rate(seconds));

    let hash = measure_work(rounds, sha256);
    report.limit("SHA-256, one core", show(hash.cpu));
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &[1; 32]).unwrap());
    let seal_once = measure_work(rounds, || seal([&key]));
    report.limit(
        "AES-256-GCM (ring), segments of 64 KiB, one core",
        show(seal_once.cpu),
    );
    let seal_twice = measure_work(rounds, || seal([&key, &key]));
    report.limit(
        "AES-256-GCM, each segment twice, one core",
        show(seal_twice.cpu),
    );
    let [receive, client] = discard(rounds, source);
    report.limit(
        "receive 1 GiB and discard it (curl to a bare socket)",
        show(receive.elapsed),
    );
    report.limit(
        "serve 1 GiB from memory (hyper to curl)",
        show(median_time(rounds, serve)),
    );

    let stages = Stages {
        receive,
        hash,
        seal_twice,
        client,
    };
    for medium in choice.media() {
        let write = measure_work(rounds, || write(&medium.dir));
        let what = if medium.is_disk() {
            "write 1 GiB and sync it, disk"
        } else {
            "write 1 GiB, tmpfs"
        };
        report.limit(what, show(write.elapsed));
        let limit = limit_push(medium, &stages, write, report);
        for pushed in pushes {
            if pushed.medium.name == medium.name {
                let share = 100.0 * limit * pushed.rate / rate(1.0);
                let what = format!("push 1 GiB with Sealock, {}", medium.name);
                report.limit(&what, format!("{share:.0} % of this limit"));
            }
        }
    }

    let appends = median_time(rounds, || append(scratch));
    #[expect(clippy::cast_precision_loss, reason = "it is small")]
    let each = appends * 1e3 / APPENDS as f64;
    report.limit(
        "append 200 bytes and fdatasync, disk",
        Unit::Milliseconds.show(each),
    );
}

/// Reports the shortest time in which this machine could receive, hash, seal twice and write 1 GiB while a client sends
/// it, and returns it in seconds. All cores work all the time, but each stage has one, so no push takes less than its
/// longest stage.
fn limit_push(medium: &Medium, stages: &Stages, write: Work, report: &mut Report) -> f64 {
    let parts = [
        ("receive", stages.receive.cpu),
        ("SHA-256", stages.hash.cpu),
        ("seal twice", stages.seal_twice.cpu),
        ("write", write.cpu),
        ("client", stages.client.cpu),
    ];
    let cores = thread::available_parallelism().unwrap().get();
    let sum: f64 = parts.iter().map(|(_, seconds)| seconds).sum();
    #[expect(clippy::cast_precision_loss, reason = "it is small")]
    let spread = sum / cores as f64;
    // A sync waits for the disk without a core.
    let longest_write = if medium.is_disk() {
        write.elapsed
    } else {
        write.cpu
    };
    let longest = parts
        .iter()
        .map(|(_, seconds)| *seconds)
        .fold(longest_write, f64::max);
    let limit = spread.max(longest);
    let parts = parts.map(|(what, seconds)| format!("{what} {seconds:.2}"));
    let bound = if longest > spread {
        format!(", but its longest stage takes {longest:.2} s")
    } else {
        String::new()
    };
    report.limit(
        &format!("the limit of a push of 1 GiB, {}", medium.name),
        format!(
            "({}) s / {cores} cores = {spread:.2} s{bound}: {}",
            parts.join(" + "),
            Unit::GigabytesPerSecond.show(rate(limit))
        ),
    );
    limit
}

/// Measures what one thread does with 1 GiB, but not how it drops the result.
fn measure_work<T>(rounds: usize, work: impl Fn() -> T) -> Work {
    let samples = (0..rounds).map(|_| {
        let before = Cpu::of_thread();
        let (_result, elapsed) = time(&work);
        Work {
            cpu: (Cpu::of_thread() - before).total(),
            elapsed: elapsed.as_secs_f64(),
        }
    });
    median_work(&samples.collect::<Vec<_>>())
}

fn median_time(rounds: usize, work: impl Fn()) -> f64 {
    median((0..rounds).map(|_| time(&work).1.as_secs_f64()).collect())
}

fn median_work(samples: &[Work]) -> Work {
    Work {
        cpu: median(samples.iter().map(|work| work.cpu).collect()),
        elapsed: median(samples.iter().map(|work| work.elapsed).collect()),
    }
}

fn sha256() {
    let segment = vec![1; SEGMENT];
    let mut hasher = Sha256::new();
    for _ in 0..SIZE / SEGMENT {
        hasher.update(black_box(&segment));
    }
    black_box(hasher.finalize());
}

/// Seals each segment under one key after the other.
fn seal<const LAYERS: usize>(keys: [&LessSafeKey; LAYERS]) {
    let mut segment = vec![1; SEGMENT];
    for index in 0..SIZE / SEGMENT {
        let mut nonce = [0; 12];
        nonce[..8].copy_from_slice(&index.to_be_bytes());
        for key in keys {
            let nonce = Nonce::assume_unique_for_key(nonce);
            let _tag = key
                .seal_in_place_separate_tag(nonce, Aad::empty(), black_box(&mut segment))
                .unwrap();
        }
    }
}

/// Measures a bare socket that discards the blob, and the client that sends it.
fn discard(rounds: usize, source: &Source) -> [Work; 2] {
    let samples = (0..rounds).map(|_| {
        let listener = StdListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let receiver = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let before = Cpu::of_thread();
            receive(&mut stream);
            Cpu::of_thread() - before
        });
        let before = Cpu::of_ended_children();
        let (sent, elapsed) = time(|| send_to(&url, None, source).wait_with_output().unwrap());
        assert!(sent.status.success(), "curl succeeds");
        let client = Cpu::of_ended_children() - before;
        [receiver.join().unwrap(), client].map(|cpu| Work {
            cpu: cpu.total(),
            elapsed: elapsed.as_secs_f64(),
        })
    });
    let samples: Vec<_> = samples.collect();
    [0, 1].map(|side| {
        let samples: Vec<_> = samples.iter().map(|sides| sides[side]).collect();
        median_work(&samples)
    })
}

/// Receives a request with the blob, and answers it.
fn receive(stream: &mut StdStream) {
    let mut buffer = vec![0; RECEIVED];
    let mut filled = 0;
    let head = loop {
        filled += read(stream, &mut buffer[filled..]);
        let end = buffer[..filled]
            .windows(4)
            .position(|window| window == b"\r\n\r\n");
        if let Some(end) = end {
            break end + 4;
        }
    };
    let mut received = filled - head;
    while received < SIZE {
        received += read(stream, &mut buffer);
    }
    stream
        .write_all(b"HTTP/1.1 201 Created\r\ncontent-length: 0\r\n\r\n")
        .unwrap();
}

fn read(stream: &mut StdStream, buffer: &mut [u8]) -> usize {
    let count = stream.read(buffer).unwrap();
    assert!(count > 0, "the whole blob");
    count
}

fn serve() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let mut curl = Command::new("curl")
            .args([
                "--disable",
                "--silent",
                "--fail",
                "--noproxy",
                "*",
                "-o",
                "/dev/null",
                &url,
            ])
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let chunk = Bytes::from(vec![1; SEGMENT]);
        let service = service_fn(move |_| {
            let chunk = chunk.clone();
            let frames =
                (0..SIZE / SEGMENT).map(move |_| Ok::<_, Infallible>(Frame::data(chunk.clone())));
            let frames = stream::iter(frames);
            async { Ok::<_, Infallible>(Response::new(StreamBody::new(frames))) }
        });
        hyper::server::conn::http1::Builder::new()
            .keep_alive(false)
            .serve_connection(TokioIo::new(stream), service)
            .await
            .unwrap();
        assert!(curl.wait().unwrap().success());
    });
}

/// Writes a file, which has no name, and syncs it.
fn write(dir: &Path) -> File {
    let batch = vec![1; WRITTEN];
    let mut file = tempfile::tempfile_in(dir).unwrap();
    for _ in 0..SIZE / WRITTEN {
        file.write_all(&batch).unwrap();
    }
    file.sync_data().unwrap();
    file
}

fn append(disk: &Path) {
    let path = disk.join("appended");
    let mut file = File::create(&path).unwrap();
    for _ in 0..APPENDS {
        file.write_all(&[1; 200]).unwrap();
        file.sync_data().unwrap();
    }
    std::fs::remove_file(path).unwrap();
}

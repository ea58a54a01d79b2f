use std::{
    convert::Infallible,
    fs::File,
    hint::black_box,
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
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
    median::{ROUNDS, median, time},
    report::{Report, Unit},
    transfer::SIZE,
};

/// The segment size of Sealock's format.
const SEGMENT: usize = 64 * 1024;

/// The number of small writes that are synced.
const APPENDS: usize = 200;

/// Measures the machine's limits for hashing, sealing, sending and syncing.
pub(crate) fn measure(disk: &Path, report: &mut Report) {
    let rate = |seconds: f64| {
        #[expect(clippy::cast_precision_loss, reason = "it is a power of two")]
        let rate = SIZE as f64 / 1e9 / seconds;
        Unit::GigabytesPerSecond.show(rate)
    };
    report.limit("SHA-256, one core", rate(timed(sha256)));
    report.limit(
        "AES-256-GCM (ring), segments of 64 KiB, one core",
        rate(timed(seal)),
    );
    report.limit(
        "serve 1 GiB from memory (hyper to curl)",
        rate(timed(serve)),
    );
    let appends = timed(|| append(disk));
    #[expect(clippy::cast_precision_loss, reason = "it is small")]
    let each = appends * 1e3 / APPENDS as f64;
    report.limit(
        "append 200 bytes and fdatasync, disk",
        Unit::Milliseconds.show(each),
    );
}

fn timed(work: impl Fn()) -> f64 {
    median((0..ROUNDS).map(|_| time(&work).1.as_secs_f64()).collect())
}

fn sha256() {
    let segment = vec![1; SEGMENT];
    let mut hasher = Sha256::new();
    for _ in 0..SIZE / SEGMENT {
        hasher.update(black_box(&segment));
    }
    black_box(hasher.finalize());
}

fn seal() {
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &[1; 32]).unwrap());
    let mut segment = vec![1; SEGMENT];
    for index in 0..SIZE / SEGMENT {
        let mut nonce = [0; 12];
        nonce[..8].copy_from_slice(&index.to_be_bytes());
        let nonce = Nonce::assume_unique_for_key(nonce);
        let _tag = key
            .seal_in_place_separate_tag(nonce, Aad::empty(), black_box(&mut segment))
            .unwrap();
    }
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

fn append(disk: &Path) {
    let path = disk.join("appended");
    let mut file = File::create(&path).unwrap();
    for _ in 0..APPENDS {
        file.write_all(&[1; 200]).unwrap();
        file.sync_data().unwrap();
    }
    std::fs::remove_file(path).unwrap();
}

//! Clients that read slowly or not at all.

use std::{
    fs,
    io::{ErrorKind, Read as _, Write as _},
    net::TcpStream,
    thread,
    time::{Duration, Instant},
};

use h2::Reason;
use sealock_tests::{Emulator, Options, digest_of, eventually, random_bytes};
use tokio::{io::AsyncWriteExt as _, time::timeout};

use crate::http2::{
    Client, END_HEADERS, HEADERS, PATIENCE, PREFACE, SETTINGS, block_on, frame, handshake,
};

/// The size of the blob. The system's buffers hold less.
const SIZE: usize = 64 << 20;

/// The message with which the log explains the end of a connection or stream.
const CUT_OFF: &str = "an answer was cut off";

/// The rate of a client that is slow, but not too slow.
const BYTES_PER_MILLISECOND: u128 = 6 << 10;

/// Asks for the blob at a path.
type Ask = fn(&Emulator, &str) -> TcpStream;

/// The protocols, with the way in which a client asks.
const PROTOCOLS: [(&str, Ask); 3] = [
    ("HTTP/1.1", ask_over_http1),
    ("TLS", ask_over_tls),
    ("HTTP/2", ask_over_http2),
];

/// Starts an emulator with a write timeout and a blob, and returns it with the path of the blob.
fn start(write_timeout: &str) -> (Emulator, String) {
    let variable = ("SEALOCK_SERVER__WRITE_TIMEOUT", write_timeout);
    let emulator = Emulator::start_with(Options {
        environment: vec![(variable.0.to_owned(), variable.1.to_owned())],
        ..Options::default()
    });
    let content = random_bytes(SIZE);
    assert_eq!(emulator.client().push_blob("app", &content).status, 201);
    (emulator, format!("/v2/app/blobs/{}", digest_of(&content)))
}

fn connect(emulator: &Emulator) -> TcpStream {
    TcpStream::connect(emulator.address()).unwrap()
}

fn http1_request(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").into_bytes()
}

fn ask_over_http1(emulator: &Emulator, path: &str) -> TcpStream {
    let mut socket = connect(emulator);
    socket.write_all(&http1_request(path)).unwrap();
    socket
}

/// Returns the connection below TLS, so that a test decides what is read.
fn ask_over_tls(emulator: &Emulator, path: &str) -> TcpStream {
    block_on(async {
        let (mut stream, _) = handshake(emulator, &[b"http/1.1"]).await;
        stream.write_all(&http1_request(path)).await.unwrap();
        stream.flush().await.unwrap();
        let socket = stream.into_inner().0.into_std().unwrap();
        socket.set_nonblocking(false).unwrap();
        socket
    })
}

/// Asks with windows that never close.
fn ask_over_http2(emulator: &Emulator, path: &str) -> TcpStream {
    const WINDOW_UPDATE: u8 = 8;
    const END_STREAM: u8 = 1;
    let mut socket = connect(emulator);
    let window = (1_u32 << 30).to_be_bytes();
    let initial_window = [&[0, 4][..], &window].concat();
    // GET, http, localhost, and the path, with names from the static table.
    let mut head = b"\x82\x86\x41\x09localhost\x04".to_vec();
    head.push(u8::try_from(path.len()).unwrap());
    head.extend(path.as_bytes());
    let frames = [
        PREFACE.to_vec(),
        frame(SETTINGS, 0, 0, &initial_window),
        frame(WINDOW_UPDATE, 0, 0, &window),
        frame(HEADERS, END_HEADERS | END_STREAM, 1, &head),
    ];
    socket.write_all(&frames.concat()).unwrap();
    socket
}

/// Returns the number of files and connections that the emulator has open, or `None` without /proc.
fn open_files(emulator: &Emulator) -> Option<usize> {
    let open = fs::read_dir(format!("/proc/{}/fd", emulator.pid())).ok()?;
    Some(open.count())
}

fn times_cut_off(emulator: &Emulator) -> usize {
    emulator.logged().matches(CUT_OFF).count()
}

/// Reads what is left, until the connection ends.
fn read_rest(socket: &mut TcpStream) -> usize {
    let mut buffer = vec![0; 1 << 20];
    let mut rest = 0;
    loop {
        match socket.read(&mut buffer) {
            Ok(0) => return rest,
            Ok(read) => rest += read,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::ConnectionReset);
                return rest;
            }
        }
    }
}

#[test]
fn client_that_does_not_read_is_cut_off() {
    let (emulator, blob) = start("1s");
    // Opens what stays open.
    assert_eq!(emulator.client().get("/v2/app/tags/list").status, 404);
    let mut open = None;
    eventually("the connections to end", || {
        let before = std::mem::replace(&mut open, open_files(&emulator));
        open == before
    });
    for (protocol, ask) in PROTOCOLS {
        let before = times_cut_off(&emulator);
        let mut sockets: Vec<_> = (0..5).map(|_| ask(&emulator, &blob)).collect();
        eventually("the clients to be cut off", || {
            times_cut_off(&emulator) >= before + sockets.len()
        });
        eventually("the files to be closed", || open_files(&emulator) <= open);
        for socket in &mut sockets {
            assert!(read_rest(socket) < SIZE, "{protocol}: the blob came whole");
        }
    }
}

#[test]
fn client_that_reads_a_byte_now_and_then_is_cut_off() {
    let (emulator, blob) = start("1s");
    for (protocol, ask) in PROTOCOLS {
        let before = times_cut_off(&emulator);
        let mut socket = ask(&emulator, &blob);
        let mut byte = [0];
        eventually("the client to be cut off", || {
            let _ = socket.read(&mut byte);
            times_cut_off(&emulator) > before
        });
        assert!(
            read_rest(&mut socket) < SIZE,
            "{protocol}: the blob came whole"
        );
    }
}

/// Reads slowly until the connection ends or the blob has arrived. Returns the number of bytes, and the longest time without a
/// read, which is long if the machine is busy.
fn read_slowly(socket: &mut TcpStream) -> (usize, Duration) {
    let mut part = vec![0; 16 << 10];
    let (began, mut last) = (Instant::now(), Instant::now());
    let (mut arrived, mut longest) = (0, Duration::ZERO);
    while arrived < SIZE {
        let due = began.elapsed().as_millis() * BYTES_PER_MILLISECOND;
        while (arrived as u128) < due {
            longest = longest.max(last.elapsed());
            last = Instant::now();
            match socket.read(&mut part) {
                Ok(read @ 1..) => arrived += read,
                _ => return (arrived, longest),
            }
        }
        thread::park_timeout(Duration::from_millis(2));
    }
    (arrived, longest)
}

#[test]
fn slow_client_gets_the_whole_answer() {
    let (emulator, blob) = start("3s");
    thread::scope(|scope| {
        for (protocol, ask) in PROTOCOLS {
            let (emulator, blob) = (&emulator, &blob);
            scope.spawn(move || {
                for _attempt in 0..5 {
                    let (arrived, longest) = read_slowly(&mut ask(emulator, blob));
                    if arrived >= SIZE {
                        return;
                    }
                    let is_steady = longest < Duration::from_secs(1);
                    assert!(!is_steady, "{protocol}: cut off after {arrived} bytes");
                }
                panic!("{protocol}: the machine is too busy");
            });
        }
    });
}

#[test]
fn http2_stream_that_its_client_does_not_read_is_reset() {
    let (emulator, blob) = start("1s");
    block_on(async {
        let client = Client::plain(&emulator).await;
        let mut unread = client.send("GET", &blob, &[], b"").await.unwrap();
        // Nothing is released, so the window closes.
        let reset = loop {
            let data = timeout(PATIENCE, unread.body.data()).await;
            match data.expect("a reset").expect("an incomplete answer") {
                Ok(_) => {}
                Err(error) => break error,
            }
        };
        assert_eq!(reset.reason(), Some(Reason::CANCEL));
        let other = client.send("GET", "/", &[], b"").await.unwrap();
        assert_eq!(other.status, 200);
    });
    // The log follows the reset.
    eventually("the line in the log", || times_cut_off(&emulator) == 1);
}

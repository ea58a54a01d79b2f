use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::Duration,
};

use axum::{
    body::{Body, Bytes},
    http::StatusCode,
};
use futures_util::{StreamExt as _, stream};
use http_body_util::BodyExt as _;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, WriteHalf, duplex, join, split},
    task::JoinHandle,
    time::sleep,
};
use tokio_util::sync::CancellationToken;

use super::{
    super::{
        body::READ_LIMIT,
        capacity::Capacity,
        pace::LEAST_BYTES,
        paced_writer::{Abort, PacedWriter},
    },
    *,
};

const PEER: Peer = Peer {
    address: IpAddr::V4(Ipv4Addr::LOCALHOST),
    uses_tls: false,
};

const SLOTS: usize = 3;

const WRITE_TIMEOUT: Duration = Duration::from_mins(2);

/// The size of a body, which a client needs many limits for.
const LARGE: usize = 1 << 20;

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

impl Abort for WriteHalf<DuplexStream> {
    fn abort_on_drop(&self) {}
}

/// A connection that is being served, with little room for what its client does not read.
struct Served {
    client: DuplexStream,
    capacity: Capacity,
    task: JoinHandle<()>,
}

async fn serve<H, F>(handler: H) -> Served
where
    H: Fn(Request) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response> + Send + 'static,
{
    let capacity = Capacity::with_slots(3, CancellationToken::new());
    let server = Server {
        handler,
        capacity: capacity.clone(),
        write_timeout: WRITE_TIMEOUT,
    };
    let (client, stream) = duplex(1024);
    let (reader, writer) = split(stream);
    let stream = join(
        reader,
        PacedWriter::new(writer, WRITE_TIMEOUT, PEER.address),
    );
    let slot = capacity.take_slot().await.unwrap();
    let task = tokio::spawn(async move { super::serve(&server, stream, PEER, slot).await });
    Served {
        client,
        capacity,
        task,
    }
}

/// Bytes that show when they are freed.
struct Held(Vec<u8>, #[expect(dead_code, reason = "it counts")] Arc<()>);

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// Reads up to `bytes` after each `pause`. Returns the number of all bytes once the connection has ended.
async fn read_slowly(client: &mut DuplexStream, bytes: usize, pause: Duration) -> usize {
    let mut read = 0;
    loop {
        sleep(pause).await;
        let mut part = Vec::new();
        let part = client.take(bytes as u64).read_to_end(&mut part).await;
        match part.unwrap() {
            0 => return read,
            part => read += part,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn client_that_accepts_too_little_is_cut_off() {
    for (bytes, pause) in [
        (2 * LARGE, 10 * WRITE_TIMEOUT),
        (LEAST_BYTES / 4, WRITE_TIMEOUT / 3),
        (1, WRITE_TIMEOUT / 100),
    ] {
        let held = Arc::new(());
        let answer = Held(vec![0; LARGE], Arc::clone(&held));
        let answer = Bytes::from_owner(answer);
        let mut served = serve(move |_| {
            let answer = answer.clone();
            async move { Response::new(Body::from(answer)) }
        })
        .await;
        served.client.write_all(GET).await.unwrap();
        let read = read_slowly(&mut served.client, bytes, pause).await;
        assert!(
            read < LARGE,
            "the answer arrived whole, {bytes} bytes at a time"
        );
        served.task.await.unwrap();
        assert_eq!(served.capacity.free_slots(), SLOTS);
        assert_eq!(Arc::strong_count(&held), 1, "the answer is still there");
    }
}

#[tokio::test(start_paused = true)]
async fn slow_client_gets_the_whole_answer() {
    let mut served = serve(async |_| Response::new(Body::from(vec![0; LARGE]))).await;
    served.client.write_all(GET).await.unwrap();
    let (bytes, pause) = (LEAST_BYTES * 3 / 4, WRITE_TIMEOUT / 3);
    assert!(read_slowly(&mut served.client, bytes, pause).await > LARGE);
}

#[tokio::test(start_paused = true)]
async fn answer_that_comes_slowly_is_not_cut_off() {
    let mut served = serve(async |_| {
        let pieces = stream::iter(0..5).then(|_| async {
            sleep(20 * WRITE_TIMEOUT).await;
            Ok::<_, Infallible>(vec![0; LARGE / 5])
        });
        Response::new(Body::from_stream(pieces))
    })
    .await;
    served.client.write_all(GET).await.unwrap();
    let mut answer = Vec::new();
    served.client.read_to_end(&mut answer).await.unwrap();
    assert!(answer.ends_with(b"\r\n0\r\n\r\n"), "it is incomplete");
}

/// Reads the whole body, and answers 400 with the error if that fails.
async fn read_body(request: Request) -> Response {
    let (status, answer) = match request.into_body().collect().await {
        Ok(body) => (StatusCode::OK, body.to_bytes().len().to_string()),
        Err(error) => (StatusCode::BAD_REQUEST, error.to_string()),
    };
    let mut response = Response::new(Body::from(answer));
    *response.status_mut() = status;
    response
}

/// Sends a body, `bytes` before each `pause`, and returns the answer.
async fn send_slowly(bytes: usize, pause: Duration) -> String {
    let mut served = serve(read_body).await;
    let head = format!("PUT / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {LARGE}\r\n\r\n");
    served.client.write_all(head.as_bytes()).await.unwrap();
    let (mut reader, mut writer) = split(served.client);
    let sending = async {
        for part in vec![0; LARGE].chunks(bytes) {
            if writer.write_all(part).await.is_err() {
                return;
            }
            sleep(pause).await;
        }
    };
    let mut answer = [0; 1024];
    let (length, ()) = tokio::join!(reader.read(&mut answer), sending);
    String::from_utf8_lossy(&answer[..length.unwrap()]).into_owned()
}

#[tokio::test(start_paused = true)]
async fn body_that_comes_too_slowly_is_given_up() {
    for (bytes, pause) in [(LEAST_BYTES / 4, READ_LIMIT / 3), (1, READ_LIMIT / 2)] {
        let answer = send_slowly(bytes, pause).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
        let reason = "the client sent less than 64 KiB of the body in a minute";
        assert!(answer.ends_with(reason), "{answer}");
    }
}

#[tokio::test(start_paused = true)]
async fn slow_body_arrives_whole() {
    let answer = send_slowly(LEAST_BYTES * 3 / 4, READ_LIMIT / 3).await;
    assert!(answer.ends_with(&LARGE.to_string()), "{answer}");
}

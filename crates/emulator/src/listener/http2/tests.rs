use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
};

use axum::http::StatusCode;
use futures_util::{StreamExt as _, stream};
use h2::{Reason, RecvStream, client::SendRequest};
use tokio::{
    io::{AsyncWriteExt as _, DuplexStream, duplex},
    sync::Notify,
    task::JoinHandle,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

use super::{
    super::{
        capacity::{Capacity, SLOT_WAIT_LIMIT},
        pace::LEAST_BYTES,
    },
    *,
};

const PEER: Peer = Peer {
    address: IpAddr::V4(Ipv4Addr::LOCALHOST),
    uses_tls: false,
};

/// More bytes than the window of a stream permits.
const LARGE: usize = 1 << 20;

const SLOTS: usize = 3;

const WRITE_TIMEOUT: Duration = Duration::from_mins(2);

fn server<H>(handler: H) -> Server<H> {
    Server {
        handler,
        capacity: Capacity::with_slots(3, CancellationToken::new()),
        write_timeout: WRITE_TIMEOUT,
    }
}

/// Serves a connection and returns the client's end.
async fn accept<H, F>(server: &Server<H>) -> (DuplexStream, JoinHandle<()>)
where
    H: Fn(Request) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response> + Send + 'static,
{
    let (client, stream) = duplex(64 << 10);
    let slot = server.capacity.take_slot().await.unwrap();
    let server = server.clone();
    let served = tokio::spawn(async move { serve(&server, stream, PEER, slot).await });
    (client, served)
}

async fn connect<H, F>(server: &Server<H>) -> (SendRequest<Bytes>, JoinHandle<()>)
where
    H: Fn(Request) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response> + Send + 'static,
{
    let (stream, served) = accept(server).await;
    // A stalled stream leaves room for the others.
    let (client, connection) = h2::client::Builder::new()
        .initial_connection_window_size(1 << 20)
        .handshake(stream)
        .await
        .unwrap();
    tokio::spawn(connection);
    (client, served)
}

async fn ask(
    client: &SendRequest<Bytes>,
    method: Method,
) -> Result<Response<RecvStream>, h2::Error> {
    let request = Request::builder().method(method).uri("http://localhost/");
    let mut client = client.clone().ready().await?;
    let (response, _) = client.send_request(request.body(()).unwrap(), true)?;
    response.await
}

async fn get(client: &SendRequest<Bytes>) -> Result<Response<RecvStream>, h2::Error> {
    ask(client, Method::GET).await
}

/// Reads a body to its end.
async fn read(mut body: RecvStream) -> Result<usize, h2::Error> {
    let mut length = 0;
    while let Some(data) = body.data().await {
        let data = data?;
        length += data.len();
        body.flow_control().release_capacity(data.len())?;
    }
    Ok(length)
}

/// The bytes of an answer that a client accepts before it stalls.
const WINDOW: u32 = 65_535;

async fn large(_: Request) -> Response {
    Response::new(Body::from(vec![0; LARGE]))
}

#[tokio::test(start_paused = true)]
async fn stalled_stream_is_reset_and_others_go_on() {
    let window = WINDOW as usize;
    for length in [window + 1, window + PIECE_BYTES, LARGE] {
        let server = server(move |request: Request| async move {
            // Other requests get a small answer.
            let length = match *request.method() {
                Method::POST => length,
                _ => 1,
            };
            Response::new(Body::from(vec![0; length]))
        });
        let (client, _served) = connect(&server).await;
        let begun = Instant::now();
        let mut stalled = ask(&client, Method::POST).await.unwrap().into_body();
        let reset = loop {
            // Nothing is released, so the window stays closed.
            match timeout(Duration::from_secs(5), stalled.data()).await {
                Ok(Some(Err(error))) => break error,
                Ok(None) => panic!("the answer arrived whole"),
                Ok(Some(Ok(_))) => {}
                Err(_) if begun.elapsed() < WRITE_TIMEOUT => {
                    assert_eq!(server.capacity.free_slots(), SLOTS - 1);
                    let other = get(&client).await.unwrap().into_body();
                    assert_eq!(read(other).await.unwrap(), 1);
                }
                Err(_) => assert!(
                    begun.elapsed() < 2 * WRITE_TIMEOUT,
                    "{length} bytes still wait"
                ),
            }
        };
        assert_eq!(reset.reason(), Some(Reason::CANCEL), "{length}");
        assert!(begun.elapsed() >= WRITE_TIMEOUT);
        let other = get(&client).await.unwrap().into_body();
        assert_eq!(read(other).await.unwrap(), 1);
    }
}

/// Reads a body, and makes room for `bytes` more after each `pause`. Returns the number of bytes that arrived.
async fn read_slowly(
    mut body: RecvStream,
    bytes: usize,
    pause: Duration,
) -> Result<usize, (usize, h2::Error)> {
    let (mut arrived, mut held) = (0, 0);
    let mut next = Instant::now() + pause;
    loop {
        match timeout(next - Instant::now(), body.data()).await {
            Ok(Some(Ok(data))) => (arrived, held) = (arrived + data.len(), held + data.len()),
            Ok(Some(Err(error))) => return Err((arrived, error)),
            Ok(None) => return Ok(arrived),
            Err(_) => {
                let released = held.min(bytes);
                held -= released;
                let _ = body.flow_control().release_capacity(released);
                next += pause;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn stream_whose_client_accepts_too_little_is_reset() {
    let server = server(large);
    let (client, _served) = connect(&server).await;
    let body = get(&client).await.unwrap().into_body();
    // Less than enough, but more than nothing in each limit.
    let (bytes, pause) = (LEAST_BYTES / 4, WRITE_TIMEOUT / 3);
    let (arrived, error) = read_slowly(body, bytes, pause).await.unwrap_err();
    assert_eq!(error.reason(), Some(Reason::CANCEL));
    assert!(arrived < LARGE, "the answer arrived whole");
    let other = get(&client).await.unwrap().into_body();
    assert_eq!(read(other).await.unwrap(), LARGE);
}

#[tokio::test(start_paused = true)]
async fn slow_client_gets_the_whole_answer() {
    let (client, _served) = connect(&server(large)).await;
    let body = get(&client).await.unwrap().into_body();
    let (bytes, pause) = (LEAST_BYTES * 3 / 4, WRITE_TIMEOUT / 3);
    assert_eq!(read_slowly(body, bytes, pause).await.unwrap(), LARGE);
}

#[tokio::test(start_paused = true)]
async fn slow_request_is_not_cut_off() {
    let slow = |_| async {
        sleep(20 * WRITE_TIMEOUT).await;
        let pieces = stream::iter(0..5).then(|_| async {
            sleep(20 * WRITE_TIMEOUT).await;
            Ok::<_, Infallible>(vec![0; LARGE / 5])
        });
        Response::new(Body::from_stream(pieces))
    };
    let (client, _served) = connect(&server(slow)).await;
    let answer = get(&client).await.unwrap().into_body();
    assert_eq!(read(answer).await.unwrap(), LARGE / 5 * 5);
}

#[tokio::test(start_paused = true)]
async fn idle_connection_ends() {
    let server = server(|_| async { Response::default() });
    let (client, served) = connect(&server).await;
    sleep(HEAD_LIMIT / 2).await;
    get(&client).await.unwrap();
    let asked = Instant::now();
    served.await.unwrap();
    assert!(asked.elapsed() >= HEAD_LIMIT);
    assert_eq!(server.capacity.free_slots(), SLOTS);
    assert!(get(&client).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn client_that_does_not_leave_is_cut_off() {
    let server = server(large);
    let head_without_an_end = &b"\0\0\0\x04\0\0\0\0\0\0\0\x01\x01\0\0\0\0\x01\x82"[..];
    for said in [b"", &head_without_an_end[..9], head_without_an_end] {
        let (mut client, served) = accept(&server).await;
        let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
        client.write_all(preface).await.unwrap();
        client.write_all(said).await.unwrap();
        served.await.unwrap();
        assert_eq!(server.capacity.free_slots(), SLOTS, "{said:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn concurrent_requests_take_slots_or_get_503() {
    let gate = Arc::new(Notify::new());
    let handler = {
        let gate = Arc::clone(&gate);
        move |_| {
            let gate = Arc::clone(&gate);
            async move {
                gate.notified().await;
                Response::default()
            }
        }
    };
    let server = server(handler);
    let (client, _served) = connect(&server).await;
    let asked: Vec<_> = (0..=SLOTS)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { get(&client).await.map(|answer| answer.status()) })
        })
        .collect();
    sleep(2 * SLOT_WAIT_LIMIT).await;
    assert_eq!(server.capacity.free_slots(), 0);
    gate.notify_waiters();
    let mut statuses = Vec::new();
    for asked in asked {
        statuses.push(asked.await.unwrap().unwrap());
    }
    statuses.sort();
    assert_eq!(statuses[..SLOTS], [StatusCode::OK; SLOTS]);
    assert_eq!(statuses[SLOTS], StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test(start_paused = true)]
async fn change_keeps_its_slot_after_its_client_left() {
    let (begun, end) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let handler = {
        let (begun, end) = (Arc::clone(&begun), Arc::clone(&end));
        move |request: Request| {
            let (begun, end) = (Arc::clone(&begun), Arc::clone(&end));
            async move {
                // A change runs in a task of its own, as in the router.
                let change = tokio::spawn(async move {
                    begun.notify_one();
                    end.notified().await;
                    drop(request);
                });
                change.await.unwrap();
                Response::default()
            }
        }
    };
    let server = server(handler);
    let (client, served) = connect(&server).await;
    let asked = tokio::spawn(async move { ask(&client, Method::POST).await.map(drop) });
    begun.notified().await;
    asked.abort();
    served.await.unwrap();
    assert_eq!(server.capacity.free_slots(), SLOTS - 1);
    end.notify_one();
    while server.capacity.free_slots() < SLOTS {
        tokio::task::yield_now().await;
    }
}

//! Emulators within this process.

use std::{
    collections::HashSet,
    error::Error,
    net::SocketAddr,
    time::{Duration, Instant},
};

use http_body_util::{BodyExt as _, Full};
use hyper::{Method, Request, StatusCode, body::Bytes, header};
use hyper_util::rt::TokioIo;
use sealock_emulator::{Emulator, embedded::StartError};
use sha2::{Digest as _, Sha256};
use tokio::{net::TcpStream, runtime, task::JoinSet};

const EMULATORS: usize = 200;
const DEADLINE: Duration = Duration::from_mins(1);

type Failure = Box<dyn Error + Send + Sync>;

/// Sends a request to an emulator on a connection of its own.
async fn send(
    address: SocketAddr,
    method: Method,
    target: &str,
    body: Vec<u8>,
) -> Result<(StatusCode, Bytes), Failure> {
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let request = Request::builder()
        .method(method)
        .uri(target)
        .header(header::HOST, address.to_string())
        .header(header::CONTENT_TYPE, "application/octet-stream");
    let answer = sender
        .send_request(request.body(Full::new(Bytes::from(body)))?)
        .await?;
    let status = answer.status();
    let body = answer.into_body().collect().await?.to_bytes();
    drop(sender);
    connection.await??;
    Ok((status, body))
}

/// Pushes a blob, revokes its registry, pulls in vain, restores the registry and pulls. Returns the address that was used.
async fn revoke_and_restore(number: usize) -> Result<SocketAddr, Failure> {
    let emulator = Emulator::builder().ephemeral().start().await?;
    let address = emulator.address();
    let blob = format!("the blob of emulator {number}").into_bytes();
    let digest = hex::encode(Sha256::digest(&blob));
    let upload = format!("/v2/app/blobs/uploads/?digest=sha256:{digest}");
    let pull = format!("/v2/app/blobs/sha256:{digest}");

    let (status, _) = send(address, Method::POST, &upload, blob.clone()).await?;
    assert_eq!(status, StatusCode::CREATED);
    let key = emulator.key("sealock", "registry-key")?;
    key.disable().await?;
    assert!(emulator.registry("sealock")?.is_revoked().await?);
    let (status, _) = send(address, Method::GET, &pull, Vec::new()).await?;
    assert_eq!(status, StatusCode::FORBIDDEN);
    key.enable().await?;
    let (status, pulled) = send(address, Method::GET, &pull, Vec::new()).await?;
    assert_eq!((status, pulled.to_vec()), (StatusCode::OK, blob));
    if number.is_multiple_of(2) {
        emulator.stop().await;
    } // Otherwise it is dropped.
    Ok(address)
}

/// Counts the open files and sockets, and the threads.
fn used() -> Result<(usize, usize), Failure> {
    let files = std::fs::read_dir("/proc/self/fd")?.count();
    let threads = std::fs::read_dir("/proc/self/task")?.count();
    Ok((files, threads))
}

#[test]
fn two_hundred_emulators_in_one_process_leave_nothing_open() -> Result<(), Failure> {
    let runtime = runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_keep_alive(Duration::from_millis(1))
        .build()?;
    // The first emulator opens what the process keeps.
    runtime.block_on(revoke_and_restore(0))?;
    let before = used()?;

    let addresses = runtime.block_on(async {
        let mut running = JoinSet::new();
        for number in 1..=EMULATORS {
            running.spawn(revoke_and_restore(number));
        }
        let mut addresses = HashSet::new();
        while let Some(ended) = running.join_next().await {
            addresses.insert(ended??);
        }
        Ok::<_, Failure>(addresses)
    })?;

    let deadline = Instant::now() + DEADLINE;
    loop {
        let now = used()?;
        if now.0 <= before.0 && now.1 <= before.1 {
            break;
        }
        assert!(Instant::now() < deadline, "{now:?} instead of {before:?}");
        std::thread::yield_now();
    }
    for address in addresses {
        assert!(std::net::TcpStream::connect(address).is_err(), "{address}");
    }
    Ok(())
}

#[tokio::test]
async fn emulator_with_a_configuration_has_its_resources_alone() -> Result<(), Failure> {
    let config = "[[registries]]\nname = \"myregistry\"\nsku = \"Basic\"\n";
    let emulator = Emulator::builder().config(config).start().await?;
    emulator.seeded().await?;

    assert!(emulator.registry("myregistry")?.show().await.is_ok());
    let missing = emulator.registry("sealock")?.show().await;
    let error = missing.err().map(|error| error.to_string());
    assert!(error.is_some_and(|error| error.contains("sealock")));
    Ok(())
}

#[tokio::test]
async fn invalid_configuration_is_reported_at_the_start() {
    let started = Emulator::builder().config("no_such_setting = 1").start();
    let error = started.await.err().map(|error| error.to_string());
    assert!(error.is_some_and(|error| error.contains("no_such_setting")));
}

#[tokio::test]
async fn resource_that_breaks_a_rule_is_reported_by_every_operation() -> Result<(), Failure> {
    let config = "[[registries]]\nname = \"myregistry\"\nsku = \"Premium\"\n\
                  key = \"missing/missing\"\nidentity = \"missing\"\n";
    let emulator = Emulator::builder().config(config).start().await?;

    let seeded = emulator.seeded().await;
    assert!(matches!(seeded, Err(StartError::Seed(_))), "{seeded:?}");
    assert!(emulator.registry("myregistry")?.show().await.is_err());
    Ok(())
}

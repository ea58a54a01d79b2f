//! The memory of downloads.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
};

use sealock_tests::{Emulator, digest_of, eventually, random_bytes};

const CLIENTS: usize = 200;

/// More than the buffers of both sockets take.
const BLOB: usize = 24 << 20;

/// The number of equal readings after which the memory no longer grows.
const SETTLED: usize = 100;

#[cfg(target_os = "linux")]
#[test]
fn clients_that_never_read_hold_little_memory() {
    let emulator = Emulator::start();
    let blob = random_bytes(BLOB);
    let digest = digest_of(&blob);
    let pushed = emulator.client().send(
        "POST",
        &format!("/v2/large/blobs/uploads/?digest={digest}"),
        &[("content-type", "application/octet-stream")],
        &blob,
    );
    assert_eq!(pushed.status, 201);
    let before = resident_bytes(emulator.pid());

    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let mut client = TcpStream::connect(emulator.address()).unwrap();
            let request =
                format!("GET /v2/large/blobs/{digest} HTTP/1.1\r\nhost: localhost\r\n\r\n");
            client.write_all(request.as_bytes()).unwrap();
            client.read_exact(&mut [0]).unwrap();
            client
        })
        .collect();
    let mut readings = vec![before];
    eventually("the memory to settle", || {
        readings.push(resident_bytes(emulator.pid()));
        readings.len() > SETTLED
            && readings[readings.len() - SETTLED..]
                .windows(2)
                .all(|two| two[0] == two[1])
    });

    let held = readings.last().unwrap().saturating_sub(before) / CLIENTS;
    assert!(held < 1 << 20, "each client holds {held} bytes");
    drop(clients);
}

fn resident_bytes(pid: u32) -> usize {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = resident
        .and_then(|it| it.trim().strip_suffix(" kB"))
        .unwrap();
    kilobytes.trim().parse::<usize>().unwrap() * 1024
}

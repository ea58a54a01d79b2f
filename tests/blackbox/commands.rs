//! The commands that the command line suggests, and the servers that it talks to.

use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
    path::Path,
    thread,
};

use sealock_tests::{Emulator, run};
use serde_json::Value;

/// Returns what a command prints on both outputs, with the emulator named on the command line.
fn said(emulator: &Emulator, command: &[&str]) -> String {
    let url = format!("http://{}", emulator.address());
    let output = run(
        &[command, &["--emulator", &url]].concat(),
        Path::new("."),
        &[],
    );
    output.stdout + &output.stderr
}

#[test]
fn suggested_commands_repeat_the_named_emulator() {
    let emulator = Emulator::start();
    let option = format!("--emulator http://{}", emulator.address());
    emulator.cli(&["key", "disable"]);
    emulator.cli(&["vault", "create", "roles", "--rbac"]);
    for (command, told) in [
        (
            &["status"][..],
            "sealock key enable registry-key --vault sealock",
        ),
        (
            &["registry", "show"],
            "sealock key enable registry-key --vault sealock",
        ),
        (&["trust"], "sudo sealock trust --install"),
        (&["key", "show", "nope"], "sealock key list --vault sealock"),
        (
            &["registry", "token", "show", "nobody"],
            "sealock registry token list --registry sealock",
        ),
        (
            &["access", "grant", "--vault", "roles"],
            "sealock role assign --help",
        ),
    ] {
        let line_of = |said: &str| {
            let mut lines = said.lines().filter(|line| line.contains(told));
            lines.next().expect(said).to_owned()
        };
        let unnamed = emulator.run(command);
        let unnamed = line_of(&(unnamed.stdout + &unnamed.stderr));
        let named = line_of(&said(&emulator, command));
        assert_eq!(named, format!("{unnamed} {option}"));
    }

    emulator.cli(&["identity", "delete"]);
    let restore = format!(
        "sealock registry identity assign NAME --registry sealock {option}\n               (NAME is an identity"
    );
    let status = said(&emulator, &["status"]);
    assert!(status.contains(&restore), "{status}");
}

#[test]
fn unserved_host_name_is_reported_with_the_emulators_text() {
    let emulator = Emulator::start();
    let port = emulator.address().rsplit_once(':').unwrap().1;
    let url = format!("http://[::ffff:127.0.0.1]:{port}");
    let output = emulator.run(&["status", "--emulator", &url]);
    assert!(
        output.stderr.contains("add it to server.aliases"),
        "{output:?}"
    );
}

/// Answers every connection with exactly these bytes, and returns the URL.
fn answering(bytes: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            let _ = client.read(&mut [0; 4096]);
            let _ = client.write_all(bytes);
        }
    });
    url
}

#[test]
fn server_other_than_sealock_is_reported_as_such() {
    for bytes in [
        &b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nserver: AirTunes\r\n\r\n"[..],
        b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 6\r\n\r\n<html>",
        b"HTTP/1.1 502 Bad Gateway\r\ncontent-type: text/html\r\ncontent-length: 6\r\n\r\n<html>",
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nready",
        b"HTTP/1.1 404 Not Found\r\ncontent-type: application/json\r\ncontent-length: 16\r\n\r\n{\"message\":\"no\"}",
        b"SSH-2.0-OpenSSH_9.2\r\n",
    ] {
        let url = answering(bytes);
        for command in [&["status"][..], &["status", "--json"], &["key", "disable"]] {
            let output = run(&[command, &["--emulator", &url]].concat(), Path::new("."), &[]);
            assert_eq!((output.code, &*output.stdout), (1, ""), "{command:?}");
            let message = format!("the server at {url} is not Sealock");
            let hint = "add --emulator http://localhost:5001 to the command";
            if command.contains(&"--json") {
                let problem: Value = serde_json::from_str(&output.stderr).unwrap();
                assert_eq!(problem["detail"], message);
                let text = problem["hints"][0]["text"].as_str().unwrap();
                assert!(text.ends_with(hint), "{text}");
            } else {
                let expected = format!("error: {message}\nhint: ");
                assert!(output.stderr.starts_with(&expected), "{}", output.stderr);
                assert!(output.stderr.trim_end().ends_with(hint), "{}", output.stderr);
            }
        }
    }
}

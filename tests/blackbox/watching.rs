//! Commands that watch the state.

use std::{
    io::{BufRead as _, BufReader},
    net::TcpListener,
    path::Path,
    process::{Command, Stdio},
};

use sealock_tests::{Emulator, Terminal, run};

#[test]
fn status_exits_with_3_while_a_registry_is_revoked() {
    let emulator = Emulator::start();
    assert_eq!(emulator.run(&["status"]).code, 0);
    emulator.cli(&["key", "disable"]);
    let revoked = emulator.run(&["status"]);
    assert_eq!((revoked.code, &*revoked.stderr), (3, ""), "{revoked:?}");
    assert!(
        revoked
            .stdout
            .starts_with("sealock  revoked: KeyDisabled since "),
        "{revoked:?}"
    );
    let as_json = emulator.run(&["status", "--json"]);
    assert_eq!((as_json.code, &*as_json.stderr), (3, ""), "{as_json:?}");
    emulator.cli(&["key", "enable"]);
    assert_eq!(emulator.run(&["status"]).code, 0);
}

#[test]
fn watched_status_is_shown_again_when_it_changes() {
    let emulator = Emulator::start();
    let mut watch = Command::new(Emulator::binary())
        .args([
            "status",
            "--watch",
            "--emulator",
            &format!("http://{}", emulator.address()),
        ])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(watch.stdout.take().unwrap()).lines();
    let mut titles = lines
        .map(Result::unwrap)
        .filter(|line| line.starts_with("sealock  "));
    assert_eq!(titles.next().unwrap(), "sealock  available");
    emulator.cli(&["key", "disable"]);
    let revoked = titles.next().unwrap();
    assert!(
        revoked.starts_with("sealock  revoked: KeyDisabled since "),
        "{revoked}"
    );
    emulator.cli(&["key", "enable"]);
    assert_eq!(titles.next().unwrap(), "sealock  available");
    watch.kill().unwrap();
    watch.wait().unwrap();
}

#[test]
fn wait_ends_when_the_state_is_reached_and_fails_on_timeout() {
    let emulator = Emulator::start();
    emulator.cli(&["registry", "create", "plain"]);
    assert!(emulator.cli(&["wait", "--ready"]).contains("is ready"));
    assert_eq!(
        emulator.cli(&["wait", "--available"]),
        "registry sealock is available\n"
    );
    let late = emulator.run(&["wait", "--revoked", "--timeout", "100ms"]);
    assert_eq!(
        (late.code, &*late.stderr),
        (1, "error: registry sealock is not revoked after 100ms\n")
    );
    emulator.cli(&["key", "disable"]);
    assert_eq!(
        emulator.cli(&["wait", "--revoked"]),
        "registry sealock is revoked\n"
    );
    emulator.cli(&["wait", "--available", "--registry", "plain"]);
    let unknown = emulator.run(&["wait", "--available", "-r", "nowhere"]);
    assert_eq!(unknown.code, 1);
    assert!(unknown.stderr.contains("nowhere"), "{unknown:?}");
    assert_eq!(emulator.run(&["wait"]).code, 2, "for what?");
}

#[test]
fn wait_tolerates_an_emulator_that_has_not_started_yet() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let wait = ["wait", "--ready", "--timeout", "1ms", "--emulator", &url];
    let late = run(&wait, Path::new("."), &[]);
    assert_eq!(late.code, 1);
    assert_eq!(
        late.stderr,
        format!("error: no emulator answers at {url} after 1ms\n")
    );
}

#[test]
fn long_work_shows_progress_on_a_terminal_but_not_in_a_pipe() {
    let emulator = Emulator::start();
    let url = format!("http://{}", emulator.address());
    let wait = ["wait", "--revoked", "--timeout", "2s", "--emulator", &url];
    let terminal = Terminal::open();
    let mut command = Command::new(Emulator::binary());
    command
        .args(wait)
        .stdout(Stdio::null())
        .stderr(terminal.stdio());
    let shown = terminal.shown(&mut command);
    assert!(shown.contains("waiting, "), "{shown:?}");
    let piped = run(&wait, Path::new("."), &[]);
    let error = "error: registry sealock is not revoked after 2s\n";
    assert_eq!((&*piped.stdout, &*piped.stderr), ("", error));
}

#[test]
fn table_is_no_wider_than_its_terminal() {
    let emulator = Emulator::start();
    let url = format!("http://{}", emulator.address());
    let listed = |option: &[&str]| {
        let terminal = Terminal::open();
        let mut command = Command::new(Emulator::binary());
        command
            .args(["registry", "scope-map", "list", "--emulator", &url])
            .args(option)
            .stdout(terminal.stdio());
        let shown = terminal.shown(&mut command);
        shown.lines().map(|line| line.trim_end().len()).max()
    };
    assert!(listed(&[]) <= Some(80));
    assert!(
        listed(&["--wide"]) <= Some(80),
        "cells are broken into lines"
    );
    let unbroken = emulator.cli(&["registry", "scope-map", "list", "--wide"]);
    assert!(unbroken.lines().any(|line| line.len() > 200), "{unbroken}");
}

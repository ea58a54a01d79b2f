use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpListener,
    os::unix::fs::PermissionsExt as _,
    thread,
};

use sealock_tests::{Emulator, Options, run};
use tempfile::TempDir;

use crate::ca::Ca;

#[test]
fn hosts_prints_the_names_and_puts_them_into_a_file_and_takes_them_out() {
    let mut emulator = Emulator::start();
    emulator.cli(&["registry", "create", "second"]);
    emulator.cli(&["vault", "create", "kv1"]);
    let printed = emulator.cli(&["hosts"]);
    for name in [
        "sealock.azurecr.localhost",
        "second.azurecr.localhost",
        "sealock.vault.localhost",
        "kv1.vault.localhost",
        "management.localhost",
        "login.localhost",
        "graph.localhost",
    ] {
        let line = format!("127.0.0.1 {name}");
        assert!(printed.lines().any(|found| found == line), "{printed}");
    }
    assert_eq!(emulator.json(&["hosts"])["address"], "127.0.0.1");

    let dir = TempDir::new().unwrap();
    let file = dir.path().join("hosts");
    let before = "127.0.0.1\tlocalhost\n# by hand\n192.0.2.1 elsewhere\n";
    fs::write(&file, before).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let path = file.to_str().unwrap();
    for _ in 0..2 {
        let said = emulator.cli(&["hosts", "--write", "--file", path]);
        assert!(said.contains("7 names") && said.contains(path), "{said}");
        let written = fs::read_to_string(&file).unwrap();
        let lines: Vec<_> = written.lines().collect();
        let (kept, ours) = lines.split_at(3);
        assert_eq!(kept.join("\n") + "\n", before);
        assert_eq!(ours[1..8].join("\n") + "\n", printed);
        assert_eq!(ours.len(), 9, "once, however often: {written}");
    }
    assert_eq!(
        fs::metadata(&file).unwrap().permissions().mode() & 0o777,
        0o644
    );

    // To take them out, no emulator is needed.
    emulator.stop();
    emulator.cli(&["hosts", "--remove", "--file", path]);
    assert_eq!(fs::read_to_string(&file).unwrap(), before);
    let missing = emulator.run(&["hosts", "--remove", "--file", "/no/such/file"]);
    assert!(missing.stderr.contains("/no/such/file"), "{missing:?}");
}

#[test]
fn trust_says_for_each_client_what_to_do() {
    let emulator = Emulator::start();
    let said = emulator.cli(&["trust"]);
    let ca = emulator.ca().unwrap().to_str().unwrap();
    let bundle = ca.replace("ca.pem", "bundle.pem");
    let at = emulator.address();
    for part in [
        format!("{ca} /etc/docker/certs.d/{at}/ca.crt"),
        format!("{ca} ~/.config/containers/certs.d/{at}/ca.crt"),
        format!("curl --cacert {ca} https://{at}/v2/"),
        format!("REQUESTS_CA_BUNDLE={bundle}"),
        format!("NODE_EXTRA_CA_CERTS={ca}"),
        format!("-file {ca} -keystore"),
        format!("SSL_CERT_FILE={bundle}"),
        "sealock trust --install".to_owned(),
    ] {
        assert!(said.contains(&part), "{part:?} is not in:\n{said}");
    }

    let emulator = Emulator::start_with(Options {
        ephemeral: true,
        ..Options::default()
    });
    let said = emulator.cli(&["trust"]);
    let fetch = format!("http://{}/_sealock/v1/ca.pem", emulator.address());
    assert!(said.contains(&fetch), "{said}");
}

#[test]
fn trust_installs_no_ca_that_could_sign_for_more_than_this_machine() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    // Whoever has the port of an emulator that is not there.
    let impostor = thread::spawn(move || {
        let pem = Ca::new().certificate;
        for pem in ["", &pem, "no certificate"] {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 4096]).unwrap();
            let length = pem.len();
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close");
            write!(stream, "{head}\r\n\r\n{pem}").unwrap();
        }
    });
    let dir = TempDir::new().unwrap();
    for _ in 0..3 {
        let output = run(&["trust", "--install", "--emulator", &url], dir.path(), &[]);
        assert_eq!(output.code, 1, "{output:?}");
        let said = &output.stderr;
        assert!(
            said.contains("could sign for more") && said.contains("hint:"),
            "{said}"
        );
    }
    impostor.join().unwrap();
}

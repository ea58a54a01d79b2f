//! The servers to which the command line sends the control API's token.

use std::{
    fs,
    io::{self, Read as _, Write as _},
    net::{Shutdown, TcpListener, TcpStream},
    path::Path,
    sync::{Arc, Mutex},
    thread,
};

use rcgen::{CertificateParams, Issuer, KeyPair};
use rustls::{
    ServerConfig, ServerConnection, StreamOwned,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use sealock_tests::{Emulator, Options, Output, run};
use tempfile::TempDir;

use crate::ca::Ca;

const TOKEN: &str = "abababababababababababababababababababababababababababababababab";

/// A server on a port, and everything that it received.
struct Listener {
    url: String,
    heard: Arc<Mutex<Vec<u8>>>,
}

impl Listener {
    /// Serves each connection until the test ends. `serve` adds what it receives to the vector.
    fn start(
        serve: impl Fn(TcpStream, &Mutex<Vec<u8>>) -> io::Result<()> + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://localhost:{}", listener.local_addr().unwrap().port());
        let heard = Arc::new(Mutex::default());
        let hearing = Arc::clone(&heard);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A client may disconnect early.
                let _ = serve(stream, &hearing);
            }
        });
        Self { url, heard }
    }

    fn heard(&self) -> Vec<u8> {
        self.heard.lock().unwrap().clone()
    }
}

/// Reads a request's head and answers it.
fn answer(mut stream: impl io::Read + io::Write, heard: &Mutex<Vec<u8>>) -> io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.extend(byte);
        heard.lock().unwrap().extend(byte);
        // A TLS client sends no line end, and waits.
        if head[0] == 0x16 && head.len() > 5 {
            break;
        }
    }
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{{}}"
    )?;
    stream.flush()
}

/// Serves TLS as `names` with a certificate of the CA.
fn server(ca: &Ca, names: &[&str]) -> Arc<ServerConfig> {
    let ca_key = KeyPair::from_pem(&ca.key).unwrap();
    let issuer = Issuer::from_ca_cert_pem(&ca.certificate, ca_key).unwrap();
    let key = KeyPair::generate().unwrap();
    let names: Vec<_> = names.iter().map(ToString::to_string).collect();
    let leaf = CertificateParams::new(names).unwrap();
    let leaf = leaf.signed_by(&key, &issuer).unwrap();
    let key = PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).unwrap();
    let certificate = CertificateDer::from_pem_slice(ca.certificate.as_bytes()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone(), certificate], key)
        .unwrap();
    Arc::new(config)
}

fn speak_tls(config: Arc<ServerConfig>) -> Listener {
    Listener::start(move |stream, heard| {
        let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
        answer(StreamOwned::new(connection, stream), heard)
    })
}

/// Creates the data directory of an emulator that demands the token.
fn lay_out(dir: &Path, name: &str, ca: &Ca) {
    let data = dir.join(name);
    fs::create_dir_all(data.join("tls")).unwrap();
    fs::write(data.join("control.token"), TOKEN).unwrap();
    fs::write(data.join("tls/ca.pem"), &ca.certificate).unwrap();
}

/// One command for each operation of the control API that the command line uses.
const COMMANDS: [&[&str]; 24] = [
    &["health"],
    &["trust"],
    &["trust", "--install", "--fingerprint", "AB"],
    &["hosts"],
    &["status"],
    &["audit"],
    &["verify"],
    &["clock", "show"],
    &["clock", "advance", "1s"],
    &["inspect", "hello:v1"],
    &["vault", "list"],
    &["vault", "create", "kv1"],
    &["key", "list"],
    &["key", "disable"],
    &["key", "enable"],
    &["registry", "list"],
    &["registry", "update", "--admin-enabled", "true"],
    &["registry", "credential", "show"],
    &["registry", "token", "list"],
    &["access", "list"],
    &["identity", "endpoint"],
    &["app", "create", "deploy"],
    &["role", "list"],
    &["hosts", "--write", "--file", "hosts"],
];

fn asks_openly(command: &[&str]) -> bool {
    command[0] == "health" || command.contains(&"--install")
}

fn ask(command: &[&str], url: &str, dir: &Path, environment: &[(&str, &str)]) -> Output {
    run(&[command, &["--emulator", url]].concat(), dir, environment)
}

#[test]
fn no_command_sends_the_token_to_a_server_without_the_cas_key() {
    let (ours, other) = (Ca::new(), Ca::new());
    let dir = TempDir::new().unwrap();
    lay_out(dir.path(), ".sealock", &ours);
    lay_out(dir.path(), "elsewhere", &ours);
    fs::write(dir.path().join("hosts"), "").unwrap();
    let named = [("SEALOCK_CONTROL_TOKEN_FILE", "elsewhere/control.token")];
    for impostor in [
        Listener::start(answer),
        Listener::start(|stream, _| stream.shutdown(Shutdown::Both)),
        speak_tls(server(&other, &["localhost"])),
        // Certificates that the CA signed for other names.
        speak_tls(server(&ours, &["registry.example"])),
    ] {
        for command in COMMANDS {
            for environment in [&[][..], &named] {
                let output = ask(command, &impostor.url, dir.path(), environment);
                assert_ne!(output.code, 0, "{command:?}: {output:?}");
                if !asks_openly(command) {
                    let said = &output.stderr;
                    assert!(
                        said.contains("did not prove that it is"),
                        "{command:?}: {said}"
                    );
                    assert!(
                        said.contains("tls/ca.pem") && said.contains("hint:"),
                        "{said}"
                    );
                }
            }
        }
        let heard = String::from_utf8_lossy(&impostor.heard()).to_ascii_lowercase();
        assert!(!heard.contains("authorization"), "{heard}");
        assert!(!heard.contains(TOKEN), "{heard}");
    }
    assert_eq!(fs::read(dir.path().join("hosts")).unwrap(), b"");
}

#[test]
fn token_is_sent_over_tls_to_a_server_with_the_cas_key() {
    let ca = Ca::new();
    let dir = TempDir::new().unwrap();
    lay_out(dir.path(), ".sealock", &ca);
    let emulator = speak_tls(server(&ca, &["localhost"]));
    ask(&["status"], &emulator.url, dir.path(), &[]);
    let heard = String::from_utf8(emulator.heard()).unwrap();
    assert!(heard.contains(TOKEN), "{heard}");
}

#[test]
fn token_without_a_ca_is_sent_only_if_token_and_emulator_are_named() {
    let dir = TempDir::new().unwrap();
    fs::create_dir(dir.path().join(".sealock")).unwrap();
    let file = dir.path().join(".sealock/control.token");
    fs::write(&file, TOKEN).unwrap();
    let named = [("SEALOCK_CONTROL_TOKEN_FILE", file.to_str().unwrap())];
    for command in COMMANDS {
        let impostor = Listener::start(answer);
        for (environment, is_shown) in [(&[][..], false), (&named, !asks_openly(command))] {
            ask(command, &impostor.url, dir.path(), environment);
            let heard = String::from_utf8(impostor.heard()).unwrap();
            assert_eq!(heard.contains(TOKEN), is_shown, "{command:?}: {heard}");
        }
    }
    // If the server demands the token, the error says why it was not sent.
    let emulator = Emulator::start_with(Options {
        ephemeral: true,
        environment: vec![
            ("SEALOCK_SERVER__AUTH".into(), "enforced".into()),
            (named[0].0.into(), named[0].1.into()),
        ],
        ..Options::default()
    });
    let url = format!("http://{}", emulator.address());
    let withheld = ask(&["status"], &url, dir.path(), &[]);
    assert_eq!(withheld.code, 1, "{withheld:?}");
    for part in [".sealock/tls/ca.pem", "SEALOCK_CONTROL_TOKEN_FILE", &url] {
        assert!(withheld.stderr.contains(part), "{withheld:?}");
    }
    assert_eq!(ask(&["status"], &url, dir.path(), &named).code, 0);
    assert_eq!(ask(&["health"], &url, dir.path(), &[]).code, 0);
}

#[test]
fn token_is_never_sent_to_another_machine() {
    let dir = TempDir::new().unwrap();
    lay_out(dir.path(), ".sealock", &Ca::new());
    let impostor = Listener::start(answer);
    // Only addresses of this machine exist in the test, so one of them stands for another machine.
    let elsewhere = impostor.url.replace("localhost", "0.0.0.0");
    for environment in [
        &[][..],
        &[("SEALOCK_CONTROL_TOKEN_FILE", ".sealock/control.token")],
    ] {
        ask(&["status"], &elsewhere, dir.path(), environment);
    }
    let heard = String::from_utf8(impostor.heard()).unwrap();
    assert!(heard.contains("GET /_sealock/v1/status"), "{heard}");
    assert!(!heard.contains(TOKEN), "{heard}");
}

/// Forwards everything to `address`, as a published port does, and records what clients send.
fn forwarder(address: &str) -> Listener {
    let address = address.to_owned();
    Listener::start(move |mut client, heard| {
        let mut server = TcpStream::connect(&address)?;
        let (mut from_server, mut to_client) = (server.try_clone()?, client.try_clone()?);
        let back = thread::spawn(move || {
            let _ = io::copy(&mut from_server, &mut to_client);
            let _ = to_client.shutdown(Shutdown::Both);
        });
        let mut piece = [0; 4096];
        loop {
            match client.read(&mut piece) {
                Ok(length) if length > 0 => {
                    heard.lock().unwrap().extend(&piece[..length]);
                    server.write_all(&piece[..length])?;
                }
                _ => break,
            }
        }
        server.shutdown(Shutdown::Both)?;
        let _ = back.join();
        Ok(())
    })
}

fn assert_obeys(emulator: &Emulator) {
    let token = fs::read_to_string(emulator.data_dir().join("control.token")).unwrap();
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("hosts"), "").unwrap();
    std::os::unix::fs::symlink(emulator.data_dir(), dir.path().join(".sealock")).unwrap();
    let forwarder = forwarder(emulator.address());
    for command in COMMANDS.iter().filter(|it| !asks_openly(it)) {
        let output = ask(command, &forwarder.url, dir.path(), &[]);
        if command[0] == "inspect" {
            assert!(output.stderr.contains("hello"), "{output:?}");
        } else {
            assert_eq!(output.code, 0, "{command:?}: {output:?}");
        }
    }
    assert_eq!(ask(&["health"], &forwarder.url, dir.path(), &[]).code, 0);
    let heard = String::from_utf8_lossy(&forwarder.heard()).into_owned();
    assert!(!heard.contains(&token), "{heard}");
}

#[test]
fn enforced_emulator_accepts_every_command_over_tls() {
    let emulator = Emulator::start_with(Options {
        environment: vec![("SEALOCK_SERVER__AUTH".into(), "enforced".into())],
        ..Options::default()
    });
    assert_obeys(&emulator);
}

#[test]
fn enforced_emulator_with_a_custom_ca_accepts_every_command() {
    let dir = TempDir::new().unwrap();
    let emulator = Emulator::start_with(Options {
        environment: vec![
            ("SEALOCK_SERVER__AUTH".into(), "enforced".into()),
            ("SEALOCK_TLS__CA".into(), Ca::new().write(dir.path())),
        ],
        ..Options::default()
    });
    assert_obeys(&emulator);
}

#[test]
fn emulator_is_verified_under_every_loopback_address_that_it_serves() {
    for (listen, hosts) in [
        ("127.0.0.1:0", &["127.0.0.1", "localhost"][..]),
        ("127.0.0.2:0", &["127.0.0.2"]),
        ("[::1]:0", &["[::1]"]),
    ] {
        // Some machines lack the address.
        if TcpListener::bind(listen).is_err() {
            continue;
        }
        let emulator = Emulator::start_with(Options {
            listen: Some(listen.into()),
            environment: vec![
                ("SEALOCK_SERVER__AUTH".into(), "enforced".into()),
                ("SEALOCK_SERVER__ALIASES".into(), r#"["127.0.0.2"]"#.into()),
            ],
            ..Options::default()
        });
        let token = emulator.data_dir().join("control.token");
        let named = [("SEALOCK_CONTROL_TOKEN_FILE", token.to_str().unwrap())];
        let port = emulator.address().rsplit_once(':').unwrap().1;
        for host in hosts {
            let url = format!("http://{host}:{port}");
            let output = ask(&["status"], &url, &emulator.data_dir(), &named);
            assert_eq!(output.code, 0, "{url}: {output:?}");
        }
    }
}

#[test]
fn token_is_withheld_if_the_ca_cannot_be_read() {
    let dir = TempDir::new().unwrap();
    lay_out(dir.path(), ".sealock", &Ca::new());
    let file = dir.path().join(".sealock/tls/ca.pem");
    let named = [("SEALOCK_CONTROL_TOKEN_FILE", ".sealock/control.token")];
    let impostor = Listener::start(answer);
    let not_der = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for text in ["", "no certificate", not_der] {
        fs::write(&file, text).unwrap();
        let output = ask(&["status"], &impostor.url, dir.path(), &named);
        assert_eq!(output.code, 1, "{output:?}");
        assert!(output.stderr.contains("tls/ca.pem"), "{output:?}");
    }
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    let output = ask(&["status"], &impostor.url, dir.path(), &named);
    assert_eq!(output.code, 1, "{output:?}");
    assert!(impostor.heard().is_empty());
}

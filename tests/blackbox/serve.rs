use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use sealock_tests::{Client, Emulator, Image, Options, Output, eventually};
use serde_json::Value;
use tempfile::TempDir;

/// A `sealock serve` whose every argument is the test's, with its own working directory.
struct Serve {
    process: Child,
    dir: TempDir,
}

impl Serve {
    fn start(dir: TempDir, arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let output = |name| File::create(dir.path().join(name)).unwrap();
        let process = Command::new(Emulator::binary())
            .arg("serve")
            .args(arguments)
            .envs(environment.iter().copied())
            .current_dir(dir.path())
            .stdin(Stdio::null())
            .stdout(output("stdout"))
            .stderr(output("stderr"))
            .spawn()
            .unwrap();
        Self { process, dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// Waits until it serves; the arguments must name the ready file `ready`.
    fn ready(&mut self) -> Value {
        eventually("the ready file", || {
            let ended = self.process.try_wait().unwrap();
            assert!(
                ended.is_none(),
                "it ended with {ended:?}: {}",
                self.text("stderr")
            );
            self.path("ready").exists()
        });
        serde_json::from_str(&self.text("ready")).unwrap()
    }

    fn end(&mut self) -> Output {
        let mut status = None;
        eventually("the end of the process", || {
            status = self.process.try_wait().unwrap();
            status.is_some()
        });
        Output {
            code: status.and_then(|status| status.code()).unwrap_or(-1),
            stdout: self.text("stdout"),
            stderr: self.text("stderr"),
        }
    }

    fn terminate(&mut self) -> Output {
        let killed = Command::new("kill")
            .arg(self.process.id().to_string())
            .status()
            .unwrap();
        assert!(killed.success());
        self.end()
    }
}

impl Drop for Serve {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A start that must fail; says what it printed on standard error.
fn refused(arguments: &[&str], environment: &[(&str, &str)]) -> String {
    refused_in(TempDir::new().unwrap(), arguments, environment)
}

fn refused_in(dir: TempDir, arguments: &[&str], environment: &[(&str, &str)]) -> String {
    let output = Serve::start(dir, arguments, environment).end();
    let (code, stdout) = (output.code, output.stdout.as_str());
    assert_eq!(
        (code, stdout),
        (1, ""),
        "{arguments:?} {environment:?}: {}",
        output.stderr
    );
    output.stderr
}

fn assert_contains(text: &str, parts: &[&str], what: &str) {
    for part in parts {
        assert!(text.contains(part), "{what}: {part:?} is not in:\n{text}");
    }
}

const ANY_PORT: [&str; 2] = ["--listen", "127.0.0.1:0"];

#[test]
fn a_data_directory_belongs_to_one_process() {
    let mut emulator = Emulator::start();
    let data_dir = emulator.data_dir();
    let data_dir = data_dir.to_str().unwrap();
    let arguments = [&ANY_PORT[..], &["--data-dir", data_dir]].concat();
    let error = refused(&arguments, &[]);
    assert_contains(
        &error,
        &[
            "error:",
            data_dir,
            "in use by another sealock",
            "--data-dir",
        ],
        "second start",
    );
    assert_eq!(
        emulator.client().get("/_sealock/v1/health").status,
        200,
        "the first one is not disturbed"
    );
    emulator.restart();
}

#[test]
fn a_data_directory_of_another_version_is_refused_and_left_alone() {
    let mut emulator = Emulator::start();
    emulator.stop();
    fs::write(emulator.data_dir().join("format"), "99 x\n").unwrap();
    let before = emulator.files();
    let data_dir = emulator.data_dir();
    let arguments = [&ANY_PORT[..], &["--data-dir", data_dir.to_str().unwrap()]].concat();
    let error = refused(&arguments, &[]);
    assert_contains(
        &error,
        &["error:", data_dir.to_str().unwrap(), "format 99"],
        "another format",
    );
    assert!(emulator.files() == before);
}

#[test]
fn an_address_that_cannot_be_listened_on_is_refused_with_a_way_out() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    // Another loopback address, so that nothing on the usual one is in the way.
    let airplay = "127.0.0.2:5000";
    let _airplay = TcpListener::bind(airplay);
    for (address, parts) in [
        (
            taken.as_str(),
            &["is in use", "hint:", "--listen 127.0.0.1:0"][..],
        ),
        (
            airplay,
            &["is in use", "hint:", "AirPlay", "--listen 127.0.0.1:5001"],
        ),
        (
            "0.0.0.0:0",
            &[
                "not a loopback address",
                "without a login",
                "hint:",
                "127.0.0.1",
                "server.auth = \"enforced\"",
                "server.open_to_network = true",
            ],
        ),
        ("[::]:0", &["not a loopback address"]),
        ("192.0.2.1:0", &["not a loopback address"]),
    ] {
        for keep in [&["--ephemeral"][..], &["--data-dir", "data"]] {
            let error = refused(&[&["--listen", address], keep].concat(), &[]);
            assert_contains(&error, &["error:", address], address);
            assert_contains(&error, parts, address);
        }
    }
    // One bad address among good ones is not passed over.
    let error = refused(
        &[
            "--listen",
            "127.0.0.1:0",
            "--listen",
            "0.0.0.0:0",
            "--ephemeral",
        ],
        &[],
    );
    assert_contains(
        &error,
        &["0.0.0.0:0 is not a loopback address"],
        "the second address",
    );
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn a_mistake_in_the_configuration_is_reported_with_file_line_and_expectation() {
    let registry = "[[registries]]\nname = \"abcde\"\nsku = \"Premium\"\n";
    for (config, line, parts) in [
        (
            "[server]\nlissten = []\n",
            2,
            &["unknown field `lissten`", "expected", "listen"][..],
        ),
        (
            "\n[sever]\n",
            2,
            &["unknown field `sever`", "expected", "server"],
        ),
        (
            "[server]\nlisten = 5000\n",
            2,
            &["an address such as \"127.0.0.1:5000\""],
        ),
        (
            "[server]\nlisten = [\"localhost\"]\n",
            2,
            &[
                "'localhost' is not an address to listen on",
                "expected an address and a port",
            ],
        ),
        (
            "[cmk]\n\npropagation = \"never\"\n",
            3,
            &["unknown variant `never`", "expected", "immediate"],
        ),
        (
            "[log]\nformat = \"xml\"\n",
            2,
            &["unknown variant `xml`", "text", "json"],
        ),
        (
            "[registry]\ndefault = \"My-Registry\"\n",
            2,
            &["'My-Registry' is not a registry name", "expected 5 to 50"],
        ),
        (
            "[[vaults]]\nname = \"kv\"\n",
            2,
            &["'kv' is not a vault name", "expected 3 to 24"],
        ),
        (
            "[[vaults]]\npurge_protection = true\n",
            1,
            &["missing field `name`"],
        ),
        (
            "[[vaults]]\nname = \"abc\"\n[[vaults.keys]]\nname = \"a_b\"\n",
            4,
            &["'a_b' is not a key name", "expected"],
        ),
        (
            "[[identities]]\nname = \"-a-\"\n",
            2,
            &["'-a-' is not a managed identity name", "expected"],
        ),
        (
            "[[registries]]\nname = \"abcde\"\nsku = \"Gold\"\n",
            3,
            &["unknown variant `Gold`", "Premium"],
        ),
        (
            &format!("{registry}key = \"k\"\n"),
            4,
            &["'k' is not a key identifier", "expected VAULT/KEY"],
        ),
        (
            &format!("{registry}idenity = \"abc\"\n"),
            4,
            &["unknown field `idenity`", "identity"],
        ),
        ("[server\n", 1, &["expected"]),
        (
            "[server]\ndata_dir = \"a\"\ndata_dir = \"b\"\n",
            3,
            &["duplicate key"],
        ),
    ] {
        let dir = TempDir::new().unwrap();
        fs::write(dir.path().join("typo.toml"), config).unwrap();
        let mut serve = Serve::start(
            dir,
            &[&ANY_PORT[..], &["--config", "typo.toml"]].concat(),
            &[],
        );
        let output = serve.end();
        assert_eq!(output.code, 1, "{config}: {output:?}");
        assert_contains(
            &output.stderr,
            &["error:", "typo.toml", &format!("line {line}")],
            config,
        );
        assert_contains(&output.stderr, parts, config);
        assert!(
            !serve.path(".sealock").exists(),
            "{config}: nothing is written"
        );
    }
    let error = refused(&["--config", "missing.toml"], &[]);
    assert_contains(
        &error,
        &["error:", "missing.toml", "No such file"],
        "a missing file",
    );
}

#[test]
fn a_mistake_in_a_variable_is_reported_with_its_name() {
    for (name, value, parts) in [
        (
            "SEALOCK_CMK__PROPAGATION",
            "never",
            &[
                "SEALOCK_CMK__PROPAGATION",
                "unknown variant `never`",
                "immediate",
            ][..],
        ),
        (
            "SEALOCK_SERVER__LISSTEN",
            "x",
            &[
                "SEALOCK_SERVER__LISSTEN",
                "unknown field `lissten`",
                "listen",
            ],
        ),
        (
            "SEALOCK_SERVER__LISTEN",
            "5000",
            &["SEALOCK_SERVER__LISTEN", "an address such as"],
        ),
        ("SEALOCK_SERVER__LISTEN", "[]", &["server.listen is empty"]),
        (
            "SEALOCK_SERVER__LISTEN",
            "[\"0.0.0.0:0\"]",
            &["0.0.0.0:0 is not a loopback address"],
        ),
        (
            "SEALOCK_REGISTRY__DEFAULT",
            "A",
            &["SEALOCK_REGISTRY__DEFAULT", "'A' is not a registry name"],
        ),
        (
            "SEALOCK_NOPE__X",
            "1",
            &["SEALOCK_NOPE__X", "unknown field `nope`"],
        ),
        (
            "SEALOCK_VAULTS__NAME",
            "abc",
            &["SEALOCK_VAULTS__NAME", "a variable cannot set this section"],
        ),
    ] {
        let mut serve = Serve::start(TempDir::new().unwrap(), &["--ephemeral"], &[(name, value)]);
        let output = serve.end();
        assert_eq!(output.code, 1, "{name}={value}: {output:?}");
        assert_contains(&output.stderr, parts, &format!("{name}={value}"));
    }
}

#[test]
fn a_flag_wins_over_a_variable_and_a_variable_over_the_file() {
    let directories = ["from-file", "from-variable", "from-flag"];
    for used in directories {
        let dir = TempDir::new().unwrap();
        fs::write(
            dir.path().join("config.toml"),
            "[server]\ndata_dir = \"from-file\"\n[log]\nformat = \"text\"\n",
        )
        .unwrap();
        let mut arguments = [
            &ANY_PORT[..],
            &["--ready-file", "ready", "--config", "config.toml"],
        ]
        .concat();
        let mut environment = Vec::new();
        if used != "from-file" {
            environment.push(("SEALOCK_SERVER__DATA_DIR", "from-variable"));
            environment.push(("SEALOCK_LOG__FORMAT", "json"));
        }
        if used == "from-flag" {
            arguments.extend(["--data-dir", "from-flag", "--log-format", "text"]);
        }
        let mut serve = Serve::start(dir, &arguments, &environment);
        serve.ready();
        for directory in directories {
            assert_eq!(
                serve.path(directory).exists(),
                directory == used,
                "{directory} with {used}"
            );
        }
        let log = serve.terminate().stderr;
        let line = log
            .lines()
            .find(|line| line.contains("stopping"))
            .expect("a log line");
        assert_eq!(
            serde_json::from_str::<Value>(line).is_ok(),
            used == "from-variable",
            "{line}"
        );
    }
}

#[test]
fn an_ephemeral_emulator_writes_nothing() {
    let config = concat!(env!("CARGO_MANIFEST_DIR"), "/../emulator-config/ci.toml");
    for arguments in [
        [&ANY_PORT[..], &["--ephemeral"]].concat(),
        vec!["--config", config],
    ] {
        writes_nothing(&[&arguments[..], &["--ready-file", "ready"]].concat());
    }
}

fn writes_nothing(arguments: &[&str]) {
    let mut serve = Serve::start(TempDir::new().unwrap(), arguments, &[]);
    let address = serve.ready()["address"].as_str().unwrap().to_owned();
    let client = Client::new(&format!("http://{address}"));
    let image = Image::random(&[100_000]);
    assert_eq!(client.push("app", "v1", &image).status, 201);
    assert_eq!(client.pull("app", "v1", &image).status, 200);
    let audit = client.get("/_sealock/v1/audit");
    assert!(
        audit.body.windows(9).any(|part| part == b"KeyUnwrap"),
        "{audit:?}"
    );
    let names = |dir: &Path| {
        let mut names: Vec<_> = fs::read_dir(dir)
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        names.sort();
        names
    };
    assert_eq!(names(serve.dir.path()), ["ready", "stderr", "stdout"]);
    let stdout = serve.text("stdout");
    assert_contains(&stdout, &["in memory"], "banner");
    assert_eq!(serve.terminate().code, 0);
    assert_eq!(names(serve.dir.path()), ["stderr", "stdout"]);
}

#[test]
fn the_ready_file_appears_whole_once_requests_are_served() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("ready"), "of an earlier run").unwrap();
    let arguments = [&ANY_PORT[..], &["--ephemeral", "--ready-file", "ready"]].concat();
    let mut serve = Serve::start(dir, &arguments, &[]);
    let mut ready = Value::Null;
    eventually("the ready file", || {
        // At no time is there half a file.
        match fs::read_to_string(serve.path("ready")) {
            Err(error) => assert_eq!(error.kind(), ErrorKind::NotFound),
            Ok(text) if text == "of an earlier run" => {}
            Ok(text) => ready = serde_json::from_str(&text).expect("a whole file"),
        }
        !ready.is_null()
    });
    let address = ready["address"].as_str().unwrap();
    let (host, port) = address.rsplit_once(':').unwrap();
    assert_eq!(
        (host, port.parse::<u16>().is_ok_and(|port| port > 0)),
        ("127.0.0.1", true)
    );
    assert_eq!(
        Client::new(&format!("http://{address}"))
            .get("/_sealock/v1/health")
            .status,
        200,
        "served already"
    );
    assert_eq!(ready["pid"], serve.process.id());
    assert!(ready["ca"].is_null());
    for (endpoint, path) in [("registry", ""), ("control", "/_sealock/v1")] {
        assert_eq!(
            ready["endpoints"][endpoint],
            format!("http://localhost:{port}{path}")
        );
    }
    assert_eq!(serve.terminate().code, 0);
    assert!(!serve.path("ready").exists(), "it goes with the emulator");
}

#[test]
fn sigterm_stops_it_whatever_its_clients_do() {
    let mut emulator = Emulator::start();
    let client = emulator.client();
    let image = Image::random(&[8 << 20]);
    assert_eq!(client.push("app", "v1", &image).status, 201);
    let connect = || TcpStream::connect(emulator.address()).unwrap();

    let mut idle = connect();
    idle.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .unwrap();
    let mut first = [0; 12];
    idle.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"HTTP/1.1 200");

    let mut half_a_head = connect();
    half_a_head
        .write_all(b"GET /v2/ HTTP/1.1\r\nHost: loc")
        .unwrap();

    let location = client
        .send("POST", "/v2/app/blobs/uploads/", &[], b"")
        .header("location")
        .to_owned();
    let mut upload = connect();
    let head =
        format!("PATCH {location} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nhalf");
    upload.write_all(head.as_bytes()).unwrap();

    let layer = sealock_tests::digest_of(image.blobs().next().unwrap());
    let mut stuck_download = client.stream(&format!("/v2/app/blobs/{layer}"));
    stuck_download.read_exact(&mut first).unwrap();

    let mut follow = Command::new(Emulator::binary())
        .args([
            "audit",
            "--follow",
            "--emulator",
            &format!("http://{}", emulator.address()),
        ])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut events = BufReader::new(follow.stdout.take().unwrap());
    let mut event = String::new();
    events.read_line(&mut event).unwrap();
    assert!(event.contains("VaultGet"), "{event}");

    emulator.stop();
    let mut rest = String::new();
    events.read_to_string(&mut rest).unwrap();
    assert!(rest.contains("KeyUnwrap"), "{rest}");
    assert_eq!(
        follow.wait().unwrap().code(),
        Some(0),
        "the audit came to its end"
    );

    emulator.start_again();
    assert_eq!(emulator.client().pull("app", "v1", &image).status, 200);
    emulator.cli(&["verify"]);
}

#[test]
fn a_flag_that_names_no_address_says_what_was_expected() {
    for text in ["5001", "localhost:5001", "127.0.0.1:99999"] {
        let output = Serve::start(TempDir::new().unwrap(), &["--listen", text], &[]).end();
        assert_eq!(output.code, 2, "{text}");
        let expected = format!(
            "'{text}' for '--listen <ADDR>': expected an address and a port, such as 127.0.0.1:5000"
        );
        assert_contains(&output.stderr, &[&expected], text);
    }
}

#[test]
fn the_banner_names_endpoints_key_and_commands() {
    let arguments = [
        &ANY_PORT[..],
        &["--ready-file", "ready", "--data-dir", "kept/here"],
    ]
    .concat();
    let mut serve = Serve::start(TempDir::new().unwrap(), &arguments, &[]);
    let ready = serve.ready();
    eventually("the banner", || {
        serve.text("stdout").contains("docker pull")
    });
    let banner = serve.text("stdout");
    let port = ready["address"]
        .as_str()
        .unwrap()
        .rsplit_once(':')
        .unwrap()
        .1;
    assert_contains(
        &banner,
        &[
            &format!("http://localhost:{port}   (sealock)"),
            &format!("https://sealock.vault.localhost:{port}/keys/registry-key/"),
            "kept/here",
            &format!("https://localhost:{port}, with the CA "),
            "kept/here/tls/ca.pem\n",
            &format!("sealock trust --emulator http://localhost:{port}\n"),
            &format!("sealock hosts --emulator http://localhost:{port}\n"),
            &format!("sealock demo image --emulator http://localhost:{port} | docker load\n"),
            &format!("docker push localhost:{port}/hello:v1\n"),
            &format!("sealock key disable --emulator http://localhost:{port}\n"),
            &format!("docker pull localhost:{port}/hello:v1\n"),
        ],
        "banner",
    );
    assert!(
        !banner.contains('\u{1b}'),
        "no colours where no terminal is: {banner:?}"
    );
    Client::new(&format!("http://127.0.0.1:{port}")).get("/v2/_catalog");
    let output = serve.terminate();
    assert_eq!(output.stdout, banner, "logs go elsewhere");
    assert_contains(&output.stderr, &["/v2/_catalog", "status=200"], "log");
}

#[test]
fn a_missing_or_damaged_service_key_is_refused_with_a_way_out() {
    let mut emulator = Emulator::start();
    let image = Image::random(&[100]);
    assert_eq!(emulator.client().push("app", "v1", &image).status, 201);
    emulator.stop();
    let (data_dir, key) = (emulator.data_dir(), emulator.data_dir().join("service.key"));
    let arguments = [&ANY_PORT[..], &["--data-dir", data_dir.to_str().unwrap()]].concat();
    let content = fs::read(&key).unwrap();

    fs::remove_file(&key).unwrap();
    let error = refused(&arguments, &[]);
    assert_contains(
        &error,
        &[
            "service.key is missing",
            "hint:",
            "SEALOCK_SERVICE_KEY_FILE",
        ],
        "missing",
    );
    assert!(!key.exists(), "no new key hides the loss");
    for damaged in [&b"not base64!"[..], b"AAAA", b""] {
        fs::write(&key, damaged).unwrap();
        assert_contains(
            &refused(&arguments, &[]),
            &["error:", "service.key is damaged"],
            "damaged",
        );
    }
    // Well-formed, but another's.
    fs::write(&key, format!("{}=\n", "A".repeat(43))).unwrap();
    assert_contains(
        &refused(&arguments, &[]),
        &["error:", "is not the one that wrote the data directory"],
        "foreign",
    );
    fs::write(&key, content).unwrap();
    emulator.start_again();
    assert_eq!(emulator.client().pull("app", "v1", &image).status, 200);
}

#[test]
fn the_service_key_can_be_kept_elsewhere() {
    let elsewhere = TempDir::new().unwrap();
    let key = elsewhere.path().join("key");
    let mut emulator = Emulator::start_with(Options {
        environment: vec![(
            "SEALOCK_SERVICE_KEY_FILE".into(),
            key.to_str().unwrap().into(),
        )],
        ..Options::default()
    });
    let image = Image::random(&[100]);
    assert_eq!(emulator.client().push("app", "v1", &image).status, 201);
    emulator.restart();
    assert_eq!(emulator.client().pull("app", "v1", &image).status, 200);
    emulator.stop();

    assert_eq!(
        fs::metadata(&key).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let content = fs::read_to_string(&key).unwrap();
    let content = content.trim().as_bytes();
    for (path, bytes) in emulator.files() {
        let found = bytes.windows(content.len()).any(|window| window == content);
        assert!(
            !found && path.file_name().unwrap() != "service.key",
            "{}",
            path.display()
        );
    }
    let data_dir = emulator.data_dir();
    let arguments = [&ANY_PORT[..], &["--data-dir", data_dir.to_str().unwrap()]].concat();
    let error = refused(&arguments, &[]);
    assert_contains(
        &error,
        &["is missing", "SEALOCK_SERVICE_KEY_FILE"],
        "without the variable",
    );
}

/// Whether others than its owner can do anything with a file or directory.
fn is_open(path: &Path) -> bool {
    fs::metadata(path).unwrap().permissions().mode() & 0o077 != 0
}

#[test]
fn nobody_else_can_read_the_data_directory() {
    let emulator = Emulator::start();
    let client = emulator.client();
    assert_eq!(
        client.push("app", "v1", &Image::random(&[1000])).status,
        201
    );
    let location = client
        .send("POST", "/v2/app/blobs/uploads/", &[], b"")
        .header("location")
        .to_owned();
    assert_eq!(client.send("PATCH", &location, &[], b"staged").status, 202);

    let data_dir = emulator.data_dir();
    let files: Vec<PathBuf> = emulator.files().into_iter().map(|(path, _)| path).collect();
    let below = |name: &str| {
        let name = data_dir.join(name);
        files
            .iter()
            .filter(|path| path.starts_with(&name))
            .cloned()
            .collect::<Vec<_>>()
    };
    for (name, least) in [
        ("service.key", 1),
        ("audit.jsonl", 1),
        ("vault-keys", 2),
        ("blobs", 4),
        ("blobs/staging", 1),
        ("uploads", 1),
    ] {
        let found = below(name);
        assert!(found.len() >= least, "{name}: {found:?}");
        for file in found {
            assert!(!is_open(&file), "{} is open to others", file.display());
        }
    }
    // Names, tags and digests are nobody else's business either.
    for file in &files {
        let closed = file
            .ancestors()
            .take_while(|path| path.starts_with(&data_dir))
            .any(|path| !is_open(path));
        assert!(closed, "{} can be reached by others", file.display());
    }
}

#[test]
fn each_ready_made_configuration_starts() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../emulator-config");
    let mut started = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let file = entry.unwrap().path();
        let name = file.file_name().unwrap().to_str().unwrap().to_owned();
        let listen = if name == "container.toml" {
            "0.0.0.0:0"
        } else {
            "127.0.0.1:0"
        };
        let emulator = Emulator::start_with(Options {
            listen: Some(listen.to_owned()),
            arguments: vec!["--config".into(), file.to_str().unwrap().into()],
            ..Options::default()
        });
        let enforced = ["azure-like.toml", "container.toml"].contains(&name.as_str());
        let expected = if enforced { 401 } else { 200 };
        let catalog = emulator.client().get("/v2/_catalog").status;
        assert_eq!(catalog, expected, "{name}");
        assert_eq!(emulator.json(&["health"])["status"], "ok");
        let registries = emulator.json(&["status"]);
        assert_eq!(
            registries["registries"][0]["gate"]["state"], "available",
            "{name}"
        );
        started.push(name);
    }
    started.sort();
    assert_eq!(
        started,
        [
            "azure-like.toml",
            "ci.toml",
            "container.toml",
            "quickstart.toml"
        ]
    );
}

//! The behaviour of an emulator with a damaged data directory, one byte at a time.

pub(crate) mod registry_client;

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use rand::RngExt as _;
use sealock_tests::{Answer, Client, Emulator, Image, Options, random_bytes};
use serde_json::{Value, json};
use tempfile::TempDir;

use self::registry_client::{Reading, RegistryClient, control};

/// The number of bytes to damage, one after the other; `SEALOCK_FLIPS` overrides it. `SEALOCK_FLIPS_OF` limits the
/// damage to one kind of file, by its name in the summary.
const FLIPS: usize = 24;

/// The number of emulators that run at the same time.
const WORKERS: usize = 3;

/// The time that a start may take.
const DEADLINE: Duration = Duration::from_mins(1);

pub(crate) const CONFIG: &str = r#"
server.auth = "enforced"
tls.azure_names = true
[[identities]]
name = "registry-identity"
[[vaults]]
name = "sealock"
[[vaults.keys]]
name = "registry-key"
[[vaults.keys]]
name = "signer"
kty = "EC"
[[vaults.keys]]
name = "doomed"
[[vaults.access]]
identity = "registry-identity"
permissions = ["get", "wrapKey", "unwrapKey"]
[[registries]]
name = "sealock"
sku = "Premium"
key = "sealock/registry-key"
identity = "registry-identity"
[[registries]]
name = "plain"
sku = "Basic"
"#;

/// A used data directory, with everything that clients read from it while it is intact.
struct Used {
    dir: PathBuf,
    /// The path below the data directory and the length of each file.
    files: Vec<(String, u64)>,
    /// The registry and the location of each unfinished upload.
    uploads: Vec<(&'static str, String)>,
    reading: Reading,
}

/// A running emulator on a data directory.
struct Running {
    process: Child,
    client: Client,
    port: String,
    dir: PathBuf,
}

/// The outcome of a flip.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    Refused,
    Found,
    NoDifference,
}

#[test]
fn flipped_byte_is_refused_reported_or_harmless() {
    let flips = std::env::var("SEALOCK_FLIPS").map_or(FLIPS, |it| it.parse().expect("a number"));
    let place = TempDir::new().unwrap();
    let bases = use_directories(place.path());
    let (next, ends) = (AtomicUsize::new(0), std::sync::Mutex::new(BTreeMap::new()));
    let wrong = std::sync::Mutex::new(Vec::new());
    thread::scope(|scope| {
        for worker in 0..WORKERS {
            let (place, bases, next) = (place.path(), &bases, &next);
            let (ends, wrong) = (&ends, &wrong);
            scope.spawn(move || {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= flips {
                        return;
                    }
                    let base = &bases[number % bases.len()];
                    let dir = place.join(format!("worker-{worker}"));
                    let (what, end) = flip(base, &dir, number / bases.len());
                    match end {
                        Ok(end) => {
                            let kind = kind(what.split(' ').next().unwrap()).to_owned();
                            *ends.lock().unwrap().entry((kind, end)).or_insert(0) += 1;
                        }
                        Err(why) => wrong.lock().unwrap().push(format!("{what}: {why}")),
                    }
                }
            });
        }
    });
    let mut summary = String::new();
    for ((kind, end), count) in ends.into_inner().unwrap() {
        writeln!(summary, "{kind}: {end:?} {count}").unwrap();
    }
    println!("{flips} flips\n{summary}");
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.join("\n\n"));
}

/// Creates two used data directories: one of a stopped emulator, and one of a killed emulator.
fn use_directories(place: &Path) -> Vec<Used> {
    let mut emulator = Emulator::start_with(Options {
        config: Some(CONFIG.to_owned()),
        ..Options::default()
    });
    emulator.cli(&["clock", "freeze"]);
    emulator.cli(&["key", "rotate"]);
    emulator.cli(&["key", "delete", "doomed"]);
    let mut uploads = Vec::new();
    for registry in ["sealock", "plain"] {
        emulator.cli(&["registry", "update", registry, "--admin-enabled", "true"]);
        let door = RegistryClient::of(
            &emulator.client(),
            emulator.address(),
            registry,
            &emulator.data_dir(),
        );
        for tag in ["v1", "v2"] {
            door.push("app", tag, &Image::random(&[3000, 100_000]));
        }
        let begun = door.send("POST", "/v2/app/blobs/uploads/", b"");
        let location = begun.header("location").to_owned();
        let sent = door.send("PATCH", &location, &random_bytes(200_000));
        assert_eq!(sent.status, 202);
        uploads.push((registry, location));
    }
    let lines = |emulator: &Emulator| emulator.cli(&["audit", "--json"]).lines().count();
    let mut audited = vec![lines(&emulator)];
    emulator.stop();
    let mut bases = vec![place.join("stopped")];
    copy(&emulator.data_dir(), &bases[0]);
    emulator.start_again();
    emulator.cli(&["key", "create", "late"]);
    let door = RegistryClient::of(
        &emulator.client(),
        emulator.address(),
        "sealock",
        &emulator.data_dir(),
    );
    door.push("app", "v3", &Image::random(&[5000]));
    audited.push(lines(&emulator));
    emulator.kill();
    bases.push(place.join("killed"));
    copy(&emulator.data_dir(), &bases[1]);
    let read = |(dir, audited): (PathBuf, usize)| {
        let copied = place.join("read");
        copy(&dir, &copied);
        let running = Running::start(&copied).unwrap_or_else(|log| panic!("{log}"));
        let mut reading = running.audit();
        assert!(audited > 3 && reading.len() >= audited, "{reading:?}");
        for line in audited..reading.len() {
            reading.remove(&format!("audit {line}"));
        }
        let verified = running.control("POST", "/verify").json();
        assert_eq!(verified["whole"], true, "{verified}");
        reading.extend(running.read(&uploads));
        assert!(
            reading.values().any(|it| it.contains("range=0-199999")),
            "{reading:#?}"
        );
        drop(running);
        Used {
            files: files(&dir),
            uploads: uploads.clone(),
            reading,
            dir,
        }
    };
    bases.into_iter().zip(audited).map(read).collect()
}

/// Damages one byte of a copy. Returns a description of the byte, and the outcome or a description of the failure.
fn flip(base: &Used, dir: &Path, number: usize) -> (String, Result<End, String>) {
    let mut rng = rand::rng();
    // Each kind of file gets its share.
    let mut kinds: BTreeMap<&str, Vec<&(String, u64)>> = BTreeMap::new();
    let only = std::env::var("SEALOCK_FLIPS_OF").ok();
    let is_wanted = |file: &str| only.as_deref().is_none_or(|only| kind(file) == only);
    let files = base.files.iter();
    for file in files.filter(|(file, length)| *length > 0 && is_wanted(file)) {
        kinds.entry(kind(&file.0)).or_default().push(file);
    }
    let of_kind = kinds.values().nth(number % kinds.len()).unwrap();
    let (file, length) = of_kind[rng.random_range(0..of_kind.len())];
    copy(&base.dir, dir);
    let path = dir.join(file);
    let mut bytes = fs::read(&path).unwrap();
    // Large parts of some files are empty space.
    let mut offset = rng.random_range(0..bytes.len());
    for _ in 0..rng.random_range(0..20) {
        if bytes[offset] != 0 {
            break;
        }
        offset = rng.random_range(0..bytes.len());
    }
    let mask = 1_u8 << rng.random_range(0..8);
    bytes[offset] ^= mask;
    fs::write(&path, &bytes).unwrap();
    let left = base.dir.file_name().unwrap().display();
    let what = format!("{file} of the {left} one, byte {offset} of {length} ^ {mask:#04x}");
    let end = end_of(base, dir, file);
    let log = fs::read_to_string(log(dir)).unwrap_or_default();
    (what, end.map_err(|why| format!("{why}\n{log}")))
}

/// Starts an emulator, reads everything, and returns the outcome.
fn end_of(base: &Used, dir: &Path, file: &str) -> Result<End, String> {
    let running = match Running::start(dir) {
        Ok(running) => running,
        Err(said) => {
            let is_clear = said.contains("error:") && !said.contains("panicked");
            let names_it = said.contains(&dir.join(file).display().to_string());
            return match (is_clear, names_it) {
                (true, true) => Ok(End::Refused),
                (true, false) => Err("it is refused without its name".to_owned()),
                (false, _) if said.contains("panicked") => Err("it panics".to_owned()),
                (false, _) => Err("it neither starts nor ends".to_owned()),
            };
        }
    };
    let mut reading = running.audit();
    let verified = running.control("POST", "/verify");
    if verified.status != 200 {
        let body = String::from_utf8_lossy(&verified.body).into_owned();
        // An answer that names the damage is a finding.
        let is_named = verified.status == 500 && body.contains("damaged");
        return if is_named {
            Ok(End::Found)
        } else {
            Err(format!("verify answers {}: {body}", verified.status))
        };
    }
    let verified = verified.json();
    let mut findings: Vec<String> = Vec::new();
    let no_findings = Vec::new();
    let of_registries = verified["registries"].as_array().unwrap().iter();
    let problems = of_registries
        .map(|registry| &registry["problems"])
        .chain([&verified["problems"]]);
    for problems in problems {
        let problems = problems.as_array().unwrap_or(&no_findings);
        findings.extend(problems.iter().map(|it| it["description"].to_string()));
    }
    let of_registries = verified["registries"].as_array().unwrap().iter();
    findings.extend(of_registries.filter_map(|it| it["cause"].as_str().map(str::to_owned)));
    let set_aside = running.control("GET", "/quarantine").json();
    let set_aside = set_aside["files"].as_array().unwrap().iter();
    let set_aside: Vec<_> = set_aside
        .map(|it| it["name"].as_str().unwrap().to_owned())
        .collect();
    findings.extend(set_aside.iter().cloned());
    let of_registries = verified["registries"].as_array().unwrap().iter();
    let lost = of_registries.filter_map(|it| it["lost_uploads"].as_array());
    let lost: Vec<_> = lost.flatten().map(Value::to_string).collect();
    findings.extend(lost.iter().cloned());
    let is_no_problem = |it: &String| set_aside.contains(it) || lost.contains(it);
    reading.extend(running.read(&base.uploads));
    let differences: Vec<_> = base
        .reading
        .iter()
        .filter(|(name, value)| reading.get(*name) != Some(value))
        .map(|(name, value)| format!("{name} was {value} and is {:?}", reading.get(name)))
        .collect();
    drop(running);
    let said = fs::read_to_string(log(dir)).unwrap();
    if said.contains("panicked") {
        return Err("it panics".to_owned());
    }
    if verified["whole"] == json!(true) && !findings.iter().all(is_no_problem) {
        return Err(format!("whole, with {findings:?}"));
    }
    // A start or a request may quarantine a damaged file, but never removes it.
    let now = files(dir);
    for (name, _) in &base.files {
        let (place, id) = name.rsplit_once('/').unwrap_or(("", name));
        let stays = matches!(place, "blobs" | "vault-keys" | "custodies" | "")
            && !now
                .iter()
                .any(|(now, _)| now == name || now.contains(&format!(".{id}.")));
        if stays {
            return Err(format!("{name} is gone"));
        }
    }
    match (differences.is_empty(), findings.is_empty()) {
        (true, true) => Ok(End::NoDifference),
        (_, false) => Ok(End::Found),
        (false, true) => Err(format!(
            "nothing was found, but\n{}",
            differences.join("\n")
        )),
    }
}

/// Returns the kind of a file of a data directory.
fn kind(file: &str) -> &str {
    match file.rsplit_once('/') {
        Some(("metadata", name)) => name.split_once('-').map_or(file, |(kind, _)| kind),
        Some(("tls", _)) | None => file,
        Some((dir, _)) => dir,
    }
}

impl Running {
    /// Starts an emulator. Returns `Err` with its output if it does not start.
    fn start(dir: &Path) -> Result<Self, String> {
        let ready = dir.with_extension("ready");
        let _ = fs::remove_file(&ready);
        let config = dir.with_extension("toml");
        fs::write(&config, CONFIG).unwrap();
        let process = Command::new(Emulator::binary())
            .args(["serve", "--listen", "127.0.0.1:0", "--ready-file"])
            .arg(&ready)
            .arg("--data-dir")
            .arg(dir)
            .arg("--config")
            .arg(&config)
            .env("RUST_LOG", "warn")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(log(dir)).unwrap())
            .spawn()
            .unwrap();
        let mut running = Self {
            process,
            client: Client::new(""),
            port: String::new(),
            dir: dir.to_owned(),
        };
        let deadline = Instant::now() + DEADLINE;
        while !ready.exists() {
            let is_over = running.process.try_wait().unwrap().is_some();
            if is_over || Instant::now() > deadline {
                return Err(fs::read_to_string(log(dir)).unwrap());
            }
            thread::park_timeout(Duration::from_millis(2));
        }
        let ready: Value = serde_json::from_slice(&fs::read(&ready).unwrap()).unwrap();
        let address = ready["address"].as_str().unwrap();
        running.client = Client::new(&format!("http://{address}"));
        address
            .rsplit_once(':')
            .unwrap()
            .1
            .clone_into(&mut running.port);
        Ok(running)
    }

    fn control(&self, method: &str, path: &str) -> Answer {
        control(&self.client, &self.dir, method, path)
    }

    /// Reads the audit log. A start may add lines to it, and other reads add more.
    fn audit(&self) -> Reading {
        let audit = self.control("GET", "/audit");
        let audit = String::from_utf8_lossy(&audit.body);
        let lines = audit.lines().enumerate();
        lines
            .map(|(number, line)| (format!("audit {number}"), line.to_owned()))
            .collect()
    }

    /// Reads everything else that clients can read.
    fn read(&self, uploads: &[(&'static str, String)]) -> Reading {
        let mut reading = Reading::new();
        let mut paths: Vec<String> = [
            "/registries",
            "/vaults",
            "/vaults/sealock/keys",
            "/vaults/sealock/access",
            "/identities",
            "/applications",
            "/role-assignments",
            "/clock",
        ]
        .map(str::to_owned)
        .into();
        for key in ["registry-key", "signer", "doomed", "late"] {
            paths.push(format!("/vaults/sealock/keys/{key}"));
        }
        for registry in ["sealock", "plain"] {
            for what in ["usage", "tokens", "scope-maps", "credentials"] {
                paths.push(format!("/registries/{registry}/{what}"));
            }
        }
        let port = format!(":{}", self.port);
        for path in paths {
            let answer = self.control("GET", &path);
            let body = String::from_utf8_lossy(&answer.body).replace(&port, ":PORT");
            reading.insert(path, format!("{} {body}", answer.status));
        }
        for registry in ["sealock", "plain"] {
            let address = format!("127.0.0.1:{}", self.port);
            let Some(door) = RegistryClient::find(&self.client, &address, registry, &self.dir)
            else {
                reading.insert(format!("{registry} door"), "closed".to_owned());
                continue;
            };
            door.read(&mut reading);
            for (of, location) in uploads.iter().filter(|(of, _)| *of == registry) {
                let answer = door.send("GET", location, b"");
                let range = answer.headers.get("range");
                let range = range.map_or("none", |it| it.to_str().unwrap());
                reading.insert(
                    format!("{of} upload"),
                    format!("{} range={range}", answer.status),
                );
            }
        }
        reading
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn log(dir: &Path) -> PathBuf {
    dir.with_extension("log")
}

fn copy(from: &Path, to: &Path) {
    let _ = fs::remove_dir_all(to);
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// Lists all files below a directory, with their lengths.
fn files(dir: &Path) -> Vec<(String, u64)> {
    let mut files = Vec::new();
    let mut dirs = vec![dir.to_owned()];
    while let Some(next) = dirs.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                dirs.push(path);
            } else {
                let name = path.strip_prefix(dir).unwrap().to_str().unwrap();
                files.push((name.to_owned(), path.metadata().unwrap().len()));
            }
        }
    }
    files.sort();
    files
}

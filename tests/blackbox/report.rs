//! The compliance report of a scenario, line by line.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
};

use sealock_tests::{Emulator, Image};
use serde_json::Value;

const LAYOUT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/oci-layout/hello");

/// An emulator whose clock stands still, with an image.
fn scenario() -> (Emulator, Image) {
    let emulator = Emulator::start();
    emulator.cli(&["clock", "set", "2030-01-01T00:00:00Z"]);
    emulator.cli(&["clock", "freeze"]);
    let image = Image::from_layout(Path::new(LAYOUT));
    assert_eq!(emulator.client().push("app", "v1", &image).status, 201);
    (emulator, image)
}

fn advance(emulator: &Emulator, step: &str) {
    emulator.cli(&["clock", "advance", step]);
}

/// Replaces what differs between two runs: ports, ids and the time of the start.
fn stable(report: &str) -> String {
    let mut ids: HashMap<String, String> = HashMap::new();
    let is_word = |letter: char| letter.is_ascii_alphanumeric() || letter == '-' || letter == ':';
    let mut stable = String::new();
    let mut rest = report;
    while let Some(first) = rest.chars().next() {
        let length = rest.find(|letter| !is_word(letter)).unwrap_or(rest.len());
        if length == 0 {
            stable.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        }
        let (word, tail) = rest.split_at(length);
        let is_id = word.len() == 32 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
        if is_id {
            let next = format!("ID{}", ids.len() + 1);
            stable.push_str(ids.entry(word.to_owned()).or_insert(next));
        } else if word.starts_with("20") && word.ends_with('Z') && !word.starts_with("2030") {
            stable.push_str("START");
        } else if let Some(("localhost", _)) = word.split_once(':') {
            stable.push_str("localhost:PORT");
        } else {
            stable.push_str(word);
        }
        rest = tail;
    }
    stable
}

fn assert_report(name: &str, report: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, stable(report)));
}

#[test]
fn report_of_two_rotations_a_revocation_and_a_purge_is_correct_line_by_line() {
    let (emulator, image) = scenario();
    let client = emulator.client();
    advance(&emulator, "1h");
    emulator.cli(&["key", "rotate"]);
    advance(&emulator, "1h");
    emulator.cli(&["key", "disable"]);
    assert_eq!(client.get("/v2/app/manifests/v1").status, 403);
    advance(&emulator, "30m");
    emulator.cli(&["key", "enable"]);
    assert_eq!(client.pull("app", "v1", &image).status, 200);
    advance(&emulator, "1h");
    emulator.cli(&["key", "rotate"]);
    emulator.cli(&["identity", "create", "reader"]);
    let to_reader = ["access", "grant", "--identity", "reader"];
    emulator.cli(&[&to_reader[..], &["--permissions", "get,list"]].concat());
    advance(&emulator, "1h");
    let whole = emulator.cli(&["report", "compliance"]);
    assert_report("report-whole", &whole);

    emulator.cli(&["key", "delete"]);
    emulator.cli(&["key", "purge", "--yes"]);
    advance(&emulator, "1h");
    let since = ["--since", "2030-01-01T04:00:00Z"];
    let shredded = emulator.cli(&[&["report", "compliance"][..], &since].concat());
    assert_report("report-shredded", &shredded);
}

#[test]
fn report_in_json_has_the_uses_of_each_role_and_the_samples_asked_for() {
    let (emulator, _) = scenario();
    let role = "Key Vault Crypto Service Encryption User";
    emulator.cli(&["role", "assign", "--role", role, "--vault", "sealock"]);
    emulator.cli(&["vault", "update", "--rbac", "true"]);
    emulator.cli(&["registry", "create", "plain"]);
    let report = emulator.json(&["report", "compliance", "--samples", "1"]);
    let registry = |name: &str| {
        let mut all = report["registries"].as_array().unwrap().iter();
        all.find(|it| it["registry"]["name"] == name)
            .unwrap()
            .clone()
    };
    let users = registry("sealock")["key_users"].clone();
    assert_eq!(users[0]["role"], role);
    assert_eq!(users[0]["principal"]["identity"], "registry-identity");
    let samples = registry("sealock")["storage"]["samples"].clone();
    assert_eq!(samples.as_array().unwrap().len(), 1);
    assert_eq!(
        (&samples[0]["finding"], &samples[0]["layers"]),
        (&"sealed".into(), &serde_json::json!(["service", "cmk"]))
    );
    assert_eq!(
        registry("plain")["storage"]["layers"],
        serde_json::json!(["service"])
    );
    let mut uses = report["key_uses"].as_array().unwrap().iter();
    assert!(uses.any(|it| it["operation"] == "KeyUnwrap" && it["registry"] == "sealock"));
}

#[test]
fn damaged_object_is_reported_as_such() {
    let (emulator, _) = scenario();
    let blobs = emulator.data_dir().join("blobs");
    let files = walk(&blobs);
    for file in &files {
        let mut bytes = fs::read(file).unwrap();
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        fs::write(file, bytes).unwrap();
    }
    let report = emulator.json(&["report", "compliance"]);
    let samples = report["registries"][0]["storage"]["samples"].clone();
    let findings: Vec<&Value> = samples
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["finding"])
        .collect();
    assert_eq!(findings, vec!["damaged"; files.len()]);
}

fn walk(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| {
            if path.is_dir() {
                walk(&path)
            } else {
                vec![path]
            }
        })
        .collect()
}

#[test]
fn period_or_sample_that_cannot_be_is_refused() {
    let emulator = Emulator::start();
    for (arguments, says) in [
        (
            &[
                "--since",
                "2030-01-02T00:00:00Z",
                "--until",
                "2030-01-01T00:00:00Z",
            ][..],
            "the period is empty",
        ),
        (&["--samples", "1001"][..], "ask for up to 1000"),
    ] {
        let refused = emulator.run(&[&["report", "compliance"][..], arguments].concat());
        assert_eq!(refused.code, 1);
        assert!(refused.stderr.contains(says), "{refused:?}");
    }
}

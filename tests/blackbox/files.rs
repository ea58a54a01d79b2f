//! Compares docs/files.md with the data directory of a used emulator.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use sealock_tests::{Emulator, Image, Options, eventually, random_bytes};

use crate::flips::{CONFIG, registry_client::RegistryClient};

const TABLE: &str = include_str!("../../docs/files.md");

/// The placeholders in a path, each with a check of its values.
const PLACEHOLDERS: [(&str, Check); 5] = [
    ("UUID", |text| {
        text.len() == 36 && text.bytes().all(|it| it.is_ascii_hexdigit() || it == b'-')
    }),
    ("ID", |text| {
        text.len() == 32 && text.bytes().all(|it| it.is_ascii_hexdigit())
    }),
    ("NUMBER", |text| {
        text.len() == 20 && text.bytes().all(|it| it.is_ascii_digit())
    }),
    ("SECONDS", |text| {
        !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit())
    }),
    ("HEX", |text| {
        !text.is_empty() && text.bytes().all(|it| it.is_ascii_hexdigit())
    }),
];

type Check = fn(&str) -> bool;

const ID: &str = "00112233445566778899aabbccddeeff";
const UUID: &str = "00112233-4455-4677-8899-aabbccddeeff";

/// Returns the paths in the table below a heading.
fn paths(heading: &str) -> Vec<&'static str> {
    let (_, section) = TABLE.split_once(&format!("## {heading}\n")).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    rows.flat_map(|row| {
        let cell = row.split(" | ").next().unwrap();
        cell.split('`').skip(1).step_by(2)
    })
    .collect()
}

fn matches(pattern: &str, path: &str) -> bool {
    let found = PLACEHOLDERS
        .iter()
        .find_map(|(name, is)| Some((pattern.split_once(name)?, is)));
    let Some(((before, after), is)) = found else {
        return pattern == path;
    };
    let Some(rest) = path.strip_prefix(before) else {
        return false;
    };
    // The rest of the pattern may have a placeholder, too.
    (0..=rest.len())
        .any(|end| rest.is_char_boundary(end) && is(&rest[..end]) && matches(after, &rest[end..]))
}

/// Lists everything in a directory. The name of a directory ends with a slash.
fn entries(dir: &Path) -> BTreeSet<String> {
    let mut entries = BTreeSet::new();
    let mut dirs = vec![dir.to_owned()];
    while let Some(next) = dirs.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(dir).unwrap().to_str().unwrap().to_owned();
            if path.is_dir() {
                entries.insert(name + "/");
                dirs.push(path);
            } else {
                entries.insert(name);
            }
        }
    }
    entries
}

/// Starts an emulator, uses it in every way that leaves a file, and restarts it.
fn used(engine: &str) -> Emulator {
    let mut emulator = Emulator::start_with(Options {
        config: Some(format!(
            "store.engine = \"{engine}\"\naudit.max_file_bytes = 65536\n{CONFIG}"
        )),
        ..Options::default()
    });
    emulator.cli(&["registry", "update", "--admin-enabled", "true"]);
    let data = emulator.data_dir();
    let door = RegistryClient::of(&emulator.client(), emulator.address(), "sealock", &data);
    door.push("app", "v1", &Image::random(&[1000]));
    let begun = door.send("POST", "/v2/app/blobs/uploads/", b"");
    let sent = door.send("PATCH", begun.header("location"), &random_bytes(1000));
    assert_eq!(sent.status, 202);
    emulator.cli(&["key", "rotate"]);
    fill_an_audit_file(&emulator);
    emulator.stop();
    for orphan in [
        format!("blobs/{ID}"),
        format!("blobs/staging/{ID}.retained"),
        format!("vault-keys/{ID}"),
        format!("uploads/{UUID}"),
    ] {
        fs::write(data.join(orphan), "nobody's").unwrap();
    }
    emulator.start_again();
    eventually("four files in quarantine", || {
        fs::read_dir(data.join("quarantine")).is_ok_and(|found| found.count() == 4)
    });
    emulator
}

/// Changes a key until the audit log has a second file.
fn fill_an_audit_file(emulator: &Emulator) {
    let token = fs::read_to_string(emulator.data_dir().join("control.token")).unwrap();
    let bearer = format!("Bearer {}", token.trim());
    let headers = [
        ("authorization", bearer.as_str()),
        ("content-type", "application/json"),
    ];
    let key = "/_sealock/v1/vaults/sealock/keys/signer";
    let client = emulator.client();
    for _ in 0..100 {
        let changed = client.send("PATCH", key, &headers, br#"{"enabled": true}"#);
        assert_eq!(changed.status, 200);
    }
    eventually("a second file of the audit log", || {
        let files = entries(&emulator.data_dir());
        files.iter().any(|name| name.starts_with("audit.jsonl."))
    });
}

#[test]
fn files_of_the_data_directory_match_the_documented_table() {
    let kept = paths("Permanent files");
    let of_sled = paths("With sled");
    let is_of_redb = |path: &&str| path.contains("redb");
    for engine in ["redb", "sled"] {
        let mut wanted = kept.clone();
        if engine == "sled" {
            wanted.retain(|path| !is_of_redb(path));
            wanted.extend(&of_sled);
        }
        let emulator = used(engine);
        let mut met: BTreeMap<&str, bool> = wanted.iter().map(|it| (*it, false)).collect();
        for entry in entries(&emulator.data_dir()) {
            let row = wanted.iter().find(|pattern| matches(pattern, &entry));
            let row = row.unwrap_or_else(|| panic!("{entry} is in no row of docs/files.md"));
            met.insert(row, true);
        }
        met.retain(|_, met| !*met);
        assert!(met.is_empty(), "no such file with {engine}: {met:?}");
        emulator.verify();
    }
}

#[test]
fn next_start_sweeps_the_remains_of_an_interrupted_write() {
    let mut emulator = used("redb");
    let data = emulator.data_dir();
    emulator.stop();
    let unfinished: Vec<_> = paths("Temporary files")
        .into_iter()
        .map(|path| {
            path.replace("UUID", UUID)
                .replace("ID", ID)
                .replace("NUMBER", &"0".repeat(20))
        })
        .collect();
    assert!(unfinished.len() > 10, "{unfinished:?}");
    for path in &unfinished {
        fs::write(data.join(path), "torn").unwrap();
    }
    emulator.start_again();
    let left: Vec<_> = unfinished
        .iter()
        .filter(|path| data.join(path).exists())
        .collect();
    assert!(left.is_empty(), "{left:?}");
    emulator.verify();
}

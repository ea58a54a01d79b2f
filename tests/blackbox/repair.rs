//! A damaged data directory is refused, judged and repaired.

use std::{
    fs,
    path::{Path, PathBuf},
};

use sealock_tests::{Emulator, Image, Output, run};
use serde_json::Value;

/// An emulator with images in its registry. The registry has a customer-managed key.
struct Used {
    emulator: Emulator,
    images: Vec<Image>,
}

impl Used {
    fn new() -> Self {
        let emulator = Emulator::start();
        let mut used = Self {
            emulator,
            images: Vec::new(),
        };
        used.push();
        used
    }

    fn push(&mut self) {
        let image = Image::random(&[100_000, 10]);
        let tag = format!("v{}", self.images.len());
        self.emulator.client().push("hello", &tag, &image);
        self.images.push(image);
    }

    fn dir(&self) -> PathBuf {
        self.emulator.data_dir()
    }

    fn metadata(&self, name: &str) -> PathBuf {
        self.dir().join("metadata").join(name)
    }

    /// Returns the files of the metadata whose names begin with `prefix`, oldest first.
    fn numbered(&self, prefix: &str) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.dir().join("metadata")).unwrap();
        let mut found: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        found.retain(|path| {
            let name = path.file_name().unwrap().to_str().unwrap();
            name.starts_with(prefix)
        });
        found.sort();
        found
    }

    /// Checks that a start is refused.
    fn refused(&self) -> Output {
        let output = self.sealock(&["serve", "--listen", "127.0.0.1:0"]);
        assert_eq!(output.code, 1, "{output:?}");
        output
    }

    /// Runs a command on the data directory.
    fn sealock(&self, arguments: &[&str]) -> Output {
        let dir = self.dir();
        let arguments = [arguments, &["--data-dir", dir.to_str().unwrap()]].concat();
        run(&arguments, dir.parent().unwrap(), &[])
    }

    fn verify_offline(&self) -> Output {
        self.sealock(&["verify", "--offline"])
    }

    fn repair(&self) -> Value {
        let output = self.sealock(&["repair", "--json"]);
        assert_eq!(output.code, 0, "{output:?}");
        serde_json::from_str(&output.stdout).unwrap()
    }

    fn pulls(&self, number: usize) -> u16 {
        let path = format!("/v2/hello/manifests/v{number}");
        let answer = self.emulator.client().get(&path);
        let is_it = answer.body == self.images[number].manifest();
        assert!(answer.status != 200 || is_it, "another manifest");
        answer.status
    }

    /// Checks that everything is present.
    fn assert_whole(&self) {
        for (number, image) in self.images.iter().enumerate() {
            let tag = format!("v{number}");
            let pulled = self.emulator.client().pull("hello", &tag, image);
            assert_eq!(pulled.status, 200, "{pulled:?}");
        }
        self.emulator.cli(&["verify"]);
    }
}

fn change(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    change(&mut bytes);
    fs::write(path, bytes).unwrap();
}

/// Flips bits in each part of a file except the beginning, which identifies the file.
fn riddle(path: &Path) {
    change(path, |bytes| {
        let rest = bytes.iter_mut().skip(4096);
        rest.step_by(100).for_each(|byte| *byte ^= 0x24);
    });
}

pub(crate) fn assert_contains(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in:\n{text}");
    }
}

#[test]
fn damaged_database_is_refused_and_repaired_without_loss() {
    let mut used = Used::new();
    used.emulator.restart();
    used.push();
    used.emulator.kill();
    let whole = used.verify_offline();
    assert_eq!(whole.code, 0, "{whole:?}");
    riddle(&used.metadata("records.redb"));

    let refused = used.refused().stderr;
    assert_contains(
        &refused,
        &[
            "records.redb is damaged",
            "sealock verify --offline --data-dir",
            "sealock repair",
        ],
    );
    let files = used.emulator.files();
    let found = used.verify_offline();
    assert_eq!(found.code, 1, "{found:?}");
    assert_contains(&found.stdout, &["MetadataDamaged", "records.redb"]);
    assert!(files == used.emulator.files(), "it changes nothing");

    let repaired = used.repair();
    assert_eq!(repaired["missing_commits"], 0, "{repaired}");
    assert_eq!(repaired["control_state_is_older"], false, "{repaired}");
    assert_eq!(repaired["disabled_keys"].as_array().unwrap().len(), 0);
    assert_eq!(used.verify_offline().code, 0);
    let again = used.sealock(&["repair"]);
    assert_eq!(again.code, 0, "{again:?}");
    assert_contains(&again.stdout, &["nothing was changed"]);
    let quarantine = used.verify_offline().stdout;
    assert_contains(&quarantine, &["QUARANTINED FILE", "metadata/records.redb"]);
    used.emulator.start_again();
    used.assert_whole();
}

#[test]
fn repair_disables_keys_whose_revocation_may_be_lost() {
    let mut used = Used::new();
    used.emulator.restart();
    used.push();
    // The revocation will be lost, and the remaining records permit the key.
    let key = used.emulator.json(&["key", "show"]);
    used.emulator.cli(&["key", "disable"]);
    used.emulator.stop();
    riddle(&used.metadata("records.redb"));
    let copies = used.numbered("copy-");
    fs::remove_file(copies.last().unwrap()).unwrap();
    let logs = used.numbered("log-");
    // The log that leads from the older copy to the newer one. It loses its end.
    let log = &logs[logs.len() - 2];
    change(log, |bytes| {
        let name = b"key-versions\0";
        let last = bytes.windows(name.len()).rposition(|it| it == name);
        bytes.truncate(last.unwrap());
    });
    used.refused();

    let repaired = used.sealock(&["repair"]);
    assert_eq!(repaired.code, 0, "{repaired:?}");
    let version = key["kid"].as_str().unwrap().rsplit('/').next().unwrap();
    let enable = format!("sealock key enable registry-key --vault sealock --version {version}");
    assert_contains(
        &repaired.stdout,
        &["the last ", "every key was disabled", &enable],
    );

    used.emulator.start_again();
    assert_eq!(used.pulls(0), 403);
    let audit = used.emulator.cli(&["audit"]);
    let updates = audit.lines().filter(|line| line.contains("KeyUpdate"));
    assert_eq!(updates.count(), 1, "the lost one is in quarantine: {audit}");
    let enable: Vec<&str> = enable.split(' ').skip(1).collect();
    used.emulator.cli(&enable);
    used.assert_whole();
}

#[test]
fn repair_restores_a_custody_record_from_its_copy() {
    let mut used = Used::new();
    used.emulator.stop();
    // Neither the database nor a copy is intact, and the rest has no custody record.
    for copy in used.numbered("copy-") {
        change(&copy, |bytes| {
            let name = b"custodies\0";
            for at in 0..bytes.len() - name.len() {
                if bytes[at..].starts_with(name) {
                    bytes[at] ^= 1;
                }
            }
        });
    }
    fs::remove_file(used.metadata("records.redb")).unwrap();
    for log in used.numbered("log-") {
        fs::remove_file(log).unwrap();
    }
    let repaired = used.repair();
    assert_eq!(
        repaired["restored_custodies"],
        serde_json::json!(["sealock"]),
        "{repaired}"
    );
    assert_eq!(repaired["control_state_is_older"], true);
    used.emulator.start_again();
    assert_eq!(used.pulls(0), 403);
    used.emulator.cli(&["key", "enable"]);
    used.assert_whole();
}

#[test]
fn repair_reports_missing_content_and_keys() {
    let mut used = Used::new();
    used.emulator.stop();
    let objects = |set: &str| {
        let entries = fs::read_dir(used.dir().join(set)).unwrap();
        let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        files.retain(|path| path.is_file());
        files
    };
    let blob = objects("blobs")
        .into_iter()
        .max_by_key(|path| path.metadata().unwrap().len());
    fs::remove_file(blob.unwrap()).unwrap();
    let short = objects("blobs").pop().unwrap();
    change(&short, |bytes| bytes.truncate(bytes.len() - 1));
    let key = objects("vault-keys").pop().unwrap();
    change(&key, |bytes| *bytes.last_mut().unwrap() ^= 1);
    let stray = used
        .dir()
        .join("blobs")
        .join("00000000000000000000000000000000");
    fs::write(&stray, "whose?").unwrap();
    let stray = stray.file_name().unwrap().to_str().unwrap();

    let found = used.verify_offline();
    assert_eq!(found.code, 1, "{found:?}");
    let layer = used.images[0].blobs().next().unwrap();
    let digest = sealock_tests::digest_of(layer);
    let missing = format!("ContentDamaged: {digest} of hello in the registry sealock");
    assert_contains(
        &found.stdout,
        &[&missing, "PrivateKeyDamaged", "ObjectOrphaned", stray],
    );
    let damaged = found.stdout.matches("ContentDamaged").count();
    assert_eq!(damaged, 2, "{found:?}");

    fs::remove_file(used.metadata("records.redb")).unwrap();
    let repaired = used.repair();
    assert_eq!(
        repaired["damaged_contents"].as_array().unwrap().len(),
        2,
        "{repaired}"
    );
    assert_eq!(
        repaired["damaged_private_keys"].as_array().unwrap().len(),
        1,
        "{repaired}"
    );
    assert_eq!(repaired["unmentioned_objects"][0], format!("blobs/{stray}"));
}

#[test]
fn directory_in_use_or_missing_is_neither_verified_nor_repaired() {
    let used = Used::new();
    for command in [&["verify", "--offline"][..], &["repair"]] {
        let output = used.sealock(command);
        assert_eq!(output.code, 1, "{output:?}");
        assert_contains(&output.stderr, &["is in use"]);
        let none = used.dir().join("none");
        let arguments = [command, &["--data-dir", none.to_str().unwrap()]].concat();
        let output = run(&arguments, &used.dir(), &[]);
        assert_eq!(output.code, 1, "{output:?}");
        assert_contains(&output.stderr, &["the data directory", "does not exist"]);
        assert!(!none.exists());
    }
    used.assert_whole();
}

#[test]
fn other_engine_is_refused_and_repair_converts() {
    let mut used = Used::new();
    used.emulator.stop();
    let sled = [("SEALOCK_STORE__ENGINE", "sled")];
    let dir = used.dir();
    let at = ["--data-dir", dir.to_str().unwrap()];
    let serve = ["serve", "--listen", "127.0.0.1:0"];
    let refused = run(&[&serve[..], &at].concat(), dir.parent().unwrap(), &sled);
    assert_eq!(refused.code, 1, "{refused:?}");
    assert_contains(
        &refused.stderr,
        &[
            "store.engine = \"redb\"",
            "convert the directory with: sealock repair",
        ],
    );
    let repaired = run(
        &[&["repair"][..], &at].concat(),
        dir.parent().unwrap(),
        &sled,
    );
    assert_eq!(repaired.code, 0, "{repaired:?}");
    assert!(used.metadata("records.sled").is_dir());
    let sled = sled.map(|(name, value)| (name.to_owned(), value.to_owned()));
    used.emulator.set_environment(sled.into());
    used.emulator.start_again();
    used.assert_whole();
}

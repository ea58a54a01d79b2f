//! The repair of a damaged store.

mod interrupted;
mod used;

use std::{fs, path::Path};

use sealock_store::{
    Authenticator, Error, Source, Store, StoreFiles, check_offline, finish, metadata::EngineKind,
    repair,
};

use self::used::{NOW, Used, content, everything};
use crate::{files, open, store::as_killed};

/// A function that damages its argument.
type Damage<T> = fn(&T);

fn change(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    change(&mut bytes);
    fs::write(path, bytes).unwrap();
}

/// Flips a bit every 500 bytes.
fn riddle(path: &Path) {
    change(path, |bytes| {
        bytes.iter_mut().step_by(500).for_each(|byte| *byte ^= 0x10);
    });
}

/// Flips a bit of the last occurrence of `what` in the file.
fn flip(path: &Path, what: &str) {
    change(path, |bytes| {
        let at = bytes
            .windows(what.len())
            .rposition(|it| it == what.as_bytes());
        bytes[at.unwrap()] ^= 1;
    });
}

#[tokio::test]
async fn a_store_that_is_whole_is_left_as_it_is() {
    for engine in [EngineKind::Redb, EngineKind::Sled] {
        let used = Used::with_engine(engine).await;
        let files = files(&used.dir(), engine);
        let before = everything(&used.dir());
        assert_eq!(check_offline(&files).unwrap(), [""; 0]);
        let done = repair(&files, NOW).unwrap();
        assert!(!done.is_done() && !done.control_state_is_older);
        assert_eq!((done.reached, done.newest), (22, 22));
        assert_eq!(everything(&used.dir()), before);
    }
}

#[tokio::test]
async fn a_damaged_database_is_restored_whole_from_copy_and_log() {
    let damages: [(&str, Damage<Path>); 6] = [
        ("riddled", riddle),
        ("emptied", |path| fs::write(path, "").unwrap()),
        ("another program's", |path| {
            fs::write(path, "x".repeat(50_000)).unwrap();
        }),
        ("cut", |path| {
            change(path, |bytes| bytes.truncate(bytes.len() / 2));
        }),
        ("zeroed", |path| change(path, |bytes| bytes.fill(0))),
        ("missing", |path| fs::remove_file(path).unwrap()),
    ];
    for (name, damage) in damages {
        let used = Used::new().await;
        damage(&used.metadata("records.redb"));
        let refused = used.refused();
        assert!(
            matches!(
                refused,
                Error::DamagedFile { .. } | Error::Missing { .. } | Error::Io(_)
            ),
            "{name}: {refused:?}"
        );
        let found = check_offline(&used.files()).unwrap().join("\n");
        assert!(found.contains("records.redb"), "{name}: {found}");
        let (done, content) = used.repair().await;
        assert_eq!(content, used.content, "{name}");
        assert_eq!(done.source, Some(Source::Copy(11)), "{name}");
        assert_eq!(
            (done.reached, done.newest, done.missing_commits),
            (22, 22, 0)
        );
        assert!(
            !done.control_state_is_older && done.tables.is_empty(),
            "{done:?}"
        );
        let was_there = name != "missing";
        let listed = done
            .quarantined
            .contains(&"metadata/records.redb".to_owned());
        assert_eq!(listed, was_there, "{name}");
        let store = open(&used.dir());
        let quarantined = store.quarantine.list().unwrap();
        let found = quarantined
            .iter()
            .find(|it| it.name == "metadata/records.redb");
        assert_eq!(found.map(|found| found.since), was_there.then_some(NOW));
        store.quarantine.remove(NOW + 1).unwrap();
        assert!(store.quarantine.list().unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_record_of_the_database_that_was_changed_is_restored() {
    let used = Used::new().await;
    flip(&used.metadata("records.redb"), "\"blob 15\"");
    let refused = used.refused().to_string();
    assert!(refused.contains("records.redb"), "{refused}");
    let (done, content) = used.repair().await;
    assert_eq!(content, used.content);
    assert!(!done.control_state_is_older);
}

#[tokio::test]
async fn a_damaged_file_beside_the_database_is_made_anew() {
    let damages: [(&str, Damage<Used>); 11] = [
        ("copy-00000000000000000011", |used| {
            riddle(&used.metadata("copy-00000000000000000011"));
        }),
        ("copy", |used| {
            for number in [0, 11] {
                fs::remove_file(used.metadata(&format!("copy-{number:020}"))).unwrap();
            }
        }),
        ("log-00000000000000000000", |used| {
            fs::remove_file(used.metadata("log-00000000000000000000")).unwrap();
        }),
        ("log-00000000000000000011", |used| {
            change(&used.log(), |bytes| bytes[3] ^= 1);
        }),
        ("newest", |used| {
            fs::remove_file(used.metadata("newest")).unwrap();
        }),
        ("newest", |used| {
            change(&used.metadata("newest"), |bytes| bytes.fill(0));
        }),
        ("format", |used| {
            fs::remove_file(used.dir().join("format")).unwrap();
        }),
        ("format", |used| riddle(&used.dir().join("format"))),
        ("format", |used| {
            fs::write(used.dir().join("format"), "").unwrap();
        }),
        ("audit.jsonl", |used| {
            flip(&used.dir().join("audit.jsonl"), "12");
        }),
        ("audit.jsonl", |used| {
            fs::remove_file(used.dir().join("audit.jsonl")).unwrap();
        }),
    ];
    for (name, damage) in damages {
        let used = Used::new().await;
        damage(&used);
        let found = check_offline(&used.files()).unwrap().join("\n");
        assert!(found.contains(name), "{name}: {found}");
        let (done, content) = used.repair().await;
        assert_eq!(content, used.content, "{name}");
        assert_eq!(done.source, Some(Source::Database), "{name}");
        assert_eq!(
            (done.missing_commits, done.missing_journal_bytes),
            (0, 0),
            "{name}"
        );
        assert!(
            !done.control_state_is_older && done.tables.is_empty(),
            "{done:?}"
        );
    }
}

#[tokio::test]
async fn commits_behind_a_damaged_one_are_missing_and_told() {
    for (last_whole, lost, is_control) in [(22, 3, true), (27, 2, false)] {
        let used = Used::new().await;
        flip(&used.log(), &format!("blob {}", last_whole + 1));
        assert!(used.refused().to_string().contains("was acknowledged"));
        let (done, content) = used.repair().await;
        assert_eq!(content.blobs.len(), last_whole - 9);
        assert!(used.content.journal.starts_with(&content.journal));
        assert!(content.journal.ends_with(&format!("\"{last_whole}\"\n")));
        let key = if is_control { "enabled" } else { "disabled" };
        assert_eq!(content.keys["k"], key);
        assert_eq!(done.newest, 22);
        let lost = if is_control { 5 + lost } else { lost };
        assert_eq!(done.missing_commits, u64::try_from(lost).unwrap());
        assert_eq!(done.control_state_is_older, is_control, "{done:?}");
    }
}

#[tokio::test]
async fn without_the_newest_number_a_log_that_was_cut_counts_as_loss_of_control_state() {
    let used = Used::new().await;
    fs::remove_file(used.log()).unwrap();
    fs::remove_file(used.metadata("newest")).unwrap();
    let (done, content) = used.repair().await;
    assert_eq!(content.blobs.len(), 10);
    assert!(!done.is_newest_known && done.control_state_is_older);
}

#[tokio::test]
async fn the_older_copy_serves_where_the_newer_is_damaged_too() {
    let used = Used::new().await;
    riddle(&used.metadata("records.redb"));
    riddle(&used.metadata("copy-00000000000000000011"));
    let (done, content) = used.repair().await;
    assert_eq!(content, used.content);
    assert_eq!(done.source, Some(Source::Copy(0)));
    assert!(!done.control_state_is_older);
}

#[tokio::test]
async fn where_no_copy_is_whole_the_authentic_records_are_restored() {
    let used = Used::new().await;
    flip(&used.metadata("records.redb"), "\"blob 15\"");
    for number in [0, 11] {
        fs::remove_file(used.metadata(&format!("copy-{number:020}"))).unwrap();
    }
    let (done, content) = used.repair().await;
    let mut wanted = used.content.clone();
    wanted.blobs.remove("15").unwrap();
    assert_eq!(content, wanted);
    assert_eq!(done.source, Some(Source::PartOfDatabase));
    let tables: Vec<_> = done.tables.iter().map(ToString::to_string).collect();
    assert_eq!(tables, ["the table 'blobs' has 9 records instead of 10"]);
    assert_eq!(done.missing_commits, 0);
    assert!(
        done.control_state_is_older,
        "nobody knows what the record was of"
    );

    let used = Used::new().await;
    fs::remove_file(used.metadata("records.redb")).unwrap();
    fs::remove_file(used.metadata("copy-00000000000000000000")).unwrap();
    flip(&used.metadata("copy-00000000000000000011"), "\"blob 15\"");
    let (done, content) = used.repair().await;
    assert_eq!(content, wanted);
    assert_eq!(done.source, Some(Source::PartOfCopy(11)));
    assert!(done.control_state_is_older);
}

#[tokio::test]
async fn gaps_are_filled_from_an_older_copy_and_the_ledger_says_whether_that_is_all() {
    for (lost, is_in_copy) in [("15", true), ("25", false)] {
        let used = Used::new().await;
        // The state after a stop: the database has all commits. The log after the older copy leads nowhere.
        fs::remove_dir_all(used.dir()).unwrap();
        as_killed(&used.dir.path().join("live"), &used.dir());
        flip(&used.metadata("records.redb"), &format!("\"blob {lost}\""));
        fs::remove_file(used.metadata("copy-00000000000000000022")).unwrap();
        change(&used.log(), |bytes| bytes.truncate(60));
        let (done, content) = used.repair().await;
        let mut wanted = used.content.clone();
        if !is_in_copy {
            wanted.blobs.remove(lost).unwrap();
        }
        assert_eq!(content, wanted, "{done:?}");
        assert_eq!(done.source, Some(Source::PartOfDatabase));
        assert_eq!((done.reached, done.missing_commits), (22, 0));
        assert_eq!(done.tables.is_empty(), is_in_copy, "{done:?}");
        assert_eq!(done.control_state_is_older, !is_in_copy);
    }
}

#[tokio::test]
async fn what_is_nowhere_is_not_restored() {
    let used = Used::new().await;
    let refused = |files: &StoreFiles| {
        let before = everything(&used.dir());
        let refused = repair(files, NOW).err().unwrap();
        assert_eq!(everything(&used.dir()), before);
        refused
    };
    let foreign = StoreFiles {
        authenticator: Authenticator::new(&[8; 32]),
        ..used.files()
    };
    assert!(matches!(refused(&foreign), Error::KeyForeign { .. }));
    fs::write(used.dir().join("format"), "99 x\n").unwrap();
    fs::remove_dir_all(used.dir().join("metadata")).unwrap();
    assert!(matches!(refused(&used.files()), Error::KeyForeign { .. }));
    let used = Used::new().await;
    fs::remove_dir_all(used.dir().join("metadata")).unwrap();
    let nothing = repair(&used.files(), NOW).err().unwrap();
    assert!(matches!(nothing, Error::NothingToRestore(_)));
}

#[tokio::test]
async fn the_database_of_another_directory_is_not_taken_for_this_ones() {
    let (used, other) = (Used::new().await, Used::new().await);
    fs::copy(
        other.metadata("records.redb"),
        used.metadata("records.redb"),
    )
    .unwrap();
    let (done, content) = used.repair().await;
    assert_eq!(content, used.content);
    assert_eq!(done.source, Some(Source::Copy(11)));
}

#[tokio::test]
async fn a_journal_that_lost_lines_goes_on_with_what_is_authentic() {
    let used = Used::new().await;
    let journal = used.dir().join("audit.jsonl");
    // The log of the first use is gone. Only the mark of the copy authenticates its lines.
    for gone in ["log-00000000000000000000", "copy-00000000000000000000"] {
        fs::remove_file(used.metadata(gone)).unwrap();
    }
    flip(&journal, "21");
    let (done, content) = used.repair().await;
    assert_eq!(content, used.content, "the log has that line");
    assert!(!done.is_done(), "and each start writes it anew");

    let used = Used::new().await;
    for gone in ["log-00000000000000000000", "copy-00000000000000000000"] {
        fs::remove_file(used.metadata(gone)).unwrap();
    }
    flip(&used.dir().join("audit.jsonl"), "12");
    let (done, content) = used.repair().await;
    let (first, second) = used.content.journal.split_at(10 * 5);
    assert_eq!(content.journal, second);
    assert_eq!(done.missing_journal_bytes, first.len() as u64);
    assert!(done.quarantined.contains(&"audit.jsonl".to_owned()));
}

#[tokio::test]
async fn another_engine_takes_over_what_one_has() {
    let used = Used::new().await;
    let sled = files(&used.dir(), EngineKind::Sled);
    let found = check_offline(&sled).unwrap();
    assert!(found.len() == 1 && found[0].contains("redb"), "{found:?}");
    let before = everything(&used.dir());
    let done = repair(&sled, NOW).unwrap();
    assert!(
        !done.control_state_is_older && done.missing_commits == 0,
        "{done:?}"
    );
    assert_eq!(done.engine, "sled");
    finish(&sled).unwrap();
    let store = Store::open(sled).unwrap();
    assert_eq!(content(&store).await, used.content);
    drop(store);
    let back = repair(&used.files(), NOW).unwrap();
    finish(&used.files()).unwrap();
    assert_eq!(back.source, Some(Source::Database));
    let store = open(&used.dir());
    assert_eq!(content(&store).await, used.content);
    let names: Vec<String> = store
        .quarantine
        .list()
        .unwrap()
        .into_iter()
        .map(|it| it.name)
        .collect();
    for name in ["metadata/records.redb", "metadata/records.sled", "format"] {
        assert!(names.iter().any(|it| it == name), "{names:?}");
    }
    assert_eq!(
        store.quarantine.remove(i64::MAX).unwrap().len(),
        names.len()
    );
    assert!(!before.is_empty() && store.quarantine.list().unwrap().is_empty());
}

#[tokio::test]
async fn a_plan_that_is_none_of_ours_is_set_aside() {
    let used = Used::new().await;
    fs::create_dir(used.dir().join("repair")).unwrap();
    let forged = r#"{"repair":{},"moves":[["metadata/newest","../newest"]]}"#;
    fs::write(used.dir().join("repair/plan"), forged).unwrap();
    assert!(matches!(used.refused(), Error::RepairUnfinished(_)));
    assert!(check_offline(&used.files()).unwrap()[0].contains("not finished"));
    let (done, content) = used.repair().await;
    assert_eq!(content, used.content);
    assert!(done.is_done() && !done.control_state_is_older);
}

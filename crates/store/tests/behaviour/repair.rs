//! The repair of a damaged store.

mod interrupted;
mod used;

use std::{fs, path::Path};

use sealock_store::{
    Authenticator, Error, Source, Store, StoreFiles, check_offline, finish_repair,
    metadata::EngineKind, repair,
};

use self::used::{KilledStore, NOW, all_files, read_content};
use crate::{JOURNAL, files, open, store::copy_as_killed};

/// A function that damages its argument.
type Damage<T> = fn(&T);

fn change(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    change(&mut bytes);
    fs::write(path, bytes).unwrap();
}

/// Flips a bit in every 500th byte.
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
async fn undamaged_store_is_left_unchanged() {
    for engine in [EngineKind::Redb, EngineKind::Sled] {
        let used = KilledStore::with_engine(engine).await;
        let files = files(&used.dir(), engine);
        let before = all_files(&used.dir());
        assert_eq!(check_offline(&files).unwrap(), [""; 0]);
        let done = repair(&files, NOW).unwrap();
        assert!(!done.is_done() && !done.control_state_is_older);
        assert_eq!((done.reached, done.newest), (22, 22));
        assert_eq!(all_files(&used.dir()), before);
    }
}

#[tokio::test]
async fn damaged_database_is_restored_from_copy_and_log() {
    let damages: [(&str, Damage<Path>); 6] = [
        ("riddled", riddle),
        ("emptied", |path| fs::write(path, "").unwrap()),
        ("foreign", |path| {
            fs::write(path, "x".repeat(50_000)).unwrap();
        }),
        ("truncated", |path| {
            change(path, |bytes| bytes.truncate(bytes.len() / 2));
        }),
        ("zeroed", |path| change(path, |bytes| bytes.fill(0))),
        ("missing", |path| fs::remove_file(path).unwrap()),
    ];
    for (name, damage) in damages {
        let used = KilledStore::new().await;
        damage(&used.metadata("records.redb"));
        let error = used.open_error();
        assert!(
            matches!(
                error,
                Error::DamagedFile { .. } | Error::Missing { .. } | Error::Io(_)
            ),
            "{name}: {error:?}"
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
        let existed = name != "missing";
        let listed = done
            .quarantined
            .contains(&"metadata/records.redb".to_owned());
        assert_eq!(listed, existed, "{name}");
        let store = open(&used.dir());
        let quarantined = store.quarantine.list().unwrap();
        let found = quarantined
            .iter()
            .find(|it| it.name == "metadata/records.redb");
        assert_eq!(found.map(|found| found.since), existed.then_some(NOW));
        store.quarantine.remove(NOW + 1).unwrap();
        assert!(store.quarantine.list().unwrap().is_empty());
    }
}

#[tokio::test]
async fn changed_record_of_the_database_is_restored() {
    let used = KilledStore::new().await;
    flip(&used.metadata("records.redb"), "\"blob 15\"");
    let error = used.open_error().to_string();
    assert!(error.contains("records.redb"), "{error}");
    let (done, content) = used.repair().await;
    assert_eq!(content, used.content);
    assert!(!done.control_state_is_older);
}

#[tokio::test]
async fn damaged_file_beside_the_database_is_rewritten() {
    let damages: [(&str, Damage<KilledStore>); 11] = [
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
        (JOURNAL, |used| {
            flip(&used.dir().join(JOURNAL), "12");
        }),
        (JOURNAL, |used| {
            fs::remove_file(used.dir().join(JOURNAL)).unwrap();
        }),
    ];
    for (name, damage) in damages {
        let used = KilledStore::new().await;
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
async fn commits_after_a_damaged_one_are_reported_as_missing() {
    for (last_intact, lost, is_control) in [(22, 3, true), (27, 2, false)] {
        let used = KilledStore::new().await;
        flip(&used.log(), &format!("blob {}", last_intact + 1));
        assert!(used.open_error().to_string().contains("was acknowledged"));
        let (done, content) = used.repair().await;
        assert_eq!(content.blobs.len(), last_intact - 9);
        assert!(used.content.journal.starts_with(&content.journal));
        assert!(content.journal.ends_with(&format!("\"{last_intact}\"\n")));
        let key = if is_control { "enabled" } else { "disabled" };
        assert_eq!(content.keys["k"], key);
        assert_eq!(done.newest, 22);
        let lost = if is_control { 5 + lost } else { lost };
        assert_eq!(done.missing_commits, u64::try_from(lost).unwrap());
        assert_eq!(done.control_state_is_older, is_control, "{done:?}");
    }
}

#[tokio::test]
async fn truncated_log_counts_as_loss_of_control_state_if_the_newest_number_is_unknown() {
    let used = KilledStore::new().await;
    fs::remove_file(used.log()).unwrap();
    fs::remove_file(used.metadata("newest")).unwrap();
    let (done, content) = used.repair().await;
    assert_eq!(content.blobs.len(), 10);
    assert!(!done.is_newest_known && done.control_state_is_older);
}

#[tokio::test]
async fn older_copy_is_used_if_the_newer_is_damaged() {
    let used = KilledStore::new().await;
    riddle(&used.metadata("records.redb"));
    riddle(&used.metadata("copy-00000000000000000011"));
    let (done, content) = used.repair().await;
    assert_eq!(content, used.content);
    assert_eq!(done.source, Some(Source::Copy(0)));
    assert!(!done.control_state_is_older);
}

#[tokio::test]
async fn authentic_records_are_restored_if_no_copy_is_intact() {
    let used = KilledStore::new().await;
    flip(&used.metadata("records.redb"), "\"blob 15\"");
    for number in [0, 11] {
        fs::remove_file(used.metadata(&format!("copy-{number:020}"))).unwrap();
    }
    let (done, content) = used.repair().await;
    let mut expected = used.content.clone();
    expected.blobs.remove("15").unwrap();
    assert_eq!(content, expected);
    assert_eq!(done.source, Some(Source::PartOfDatabase));
    let tables: Vec<_> = done.tables.iter().map(ToString::to_string).collect();
    assert_eq!(tables, ["the table 'blobs' has 9 records instead of 10"]);
    assert_eq!(done.missing_commits, 0);
    assert!(
        done.control_state_is_older,
        "the lost record may have been of any kind"
    );

    let used = KilledStore::new().await;
    fs::remove_file(used.metadata("records.redb")).unwrap();
    fs::remove_file(used.metadata("copy-00000000000000000000")).unwrap();
    flip(&used.metadata("copy-00000000000000000011"), "\"blob 15\"");
    let (done, content) = used.repair().await;
    assert_eq!(content, expected);
    assert_eq!(done.source, Some(Source::PartOfCopy(11)));
    assert!(done.control_state_is_older);
}

#[tokio::test]
async fn gaps_are_filled_from_an_older_copy_as_far_as_it_has_the_records() {
    for (lost, is_in_copy) in [("15", true), ("25", false)] {
        let used = KilledStore::new().await;
        // The state after a stop: the database has all commits. The log after the older copy is truncated.
        fs::remove_dir_all(used.dir()).unwrap();
        copy_as_killed(&used.dir.path().join("live"), &used.dir());
        flip(&used.metadata("records.redb"), &format!("\"blob {lost}\""));
        fs::remove_file(used.metadata("copy-00000000000000000022")).unwrap();
        change(&used.log(), |bytes| bytes.truncate(60));
        let (done, content) = used.repair().await;
        let mut expected = used.content.clone();
        if !is_in_copy {
            expected.blobs.remove(lost).unwrap();
        }
        assert_eq!(content, expected, "{done:?}");
        assert_eq!(done.source, Some(Source::PartOfDatabase));
        assert_eq!((done.reached, done.missing_commits), (22, 0));
        assert_eq!(done.tables.is_empty(), is_in_copy, "{done:?}");
        assert_eq!(done.control_state_is_older, !is_in_copy);
    }
}

#[tokio::test]
async fn repair_fails_and_changes_nothing_if_nothing_is_authentic() {
    let used = KilledStore::new().await;
    let repair_error = |files: &StoreFiles| {
        let before = all_files(&used.dir());
        let error = repair(files, NOW).err().unwrap();
        assert_eq!(all_files(&used.dir()), before);
        error
    };
    let foreign = StoreFiles {
        authenticator: Authenticator::new(&[8; 32]),
        ..used.files()
    };
    assert!(matches!(repair_error(&foreign), Error::KeyForeign { .. }));
    fs::write(used.dir().join("format"), "99 x\n").unwrap();
    fs::remove_dir_all(used.dir().join("metadata")).unwrap();
    assert!(matches!(
        repair_error(&used.files()),
        Error::KeyForeign { .. }
    ));
    let used = KilledStore::new().await;
    fs::remove_dir_all(used.dir().join("metadata")).unwrap();
    let error = repair(&used.files(), NOW).err().unwrap();
    assert!(matches!(error, Error::NothingToRestore(_)));
}

#[tokio::test]
async fn database_of_another_directory_is_not_used() {
    let (used, other) = (KilledStore::new().await, KilledStore::new().await);
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
async fn damaged_journal_is_restored_from_the_log_or_keeps_its_authentic_part() {
    let used = KilledStore::new().await;
    let journal = used.dir().join(JOURNAL);
    // Without the log of the first use, only the mark of the copy authenticates its lines.
    for name in ["log-00000000000000000000", "copy-00000000000000000000"] {
        fs::remove_file(used.metadata(name)).unwrap();
    }
    flip(&journal, "21");
    let (done, content) = used.repair().await;
    assert_eq!(content, used.content, "the log has the changed line");
    assert!(!done.is_done(), "each start rewrites that line");

    let used = KilledStore::new().await;
    for name in ["log-00000000000000000000", "copy-00000000000000000000"] {
        fs::remove_file(used.metadata(name)).unwrap();
    }
    flip(&used.dir().join(JOURNAL), "12");
    let (done, content) = used.repair().await;
    let (first, second) = used.content.journal.split_at(10 * 5);
    assert_eq!(content.journal, second);
    assert_eq!(done.missing_journal_bytes, first.len() as u64);
    assert!(done.quarantined.contains(&JOURNAL.to_owned()));
}

#[tokio::test]
async fn repair_converts_a_store_to_another_engine_and_back() {
    let used = KilledStore::new().await;
    let sled = files(&used.dir(), EngineKind::Sled);
    let found = check_offline(&sled).unwrap();
    assert!(found.len() == 1 && found[0].contains("redb"), "{found:?}");
    let before = all_files(&used.dir());
    let done = repair(&sled, NOW).unwrap();
    assert!(
        !done.control_state_is_older && done.missing_commits == 0,
        "{done:?}"
    );
    assert_eq!(done.engine, "sled");
    finish_repair(&sled).unwrap();
    let store = Store::open(sled).unwrap();
    assert_eq!(read_content(&store).await, used.content);
    drop(store);
    let back = repair(&used.files(), NOW).unwrap();
    finish_repair(&used.files()).unwrap();
    assert_eq!(back.source, Some(Source::Database));
    let store = open(&used.dir());
    assert_eq!(read_content(&store).await, used.content);
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
async fn forged_repair_plan_is_quarantined() {
    let used = KilledStore::new().await;
    fs::create_dir(used.dir().join("repair")).unwrap();
    let forged = r#"{"repair":{},"moves":[["metadata/newest","../newest"]]}"#;
    fs::write(used.dir().join("repair/plan"), forged).unwrap();
    assert!(matches!(used.open_error(), Error::RepairUnfinished(_)));
    assert!(check_offline(&used.files()).unwrap()[0].contains("not finished"));
    let (done, content) = used.repair().await;
    assert_eq!(content, used.content);
    assert!(done.is_done() && !done.control_state_is_older);
}

//! The journal's files: their rotation, and readers meanwhile.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use sealock_store::{
    JournalLimits, Source, Store, StoreFiles, check_offline, finish_repair, metadata::EngineKind,
    repair,
};

use crate::{JOURNAL, files, store::copy_as_killed};

/// A file holds ten lines of this test.
const LIMITS: JournalLimits = JournalLimits {
    file_bytes: 10 * LINE_BYTES,
    files: 4,
};

const LINE_BYTES: u64 = 9;

fn limited(dir: &Path, engine: EngineKind) -> StoreFiles {
    StoreFiles {
        journal: LIMITS,
        ..files(dir, engine)
    }
}

fn line(number: u64) -> String {
    format!("\"{number:06}\"\n")
}

fn lines(numbers: impl IntoIterator<Item = u64>) -> String {
    numbers.into_iter().map(line).collect()
}

/// Writes the lines of some numbers, each in a commit of its own.
async fn write(store: &Store, numbers: impl IntoIterator<Item = u64>) {
    for number in numbers {
        store.journal(&format!("{number:06}")).await.unwrap();
    }
}

/// Reads the journal from an offset on. Returns the offset of the first line found, and the lines.
fn read_from(store: &Store, from: u64) -> (u64, String) {
    let first = store.audit.read(from).unwrap();
    let (start, mut end, mut text) = (first.start, first.end(), first.lines);
    while end < store.audit.end() {
        let next = store.audit.read(end).unwrap();
        assert_eq!(next.start, end);
        end = next.end();
        text.extend(next.lines);
    }
    (start, String::from_utf8(text).unwrap())
}

/// Returns the content of the journal's files, by their names.
fn journal_files(dir: &Path) -> BTreeMap<String, String> {
    let entries = fs::read_dir(dir).unwrap();
    let files = entries.filter_map(|entry| {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let is_journal = name.starts_with(JOURNAL);
        is_journal.then(|| (name, fs::read_to_string(entry.path()).unwrap()))
    });
    files.collect()
}

fn file_of(dir: &Path, first_number: u64) -> PathBuf {
    dir.join(format!("{JOURNAL}.{:020}", first_number * LINE_BYTES))
}

#[tokio::test]
async fn journal_keeps_the_newest_files_within_its_limits() {
    for engine in [EngineKind::Redb, EngineKind::Sled] {
        let dir = tempfile::tempdir().unwrap();
        for start in [0, 55, 110] {
            let store = Store::open(limited(dir.path(), engine)).unwrap();
            write(&store, start..start + 55).await;
            assert_eq!(store.check().await.unwrap(), [""; 0], "{engine:?}");
            let (first, kept) = read_from(&store, 0);
            assert_eq!(first, store.audit.start());
            assert_eq!(kept, lines(first / LINE_BYTES..start + 55), "{engine:?}");
            let found = journal_files(dir.path());
            // The oldest file stays until the next checkpoint.
            assert!(found.len() <= LIMITS.files + 1, "{found:?}");
            assert!(
                found
                    .values()
                    .all(|text| text.len() as u64 <= LIMITS.file_bytes),
                "{found:?}"
            );
            assert_eq!(found.into_values().collect::<String>(), kept);
            store.close().await;
            drop(store);
            assert_eq!(
                check_offline(&limited(dir.path(), engine)).unwrap(),
                [""; 0]
            );
        }
        let store = Store::open(limited(dir.path(), engine)).unwrap();
        let (first, kept) = read_from(&store, 0);
        assert_eq!(kept, lines(first / LINE_BYTES..165));
        assert!(kept.len() as u64 >= LIMITS.file_bytes * 3, "{kept}");
    }
}

#[tokio::test]
async fn cursor_stays_valid_across_files_and_moves_past_removed_ones() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(limited(dir.path(), EngineKind::Redb)).unwrap();
    write(&store, 0..15).await;
    let cursor = 5 * LINE_BYTES;
    assert_eq!(read_from(&store, cursor), (cursor, lines(5..15)));
    write(&store, 15..25).await;
    assert_eq!(read_from(&store, cursor), (cursor, lines(5..25)));
    write(&store, 25..65).await;
    let start = store.audit.start();
    assert!(start > cursor);
    assert_eq!(
        read_from(&store, cursor),
        (start, lines(start / LINE_BYTES..65))
    );
    let later = 50 * LINE_BYTES;
    assert_eq!(read_from(&store, later), (later, lines(50..65)));
}

#[tokio::test]
async fn journal_in_memory_keeps_as_much_as_files_would() {
    let store = Store::ephemeral_with(LIMITS);
    write(&store, 0..500).await;
    let (first, kept) = read_from(&store, 0);
    assert_eq!(kept, lines(first / LINE_BYTES..500));
    let limit = LIMITS.file_bytes * LIMITS.files as u64;
    assert!((limit - LIMITS.file_bytes..=limit).contains(&(kept.len() as u64)));
    assert_eq!(store.audit.end(), 500 * LINE_BYTES);
}

/// Creates a store with three full files, from line 20, 30 and 40 on, and some lines in a fourth.
async fn rotated(dir: &Path) {
    let store = Store::open(limited(dir, EngineKind::Redb)).unwrap();
    write(&store, 0..55).await;
    store.close().await;
    drop(store);
    assert!(file_of(dir, 20).exists() && !file_of(dir, 10).exists());
}

#[tokio::test]
async fn damage_in_any_file_of_the_journal_is_found() {
    for first in [20, 30, 40, 50] {
        let dir = tempfile::tempdir().unwrap();
        rotated(dir.path()).await;
        let limited = limited(dir.path(), EngineKind::Redb);
        let file = file_of(dir.path(), first);
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let text = fs::read_to_string(&file).unwrap();
        fs::write(&file, text.replace('3', "4")).unwrap();
        let found = Store::open(limited.clone()).unwrap().check().await.unwrap();
        assert!(found.len() == 1 && found[0].contains(&name), "{found:?}");
        let found = check_offline(&limited).unwrap();
        assert!(found.len() == 1 && found[0].contains(&name), "{found:?}");
        fs::write(&file, &text[1..]).unwrap();
        let refused = Store::open(limited.clone()).err().unwrap().to_string();
        assert!(refused.contains(&name), "{refused}");
        fs::remove_file(&file).unwrap();
        let refused = Store::open(limited).err().unwrap().to_string();
        assert!(
            refused.contains(&name) && refused.contains("missing"),
            "{refused}"
        );
    }
}

#[tokio::test]
async fn repair_keeps_the_whole_files_around_a_damaged_one() {
    let dir = tempfile::tempdir().unwrap();
    rotated(dir.path()).await;
    // The lines are in the log, too, unless it is gone.
    let limited = limited(dir.path(), EngineKind::Redb);
    for entry in fs::read_dir(dir.path().join("metadata")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name.ends_with("-00000000000000000000") {
            fs::remove_file(path).unwrap();
        }
    }
    let file = file_of(dir.path(), 30);
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("035", "xxx")).unwrap();
    let done = repair(&limited, 1_800_000_000).unwrap();
    assert_eq!(done.source, Some(Source::Database));
    assert_eq!(done.missing_journal_bytes, 10 * LINE_BYTES);
    assert_eq!(
        done.quarantined
            .iter()
            .filter(|it| it.starts_with(JOURNAL))
            .count(),
        4
    );
    finish_repair(&limited).unwrap();
    let store = Store::open(limited.clone()).unwrap();
    let kept = lines((20..30).chain(40..55));
    assert_eq!(read_from(&store, 0), (20 * LINE_BYTES, kept.clone()));
    assert_eq!(store.check().await.unwrap(), [""; 0]);
    write(&store, 55..60).await;
    assert!(read_from(&store, 0).1.ends_with(&lines(50..60)));
    drop(store);
    assert_eq!(check_offline(&limited).unwrap(), [""; 0]);
}

#[tokio::test]
async fn copy_from_before_a_rotation_leads_to_the_files_after_it() {
    let dir = tempfile::tempdir().unwrap();
    let live = dir.path().join("live");
    rotated(&live).await;
    let limited = limited(&live, EngineKind::Redb);
    let store = Store::open(limited.clone()).unwrap();
    write(&store, 55..95).await;
    let killed = StoreFiles {
        dir: copy_as_killed(&live, &dir.path().join("killed")),
        ..limited
    };
    let expected = read_from(&store, 0);
    drop(store);
    fs::remove_file(killed.dir.join("metadata/records.redb")).unwrap();
    let done = repair(&killed, 1_800_000_000).unwrap();
    assert!(matches!(done.source, Some(Source::Copy(_))), "{done:?}");
    assert_eq!((done.missing_commits, done.missing_journal_bytes), (0, 0));
    finish_repair(&killed).unwrap();
    let store = Store::open(killed).unwrap();
    assert_eq!(read_from(&store, 0), expected);
    assert_eq!(store.check().await.unwrap(), [""; 0]);
}

use std::ops::Bound;

use sealock_store::{Batch, Commit, Store, Table};

const TABLE: Table<String> = Table::content("table");
const OTHER: Table<String> = Table::content("tablf");
const CONTROL: Table<String> = Table::control("control");

pub(crate) async fn all(store: &Store) {
    put_get_and_delete(store).await;
    a_scan_is_sorted_and_bounded(store).await;
    expectations_guard_the_whole_batch(store).await;
    one_of_many_racing_writers_wins(store).await;
    lines_come_with_their_commit_and_in_its_order(store).await;
    only_a_control_commit_raises_the_epoch(store).await;
}

async fn commit(store: &Store, batch: Batch) -> bool {
    store.commit(batch).await.unwrap() == Commit::Done
}

async fn put(store: &Store, key: &[&str], value: &str) {
    assert!(commit(store, Batch::new().put(&TABLE, key, &value.to_owned())).await);
}

fn get(store: &Store, key: &[&str]) -> Option<String> {
    let record = store.get(&TABLE, key).unwrap();
    record.map(|record| record.value)
}

fn scan(store: &Store, prefix: &[&str], from: Bound<&str>) -> Vec<String> {
    let entries = store.scan(&TABLE, prefix, from);
    entries.map(|entry| entry.unwrap().key.join("/")).collect()
}

async fn put_get_and_delete(store: &Store) {
    let key = ["pgd", "a"];
    assert_eq!(get(store, &key), None);
    put(store, &key, "1").await;
    put(store, &key, "2").await;
    assert_eq!(get(store, &key).unwrap(), "2");
    let delete = Batch::new()
        .delete(&TABLE, &key)
        .delete(&TABLE, &["pgd", "never-there"]);
    assert!(commit(store, delete).await);
    assert_eq!(get(store, &key), None);
}

async fn a_scan_is_sorted_and_bounded(store: &Store) {
    for key in ["b", "a", "c\u{e9}", "c"] {
        put(store, &["scan", key], "").await;
    }
    put(store, &["scam", "z"], "").await;
    let other = Batch::new().put(&OTHER, &["scan", "d"], &String::new());
    assert!(commit(store, other).await);
    let all = scan(store, &["scan"], Bound::Unbounded);
    assert_eq!(all, ["a", "b", "c", "c\u{e9}"]);
    let behind = scan(store, &["scan"], Bound::Excluded("b"));
    assert_eq!(behind, ["c", "c\u{e9}"]);
    assert_eq!(scan(store, &["scan"], Bound::Included("x")), [""; 0]);
    assert_eq!(scan(store, &["sca"], Bound::Unbounded), [""; 0]);
}

async fn expectations_guard_the_whole_batch(store: &Store) {
    let (a, b) = (["exp", "a"], ["exp", "b"]);
    let put_a = || Batch::new().put(&TABLE, &a, &"1".to_owned());
    let put_b = || Batch::new().put(&TABLE, &b, &"1".to_owned());
    assert!(commit(store, put_a().expect_absent(&TABLE, &a)).await);
    let stale = store.get(&TABLE, &a).unwrap().unwrap();
    assert!(!commit(store, put_b().expect_absent(&TABLE, &a)).await);
    assert!(!commit(store, put_b().expect_present(&TABLE, &b)).await);
    put(store, &a, "2").await;
    assert!(!commit(store, put_b().expect(&TABLE, &a, &stale)).await);
    assert_eq!(get(store, &b), None);
    let current = store.get(&TABLE, &a).unwrap().unwrap();
    assert!(commit(store, put_b().expect(&TABLE, &a, &current)).await);
    assert_eq!(get(store, &b).unwrap(), "1");
}

async fn one_of_many_racing_writers_wins(store: &Store) {
    let writers = (0..8).map(|n: i32| {
        let store = store.clone();
        tokio::spawn(async move {
            let batch = Batch::new().expect_absent(&TABLE, &["race"]).put(
                &TABLE,
                &["race"],
                &n.to_string(),
            );
            commit(&store, batch).await
        })
    });
    let writers: Vec<_> = writers.collect();
    let mut wins = 0;
    for writer in writers {
        wins += i32::from(writer.await.unwrap());
    }
    assert_eq!(wins, 1);
}

async fn lines_come_with_their_commit_and_in_its_order(store: &Store) {
    let from = store.audit.end();
    let batch = Batch::new().put(&TABLE, &["line"], &String::new());
    assert!(commit(store, batch.record(&"one")).await);
    let refused = Batch::new().expect_absent(&TABLE, &["line"]);
    assert!(!commit(store, refused.record(&"refused")).await);
    store.record(&"two").await.unwrap();
    store.record_or_hold(&"three").await;
    let (lines, end) = store.audit.read(from).unwrap();
    assert_eq!(lines, b"\"one\"\n\"two\"\n\"three\"\n");
    assert_eq!(end, store.audit.end());
}

async fn only_a_control_commit_raises_the_epoch(store: &Store) {
    let before = store.epoch();
    put(store, &["epoch"], "").await;
    store.record(&"nothing changes").await.unwrap();
    assert_eq!(store.epoch(), before);
    let control = Batch::new().put(&CONTROL, &["epoch"], &String::new());
    assert!(commit(store, control).await);
    assert!(store.epoch() > before);
    let after = store.epoch();
    assert!(commit(store, Batch::new().delete(&CONTROL, &["epoch"])).await);
    assert!(store.epoch() > after);
}

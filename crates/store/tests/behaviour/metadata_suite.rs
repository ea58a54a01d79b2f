//! The behaviour of every implementation of `Metadata`.

use std::{ops::Bound, pin::pin};

use futures_util::{FutureExt as _, TryStreamExt as _};
use sealock_store::{Batch, Commit, Error, Lock, Store, Table};

use crate::suite::run_all_async;

const TABLE: Table<String> = Table::content("table");
const OTHER: Table<String> = Table::content("tablf");
const CONTROL: Table<String> = Table::control("control");

pub(crate) async fn all(store: &Store) {
    run_all_async!(
        store,
        [
            get_returns_the_last_put_until_a_delete,
            scan_is_sorted_and_bounded,
            scan_back_is_sorted_and_bounded,
            failed_expectation_rejects_the_whole_batch,
            one_of_several_racing_commits_wins,
            journal_lines_follow_the_order_of_their_commits,
            only_control_commits_raise_the_epoch,
            overtaken_updates_all_complete,
            update_that_always_conflicts_fails,
            exclusive_lock_has_one_holder,
        ]
    );
}

async fn commit(store: &Store, batch: Batch) -> bool {
    store.commit(batch).await.unwrap() == Commit::Done
}

async fn put(store: &Store, key: &[&str], value: &str) {
    assert!(commit(store, Batch::new().put(&TABLE, key, &value.to_owned())).await);
}

async fn get(store: &Store, key: &[&str]) -> Option<String> {
    let record = store.get(&TABLE, key).await.unwrap();
    record.map(|record| record.value)
}

async fn scan(store: &Store, prefix: &[&str], from: Bound<&str>) -> Vec<String> {
    let entries = store.scan(&TABLE, prefix, from);
    let keys = entries.map_ok(|entry| entry.key.join("/"));
    keys.try_collect().await.unwrap()
}

async fn get_returns_the_last_put_until_a_delete(store: &Store) {
    let key = ["pgd", "a"];
    assert_eq!(get(store, &key).await, None);
    put(store, &key, "1").await;
    put(store, &key, "2").await;
    assert_eq!(get(store, &key).await.unwrap(), "2");
    let delete = Batch::new()
        .delete(&TABLE, &key)
        .delete(&TABLE, &["pgd", "absent"]);
    assert!(commit(store, delete).await);
    assert_eq!(get(store, &key).await, None);
}

async fn scan_back(store: &Store, prefix: &[&str], from: Bound<&str>) -> Vec<String> {
    let entries = store.scan_back(&TABLE, prefix, from);
    let keys = entries.map_ok(|entry| entry.key.join("/"));
    keys.try_collect().await.unwrap()
}

async fn scan_is_sorted_and_bounded(store: &Store) {
    for key in ["b", "a", "c\u{e9}", "c"] {
        put(store, &["scan", key], "").await;
    }
    put(store, &["scam", "z"], "").await;
    let other = Batch::new().put(&OTHER, &["scan", "d"], &String::new());
    assert!(commit(store, other).await);
    let all = scan(store, &["scan"], Bound::Unbounded).await;
    assert_eq!(all, ["a", "b", "c", "c\u{e9}"]);
    let after = scan(store, &["scan"], Bound::Excluded("b")).await;
    assert_eq!(after, ["c", "c\u{e9}"]);
    assert_eq!(scan(store, &["scan"], Bound::Included("x")).await, [""; 0]);
    assert_eq!(scan(store, &["sca"], Bound::Unbounded).await, [""; 0]);
    let first = store.first(&TABLE, &["scan"], Bound::Excluded("a")).await;
    assert_eq!(first.unwrap().unwrap().key, ["b"]);
    let first = store.first(&TABLE, &["scan"], Bound::Included("x")).await;
    assert!(first.unwrap().is_none());

    let many: Vec<_> = (1000..1200).map(|number| number.to_string()).collect();
    let puts = many.iter().fold(Batch::new(), |batch, key| {
        batch.put(&TABLE, &["many", key], &String::new())
    });
    assert!(commit(store, puts).await);
    assert_eq!(scan(store, &["many"], Bound::Unbounded).await, many);
    let back = many.iter().rev();
    assert!(back.eq(&scan_back(store, &["many"], Bound::Unbounded).await));
}

async fn scan_back_is_sorted_and_bounded(store: &Store) {
    for key in ["b", "a", "c\u{e9}", "c"] {
        put(store, &["back", key], "").await;
    }
    put(store, &["bacj", "z"], "").await;
    put(store, &["bacl", "a"], "").await;
    let all = scan_back(store, &["back"], Bound::Unbounded).await;
    assert_eq!(all, ["c\u{e9}", "c", "b", "a"]);
    let before = scan_back(store, &["back"], Bound::Excluded("c")).await;
    assert_eq!(before, ["b", "a"]);
    let up_to = scan_back(store, &["back"], Bound::Included("c")).await;
    assert_eq!(up_to, ["c", "b", "a"]);
    let none = scan_back(store, &["back"], Bound::Excluded("a")).await;
    assert_eq!(none, [""; 0]);
}

async fn failed_expectation_rejects_the_whole_batch(store: &Store) {
    let (a, b) = (["exp", "a"], ["exp", "b"]);
    let put_a = || Batch::new().put(&TABLE, &a, &"1".to_owned());
    let put_b = || Batch::new().put(&TABLE, &b, &"1".to_owned());
    assert!(commit(store, put_a().expect_absent(&TABLE, &a)).await);
    let stale = store.get(&TABLE, &a).await.unwrap().unwrap();
    assert!(!commit(store, put_b().expect_absent(&TABLE, &a)).await);
    assert!(!commit(store, put_b().expect_present(&TABLE, &b)).await);
    put(store, &a, "2").await;
    assert!(!commit(store, put_b().expect(&TABLE, &a, &stale)).await);
    assert_eq!(get(store, &b).await, None);
    let current = store.get(&TABLE, &a).await.unwrap().unwrap();
    assert!(commit(store, put_b().expect(&TABLE, &a, &current)).await);
    assert_eq!(get(store, &b).await.unwrap(), "1");
}

async fn one_of_several_racing_commits_wins(store: &Store) {
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

async fn journal_lines_follow_the_order_of_their_commits(store: &Store) {
    let from = store.audit.end();
    let batch = Batch::new().put(&TABLE, &["line"], &String::new());
    assert!(commit(store, batch.journal(&"one")).await);
    let refused = Batch::new().expect_absent(&TABLE, &["line"]);
    assert!(!commit(store, refused.journal(&"refused")).await);
    store.journal(&"two").await.unwrap();
    store.journal_or_hold(&"three").await;
    let read = store.audit.read(from).unwrap();
    assert_eq!(read.lines, b"\"one\"\n\"two\"\n\"three\"\n");
    assert_eq!(read.end(), store.audit.end());
}

async fn only_control_commits_raise_the_epoch(store: &Store) {
    let before = store.epoch().await.unwrap();
    put(store, &["epoch"], "").await;
    store.journal(&"nothing changes").await.unwrap();
    assert_eq!(store.epoch().await.unwrap(), before);
    let control = Batch::new().put(&CONTROL, &["epoch"], &String::new());
    assert!(commit(store, control).await);
    assert!(store.epoch().await.unwrap() > before);
    let after = store.epoch().await.unwrap();
    assert!(commit(store, Batch::new().delete(&CONTROL, &["epoch"])).await);
    assert!(store.epoch().await.unwrap() > after);
}

async fn overtaken_updates_all_complete(store: &Store) {
    put(store, &["count"], "0").await;
    let updates = (0..64).map(|_| {
        let store = store.clone();
        tokio::spawn(async move {
            let update = store.update(|| async {
                let count = store.get(&TABLE, &["count"]).await?.unwrap();
                let more = count.parse::<u32>().unwrap() + 1;
                let batch = Batch::new().expect(&TABLE, &["count"], &count).put(
                    &TABLE,
                    &["count"],
                    &more.to_string(),
                );
                Ok::<_, Error>((batch, more))
            });
            update.await.unwrap()
        })
    });
    let updates: Vec<_> = updates.collect();
    let mut counts = Vec::new();
    for update in updates {
        counts.push(update.await.unwrap());
    }
    counts.sort_unstable();
    assert!(counts.into_iter().eq(1..=64));
}

async fn update_that_always_conflicts_fails(store: &Store) {
    put(store, &["present"], "").await;
    let update = store.update(|| async {
        let batch = Batch::new().expect_absent(&TABLE, &["present"]);
        let batch = batch.put(&TABLE, &["present"], &"other".to_owned());
        Ok::<_, Error>((batch, ()))
    });
    assert!(matches!(update.await, Err(Error::Overtaken)));
    assert_eq!(get(store, &["present"]).await.unwrap(), "");
    let nothing = store.update(|| async { Ok::<_, Error>((Batch::new(), "nothing")) });
    assert_eq!(nothing.await.unwrap(), "nothing");
}

async fn exclusive_lock_has_one_holder(store: &Store) {
    const LOCK: Lock = Lock::new("lock");
    let first = store.lock_shared(&LOCK, &["a"]).await.unwrap();
    let second = store.clone().lock_shared(&LOCK, &["a"]).await.unwrap();
    let _elsewhere = store.lock_exclusive(&LOCK, &["b"]).await.unwrap();
    let mut first_in_line = pin!(store.lock_exclusive(&LOCK, &["a"]));
    assert!((&mut first_in_line).now_or_never().is_none());
    let mut second_in_line = pin!(store.lock_shared(&LOCK, &["a"]));
    assert!(
        (&mut second_in_line).now_or_never().is_none(),
        "requests are served in order"
    );
    drop((first, second));
    let exclusive = first_in_line.await.unwrap();
    assert!((&mut second_in_line).now_or_never().is_none());
    drop(exclusive);
    drop(second_in_line.await.unwrap());
}

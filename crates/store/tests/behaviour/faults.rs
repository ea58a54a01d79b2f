//! The behaviour of a store while its disk fails or is full, and once the disk works again.

use std::{
    future::Future,
    time::{Duration, Instant},
};

use rustix::io::Errno;
use sealock_store::{Commit, Error, Fault, Store};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::{
    model::{Change, Session, files, found, recover},
    simulated_disk::{Failure, Kind, Operation, Random, SimulatedDisk},
};

/// The time that a store may take to notice that its disk works again. It tries every second.
const DEADLINE: Duration = Duration::from_secs(20);

async fn until<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let deadline = Instant::now() + DEADLINE;
    while !holds().await {
        assert!(Instant::now() < deadline, "{what} does not become true");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Makes a store that was closed and opened again, with some commits in each of its two logs.
async fn used() -> Session {
    let mut session = Session::new(SimulatedDisk::empty());
    session.open().await.unwrap();
    session
        .commit(Change::default().put("a", "1").line("first"))
        .await;
    session.close().await;
    session.open().await.unwrap();
    session
        .commit(Change::default().put("b", "1").put("key", "1"))
        .await;
    session.publish(&[3; 2000]).unwrap();
    session
        .commit(Change::default().put("a", "2").line("second"))
        .await;
    session
}

/// Checks that the store holds every acknowledged change after a kill, a loss of power and a close, each on its own.
async fn check_starts(session: &mut Session, what: &str) {
    let (found, mut random) = (session.disk.image(), Random(7));
    let images = [
        (found.after_kill(), false),
        (found.after_loss_of_power(&mut random), true),
        (found.after_loss_of_power(&mut random), true),
    ];
    let effects = session.disk.effects();
    for (image, is_loss_of_power) in images {
        let recovered = recover(image, &session.account, effects, is_loss_of_power).await;
        recovered.unwrap_or_else(|error| panic!("{what}: {error}"));
    }
    session.close().await;
    let image = session.disk.image().after_loss_of_power(&mut random);
    let recovered = recover(image, &session.account, session.disk.effects(), true).await;
    recovered.unwrap_or_else(|error| panic!("{what}, after a close: {error}"));
}

fn is_change(operation: &Operation<'_>) -> bool {
    !operation.kind.is_read()
}

/// Lets the disk fail. Checks that the store reports `fault`, and goes on once the disk works again.
async fn a_disk_fails(
    what: &str,
    fault: Fault,
    mut fails: impl FnMut(&Operation<'_>) -> Option<Failure> + Send + 'static,
) {
    let mut session = used().await;
    let before = session.found().await;
    session.disk.fail(move |operation| fails(operation));
    for number in 0..3 {
        let change = Change::default().put("a", "refused").line("refused");
        let refused = session.try_commit(change).await.unwrap_err();
        assert_eq!(refused.fault(), Some(fault), "{what} {number}: {refused}");
        assert_eq!(session.found().await, before, "{what} {number}");
        let condition = session.store().condition();
        assert_eq!(condition.failure.unwrap().fault, Some(fault), "{what}");
    }
    session.record_or_hold("held").await;
    session.record_or_hold("held on").await;
    assert_eq!(session.store().condition().held_lines, 2, "{what}");
    let conflicted = session.conflict("a").await;
    assert_ne!(conflicted, Some(Commit::Done), "{what}");

    session.disk.mend();
    let store = session.store().clone();
    until(what, || async {
        let condition = store.condition();
        condition.failure.is_none() && condition.held_lines == 0
    })
    .await;
    session
        .commit(Change::default().put("a", "3").line("third"))
        .await;
    assert_eq!(session.found().await, session.account.all(), "{what}");
    assert_eq!(store.check().await.unwrap(), [""; 0], "{what}");
    drop(store);
    check_starts(&mut session, what).await;
}

#[tokio::test]
async fn a_disk_that_fails_refuses_commits_and_is_written_again_once_it_works() {
    let failing = |errno: Errno| {
        move |operation: &Operation<'_>| is_change(operation).then_some(errno.into())
    };
    tokio::join!(
        a_disk_fails("EIO", Fault::Failing, failing(Errno::IO)),
        a_disk_fails("ENOSPC", Fault::Full, failing(Errno::NOSPC)),
        a_disk_fails("EROFS", Fault::ReadOnly, failing(Errno::ROFS)),
        a_disk_fails("a short write", Fault::Full, |operation| {
            is_change(operation).then_some(Failure {
                written: 30,
                ..Errno::NOSPC.into()
            })
        }),
        a_disk_fails("a sync that fails", Fault::Failing, |operation| {
            (operation.kind == Kind::Sync).then_some(Errno::IO.into())
        }),
        a_disk_fails("a sync that forgets", Fault::Failing, |operation| {
            (operation.kind == Kind::Sync).then_some(Failure {
                forgets: true,
                ..Errno::IO.into()
            })
        }),
        a_disk_fails(
            "no file can be made, nor the log synced",
            Fault::TooManyFiles,
            |operation| {
                let is_log = operation.path.to_string_lossy().contains("log-");
                match operation.kind {
                    Kind::Create | Kind::Open => Some(Errno::MFILE.into()),
                    Kind::Sync if is_log => Some(Errno::MFILE.into()),
                    _ => None,
                }
            }
        ),
    );
}

/// Starts and uses the store twice, whatever fails on the way.
async fn go_through(session: &mut Session) {
    open(session).await;
    let note = Uuid::new_v4();
    let change = |key, line| Change::default().put(key, "1").line(line);
    let _ = session.try_commit(change("a", "first")).await;
    let object = session.publish(&[4; 900]);
    let _ = session.note(note, Some(b"a note"));
    let _ = session.try_commit(change("key", "second")).await;
    session.close().await;

    open(session).await;
    let _ = session.try_commit(change("b", "third")).await;
    if let Ok(object) = object {
        let removal = change("c", "fourth").delete("a").remove(object);
        let _ = session.try_commit(removal).await;
    }
    let _ = session.note(note, Some(b"another note"));
    let _ = session.try_commit(change("d", "fifth")).await;
}

/// Opens the store, at the second or third attempt if the disk fails.
async fn open(session: &mut Session) {
    for _ in 0..3 {
        if session.open().await.is_ok() {
            return;
        }
    }
    session.disk.mend();
    session.open().await.unwrap();
}

/// A failure of `count` operations, from the number `first` on.
#[derive(Clone, Copy, Debug)]
struct Fails {
    first: usize,
    count: usize,
    failure: Failure,
}

async fn some_operations_fail(fails: Fails) {
    let what = format!("{fails:?}");
    let mut session = Session::new(SimulatedDisk::empty());
    let range = fails.first..fails.first + fails.count;
    session
        .disk
        .fail(move |operation| range.contains(&operation.number).then_some(fails.failure));
    go_through(&mut session).await;
    session.disk.mend();
    let mut committed = Err(Error::Closed);
    let deadline = Instant::now() + DEADLINE;
    while committed.is_err() {
        assert!(Instant::now() < deadline, "{what}: {committed:?}");
        let change = Change::default().put("last", "1").line("last");
        committed = session.try_commit(change).await;
    }
    let store = session.store().clone();
    until(&what, || async { store.condition().failure.is_none() }).await;
    assert_eq!(session.found().await, session.account.all(), "{what}");
    assert_eq!(store.check().await.unwrap(), [""; 0], "{what}");
    drop(store);
    check_starts(&mut session, &what).await;
}

/// Lets operations fail that lie `apart` from each other, each in a session of its own.
async fn operations_fail(apart: usize, first: usize) {
    let mut session = Session::new(SimulatedDisk::empty());
    go_through(&mut session).await;
    let operations = session.disk.operations();
    let failures = [
        Errno::IO.into(),
        Failure {
            written: 700,
            ..Errno::NOSPC.into()
        },
        Failure {
            forgets: true,
            ..Errno::IO.into()
        },
        Errno::MFILE.into(),
    ];
    let mut running = JoinSet::new();
    for (number, first) in (first..operations).step_by(apart).enumerate() {
        let failure = failures[number % failures.len()];
        let count = [1, 1, 4, 25][number / failures.len() % 4];
        let fails = Fails {
            first,
            count,
            failure,
        };
        running.spawn(some_operations_fail(fails));
        if running.len() >= 12 {
            running.join_next().await.unwrap().unwrap();
        }
    }
    while let Some(ended) = running.join_next().await {
        ended.unwrap();
    }
}

#[tokio::test]
async fn whatever_operation_fails_nothing_is_lost_and_the_store_goes_on() {
    operations_fail(5, 3).await;
}

#[tokio::test]
#[ignore = "takes minutes; `make e2e` runs it"]
async fn whichever_operations_fail_nothing_is_lost_and_the_store_goes_on() {
    for first in 0..4 {
        operations_fail(1, first).await;
    }
}

#[tokio::test]
async fn a_full_disk_refuses_objects_first_and_commits_once_nothing_is_left() {
    let mut session = used().await;
    session.disk.leave_room(1024 * 1024);
    let refused = session.publish(&[5; 100]).unwrap_err();
    assert_eq!(refused.fault(), Some(Fault::Full));
    session
        .commit(Change::default().put("c", "1").line("there is room for it"))
        .await;
    session.disk.leave_room(0);
    let mut committed = 0;
    let refused = loop {
        let change = Change::default().put("c", &"x".repeat(3000)).line("more");
        match session.try_commit(change).await {
            Ok(()) => committed += 1,
            Err(error) => break error,
        }
    };
    assert!(
        committed > 20,
        "{committed} went into what is written ahead"
    );
    assert_eq!(refused.fault(), Some(Fault::Full));
    assert_eq!(session.found().await, session.account.all());
    let full = SimulatedDisk::new(session.disk.image().after_kill());
    full.leave_room(0);
    let read = found(&Store::open(files(&full)).unwrap()).await;
    assert_eq!(read.unwrap(), session.account.all(), "a full disk is read");
    let store = session.store().clone();
    session.disk.mend();
    until("a disk with room is written", || async {
        store.condition().failure.is_none()
    })
    .await;
    session.commit(Change::default().put("d", "1")).await;
    session.publish(&[6; 100]).unwrap();
    drop(store);
    check_starts(&mut session, "a disk that was full").await;
}

#[tokio::test]
async fn lines_are_not_lost_while_the_journals_file_fails_and_the_log_goes_on() {
    let mut session = used().await;
    session.disk.fail(|operation| {
        let is_journal = operation.path.ends_with("audit.jsonl");
        (is_journal && is_change(operation)).then_some(Errno::IO.into())
    });
    for number in 0..600 {
        let change = Change::default().line(&format!("line {number}"));
        session.commit(change.put("a", &number.to_string())).await;
    }
    let failure = session.store().condition().failure.unwrap();
    assert_eq!(failure.fault, Some(Fault::Failing), "the checkpoint");
    assert_eq!(session.found().await, session.account.all());
    // Another log follows, and the one with the lines stays.
    session.close().await;
    session.disk.mend();
    session.open().await.unwrap();
    assert_eq!(session.found().await, session.account.all());
    session.commit(Change::default().line("then")).await;
    check_starts(&mut session, "a journal that failed").await;
}

/// Returns true if the operation is on the database, or on the file that is to replace it.
fn is_database(operation: &Operation<'_>) -> bool {
    let path = operation.path.to_string_lossy();
    path.contains("records.redb")
}

#[tokio::test]
async fn a_database_that_could_not_be_written_is_written_anew() {
    let mut session = used().await;
    session.disk.fail(move |operation| {
        (is_change(operation) && is_database(operation)).then_some(Errno::IO.into())
    });
    for number in 0..600 {
        let change = Change::default().put(&format!("record {number}"), "y");
        session.commit(change).await;
    }
    let failure = session.store().condition().failure.unwrap();
    assert_eq!(failure.fault, Some(Fault::Failing), "the checkpoint");
    assert_eq!(session.found().await, session.account.all());
    session.disk.mend();
    let store = session.store().clone();
    until("the database is written again", || async {
        store.condition().failure.is_none()
    })
    .await;
    assert_eq!(session.found().await, session.account.all());
    assert_eq!(store.check().await.unwrap(), [""; 0]);
    drop(store);
    check_starts(&mut session, "a database that failed").await;
}

/// Lets a sync of one file fail and drop the written data, while the store goes on.
async fn a_sync_forgets(name: &'static str) {
    let mut session = used().await;
    let mut has_failed = false;
    for number in 0..600 {
        if number == 500 {
            // Not before: the library syncs a file that grows, too.
            session.disk.fail(move |operation| {
                let is_it = operation.kind == Kind::Sync && operation.path.ends_with(name);
                is_it.then_some(Failure {
                    forgets: true,
                    ..Errno::IO.into()
                })
            });
        }
        let change = Change::default().put(&format!("record {}", number % 400), "z");
        session.commit(change.line(&format!("line {number}"))).await;
        if session.store().condition().failure.is_some() {
            has_failed = true;
            session.disk.mend();
        }
    }
    assert!(has_failed, "{name}");
    let store = session.store().clone();
    until(name, || async { store.condition().failure.is_none() }).await;
    assert_eq!(session.found().await, session.account.all(), "{name}");
    drop(store);
    check_starts(&mut session, name).await;
}

#[tokio::test]
async fn what_a_sync_that_failed_has_dropped_is_written_again() {
    a_sync_forgets("audit.jsonl").await;
    a_sync_forgets("records.redb").await;
}

#[tokio::test]
async fn a_note_that_could_neither_be_written_nor_cleared_away_is_written_once_the_disk_works() {
    let mut session = used().await;
    let note = Uuid::new_v4();
    session.disk.fail(|operation| {
        matches!(operation.kind, Kind::Write | Kind::Remove).then_some(Errno::IO.into())
    });
    session.note(note, Some(b"refused")).unwrap_err();
    session.disk.mend();
    session.note(note, Some(b"a note")).unwrap();
    check_starts(&mut session, "a note").await;
}

#[tokio::test]
async fn a_log_that_could_not_take_the_place_of_a_long_one_loses_nothing() {
    let mut session = used().await;
    let fill = |batch: usize| {
        (0..1000).fold(Change::default(), |change, number| {
            change.put(
                &format!("record {number}"),
                &format!("{batch}").repeat(3500),
            )
        })
    };
    session.disk.fail(|operation| {
        let is_it = operation.kind == Kind::SyncDir && operation.path.ends_with("metadata");
        is_it.then_some(Errno::IO.into())
    });
    // Another log follows after 64 MiB.
    let mut refused = None;
    for batch in 0..30 {
        if let Err(error) = session.try_commit(fill(batch % 10)).await {
            refused = Some(error);
            break;
        }
    }
    assert_eq!(refused.unwrap().fault(), Some(Fault::Failing));
    session.disk.mend();
    session.commit(Change::default().put("a", "then")).await;
    let (found, effects) = (session.disk.image().after_kill(), session.disk.effects());
    recover(found, &session.account, effects, false)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_database_that_could_not_be_read_is_read_again_without_a_start() {
    let mut session = used().await;
    // More than the store keeps in memory.
    for batch in 0..9 {
        let change = (0..1000).fold(Change::default(), |change, number| {
            change.put(&format!("record {batch} {number}"), &"x".repeat(3900))
        });
        session.commit(change).await;
    }
    session.disk.fail(|operation| {
        let is_read = operation.kind == Kind::Read && is_database(operation);
        is_read.then_some(Errno::IO.into())
    });
    let failed = found(session.store()).await.unwrap_err();
    assert_eq!(failed.fault(), Some(Fault::Failing));
    session.disk.mend();
    let store = session.store().clone();
    let reads = || async { found(&store).await.is_ok() };
    until("the database is read again", reads).await;
    session.commit(Change::default().put("a", "5")).await;
    assert!(session.found().await == session.account.all());
}

#[tokio::test]
async fn a_fault_that_only_content_met_is_told_until_content_can_be_written() {
    for errno in [Errno::IO, Errno::MFILE, Errno::NOSPC] {
        let mut session = used().await;
        assert!(session.store().condition().content_failure.is_none());
        session.disk.fail(move |operation| {
            let is_content = operation.path.to_string_lossy().contains("blobs");
            (is_content && is_change(operation)).then_some(errno.into())
        });
        let refused = session.publish(b"content").unwrap_err();
        let told = session.store().condition().content_failure.unwrap();
        assert_eq!(told.fault, refused.fault());
        assert!(told.fault.is_some());

        session.disk.mend();
        assert!(session.store().condition().content_failure.is_none());
        session.publish(b"content").unwrap();
    }
}

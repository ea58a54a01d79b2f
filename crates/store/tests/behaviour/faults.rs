//! A store whose disk fails or fills up, and then works again.

use std::{
    future::Future,
    time::{Duration, Instant},
};

use rustix::io::Errno;
use sealock_store::{Commit, Error, Fault, Store};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::{
    JOURNAL,
    model::{Change, Session, files, read_content, recover},
    simulated_disk::{Failure, Kind, Operation, Random, SimulatedDisk},
};

/// The maximum time until a store notices that its disk works again. It tries every second.
const DEADLINE: Duration = Duration::from_secs(20);

async fn wait_until<F: Future<Output = bool>>(what: &str, mut condition: impl FnMut() -> F) {
    let deadline = Instant::now() + DEADLINE;
    while !condition().await {
        assert!(Instant::now() < deadline, "{what} does not become true");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Creates a store that was closed and reopened, with commits in both of its logs.
async fn used_store() -> Session {
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

/// Checks that every acknowledged change survives a kill, a power cut and a close, each on its own.
async fn check_recovery(session: &mut Session, what: &str) {
    let (found, mut random) = (session.disk.image(), Random(7));
    let images = [
        (found.after_kill(), false),
        (found.after_power_cut(&mut random), true),
        (found.after_power_cut(&mut random), true),
    ];
    let effects = session.disk.effects();
    for (image, is_power_cut) in images {
        let recovered = recover(image, &session.account, effects, is_power_cut).await;
        recovered.unwrap_or_else(|error| panic!("{what}: {error}"));
    }
    session.close().await;
    let image = session.disk.image().after_power_cut(&mut random);
    let recovered = recover(image, &session.account, session.disk.effects(), true).await;
    recovered.unwrap_or_else(|error| panic!("{what}, after a close: {error}"));
}

fn is_change(operation: &Operation<'_>) -> bool {
    !operation.kind.is_read()
}

/// Makes the disk fail. Checks that the store reports `fault`, and that it recovers once the disk works again.
async fn check_disk_failure(
    what: &str,
    fault: Fault,
    mut fails: impl FnMut(&Operation<'_>) -> Option<Failure> + Send + 'static,
) {
    let mut session = used_store().await;
    let before = session.content().await;
    session.disk.fail(move |operation| fails(operation));
    for number in 0..3 {
        let change = Change::default().put("a", "refused").line("refused");
        let refused = session.try_commit(change).await.unwrap_err();
        assert_eq!(refused.fault(), Some(fault), "{what} {number}: {refused}");
        assert_eq!(session.content().await, before, "{what} {number}");
        let condition = session.store().condition();
        assert_eq!(condition.failure.unwrap().fault, Some(fault), "{what}");
    }
    session.journal_or_hold("held").await;
    session.journal_or_hold("held too").await;
    assert_eq!(session.store().condition().held_lines, 2, "{what}");
    let conflicted = session.commit_expecting_absence("a").await;
    assert_ne!(conflicted, Some(Commit::Done), "{what}");

    session.disk.mend();
    let store = session.store().clone();
    wait_until(what, || async {
        let condition = store.condition();
        condition.failure.is_none() && condition.held_lines == 0
    })
    .await;
    session
        .commit(Change::default().put("a", "3").line("third"))
        .await;
    assert_eq!(session.content().await, session.account.content(), "{what}");
    assert_eq!(store.check().await.unwrap(), [""; 0], "{what}");
    drop(store);
    check_recovery(&mut session, what).await;
}

#[tokio::test]
async fn failing_disk_refuses_commits_until_it_works_again() {
    let failing = |errno: Errno| {
        move |operation: &Operation<'_>| is_change(operation).then_some(errno.into())
    };
    tokio::join!(
        check_disk_failure("EIO", Fault::Failing, failing(Errno::IO)),
        check_disk_failure("ENOSPC", Fault::Full, failing(Errno::NOSPC)),
        check_disk_failure("EROFS", Fault::ReadOnly, failing(Errno::ROFS)),
        check_disk_failure("a short write", Fault::Full, |operation| {
            is_change(operation).then_some(Failure {
                written: 30,
                ..Errno::NOSPC.into()
            })
        }),
        check_disk_failure("a sync that fails", Fault::Failing, |operation| {
            (operation.kind == Kind::Sync).then_some(Errno::IO.into())
        }),
        check_disk_failure("a sync that forgets", Fault::Failing, |operation| {
            (operation.kind == Kind::Sync).then_some(Failure {
                forgets: true,
                ..Errno::IO.into()
            })
        }),
        check_disk_failure(
            "no file can be created, nor the log synced",
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

/// Starts and uses the store twice, and ignores failures.
async fn use_twice(session: &mut Session) {
    open_with_retries(session).await;
    let note = Uuid::new_v4();
    let change = |key, line| Change::default().put(key, "1").line(line);
    let _ = session.try_commit(change("a", "first")).await;
    let object = session.publish(&[4; 900]);
    let _ = session.write_note(note, Some(b"a note"));
    let _ = session.try_commit(change("key", "second")).await;
    session.close().await;

    open_with_retries(session).await;
    let _ = session.try_commit(change("b", "third")).await;
    if let Ok(object) = object {
        let removal = change("c", "fourth").delete("a").remove(object);
        let _ = session.try_commit(removal).await;
    }
    let _ = session.write_note(note, Some(b"another note"));
    let _ = session.try_commit(change("d", "fifth")).await;
}

/// Opens the store, with some more attempts if the disk fails.
async fn open_with_retries(session: &mut Session) {
    for _ in 0..3 {
        if session.open().await.is_ok() {
            return;
        }
    }
    session.disk.mend();
    session.open().await.unwrap();
}

/// A failure of `count` operations, from number `first` on.
#[derive(Clone, Copy, Debug)]
struct Outage {
    first: usize,
    count: usize,
    failure: Failure,
}

async fn check_outage(outage: Outage) {
    let what = format!("{outage:?}");
    let mut session = Session::new(SimulatedDisk::empty());
    let range = outage.first..outage.first + outage.count;
    session
        .disk
        .fail(move |operation| range.contains(&operation.number).then_some(outage.failure));
    use_twice(&mut session).await;
    session.disk.mend();
    let mut committed = Err(Error::Closed);
    let deadline = Instant::now() + DEADLINE;
    while committed.is_err() {
        assert!(Instant::now() < deadline, "{what}: {committed:?}");
        let change = Change::default().put("last", "1").line("last");
        committed = session.try_commit(change).await;
    }
    let store = session.store().clone();
    wait_until(&what, || async { store.condition().failure.is_none() }).await;
    assert_eq!(session.content().await, session.account.content(), "{what}");
    assert_eq!(store.check().await.unwrap(), [""; 0], "{what}");
    drop(store);
    check_recovery(&mut session, &what).await;
}

/// Makes every operation that is `apart` from the previous one fail, each in a session of its own.
async fn check_outages(apart: usize, first: usize) {
    let mut session = Session::new(SimulatedDisk::empty());
    use_twice(&mut session).await;
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
        let outage = Outage {
            first,
            count,
            failure,
        };
        running.spawn(check_outage(outage));
        if running.len() >= 12 {
            running.join_next().await.unwrap().unwrap();
        }
    }
    while let Some(ended) = running.join_next().await {
        ended.unwrap();
    }
}

#[tokio::test]
async fn failure_of_some_operations_loses_nothing() {
    check_outages(5, 3).await;
}

#[tokio::test]
#[ignore = "takes minutes; `make e2e` runs it"]
async fn failure_of_any_operation_loses_nothing() {
    for first in 0..4 {
        check_outages(1, first).await;
    }
}

#[tokio::test]
async fn full_disk_refuses_objects_first_and_commits_once_the_reserve_is_used() {
    let mut session = used_store().await;
    session.disk.leave_room(1024 * 1024);
    let refused = session.publish(&[5; 100]).unwrap_err();
    assert_eq!(refused.fault(), Some(Fault::Full));
    session
        .commit(Change::default().put("c", "1").line("there is room"))
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
        "only {committed} commits fit into the reserve"
    );
    assert_eq!(refused.fault(), Some(Fault::Full));
    assert_eq!(session.content().await, session.account.content());
    let full = SimulatedDisk::new(session.disk.image().after_kill());
    full.leave_room(0);
    let read = read_content(&Store::open(files(&full)).unwrap()).await;
    assert_eq!(
        read.unwrap(),
        session.account.content(),
        "a full disk is readable"
    );
    let store = session.store().clone();
    session.disk.mend();
    wait_until("the disk has room and is written", || async {
        store.condition().failure.is_none()
    })
    .await;
    session.commit(Change::default().put("d", "1")).await;
    session.publish(&[6; 100]).unwrap();
    drop(store);
    check_recovery(&mut session, "a disk that was full").await;
}

#[tokio::test]
async fn journal_lines_survive_a_failure_of_the_journals_file() {
    let mut session = used_store().await;
    session.disk.fail(|operation| {
        let is_journal = operation.path.to_string_lossy().contains(JOURNAL);
        (is_journal && is_change(operation)).then_some(Errno::IO.into())
    });
    for number in 0..600 {
        let change = Change::default().line(&format!("line {number}"));
        session.commit(change.put("a", &number.to_string())).await;
    }
    let failure = session.store().condition().failure.unwrap();
    assert_eq!(failure.fault, Some(Fault::Failing), "the checkpoint");
    assert_eq!(session.content().await, session.account.content());
    // A new log follows, but the one with the lines remains.
    session.close().await;
    session.disk.mend();
    session.open().await.unwrap();
    assert_eq!(session.content().await, session.account.content());
    session.commit(Change::default().line("then")).await;
    check_recovery(&mut session, "a journal that failed").await;
}

/// Returns true if the operation is on the database, or on its replacement.
fn is_database(operation: &Operation<'_>) -> bool {
    let path = operation.path.to_string_lossy();
    path.contains("records.redb")
}

#[tokio::test]
async fn database_is_rewritten_after_failed_writes() {
    let mut session = used_store().await;
    session.disk.fail(move |operation| {
        (is_change(operation) && is_database(operation)).then_some(Errno::IO.into())
    });
    for number in 0..600 {
        let change = Change::default().put(&format!("record {number}"), "y");
        session.commit(change).await;
    }
    let failure = session.store().condition().failure.unwrap();
    assert_eq!(failure.fault, Some(Fault::Failing), "the checkpoint");
    assert_eq!(session.content().await, session.account.content());
    session.disk.mend();
    let store = session.store().clone();
    wait_until("the database is written again", || async {
        store.condition().failure.is_none()
    })
    .await;
    assert_eq!(session.content().await, session.account.content());
    assert_eq!(store.check().await.unwrap(), [""; 0]);
    drop(store);
    check_recovery(&mut session, "a database that failed").await;
}

/// Makes a sync of one file fail and lose the written data, while the store is in use.
async fn check_lost_sync(name: &'static str) {
    let mut session = used_store().await;
    let mut has_failed = false;
    for number in 0..600 {
        if number == 500 {
            // Not earlier, since the library also syncs a file that grows.
            session.disk.fail(move |operation| {
                let path = operation.path.to_string_lossy();
                let is_target = operation.kind == Kind::Sync && path.contains(name);
                is_target.then_some(Failure {
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
    wait_until(name, || async { store.condition().failure.is_none() }).await;
    assert_eq!(session.content().await, session.account.content(), "{name}");
    drop(store);
    check_recovery(&mut session, name).await;
}

#[tokio::test]
async fn data_lost_by_a_failed_sync_is_written_again() {
    check_lost_sync(JOURNAL).await;
    check_lost_sync("records.redb").await;
}

#[tokio::test]
async fn note_is_written_after_a_failed_write_that_could_not_be_cleaned_up() {
    let mut session = used_store().await;
    let note = Uuid::new_v4();
    session.disk.fail(|operation| {
        matches!(operation.kind, Kind::Write | Kind::Remove).then_some(Errno::IO.into())
    });
    session.write_note(note, Some(b"refused")).unwrap_err();
    session.disk.mend();
    session.write_note(note, Some(b"a note")).unwrap();
    check_recovery(&mut session, "a note").await;
}

#[tokio::test]
async fn failed_replacement_of_a_long_log_loses_nothing() {
    let mut session = used_store().await;
    let fill = |batch: usize| {
        (0..1000).fold(Change::default(), |change, number| {
            change.put(
                &format!("record {number}"),
                &format!("{batch}").repeat(3500),
            )
        })
    };
    session.disk.fail(|operation| {
        let is_target = operation.kind == Kind::SyncDir && operation.path.ends_with("metadata");
        is_target.then_some(Errno::IO.into())
    });
    // The store starts a new log after 64 MiB.
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
async fn database_is_readable_again_without_a_restart_after_failed_reads() {
    let mut session = used_store().await;
    // More than the cache holds.
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
    let failed = read_content(session.store()).await.unwrap_err();
    assert_eq!(failed.fault(), Some(Fault::Failing));
    session.disk.mend();
    let store = session.store().clone();
    let reads = || async { read_content(&store).await.is_ok() };
    wait_until("the database is readable again", reads).await;
    session.commit(Change::default().put("a", "5")).await;
    assert!(session.content().await == session.account.content());
}

#[tokio::test]
async fn fault_of_content_alone_is_reported_until_content_can_be_written() {
    for errno in [Errno::IO, Errno::MFILE, Errno::NOSPC] {
        let mut session = used_store().await;
        assert!(session.store().condition().content_failure.is_none());
        session.disk.fail(move |operation| {
            let is_content = operation.path.to_string_lossy().contains("blobs");
            (is_content && is_change(operation)).then_some(errno.into())
        });
        let refused = session.publish(b"content").unwrap_err();
        let reported = session.store().condition().content_failure.unwrap();
        assert_eq!(reported.fault, refused.fault());
        assert!(reported.fault.is_some());

        session.disk.mend();
        assert!(session.store().condition().content_failure.is_none());
        session.publish(b"content").unwrap();
    }
}

//! The state of a store after a kill or a loss of power at any operation.

use sealock_store::Commit;
use uuid::Uuid;

use crate::{
    model::{Account, Change, Session, recover},
    simulated_disk::{History, Random, SimulatedDisk},
};

/// Runs the first hour of a store: every way to write, and three starts.
async fn short(session: &mut Session) {
    let note = Uuid::new_v4();
    session.open().await.unwrap();
    session
        .commit(Change::default().put("a", "1").line("first"))
        .await;
    session.commit(Change::default().put("key", "1")).await;
    session.note(note, Some(b"an earlier note")).unwrap();
    let removed = session.publish(&[1; 3000]).unwrap();
    session
        .commit(Change::default().put("b", "1").put("a", "2").line("second"))
        .await;
    assert_eq!(session.conflict("a").await, Some(Commit::Conflict));
    session.record_or_hold("third").await;
    session.close().await;

    session.open().await.unwrap();
    session.publish(&[2; 700]).unwrap();
    session
        .commit(Change::default().delete("b").put("c", "1").line("fourth"))
        .await;
    session
        .commit(Change::default().remove(removed).line("fifth"))
        .await;
    session.note(note, Some(b"a later note")).unwrap();
    let group = ["d", "e", "f"].map(|key| Change::default().put(key, "1").line(key));
    session.commit_together(group.into()).await;
    session.close().await;

    session.open().await.unwrap();
    session
        .commit(Change::default().put("a", "3").delete("key").line("sixth"))
        .await;
    session.note(note, None).unwrap();
    session
        .commit(
            Change::default()
                .put("key", "2")
                .put("g", &"x".repeat(3000)),
        )
        .await;
    session.kill();
}

/// Continues with a recovered store, and ends it without a close.
async fn go_on(session: &mut Session) {
    session
        .commit(Change::default().put("a", "on").put("more", "1").line("on"))
        .await;
    session
        .commit(Change::default().delete("more").line("on and on"))
        .await;
}

/// The way in which a disk stops.
#[derive(Clone, Copy, Debug)]
enum Stop {
    Kill(u64),
    LossOfPower(u64),
}

/// Stops the disk after `effects` and recovers. If `is_twice`, stops it again during the recovery or after it.
async fn stop(
    history: &mut History,
    account: &Account,
    effects: usize,
    how: Stop,
    is_twice: bool,
) -> Result<(), String> {
    let image = history.at(effects);
    let (Stop::Kill(seed) | Stop::LossOfPower(seed)) = how;
    let mut random = Random(seed << 32 | effects as u64);
    let found = match how {
        Stop::Kill(_) => image.after_kill(),
        Stop::LossOfPower(_) => image.after_loss_of_power(&mut random),
    };
    let is_loss_of_power = matches!(how, Stop::LossOfPower(_));
    let mut session = recover(found, account, effects, is_loss_of_power).await?;
    if !is_twice {
        return Ok(());
    }
    go_on(&mut session).await;
    let mut again = session.disk.history();
    let effects = match random.below(2) {
        0 => again.len(),
        _ => random.below(again.len()),
    };
    let found = again.at(effects).after_loss_of_power(&mut random);
    let recovered = recover(found, &session.account, effects, true).await;
    recovered.map_err(|error| {
        format!(
            "then behind {effects} ({}): {error}",
            again.describe(effects)
        )
    })?;
    Ok(())
}

/// Stops the disk of a session at each of `points`. Fails with a list of everything that is wrong.
async fn stop_at(session: &Session, points: impl Iterator<Item = (usize, Stop, bool)>) {
    let mut history = session.disk.history();
    let mut wrong = Vec::new();
    for (effects, how, is_twice) in points {
        let stopped = stop(&mut history, &session.account, effects, how, is_twice).await;
        if let Err(error) = stopped {
            let last = history.describe(effects);
            wrong.push(format!("{how:?} behind {effects} ({last}): {error}"));
        }
    }
    let some: Vec<_> = wrong.iter().take(10).collect();
    assert!(wrong.is_empty(), "{} times wrong: {some:#?}", wrong.len());
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_kill_at_any_operation() {
    let mut session = Session::new(SimulatedDisk::empty());
    short(&mut session).await;
    let points = (0..=session.disk.effects()).map(|effects| (effects, Stop::Kill(0), true));
    stop_at(&session, points).await;
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_loss_of_power_at_any_operation() {
    let mut session = Session::new(SimulatedDisk::empty());
    short(&mut session).await;
    let history = session.disk.history();
    let points = (0..=history.len()).flat_map(|effects| {
        // Operations on names are tried more often.
        let is_name = history.describe(effects).starts_with("Some(Re");
        let seeds = if is_name { 12 } else { 1 };
        (0..seeds).map(move |seed| {
            let is_twice = effects % 3 == 0 && seed == 0;
            (effects, Stop::LossOfPower(seed), is_twice)
        })
    });
    stop_at(&session, points).await;
}

/// Runs a store for long: its database is made durable several times, and several logs follow each other.
async fn long(session: &mut Session) {
    for start in 0..2 {
        session.open().await.unwrap();
        for number in 0..700 {
            let key = format!("record {}", number % 50);
            let change = Change::default().put(&key, &format!("{start} {number}"));
            let change = match number % 40 {
                0 => change.line(&format!("line {start} {number}")),
                7 => change.delete("record 3"),
                _ => change,
            };
            session.commit(change).await;
        }
        if start == 0 {
            session.close().await;
        }
    }
    session.kill();
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_loss_of_power_in_a_long_run() {
    let mut session = Session::new(SimulatedDisk::empty());
    long(&mut session).await;
    let mut random = Random(3);
    let end = session.disk.effects();
    let mut points: Vec<_> = (0..60).map(|_| random.below(end + 1)).collect();
    points.sort_unstable();
    let points = points.into_iter().map(|effects| {
        let how = match effects % 2 {
            0 => Stop::Kill(effects as u64),
            _ => Stop::LossOfPower(effects as u64),
        };
        (effects, how, true)
    });
    stop_at(&session, points).await;
}

#[tokio::test]
#[ignore = "takes minutes; `make e2e` runs it"]
async fn what_was_acknowledged_is_there_after_many_kills_and_losses_of_power_at_any_operation() {
    let mut session = Session::new(SimulatedDisk::empty());
    short(&mut session).await;
    let points = (0..=session.disk.effects()).flat_map(|effects| {
        let both = |seed| [Stop::Kill(seed), Stop::LossOfPower(seed)];
        (1..20).flat_map(both).map(move |how| (effects, how, true))
    });
    stop_at(&session, points).await;
}

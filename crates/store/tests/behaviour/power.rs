//! A kill or a power cut at any operation of a store.

use sealock_store::Commit;
use uuid::Uuid;

use crate::{
    model::{Account, Change, Session, recover},
    simulated_disk::{History, Random, SimulatedDisk, seed},
};

/// Starts a store three times and uses every way to write.
async fn run_briefly(session: &mut Session) {
    let note = Uuid::new_v4();
    session.open().await.unwrap();
    session
        .commit(Change::default().put("a", "1").line("first"))
        .await;
    session.commit(Change::default().put("key", "1")).await;
    session.write_note(note, Some(b"an earlier note")).unwrap();
    let removed = session.publish(&[1; 3000]).unwrap();
    session
        .commit(Change::default().put("b", "1").put("a", "2").line("second"))
        .await;
    assert_eq!(
        session.commit_expecting_absence("a").await,
        Some(Commit::Conflict)
    );
    session.journal_or_hold("third").await;
    session.close().await;

    session.open().await.unwrap();
    session.publish(&[2; 700]).unwrap();
    session
        .commit(Change::default().delete("b").put("c", "1").line("fourth"))
        .await;
    session
        .commit(Change::default().remove(removed).line("fifth"))
        .await;
    session.write_note(note, Some(b"a later note")).unwrap();
    let group = ["d", "e", "f"].map(|key| Change::default().put(key, "1").line(key));
    session.commit_together(group.into()).await;
    session.close().await;

    session.open().await.unwrap();
    session
        .commit(Change::default().put("a", "3").delete("key").line("sixth"))
        .await;
    session.write_note(note, None).unwrap();
    session
        .commit(
            Change::default()
                .put("key", "2")
                .put("g", &"x".repeat(3000)),
        )
        .await;
    session.kill();
}

/// Makes some commits to a recovered store.
async fn commit_more(session: &mut Session) {
    session
        .commit(
            Change::default()
                .put("a", "4")
                .put("more", "1")
                .line("more"),
        )
        .await;
    session
        .commit(Change::default().delete("more").line("even more"))
        .await;
}

/// The way in which a disk stops, with a seed.
#[derive(Clone, Copy, Debug)]
enum Stop {
    Kill(u64),
    PowerCut(u64),
}

/// Stops the disk after `effects` and recovers the store. If `is_twice`, stops it again during the recovery or after
/// it.
async fn stop(
    history: &mut History,
    account: &Account,
    effects: usize,
    how: Stop,
    is_twice: bool,
) -> Result<(), String> {
    let image = history.at(effects);
    let (Stop::Kill(number) | Stop::PowerCut(number)) = how;
    let mut random = Random(seed().wrapping_add(number) << 32 | effects as u64);
    let found = match how {
        Stop::Kill(_) => image.after_kill(),
        Stop::PowerCut(_) => image.after_power_cut(&mut random),
    };
    let is_power_cut = matches!(how, Stop::PowerCut(_));
    let mut session = recover(found, account, effects, is_power_cut).await?;
    if !is_twice {
        return Ok(());
    }
    commit_more(&mut session).await;
    let mut again = session.disk.history();
    let effects = match random.below(2) {
        0 => again.len(),
        _ => random.below(again.len()),
    };
    let found = again.at(effects).after_power_cut(&mut random);
    let recovered = recover(found, &session.account, effects, true).await;
    recovered.map_err(|error| {
        format!(
            "then after {effects} ({}): {error}",
            again.describe(effects)
        )
    })?;
    Ok(())
}

/// Stops the disk of a session at each of `points`. Panics with all failures and the seed.
async fn stop_at(session: &Session, points: impl Iterator<Item = (usize, Stop, bool)>) {
    let mut history = session.disk.history();
    let mut failures = Vec::new();
    for (effects, how, is_twice) in points {
        let stopped = stop(&mut history, &session.account, effects, how, is_twice).await;
        if let Err(error) = stopped {
            let last = history.describe(effects);
            failures.push(format!("{how:?} after {effects} ({last}): {error}"));
        }
    }
    let first: Vec<_> = failures.iter().take(10).collect();
    assert!(
        failures.is_empty(),
        "{} failures with SEALOCK_SEED={}: {first:#?}",
        failures.len(),
        seed()
    );
}

#[tokio::test]
async fn acknowledged_changes_survive_a_kill_at_any_operation() {
    let mut session = Session::new(SimulatedDisk::empty());
    run_briefly(&mut session).await;
    let points = (0..=session.disk.effects()).map(|effects| (effects, Stop::Kill(0), true));
    stop_at(&session, points).await;
}

#[tokio::test]
async fn acknowledged_changes_survive_a_power_cut_at_any_operation() {
    let mut session = Session::new(SimulatedDisk::empty());
    run_briefly(&mut session).await;
    let history = session.disk.history();
    let points = (0..=history.len()).flat_map(|effects| {
        // Renames and removals are tried more often.
        let is_name = history.describe(effects).starts_with("Some(Re");
        let attempts = if is_name { 12 } else { 1 };
        (0..attempts).map(move |number| {
            let is_twice = effects % 3 == 0 && number == 0;
            (effects, Stop::PowerCut(number), is_twice)
        })
    });
    stop_at(&session, points).await;
}

/// Makes so many commits that there are several checkpoints and logs.
async fn run_long(session: &mut Session) {
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
async fn acknowledged_changes_survive_kills_and_power_cuts_in_a_long_run() {
    let mut session = Session::new(SimulatedDisk::empty());
    run_long(&mut session).await;
    let mut random = Random(seed().wrapping_add(3));
    let end = session.disk.effects();
    let mut points: Vec<_> = (0..60).map(|_| random.below(end + 1)).collect();
    points.sort_unstable();
    let points = points.into_iter().map(|effects| {
        let how = match effects % 2 {
            0 => Stop::Kill(effects as u64),
            _ => Stop::PowerCut(effects as u64),
        };
        (effects, how, true)
    });
    stop_at(&session, points).await;
}

#[tokio::test]
#[ignore = "takes minutes; `make e2e` runs it"]
async fn acknowledged_changes_survive_many_kills_and_power_cuts_at_any_operation() {
    let mut session = Session::new(SimulatedDisk::empty());
    run_briefly(&mut session).await;
    let points = (0..=session.disk.effects()).flat_map(|effects| {
        let both = |number| [Stop::Kill(number), Stop::PowerCut(number)];
        (1..20).flat_map(both).map(move |how| (effects, how, true))
    });
    stop_at(&session, points).await;
}

//! A vault or key whose purge falls due in unconfirmed time is kept for another hour.

use std::sync::{Arc, Mutex};

use jiff::{SignedDuration, Timestamp};
use sealock_core::{Clock, ClockSetting, Reading};
use sealock_vault::{Error, PendingPurge, State, Swept};

use crate::world::{World, operator, wire};

const DAY: SignedDuration = SignedDuration::from_hours(24);
const HOUR: SignedDuration = SignedDuration::from_hours(1);
const RETENTION: SignedDuration = SignedDuration::from_hours(24 * 90);

/// A world, and the system's clocks that it reads.
struct Host {
    world: World,
    clocks: Arc<Mutex<Reading>>,
}

/// A gap in the time that the emulator observes: it was stopped, or the system's clock was set.
#[derive(Clone, Copy, Debug)]
enum Gap {
    Stop,
    Step,
}

impl Host {
    async fn new() -> Self {
        let clocks = Arc::new(Mutex::new(Reading {
            wall: Timestamp::from_second(1_800_000_000).unwrap(),
            boot: SignedDuration::ZERO,
        }));
        let now = clocks.lock().unwrap().wall;
        let clock = Clock::restored(clocks.clone(), ClockSetting::default(), Some(now));
        Self {
            world: World::with_clock(clock).await,
            clocks,
        }
    }

    /// A host with a deleted key whose retention ended a day ago in `gap`.
    async fn overdue(gap: Gap) -> Self {
        let mut host = Self::new().await;
        host.world.create_ec_key().await.unwrap();
        host.world.delete_key().await.unwrap();
        host.let_pass_unobserved(gap, RETENTION + DAY);
        host
    }

    fn let_pass_unobserved(&mut self, gap: Gap, time: SignedDuration) {
        match gap {
            Gap::Stop => self.restart_after(time),
            Gap::Step => self.step(time),
        }
    }

    /// Advances the system's clocks, as when the emulator runs or the system is suspended.
    fn advance(&self, time: SignedDuration) {
        let mut clocks = self.clocks.lock().unwrap();
        clocks.wall += time;
        clocks.boot += time;
    }

    /// Steps the system's wall clock.
    fn step(&self, by: SignedDuration) {
        self.clocks.lock().unwrap().wall += by;
    }

    /// Stops the emulator, and starts it after `time`.
    fn restart_after(&mut self, time: SignedDuration) {
        let (setting, confirmed) = (self.world.clock.setting(), self.world.clock.confirmed());
        self.advance(time);
        self.world.clock = Clock::restored(self.clocks.clone(), setting, Some(confirmed));
        self.world.reopen();
    }

    async fn pending(&self) -> Vec<PendingPurge> {
        self.world.vaults.pending_purges().await.unwrap()
    }

    async fn delete_vault(&self) {
        let (vaults, vault) = (&self.world.vaults, &self.world.vault);
        vaults.delete_vault(&operator(), vault).await.unwrap();
    }

    /// Asserts that the deleted key still exists, and that no sweep removes it.
    async fn assert_key_kept(&self, when: &str) {
        let world = &self.world;
        world.vaults.run_due().await.unwrap();
        assert_eq!(
            world.vaults.sweep().await.unwrap(),
            Swept::default(),
            "{when}"
        );
        assert_eq!(world.file_count(), 2, "{when}");
        assert_eq!(
            world.whole_key().await.unwrap().state,
            State::Deleted,
            "{when}"
        );
    }

    async fn assert_key_purged(&self, when: &str) {
        let world = &self.world;
        let shown = world.whole_key().await;
        assert!(matches!(shown, Err(Error::KeyNotFound { .. })), "{when}");
        assert_eq!(self.pending().await, [], "{when}");
        world.vaults.run_due().await.unwrap();
        assert_eq!(world.file_count(), 0, "{when}");
    }
}

#[tokio::test]
async fn purge_due_in_unconfirmed_time_waits_an_hour() {
    for gap in [Gap::Stop, Gap::Step] {
        let when = format!("{gap:?}");
        let host = Host::overdue(gap).await;
        let world = &host.world;
        host.assert_key_kept(&when).await;
        let pending = PendingPurge {
            vault: world.vault.clone(),
            key: Some(world.key.clone()),
            scheduled_purge: world.clock.now() - DAY,
            purged_in: HOUR,
            vault_is_deleted: false,
        };
        assert_eq!(host.pending().await, [pending], "{when}");
        let due = world.vaults.run_due().await.unwrap();
        assert_eq!(due.next, Some(world.clock.now() + HOUR), "{when}");
        let again = world.create_ec_key().await;
        assert_eq!(
            wire(again).2,
            Some("ObjectIsDeletedButRecoverable"),
            "{when}"
        );

        host.advance(HOUR - SignedDuration::from_secs(1));
        host.assert_key_kept(&when).await;
        host.advance(SignedDuration::from_secs(1));
        host.assert_key_purged(&when).await;
    }
}

#[tokio::test]
async fn key_with_a_pending_purge_can_be_recovered() {
    for gap in [Gap::Stop, Gap::Step] {
        let host = Host::overdue(gap).await;
        host.world.recover_key().await.unwrap();
        assert_eq!(host.pending().await, []);
        host.advance(HOUR * 2);
        host.world.vaults.run_due().await.unwrap();
        let shown = host.world.whole_key().await.unwrap();
        assert_eq!(shown.state, State::Active, "{gap:?}");
    }
}

#[tokio::test]
async fn key_with_a_pending_purge_can_be_purged_at_once() {
    let host = Host::overdue(Gap::Stop).await;
    host.world.purge_key().await.unwrap();
    host.assert_key_purged("on request").await;
}

#[tokio::test]
async fn restart_within_the_hour_restarts_the_hour() {
    let mut host = Host::overdue(Gap::Step).await;
    host.advance(HOUR / 2);
    host.restart_after(SignedDuration::from_secs(5));
    host.advance(HOUR / 2);
    host.assert_key_kept("an hour in two parts").await;
    host.advance(HOUR / 2);
    host.assert_key_purged("a whole hour").await;
}

#[tokio::test]
async fn purge_due_in_confirmed_time_happens_at_once() {
    let host = Host::new().await;
    host.world.create_ec_key().await.unwrap();
    host.world.delete_key().await.unwrap();
    host.advance(RETENTION);
    host.assert_key_purged("at its time").await;
}

#[tokio::test]
async fn purge_due_in_a_step_of_the_emulators_clock_happens_at_once() {
    let mut host = Host::new().await;
    host.world.create_ec_key().await.unwrap();
    host.restart_after(DAY);
    host.world.delete_key().await.unwrap();
    host.world.advance(RETENTION);
    host.assert_key_purged("after a step by the operator").await;
}

#[tokio::test]
async fn step_of_the_emulators_clock_keeps_an_earlier_pending_purge() {
    let host = Host::overdue(Gap::Stop).await;
    host.world.advance(RETENTION);
    host.assert_key_kept("after a step").await;
    host.world.clock.freeze();
    host.assert_key_kept("frozen").await;
    host.world.clock.resume();
    host.advance(HOUR);
    host.assert_key_purged("an hour").await;
}

#[tokio::test]
async fn system_clock_corrected_within_the_hour_cancels_the_purge() {
    let host = Host::overdue(Gap::Step).await;
    host.advance(HOUR / 2);
    host.step(-RETENTION - DAY);
    assert_eq!(host.pending().await, []);
    host.advance(HOUR * 2);
    host.assert_key_kept("after the correction").await;
    host.advance(RETENTION);
    host.assert_key_purged("after the retention").await;
}

#[tokio::test]
async fn vault_with_a_pending_purge_keeps_its_keys() {
    let mut host = Host::new().await;
    host.world.create_ec_key().await.unwrap();
    host.world.delete_key().await.unwrap();
    host.delete_vault().await;
    host.restart_after(RETENTION);
    let vaults = &host.world.vaults;
    vaults.run_due().await.unwrap();
    assert_eq!(vaults.sweep().await.unwrap(), Swept::default());
    let pending = host.pending().await;
    let pending: Vec<_> = pending
        .iter()
        .map(|purge| (purge.key.as_ref(), purge.vault_is_deleted))
        .collect();
    assert_eq!(pending, [(None, true), (Some(&host.world.key), true)]);

    vaults
        .recover_vault(&operator(), &host.world.vault)
        .await
        .unwrap();
    host.assert_key_kept("in the recovered vault").await;
    host.world.recover_key().await.unwrap();
    host.delete_vault().await;
    host.restart_after(RETENTION);
    host.advance(HOUR);
    assert_eq!(host.pending().await, []);
    let swept = host.world.vaults.sweep().await.unwrap();
    assert_eq!((swept.vaults, host.world.file_count()), (1, 0));
}

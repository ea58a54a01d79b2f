//! A vault or key that falls due in unconfirmed time is kept for another hour.

use std::sync::{Arc, Mutex};

use jiff::{SignedDuration, Timestamp};
use sealock_core::{Clock, ClockSetting, Reading};
use sealock_vault::{Error, PendingPurge, State, Swept};

use crate::world::{World, operator, wire};

const DAY: SignedDuration = SignedDuration::from_hours(24);
const HOUR: SignedDuration = SignedDuration::from_hours(1);
const RETENTION: SignedDuration = SignedDuration::from_hours(24 * 90);

/// A world, and the system's clocks under it.
struct Host {
    world: World,
    clocks: Arc<Mutex<Reading>>,
}

/// The cause of time that passes without the emulator.
#[derive(Clone, Copy, Debug)]
enum Cause {
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
            world: World::running(clock).await,
            clocks,
        }
    }

    /// A host with a deleted key, after more time than its retention has passed by `cause`.
    async fn overdue(cause: Cause) -> Self {
        let mut host = Self::new().await;
        host.world.create_ec_key().await.unwrap();
        host.world.delete_key().await.unwrap();
        host.miss(cause, RETENTION + DAY);
        host
    }

    fn miss(&mut self, cause: Cause, time: SignedDuration) {
        match cause {
            Cause::Stop => self.restart_after(time),
            Cause::Step => self.step(time),
        }
    }

    /// Lets time pass while the emulator and the system run or are suspended.
    fn pass(&self, time: SignedDuration) {
        let mut clocks = self.clocks.lock().unwrap();
        clocks.wall += time;
        clocks.boot += time;
    }

    /// Sets the system's clock.
    fn step(&self, by: SignedDuration) {
        self.clocks.lock().unwrap().wall += by;
    }

    /// Stops the emulator, and starts it after a while.
    fn restart_after(&mut self, time: SignedDuration) {
        let (setting, confirmed) = (self.world.clock.setting(), self.world.clock.confirmed());
        self.pass(time);
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

    /// Asserts that the deleted key is still there and that no sweep takes it.
    async fn keeps_the_key(&self, when: &str) {
        let world = &self.world;
        world.vaults.run_due().await.unwrap();
        assert_eq!(
            world.vaults.sweep().await.unwrap(),
            Swept::default(),
            "{when}"
        );
        assert_eq!(world.files(), 2, "{when}");
        assert_eq!(world.shown().await.unwrap().state, State::Deleted, "{when}");
    }

    async fn has_purged_the_key(&self, when: &str) {
        let world = &self.world;
        let shown = world.shown().await;
        assert!(matches!(shown, Err(Error::KeyNotFound { .. })), "{when}");
        assert_eq!(self.pending().await, [], "{when}");
        world.vaults.run_due().await.unwrap();
        assert_eq!(world.files(), 0, "{when}");
    }
}

#[tokio::test]
async fn what_fell_due_unconfirmed_is_kept_and_shown_and_purged_after_an_hour() {
    for cause in [Cause::Stop, Cause::Step] {
        let when = format!("{cause:?}");
        let host = Host::overdue(cause).await;
        let world = &host.world;
        host.keeps_the_key(&when).await;
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

        host.pass(HOUR - SignedDuration::from_secs(1));
        host.keeps_the_key(&when).await;
        host.pass(SignedDuration::from_secs(1));
        host.has_purged_the_key(&when).await;
    }
}

#[tokio::test]
async fn what_fell_due_unconfirmed_can_be_recovered_for_good() {
    for cause in [Cause::Stop, Cause::Step] {
        let host = Host::overdue(cause).await;
        host.world.recover_key().await.unwrap();
        assert_eq!(host.pending().await, []);
        host.pass(HOUR * 2);
        host.world.vaults.run_due().await.unwrap();
        let shown = host.world.shown().await.unwrap();
        assert_eq!(shown.state, State::Active, "{cause:?}");
    }
}

#[tokio::test]
async fn what_fell_due_unconfirmed_can_be_purged_at_once() {
    let host = Host::overdue(Cause::Stop).await;
    host.world.purge_key().await.unwrap();
    host.has_purged_the_key("on request").await;
}

#[tokio::test]
async fn each_start_within_the_hour_begins_another() {
    let mut host = Host::overdue(Cause::Step).await;
    host.pass(HOUR / 2);
    host.restart_after(SignedDuration::from_secs(5));
    host.pass(HOUR / 2);
    host.keeps_the_key("an hour, but not at once").await;
    host.pass(HOUR / 2);
    host.has_purged_the_key("an hour at once").await;
}

#[tokio::test]
async fn what_falls_due_while_the_emulator_runs_or_is_suspended_is_purged_at_once() {
    let host = Host::new().await;
    host.world.create_ec_key().await.unwrap();
    host.world.delete_key().await.unwrap();
    host.pass(RETENTION);
    host.has_purged_the_key("at its time").await;
}

#[tokio::test]
async fn what_falls_due_in_a_step_of_the_emulators_clock_is_purged_at_once() {
    let mut host = Host::new().await;
    host.world.create_ec_key().await.unwrap();
    host.restart_after(DAY);
    host.world.delete_key().await.unwrap();
    host.world.pass(RETENTION);
    host.has_purged_the_key("the operator's will").await;
}

#[tokio::test]
async fn a_step_of_the_emulators_clock_leaves_what_fell_due_before_it() {
    let host = Host::overdue(Cause::Stop).await;
    host.world.pass(RETENTION);
    host.keeps_the_key("a step on").await;
    host.world.clock.freeze();
    host.keeps_the_key("frozen").await;
    host.world.clock.resume();
    host.pass(HOUR);
    host.has_purged_the_key("an hour").await;
}

#[tokio::test]
async fn a_wrong_clock_that_is_put_right_within_the_hour_purges_nothing() {
    let host = Host::overdue(Cause::Step).await;
    host.pass(HOUR / 2);
    host.step(-RETENTION - DAY);
    assert_eq!(host.pending().await, []);
    host.pass(HOUR * 2);
    host.keeps_the_key("put right").await;
    host.pass(RETENTION);
    host.has_purged_the_key("its time has come").await;
}

#[tokio::test]
async fn a_vault_that_fell_due_unconfirmed_is_kept_with_its_keys() {
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
    host.keeps_the_key("its vault is back").await;
    host.world.recover_key().await.unwrap();
    host.delete_vault().await;
    host.restart_after(RETENTION);
    host.pass(HOUR);
    assert_eq!(host.pending().await, []);
    let swept = host.world.vaults.sweep().await.unwrap();
    assert_eq!((swept.vaults, host.world.files()), (1, 0));
}

//! Rotation policies at work as time passes.

use std::slice;

use jiff::{SignedDuration, Timestamp};
use sealock_vault::{
    Action, AuditEvent, KeyChange, KeyOperation, KeyType, LifetimeAction, Result, RotationPolicy,
    RotationPolicyView, Trigger, VaultChange,
};

use crate::world::{World, operator, wire};

const NOTIFICATION: &str = "KeyNearExpiryEventGridNotification";
const EXPIRED: &str = "KeyExpiredEventGridNotification";

pub(crate) fn rotate(trigger: Trigger) -> LifetimeAction {
    LifetimeAction {
        trigger,
        action: Action::Rotate,
    }
}

pub(crate) fn after_create(period: &str) -> Trigger {
    Trigger::AfterCreate(period.parse().unwrap())
}

fn before_expiry(period: &str) -> Trigger {
    Trigger::BeforeExpiry(period.parse().unwrap())
}

impl World {
    pub(crate) async fn set_policy(
        &self,
        lifetime_actions: Vec<LifetimeAction>,
        expiry_time: Option<&str>,
    ) -> Result<RotationPolicyView> {
        let policy = RotationPolicy {
            lifetime_actions,
            expiry_time: expiry_time.map(|period| period.parse().unwrap()),
        };
        self.vaults
            .set_rotation_policy(&operator(), &self.vault, &self.key, Ok(policy))
            .await
    }

    pub(crate) async fn policy(&self) -> Result<RotationPolicyView> {
        self.vaults
            .rotation_policy(&operator(), &self.vault, &self.key)
            .await
    }

    /// Runs what is due. Returns the number of new versions, and the time of the next run.
    async fn run_due(&self) -> (usize, Option<Timestamp>) {
        let due = self.vaults.run_due().await.unwrap();
        (due.rotated.len(), due.next)
    }

    fn in_days(&self, days: i64) -> Option<Timestamp> {
        let days = SignedDuration::from_hours(24 * days);
        self.clock.now().checked_add(days).ok()
    }

    fn events_of(&self, operation: &str) -> Vec<AuditEvent> {
        let mut events = self.audit_events();
        events.retain(|event| event.operation_name == operation);
        events
    }
}

/// The time that it takes to generate the private key does not matter.
#[tokio::test]
async fn expiry_time_counts_from_the_creation_of_the_version() {
    let world = World::new().await;
    world.create_key().await.unwrap();
    world.set_policy(vec![], Some("P30D")).await.unwrap();
    let passed = async { world.advance(SignedDuration::from_secs(1)) };
    let (rotated, ()) = tokio::join!(world.rotate_key(), passed);
    let made = rotated.unwrap().current.attributes;
    assert_eq!(made.created, world.clock.now());
    assert_eq!(made.expires, world.in_days(30));
}

/// The expiry would lie after the last date that can be represented.
#[tokio::test]
async fn version_that_outlives_the_calendar_never_expires() {
    let world = World::new().await;
    world.create_ec_key().await.unwrap();
    world.set_policy(vec![], Some("P7000Y")).await.unwrap();
    world.advance_days(365 * 1500);
    let rotated = world.rotate_key().await.unwrap();
    assert_eq!(rotated.current.attributes.expires, None);
}

#[tokio::test]
async fn key_rotates_at_its_time_after_creation() {
    let world = World::new().await;
    let tags = [("owner".to_owned(), "someone".to_owned())];
    let change = KeyChange {
        key_ops: Some(vec![KeyOperation::Sign]),
        tags: Some(tags.clone().into()),
        enabled: Some(false),
        ..KeyChange::default()
    };
    let first = world.create(KeyType::EcHsm, change).await.unwrap().current;
    let actions = vec![rotate(after_create("P15D"))];
    world.set_policy(actions, Some("P30D")).await.unwrap();
    assert_eq!(world.run_due().await, (0, world.in_days(15)));
    world.advance_days(14);
    assert_eq!(world.run_due().await, (0, world.in_days(1)));

    world.advance_days(1);
    // The new version rotates in 15 days. By default, its expiry in 30 days is reported at once.
    assert_eq!(world.run_due().await, (1, world.in_days(15)));
    let rotated = world.whole_key().await.unwrap();
    assert_eq!(
        rotated.older,
        slice::from_ref(&first),
        "the older version changed"
    );
    let new = &rotated.current;
    assert_eq!(new.attributes.expires, world.in_days(30));
    assert_eq!(new.attributes.created, world.clock.now());
    assert!(new.attributes.enabled);
    assert_eq!(new.attributes.not_before, None);
    assert_eq!(
        (new.kty, new.key_size, &new.key_ops, &new.tags),
        (KeyType::EcHsm, 256, &first.key_ops, &tags.into())
    );
    let recorded = world.events_of("KeyRotateIfDue");
    assert_eq!(recorded.len(), 1);
    assert!(
        recorded[0]
            .properties
            .id
            .ends_with(new.kid.version.as_str())
    );
    assert_eq!(world.run_due().await.0, 0, "rotated twice");
}

#[tokio::test]
async fn key_rotates_at_its_time_before_expiry() {
    let world = World::new().await;
    world.create_ec_key().await.unwrap();
    let actions = vec![rotate(before_expiry("P10D"))];
    world.set_policy(actions, Some("P60D")).await.unwrap();
    assert_eq!(world.run_due().await, (0, None), "a version without expiry");
    let expires = world.in_days(60);
    let change = KeyChange {
        expires,
        ..KeyChange::default()
    };
    world.update(change).await.unwrap();
    assert_eq!(
        world.run_due().await,
        (0, world.in_days(30)),
        "the default notice"
    );
    world.advance_days(30);
    assert_eq!(world.run_due().await, (0, world.in_days(20)));
    world.advance_days(20);
    assert_eq!(world.run_due().await, (1, world.in_days(30)));
    let new = world.whole_key().await.unwrap().current;
    assert_eq!(new.attributes.expires, world.in_days(60));
}

#[tokio::test]
async fn clock_step_over_several_periods_rotates_once() {
    let world = World::new().await;
    world.create_ec_key().await.unwrap();
    let actions = vec![rotate(after_create("P7D"))];
    world.set_policy(actions, None).await.unwrap();
    world.advance_days(365);
    assert_eq!(world.run_due().await, (1, world.in_days(7)));
    assert_eq!(world.whole_key().await.unwrap().versions().count(), 2);
}

#[tokio::test]
async fn concurrent_runs_rotate_once() {
    let world = World::new().await;
    world.create_ec_key().await.unwrap();
    let actions = vec![rotate(after_create("P7D"))];
    world.set_policy(actions, None).await.unwrap();
    world.advance_days(7);
    let (one, other) = tokio::join!(world.run_due(), world.run_due());
    assert_eq!(one.0 + other.0, 1);
}

#[tokio::test]
async fn near_expiry_is_reported_once_for_each_version() {
    let world = World::new().await;
    let expires = world.in_days(40);
    let change = || KeyChange {
        expires,
        ..KeyChange::default()
    };
    let first = world.create(KeyType::Ec, change()).await.unwrap().current;
    // The default policy notifies 30 days before.
    assert_eq!(world.run_due().await, (0, world.in_days(10)));
    world.advance_days(10);
    for _ in 0..2 {
        assert_eq!(world.run_due().await, (0, expires));
    }
    let recorded = world.events_of(NOTIFICATION);
    assert_eq!(recorded.len(), 1);
    let properties = &recorded[0].properties;
    assert!(properties.id.ends_with(first.kid.version.as_str()));
    assert_eq!(recorded[0].result_signature, "OK");

    // A change that keeps the expiry repeats no notice.
    world.set_enabled(&first.kid, false).await.unwrap();
    world.run_due().await;
    assert_eq!(world.events_of(NOTIFICATION).len(), 1);
    // A new expiry gets a notice, and so does a new version.
    world.update(change()).await.unwrap();
    world.run_due().await;
    assert_eq!(world.events_of(NOTIFICATION).len(), 2);
    world.create(KeyType::Ec, change()).await.unwrap();
    world.run_due().await;
    assert_eq!(world.events_of(NOTIFICATION).len(), 3);
}

#[tokio::test]
async fn expiry_is_reported_once_for_the_current_version() {
    let world = World::new().await;
    let change = KeyChange {
        expires: world.in_days(40),
        ..KeyChange::default()
    };
    let first = world.create(KeyType::Ec, change).await.unwrap().current;
    world.advance_days(40);
    for _ in 0..2 {
        assert_eq!(world.run_due().await, (0, None));
    }
    let recorded = world.events_of(EXPIRED);
    assert_eq!(recorded.len(), 1);
    assert!(
        recorded[0]
            .properties
            .id
            .ends_with(first.kid.version.as_str())
    );

    let actions = vec![rotate(before_expiry("P10D"))];
    world.set_policy(actions, Some("P40D")).await.unwrap();
    world.rotate_key().await.unwrap();
    world.advance_days(100);
    assert_eq!(world.run_due().await.0, 1);
    assert_eq!(world.events_of(EXPIRED).len(), 1);
}

#[tokio::test]
async fn rotation_policy_has_azures_default_and_is_purged_with_its_key() {
    let world = World::new().await;
    assert_eq!(wire(world.policy().await), (404, "KeyNotFound", None));
    world.create_ec_key().await.unwrap();
    let by_default = world.policy().await.unwrap();
    assert_eq!((by_default.created, by_default.updated), (None, None));
    let notify = LifetimeAction {
        trigger: before_expiry("P30D"),
        action: Action::Notify,
    };
    let actions = by_default.policy.lifetime_actions.as_slice();
    assert_eq!(actions, slice::from_ref(&notify));

    let first = world.clock.now();
    let actions = vec![rotate(after_create("P90D"))];
    let set = world.set_policy(actions, Some("P1Y")).await.unwrap();
    assert_eq!(
        set.policy.lifetime_actions,
        [rotate(after_create("P90D")), notify]
    );
    world.advance_days(1);
    let set = world.set_policy(vec![], None).await.unwrap();
    let now = world.clock.now();
    assert_eq!((set.created, set.updated), (Some(first), Some(now)));
    assert_eq!(world.policy().await.unwrap(), set);

    world.delete_key().await.unwrap();
    assert_eq!(wire(world.policy().await), (404, "KeyNotFound", None));
    world.recover_key().await.unwrap();
    assert_eq!(world.policy().await.unwrap(), set);
    world.delete_and_purge_key().await;
    world.create_ec_key().await.unwrap();
    assert_eq!(world.policy().await.unwrap(), by_default);
}

#[tokio::test]
async fn rotation_policy_out_of_bounds_is_refused() {
    let world = World::new().await;
    world.create_ec_key().await.unwrap();
    let actions = vec![rotate(after_create("P6D"))];
    let refused = world.set_policy(actions, None).await;
    assert_eq!(wire(refused), (400, "BadParameter", None));
    assert_eq!(world.policy().await.unwrap().updated, None);
}

/// Keys are unavailable while they or their vault are deleted, or the vault has failed over.
#[tokio::test]
async fn unavailable_keys_rotate_once_after_their_return() {
    let world = World::new().await;
    world.create_ec_key().await.unwrap();
    let actions = vec![rotate(after_create("P7D"))];
    world.set_policy(actions, None).await.unwrap();
    let failed_over = |failed_over| VaultChange {
        failed_over: Some(failed_over),
        ..VaultChange::default()
    };
    let (vaults, vault) = (&world.vaults, &world.vault);
    world.change_vault(failed_over(true)).await.unwrap();
    world.advance_days(7);
    assert_eq!(world.run_due().await, (0, None));
    world.change_vault(failed_over(false)).await.unwrap();
    assert_eq!(world.run_due().await, (1, world.in_days(7)));

    vaults.delete_vault(&operator(), vault).await.unwrap();
    world.advance_days(7);
    assert_eq!(world.run_due().await, (0, world.in_days(83)));
    vaults.recover_vault(&operator(), vault).await.unwrap();
    assert_eq!(world.run_due().await, (1, world.in_days(7)));
    world.delete_key().await.unwrap();
    world.advance_days(7);
    assert_eq!(world.run_due().await, (0, world.in_days(83)));
    world.recover_key().await.unwrap();
    assert_eq!(world.run_due().await, (1, world.in_days(7)));
    let recorded = world.events_of("KeyRotateIfDue");
    assert!(recorded.iter().all(|event| event.result_signature == "OK"));
}

/// The rotation in the same policy still happens.
#[tokio::test]
async fn notice_before_the_calendar_is_due_at_once() {
    let world = World::new().await;
    let change = KeyChange {
        expires: world.in_days(365),
        ..KeyChange::default()
    };
    world.create(KeyType::Ec, change).await.unwrap();
    let notify = LifetimeAction {
        trigger: before_expiry("P19000Y"),
        action: Action::Notify,
    };
    let actions = vec![rotate(after_create("P7D")), notify];
    world.set_policy(actions, None).await.unwrap();
    world.advance_days(7);
    assert_eq!(world.run_due().await.0, 1);
    assert_eq!(world.events_of(NOTIFICATION).len(), 1);
}

#[tokio::test]
async fn manual_rotation_takes_the_expiry_from_the_policy() {
    let world = World::new().await;
    let change = KeyChange {
        expires: world.in_days(3),
        ..KeyChange::default()
    };
    world.create(KeyType::Ec, change).await.unwrap();
    let rotated = world.rotate_key().await.unwrap().current;
    assert_eq!(
        rotated.attributes.expires, None,
        "an expiry without a policy"
    );
    world.set_policy(vec![], Some("P30D")).await.unwrap();
    let rotated = world.rotate_key().await.unwrap().current;
    assert_eq!(rotated.attributes.expires, world.in_days(30));
}

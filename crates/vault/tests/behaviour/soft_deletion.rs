//! The life of a key from its deletion on, by the clock.

use jiff::SignedDuration;
use sealock_vault::{Result, State, VaultSettings};

use crate::world::{World, operator, wire};

type Wire = (u16, &'static str, Option<&'static str>);

const MISSING: Wire = (404, "KeyNotFound", None);
const DELETING: Wire = (409, "Conflict", Some("ObjectIsBeingDeleted"));
const DELETED: Wire = (409, "Conflict", Some("ObjectIsDeletedButRecoverable"));
const RECOVERING: Wire = (409, "Conflict", Some("ObjectIsBeingRecovered"));

const MINUTE: SignedDuration = SignedDuration::from_mins(1);

#[derive(Clone, Copy, Debug)]
enum Asked {
    Get,
    Wrap,
    GetDeleted,
    Create,
    Delete,
    Recover,
    Purge,
}

impl World {
    async fn ask(&self, asked: Asked) -> Result<()> {
        let (vaults, id) = (&self.vaults, self.identifier());
        match asked {
            Asked::Get => vaults.get_key(&operator(), &id).await.map(drop),
            Asked::Wrap => self.wrap_as(&operator()).await.map(drop),
            Asked::GetDeleted => {
                let deleted = vaults.deleted_key(&operator(), &id.vault, &id.key).await;
                deleted.map(drop)
            }
            Asked::Create => self.create_key().await.map(drop),
            Asked::Delete => self.delete_key().await.map(drop),
            Asked::Recover => self.recover_key().await.map(drop),
            Asked::Purge => self.purge_key().await,
        }
    }

    async fn refuses(&self, state: State, refusals: &[(Asked, Wire)]) {
        assert_eq!(self.shown().await.unwrap().state, state);
        for (asked, refusal) in refusals {
            assert_eq!(
                wire(self.ask(*asked).await),
                *refusal,
                "{state:?}: {asked:?}"
            );
        }
    }
}

#[tokio::test]
async fn each_state_has_its_answers() {
    use Asked::{Create, Delete, Get, GetDeleted, Purge, Recover, Wrap};

    let world = World::slow().await;
    world.create_key().await.unwrap();
    let active = [(GetDeleted, MISSING), (Recover, MISSING), (Purge, MISSING)];
    world.refuses(State::Active, &active).await;

    world.ask(Delete).await.unwrap();
    let deleting = [
        (Get, MISSING),
        (Wrap, MISSING),
        (GetDeleted, MISSING),
        (Create, DELETING),
        (Delete, MISSING),
        (Recover, DELETING),
        (Purge, DELETING),
    ];
    world.refuses(State::Deleting, &deleting).await;
    assert_eq!(
        world.vaults.run_due().await.unwrap().next,
        Some(world.clock.now() + MINUTE)
    );
    world.pass(MINUTE - SignedDuration::from_secs(1));
    world.refuses(State::Deleting, &deleting).await;

    world.pass(SignedDuration::from_secs(1));
    let deleted = [
        (Get, MISSING),
        (Wrap, MISSING),
        (Create, DELETED),
        (Delete, MISSING),
    ];
    world.refuses(State::Deleted, &deleted).await;
    world.ask(GetDeleted).await.unwrap();

    world.ask(Recover).await.unwrap();
    let recovering = [
        (Get, MISSING),
        (Wrap, MISSING),
        (GetDeleted, MISSING),
        (Create, RECOVERING),
        (Delete, MISSING),
        (Recover, RECOVERING),
        (Purge, RECOVERING),
    ];
    world.refuses(State::Recovering, &recovering).await;

    world.pass(MINUTE);
    world.refuses(State::Active, &active).await;
    for asked in [Get, Wrap, Create] {
        world.ask(asked).await.unwrap();
    }
}

/// A registry asks its vault again only when the epoch has risen.
#[tokio::test]
async fn the_end_of_a_recovery_raises_the_epoch() {
    let world = World::slow().await;
    world.create_ec_key().await.unwrap();
    world.delete_key().await.unwrap();
    world.pass(MINUTE);
    world.recover_key().await.unwrap();
    let before = world.store.epoch().await.unwrap();
    let due = world.vaults.run_due().await.unwrap();
    assert_eq!(due.next, Some(world.clock.now() + MINUTE));
    assert_eq!(world.store.epoch().await.unwrap(), before);
    world.pass(MINUTE);
    assert_eq!(world.vaults.run_due().await.unwrap().next, None);
    assert!(before < world.store.epoch().await.unwrap());
    let settled = world.store.epoch().await.unwrap();
    world.vaults.run_due().await.unwrap();
    assert_eq!(world.store.epoch().await.unwrap(), settled, "once");
}

#[tokio::test]
async fn what_is_deleted_without_delay_is_deleted_at_once() {
    let world = World::new().await;
    world.create_ec_key().await.unwrap();
    assert_eq!(world.delete_key().await.unwrap().state, State::Deleted);
    assert_eq!(world.recover_key().await.unwrap().state, State::Active);
}

#[tokio::test]
async fn a_retention_of_each_length_ends_to_the_second() {
    for days in [7, 45, 90] {
        let world = World::with(VaultSettings {
            soft_delete_retention_days: days,
            ..VaultSettings::default()
        })
        .await;
        world.create_ec_key().await.unwrap();
        world.delete_key().await.unwrap();
        let end = world.clock.now() + SignedDuration::from_hours(24 * i64::from(days));
        assert_eq!(world.vaults.run_due().await.unwrap().next, Some(end));
        world.pass_days(i64::from(days));
        world.pass(SignedDuration::from_secs(-1));
        assert_eq!(wire(world.create_ec_key().await), DELETED);
        world.vaults.run_due().await.unwrap();
        assert_eq!(world.files(), 2);
        world.pass(SignedDuration::from_secs(1));
        assert_eq!(wire(world.recover_key().await), MISSING);
        assert_eq!(world.vaults.run_due().await.unwrap().next, None);
        assert_eq!(world.files(), 0);
    }
}

#[tokio::test]
async fn all_versions_go_and_come_back_as_they_were() {
    let world = World::new().await;
    let first = world.create_ec_key().await.unwrap().current.kid;
    world.create_key().await.unwrap();
    world.set_enabled(&first, false).await.unwrap();
    let before = world.shown().await.unwrap();
    world.delete_key().await.unwrap();
    world.pass_days(30);
    assert_eq!(world.recover_key().await.unwrap(), before);
}

/// The vault's end is next, and its keys go with it, whenever they were deleted.
#[tokio::test]
async fn a_deleted_vaults_end_is_due_with_all_that_is_in_it() {
    let world = World::new().await;
    world.create_ec_key().await.unwrap();
    world.pass_days(1);
    world.delete_key().await.unwrap();
    world.pass_days(1);
    world
        .vaults
        .delete_vault(&operator(), &world.vault)
        .await
        .unwrap();
    world.pass_days(89);
    let due = world.vaults.run_due().await.unwrap();
    assert_eq!(
        due.next,
        Some(world.clock.now() + SignedDuration::from_hours(24))
    );
    assert_eq!(world.files(), 0, "the key's own end has come");
    world.pass_days(1);
    assert_eq!(world.vaults.run_due().await.unwrap().next, None);
    assert!(world.vaults.vaults(&operator()).await.unwrap().is_empty());
}

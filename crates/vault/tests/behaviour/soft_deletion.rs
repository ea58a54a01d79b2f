//! The states of a key after its deletion, as time passes.

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
enum Request {
    Get,
    Wrap,
    GetDeleted,
    Create,
    Delete,
    Recover,
    Purge,
}

impl World {
    async fn send(&self, request: Request) -> Result<()> {
        let (vaults, id) = (&self.vaults, self.identifier());
        match request {
            Request::Get => vaults.get_key(&operator(), &id).await.map(drop),
            Request::Wrap => self.wrap_as(&operator()).await.map(drop),
            Request::GetDeleted => {
                let deleted = vaults.deleted_key(&operator(), &id.vault, &id.key).await;
                deleted.map(drop)
            }
            Request::Create => self.create_key().await.map(drop),
            Request::Delete => self.delete_key().await.map(drop),
            Request::Recover => self.recover_key().await.map(drop),
            Request::Purge => self.purge_key().await,
        }
    }

    async fn assert_refusals(&self, state: State, refusals: &[(Request, Wire)]) {
        assert_eq!(self.whole_key().await.unwrap().state, state);
        for (request, refusal) in refusals {
            assert_eq!(
                wire(self.send(*request).await),
                *refusal,
                "{state:?}: {request:?}"
            );
        }
    }
}

#[tokio::test]
async fn each_deletion_state_has_its_own_refusals() {
    use Request::{Create, Delete, Get, GetDeleted, Purge, Recover, Wrap};

    let world = World::slow().await;
    world.create_key().await.unwrap();
    let active = [(GetDeleted, MISSING), (Recover, MISSING), (Purge, MISSING)];
    world.assert_refusals(State::Active, &active).await;

    world.send(Delete).await.unwrap();
    let deleting = [
        (Get, MISSING),
        (Wrap, MISSING),
        (GetDeleted, MISSING),
        (Create, DELETING),
        (Delete, MISSING),
        (Recover, DELETING),
        (Purge, DELETING),
    ];
    world.assert_refusals(State::Deleting, &deleting).await;
    assert_eq!(
        world.vaults.run_due().await.unwrap().next,
        Some(world.clock.now() + MINUTE)
    );
    world.advance(MINUTE - SignedDuration::from_secs(1));
    world.assert_refusals(State::Deleting, &deleting).await;

    world.advance(SignedDuration::from_secs(1));
    let deleted = [
        (Get, MISSING),
        (Wrap, MISSING),
        (Create, DELETED),
        (Delete, MISSING),
    ];
    world.assert_refusals(State::Deleted, &deleted).await;
    world.send(GetDeleted).await.unwrap();

    world.send(Recover).await.unwrap();
    let recovering = [
        (Get, MISSING),
        (Wrap, MISSING),
        (GetDeleted, MISSING),
        (Create, RECOVERING),
        (Delete, MISSING),
        (Recover, RECOVERING),
        (Purge, RECOVERING),
    ];
    world.assert_refusals(State::Recovering, &recovering).await;

    world.advance(MINUTE);
    world.assert_refusals(State::Active, &active).await;
    for request in [Get, Wrap, Create] {
        world.send(request).await.unwrap();
    }
}

/// A registry asks its vault again only after the epoch rises.
#[tokio::test]
async fn end_of_a_recovery_raises_the_epoch() {
    let world = World::slow().await;
    world.create_ec_key().await.unwrap();
    world.delete_key().await.unwrap();
    world.advance(MINUTE);
    world.recover_key().await.unwrap();
    let before = world.store.epoch().await.unwrap();
    let due = world.vaults.run_due().await.unwrap();
    assert_eq!(due.next, Some(world.clock.now() + MINUTE));
    assert_eq!(world.store.epoch().await.unwrap(), before);
    world.advance(MINUTE);
    assert_eq!(world.vaults.run_due().await.unwrap().next, None);
    assert!(before < world.store.epoch().await.unwrap());
    let settled = world.store.epoch().await.unwrap();
    world.vaults.run_due().await.unwrap();
    assert_eq!(world.store.epoch().await.unwrap(), settled, "raised twice");
}

#[tokio::test]
async fn deletion_without_a_delay_is_immediate() {
    let world = World::new().await;
    world.create_ec_key().await.unwrap();
    assert_eq!(world.delete_key().await.unwrap().state, State::Deleted);
    assert_eq!(world.recover_key().await.unwrap().state, State::Active);
}

#[tokio::test]
async fn retention_ends_exactly_on_time() {
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
        world.advance_days(i64::from(days));
        world.advance(SignedDuration::from_secs(-1));
        assert_eq!(wire(world.create_ec_key().await), DELETED);
        world.vaults.run_due().await.unwrap();
        assert_eq!(world.file_count(), 2);
        world.advance(SignedDuration::from_secs(1));
        assert_eq!(wire(world.recover_key().await), MISSING);
        assert_eq!(world.vaults.run_due().await.unwrap().next, None);
        assert_eq!(world.file_count(), 0);
    }
}

#[tokio::test]
async fn recovered_key_keeps_all_versions_unchanged() {
    let world = World::new().await;
    let first = world.create_ec_key().await.unwrap().current.kid;
    world.create_key().await.unwrap();
    world.set_enabled(&first, false).await.unwrap();
    let before = world.whole_key().await.unwrap();
    world.delete_key().await.unwrap();
    world.advance_days(30);
    assert_eq!(world.recover_key().await.unwrap(), before);
}

/// The purge of the vault includes keys that were deleted earlier.
#[tokio::test]
async fn expired_vault_is_purged_with_its_keys_when_due() {
    let world = World::new().await;
    world.create_ec_key().await.unwrap();
    world.advance_days(1);
    world.delete_key().await.unwrap();
    world.advance_days(1);
    world
        .vaults
        .delete_vault(&operator(), &world.vault)
        .await
        .unwrap();
    world.advance_days(89);
    let due = world.vaults.run_due().await.unwrap();
    assert_eq!(
        due.next,
        Some(world.clock.now() + SignedDuration::from_hours(24))
    );
    assert_eq!(world.file_count(), 0, "the key outlived its own retention");
    world.advance_days(1);
    assert_eq!(world.vaults.run_due().await.unwrap().next, None);
    assert!(world.vaults.vaults(&operator()).await.unwrap().is_empty());
}

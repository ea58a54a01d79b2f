//! Key names ignore case, and keep the case of the first version.

use sealock_vault::{Error, KeyChange, KeySpec, Page};

use crate::{
    rotation::{after_create, rotate},
    world::{SECRET, World, operator, refused},
};

impl World {
    fn rename_key_to(&mut self, name: &str) {
        self.key = name.parse().unwrap();
    }

    async fn key_names(&self) -> Vec<String> {
        let keys = self.vaults.keys(&operator(), &self.vault).await.unwrap();
        keys.into_iter().map(|key| key.name.into()).collect()
    }
}

#[tokio::test]
async fn key_is_found_by_its_name_in_any_case() {
    let mut world = World::new().await;
    world.rename_key_to("My-Key");
    let first = world.create_key().await.unwrap().current.kid;
    world.rename_key_to("my-key");
    let wrapped = world.wrap_as(&world.registry).await.unwrap();
    let second = world.create_key().await.unwrap();
    assert_eq!(second.versions().count(), 2);
    assert_eq!(second.older[0].kid, first);
    let kids = second.versions().map(|version| version.kid.to_string());
    assert!(
        kids.into_iter()
            .all(|kid| kid.starts_with("kv1/keys/My-Key/"))
    );
    assert_eq!(*world.unwrap(&first, &wrapped).await.unwrap(), SECRET);

    world.rename_key_to("MY-KEY");
    let third = world.rotate_key().await.unwrap();
    assert_eq!(third.current.kid.key.as_str(), "My-Key");
    let (_, changed) = world.update(KeyChange::default()).await.unwrap();
    assert_eq!(changed.kid.to_string(), third.current.kid.to_string());
    let actions = vec![rotate(after_create("P30D"))];
    let set = world.set_policy(actions, None).await.unwrap();
    assert_eq!(set.key.to_string(), "kv1/keys/My-Key");
    assert_eq!(world.policy().await.unwrap(), set);
    let page = Ok(Page {
        after: None,
        limit: 25,
    });
    let (operator, vault) = (operator(), &world.vault);
    let versions = world
        .vaults
        .list_versions(&operator, vault, &world.key, page);
    let versions = versions.await.unwrap().entries;
    assert_eq!(versions.len(), 3);
    assert!(
        versions
            .iter()
            .all(|version| version.kid.key.as_str() == "My-Key")
    );
    assert_eq!(world.key_names().await, ["My-Key"]);
}

#[tokio::test]
async fn deleted_key_holds_its_name_in_any_case() {
    let mut world = World::new().await;
    world.rename_key_to("My-Key");
    let created = world.create_key().await.unwrap();
    world.rename_key_to("my-KEY");
    let backup = world.backup().await;
    let deleted = world.delete_key().await.unwrap();
    assert_eq!(deleted.name.as_str(), "My-Key");
    assert!(matches!(
        refused(world.create_key().await),
        Error::ObjectIsDeletedButRecoverable { .. }
    ));
    let restore = || world.restore(&world.vault, &backup);
    assert!(matches!(
        refused(restore().await),
        Error::RestoreConflict { .. }
    ));
    assert_eq!(world.recover_key().await.unwrap(), created);
    world.delete_and_purge_key().await;
    assert_eq!(world.file_count(), 0);
    assert_eq!(restore().await.unwrap(), created);
    world.delete_and_purge_key().await;
    let again = world.create_key().await.unwrap();
    assert_eq!(again.name.as_str(), "my-KEY");
}

#[tokio::test]
async fn concurrent_spellings_of_a_name_make_one_key() {
    let mut world = World::new().await;
    let (vault, change) = (world.vault.clone(), KeyChange::default());
    let create = |name: &str| {
        let asked = Ok((KeySpec::default(), change.clone()));
        let (vaults, vault) = (world.vaults.clone(), vault.clone());
        let key = name.parse().unwrap();
        async move { vaults.create_key(&operator(), &vault, &key, asked).await }
    };
    let (one, other) = tokio::join!(create("My-Key"), create("my-key"));
    // The second creation conflicts if it has sealed its private key already.
    let made = [one, other]
        .into_iter()
        .filter_map(|created| match created {
            Ok(key) => Some(key),
            Err(error) => {
                assert!(matches!(error, Error::ConcurrentChange));
                None
            }
        });
    let made: Vec<_> = made.collect();
    world.rename_key_to("MY-KEY");
    let shown = world.whole_key().await.unwrap();
    assert_eq!(shown.versions().count(), made.len());
    assert_eq!(world.file_count(), 2 * made.len());
    for version in shown.versions() {
        let wrapped = world.wrap(&version.kid).await.unwrap();
        assert_eq!(*world.unwrap(&version.kid, &wrapped).await.unwrap(), SECRET);
    }
}

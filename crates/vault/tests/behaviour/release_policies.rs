//! What an exportable key keeps: that it is so, and its release policy.

use sealock_vault::{
    KeyBundle, KeyChange, KeyType, Page, ReleasePolicy, ReleaseRules, VaultSettings,
};

use crate::{
    imports::EC,
    world::{World, exportable, given, operator, release_policy},
};

impl World {
    /// The policies of the key's versions, which each way to see them shows alike.
    async fn policies(&self) -> Vec<Option<ReleasePolicy>> {
        let (vaults, vault, key) = (&self.vaults, &self.vault, &self.key);
        let shown = self.shown().await.unwrap();
        let shown: Vec<KeyBundle> = shown.versions().cloned().collect();
        let got = vaults.get_key(&self.caller, &self.identifier()).await;
        assert_eq!(got.unwrap(), shown[0]);

        let page = || {
            Ok(Page {
                after: None,
                limit: 25,
            })
        };
        let listed = vaults.list_versions(&operator(), vault, key, page()).await;
        let listed = listed.unwrap().entries;
        assert_eq!(listed.len(), shown.len());
        assert!(listed.iter().all(|version| shown.contains(version)));
        let keys = vaults.list_keys(&operator(), vault, page()).await;
        assert_eq!(keys.unwrap().entries[0].current, shown[0]);
        shown.into_iter().map(|it| it.release_policy).collect()
    }
}

#[tokio::test]
async fn all_versions_of_a_key_have_its_policy() {
    let world = World::new().await;
    let one = release_policy("https://one", false);
    let create = async |change| world.create(KeyType::EcHsm, change).await;
    let created = create(exportable(one.clone())).await.unwrap().current;
    assert_eq!(created.release_policy.as_ref(), Some(&one));
    create(KeyChange::default()).await.unwrap();
    let imported = world.import("EC", EC, true, KeyChange::default()).await;
    imported.unwrap();
    let rotated = world.rotate_key().await.unwrap().current;
    assert_eq!(rotated.release_policy.as_ref(), Some(&one));
    assert_eq!(world.policies().await, vec![Some(one); 4]);

    let two = Some(release_policy("https://two", false));
    create(exportable(two.clone().unwrap())).await.unwrap();
    assert_eq!(world.policies().await, vec![two; 5]);
    let three = Some(release_policy("https://three", true));
    let (_, updated) = world.update(given(three.clone().unwrap())).await.unwrap();
    assert_eq!(updated.release_policy, three);
    assert_eq!(world.policies().await, vec![three.clone(); 5]);

    // It stays, whatever else becomes of the key.
    world.set_enabled(&created.kid, false).await.unwrap();
    world.rotate_key().await.unwrap();
    world.delete_key().await.unwrap();
    assert_eq!(world.shown().await.unwrap().current.release_policy, three);
    world.recover_key().await.unwrap();
    assert_eq!(world.policies().await, vec![three; 6]);

    world.delete_and_purge_key().await;
    create(KeyChange::default()).await.unwrap();
    assert_eq!(world.policies().await, [None]);
}

/// So do clients that send back what they got.
#[tokio::test]
async fn an_update_may_say_what_is_so() {
    let world = World::new().await;
    let policy = release_policy("https://one", true);
    let change = exportable(policy.clone());
    let imported = world.import("EC", EC, true, change.clone()).await.unwrap();
    let change = KeyChange {
        enabled: Some(false),
        ..change
    };
    let kid = imported.current.kid.identifier();
    let updated = world.vaults.update_key(&operator(), &kid, Ok(change)).await;
    assert!(!updated.unwrap().1.attributes.enabled);
    assert_eq!(world.policies().await, [Some(policy)]);
}

#[tokio::test]
async fn a_backup_has_the_policy() {
    let world = World::new().await;
    let policy = release_policy("https://one", true);
    let created = world.create(KeyType::EcHsm, exportable(policy)).await;
    let (vaults, vault) = (&world.vaults, &world.vault);
    let backup = vaults.backup_key(&operator(), vault, &world.key).await;
    world.delete_and_purge_key().await;
    let restored = vaults
        .restore_key(&operator(), vault, backup)
        .await
        .unwrap();
    assert_eq!(restored, created.unwrap());
    assert_eq!(world.shown().await.unwrap(), restored);
}

/// In a record that a deletion and the longest names make larger.
#[tokio::test]
async fn the_largest_and_deepest_policies_are_kept() {
    let claim = |value: &str| format!(r#"{{"claim":"c","equals":"{value}"}}"#);
    let rules = |conditions: &str| {
        format!(
            r#"{{"version":"1.0.0","anyOf":[{{"authority":"https://a","allOf":[{conditions}]}}]}}"#
        )
    };
    let room = 3072 - rules(&claim("")).len();
    let largest = |filling: &str| claim(&filling.repeat(room / filling.len()));
    let deepest = [r#"{"anyOf":["#.repeat(7), claim(""), "]}".repeat(7)].concat();
    for conditions in [
        largest("x"),
        largest(r#"\""#),
        largest("\u{1F511}"),
        deepest,
    ] {
        let mut world = World::slow().await;
        world.vault = "v".repeat(24).parse().unwrap();
        world.key = "k".repeat(127).parse().unwrap();
        let settings = VaultSettings::default();
        let (vaults, vault) = (&world.vaults, &world.vault);
        let made = vaults.create_vault(&operator(), vault, settings).await;
        made.unwrap();
        let policy = ReleasePolicy {
            rules: ReleaseRules::from_json(rules(&conditions).as_bytes()).unwrap(),
            immutable: false,
        };
        let change = exportable(policy.clone());
        world.create(KeyType::EcHsm, change).await.unwrap();
        world.delete_key().await.unwrap();
        let shown = world.shown().await.unwrap().current;
        assert_eq!(shown.release_policy, Some(policy));
    }
}

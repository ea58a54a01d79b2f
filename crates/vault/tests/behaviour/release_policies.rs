//! Exportable keys and their release policies.

use sealock_vault::{
    KeyBundle, KeyChange, KeyType, Page, ReleasePolicy, ReleaseRules, VaultSettings, VaultSku,
};

use crate::{
    errors::{BAD, assert_refused},
    imports::EC,
    world::{World, exportable, operator, release_policy, with_policy},
};

const NO_POLICY: &str = "AKV.SKR.1004: Exportable keys must have release policy.";
const NOT_EXPORTABLE: &str = "AKV.SKR.1005: Non-exportable keys must not have release policy.";
const IN_SOFTWARE: &str = "AKV.SKR.1006: The exportable attribute is only supported with keys in hardware; use RSA-HSM or EC-HSM.";

impl World {
    /// Returns the policies of the key's versions, and asserts that all views agree.
    async fn policies_in_all_views(&self) -> Vec<Option<ReleasePolicy>> {
        let (vaults, vault, key) = (&self.vaults, &self.vault, &self.key);
        let shown = self.whole_key().await.unwrap();
        let shown: Vec<KeyBundle> = shown.versions().cloned().collect();
        let got = vaults.get_key(&self.registry, &self.identifier()).await;
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
async fn release_policy_applies_to_all_versions() {
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
    assert_eq!(world.policies_in_all_views().await, vec![Some(one); 4]);

    let two = Some(release_policy("https://two", false));
    create(exportable(two.clone().unwrap())).await.unwrap();
    assert_eq!(world.policies_in_all_views().await, vec![two; 5]);
    let three = Some(release_policy("https://three", true));
    let (_, updated) = world
        .update(with_policy(three.clone().unwrap()))
        .await
        .unwrap();
    assert_eq!(updated.release_policy, three);
    assert_eq!(world.policies_in_all_views().await, vec![three.clone(); 5]);

    // No other change of the key affects the policy.
    world.set_enabled(&created.kid, false).await.unwrap();
    world.rotate_key().await.unwrap();
    world.delete_key().await.unwrap();
    assert_eq!(
        world.whole_key().await.unwrap().current.release_policy,
        three
    );
    world.recover_key().await.unwrap();
    assert_eq!(world.policies_in_all_views().await, vec![three; 6]);

    world.delete_and_purge_key().await;
    create(KeyChange::default()).await.unwrap();
    assert_eq!(world.policies_in_all_views().await, [None]);
}

/// Some clients send back what they received.
#[tokio::test]
async fn update_may_repeat_the_immutable_policy() {
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
    assert_eq!(world.policies_in_all_views().await, [Some(policy)]);
}

#[tokio::test]
async fn backup_contains_the_release_policy() {
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
    assert_eq!(world.whole_key().await.unwrap(), restored);
}

/// The longest names and a deletion make the record as large as it can be.
#[tokio::test]
async fn largest_and_deepest_release_policies_are_stored() {
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
        let shown = world.whole_key().await.unwrap().current;
        assert_eq!(shown.release_policy, Some(policy));
    }
}

fn set_exportable(exportable: bool) -> KeyChange {
    KeyChange {
        exportable: Some(exportable),
        ..KeyChange::default()
    }
}

#[tokio::test]
async fn unsupported_exportable_key_is_refused() {
    let premium = World::new().await;
    let standard = World::with(VaultSettings {
        sku: VaultSku::Standard,
        ..VaultSettings::default()
    })
    .await;
    let policy = || release_policy("https://one", false);
    let not_exportable = KeyChange {
        release_policy: Some(policy()),
        ..set_exportable(false)
    };
    let in_standard = "AKV.SKR.1001: The exportable attribute is only supported with premium vaults and API version >= '7.3-preview'.";
    let (ec, hsm, rsa) = (KeyType::Ec, KeyType::EcHsm, KeyType::Rsa);
    for (name, world, kty, change, text) in [
        ("no policy", &premium, hsm, set_exportable(true), NO_POLICY),
        (
            "no policy, in software",
            &standard,
            ec,
            set_exportable(true),
            NO_POLICY,
        ),
        (
            "not exportable",
            &premium,
            hsm,
            not_exportable,
            NOT_EXPORTABLE,
        ),
        (
            "not exportable by default",
            &standard,
            ec,
            with_policy(policy()),
            NOT_EXPORTABLE,
        ),
        (
            "standard vault",
            &standard,
            hsm,
            exportable(policy()),
            in_standard,
        ),
        (
            "RSA in software",
            &premium,
            rsa,
            exportable(policy()),
            IN_SOFTWARE,
        ),
        (
            "EC in software",
            &premium,
            ec,
            exportable(policy()),
            IN_SOFTWARE,
        ),
    ] {
        assert_refused(name, world.create(kty, change).await, BAD, text);
    }
    let imported = premium.import("EC", EC, false, exportable(policy())).await;
    assert_refused("imported into software", imported, BAD, IN_SOFTWARE);
    assert_eq!(
        (premium.file_count(), standard.file_count()),
        (0, 0),
        "a refused request left files"
    );
}

#[tokio::test]
async fn existing_key_cannot_change_its_exportability() {
    let world = World::new().await;
    let existing = "AKV.SKR.1003: The exportable attribute of an existing key cannot be changed.";
    let updated = "AKV.SKR.1014: Cannot modify the exportable state of a key.";
    let policy = || release_policy("https://one", false);
    let create = async |change| world.create(KeyType::EcHsm, change).await;
    create(set_exportable(false)).await.unwrap();
    assert_refused(
        "made exportable",
        create(exportable(policy())).await,
        BAD,
        existing,
    );
    assert_refused(
        "policy for a non-exportable key",
        create(with_policy(policy())).await,
        BAD,
        NOT_EXPORTABLE,
    );
    assert_refused(
        "updated to exportable",
        world.update(set_exportable(true)).await,
        BAD,
        updated,
    );
    assert_refused(
        "update with a policy",
        world.update(with_policy(policy())).await,
        BAD,
        NOT_EXPORTABLE,
    );
    world.delete_and_purge_key().await;
    create(exportable(policy())).await.unwrap();
    assert_refused(
        "no longer exportable",
        create(set_exportable(false)).await,
        BAD,
        existing,
    );
    assert_refused(
        "updated to non-exportable",
        world.update(set_exportable(false)).await,
        BAD,
        updated,
    );
    assert_refused(
        "version in software",
        world.create_ec_key().await,
        BAD,
        IN_SOFTWARE,
    );
    assert_eq!(world.file_count(), 2, "a refused request left files");
}

#[tokio::test]
async fn immutable_release_policy_cannot_be_changed() {
    let world = World::new().await;
    let policy = |immutable| release_policy("https://one", immutable);
    let create = async |policy| world.create(KeyType::EcHsm, exportable(policy)).await;
    let kid = create(policy(false))
        .await
        .unwrap()
        .current
        .kid
        .identifier();
    let other = || with_policy(release_policy("https://two", true));
    assert_refused(
        "policy for one version alone",
        world
            .vaults
            .update_key(&operator(), &kid, Ok(other()))
            .await,
        BAD,
        "AKV.SKR.1016: Key Release Policy can only be set on versionless key.",
    );
    world.update(with_policy(policy(true))).await.unwrap();
    let text = "AKV.SKR.1020: Immutable Key Release Policy cannot be modified.";
    assert_refused("another policy", world.update(other()).await, BAD, text);
    assert_refused(
        "mutable again",
        world.update(with_policy(policy(false))).await,
        BAD,
        text,
    );
    assert_refused("with a version", create(policy(false)).await, BAD, text);
    assert_refused(
        "with a version, the same",
        create(policy(true)).await,
        BAD,
        text,
    );
    assert_refused(
        "with an imported version, the same",
        world.import("EC", EC, true, exportable(policy(true))).await,
        BAD,
        text,
    );
    assert_eq!(world.file_count(), 2, "a refused request left files");
}

//! What an exportable key keeps: that it is so, and its release policy.

use sealock_vault::{
    KeyBundle, KeyChange, KeyType, Page, ReleasePolicy, ReleaseRules, VaultSettings, VaultSku,
};

use crate::{
    errors::{BAD, row},
    imports::EC,
    world::{World, exportable, given, operator, release_policy},
};

const NO_POLICY: &str = "AKV.SKR.1004: Exportable keys must have release policy.";
const NOT_EXPORTABLE: &str = "AKV.SKR.1005: Non-exportable keys must not have release policy.";
const IN_SOFTWARE: &str = "AKV.SKR.1006: The exportable attribute is only supported with keys in hardware; use RSA-HSM or EC-HSM.";

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

fn said_exportable(exportable: bool) -> KeyChange {
    KeyChange {
        exportable: Some(exportable),
        ..KeyChange::default()
    }
}

#[tokio::test]
async fn exportable_key_of_a_kind_that_there_is_not() {
    let premium = World::new().await;
    let standard = World::with(VaultSettings {
        sku: VaultSku::Standard,
        ..VaultSettings::default()
    })
    .await;
    let policy = || release_policy("https://one", false);
    let not_exportable = KeyChange {
        release_policy: Some(policy()),
        ..said_exportable(false)
    };
    let in_standard = "AKV.SKR.1001: The exportable attribute is only supported with premium vaults and API version >= '7.3-preview'.";
    let (ec, hsm, rsa) = (KeyType::Ec, KeyType::EcHsm, KeyType::Rsa);
    for (name, world, kty, change, text) in [
        ("no policy", &premium, hsm, said_exportable(true), NO_POLICY),
        (
            "no policy, in software",
            &standard,
            ec,
            said_exportable(true),
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
            "not exportable, unsaid",
            &standard,
            ec,
            given(policy()),
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
        row(name, world.create(kty, change).await, BAD, text);
    }
    let imported = premium.import("EC", EC, false, exportable(policy())).await;
    row("imported into software", imported, BAD, IN_SOFTWARE);
    assert_eq!(
        (premium.files(), standard.files()),
        (0, 0),
        "nothing refused left a file"
    );
}

#[tokio::test]
async fn exportable_from_another_version_on() {
    let world = World::new().await;
    let existing = "AKV.SKR.1003: The exportable attribute of an existing key cannot be changed.";
    let updated = "AKV.SKR.1014: Cannot modify the exportable state of a key.";
    let policy = || release_policy("https://one", false);
    let create = async |change| world.create(KeyType::EcHsm, change).await;
    create(said_exportable(false)).await.unwrap();
    row(
        "made exportable",
        create(exportable(policy())).await,
        BAD,
        existing,
    );
    row(
        "given a policy",
        create(given(policy())).await,
        BAD,
        NOT_EXPORTABLE,
    );
    row(
        "updated",
        world.update(said_exportable(true)).await,
        BAD,
        updated,
    );
    row(
        "updated policy",
        world.update(given(policy())).await,
        BAD,
        NOT_EXPORTABLE,
    );
    world.delete_and_purge_key().await;
    create(exportable(policy())).await.unwrap();
    row(
        "not exportable any more",
        create(said_exportable(false)).await,
        BAD,
        existing,
    );
    row(
        "updated not to be",
        world.update(said_exportable(false)).await,
        BAD,
        updated,
    );
    row(
        "a version in software",
        world.create_ec_key().await,
        BAD,
        IN_SOFTWARE,
    );
    assert_eq!(world.files(), 2, "nothing refused left a file");
}

#[tokio::test]
async fn immutable_release_policy() {
    let world = World::new().await;
    let policy = |immutable| release_policy("https://one", immutable);
    let create = async |policy| world.create(KeyType::EcHsm, exportable(policy)).await;
    let kid = create(policy(false))
        .await
        .unwrap()
        .current
        .kid
        .identifier();
    let other = || given(release_policy("https://two", true));
    row(
        "policy for one version alone",
        world
            .vaults
            .update_key(&operator(), &kid, Ok(other()))
            .await,
        BAD,
        "AKV.SKR.1016: Key Release Policy can only be set on versionless key.",
    );
    world.update(given(policy(true))).await.unwrap();
    let text = "AKV.SKR.1020: Immutable Key Release Policy cannot be modified.";
    row("another policy", world.update(other()).await, BAD, text);
    row(
        "mutable again",
        world.update(given(policy(false))).await,
        BAD,
        text,
    );
    row("with a version", create(policy(false)).await, BAD, text);
    row(
        "with a version, the same",
        create(policy(true)).await,
        BAD,
        text,
    );
    row(
        "with an imported version, the same",
        world.import("EC", EC, true, exportable(policy(true))).await,
        BAD,
        text,
    );
    assert_eq!(world.files(), 2, "nothing refused left a file");
}

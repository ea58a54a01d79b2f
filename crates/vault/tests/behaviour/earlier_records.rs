//! What an earlier version of the emulator stored is still read, and is what it was.

use std::ops::Bound;

use futures_util::TryStreamExt as _;
use sealock_store::{Batch, Commit, Table};
use sealock_vault::{
    AuditEvent, Bypass, KeyChange, KeyOperation, KeyType, NetworkRules, State, VaultSku,
};
use serde_json::Value;

use crate::{
    rotation::{after_create, rotate},
    world::{SECRET, World, operator, refused},
};

impl World {
    /// Writes the record as it was before it had these members.
    async fn forget(&self, table: &'static str, key: &[&str], members: &[&str]) {
        let table: Table<Value> = Table::control(table);
        let mut record = self.store.get(&table, key).await.unwrap().unwrap().value;
        for member in members {
            let parts: Vec<&str> = member.split('.').collect();
            let holder = match parts[..] {
                [holder, _] => &mut record[holder],
                _ => &mut record,
            };
            let name = parts.last().unwrap();
            let removed = holder.as_object_mut().unwrap().remove(*name);
            assert!(removed.is_some(), "{member} is stored");
        }
        let batch = Batch::new().put(&table, key, &record);
        let done = self.store.commit(batch).await.unwrap();
        assert_eq!(done, Commit::Done);
    }

    /// Moves what there is of a key of the vault to another name.
    async fn rename(&self, table: &'static str, from: &str, to: &str) {
        let table: Table<Value> = Table::control(table);
        let mut moved = 0;
        let mut entries = self.store.scan(&table, &["kv1"], Bound::Unbounded);
        while let Some(entry) = entries.try_next().await.unwrap() {
            if entry.key[0] != from {
                continue;
            }
            let below = entry.key.iter().skip(1).map(String::as_str);
            let key = |name| ["kv1", name].into_iter().chain(below.clone()).collect();
            let (from, to): (Vec<&str>, Vec<&str>) = (key(from), key(to));
            let batch = Batch::new()
                .delete(&table, &from)
                .put(&table, &to, &entry.record.value);
            assert_eq!(self.store.commit(batch).await.unwrap(), Commit::Done);
            moved += 1;
        }
        assert!(moved > 0);
    }
}

#[tokio::test]
async fn a_vault_and_its_keys_are_what_they_were() {
    let world = World::new().await;
    let kid = world.create_key().await.unwrap().current.kid;
    let wrapped = world.wrap(&kid).await.unwrap();
    world.delete_key().await.unwrap();
    let (vault, key, version) = (
        world.vault.as_str(),
        world.key.as_str(),
        kid.version.as_str(),
    );
    let new_of_vaults = ["sku", "rbac", "network", "failed_over"];
    world.forget("vaults", &[vault], &new_of_vaults).await;
    let new_of_keys = [
        "recovering_until",
        "deletion.under_way_until",
        "release_policy",
    ];
    world.forget("keys", &[vault, key], &new_of_keys).await;
    let new_of_versions = [
        "key_ops",
        "not_before",
        "expires",
        "near_expiry_noted",
        "expiry_noted",
    ];
    world
        .forget("key-versions", &[vault, key, version], &new_of_versions)
        .await;

    let shown = world.vaults.vault(&operator(), &world.vault).await.unwrap();
    assert_eq!(
        (shown.sku, shown.rbac, shown.failed_over, shown.network),
        (VaultSku::Premium, false, false, NetworkRules::default())
    );
    assert_eq!(shown.network.bypass, Bypass::AzureServices);
    assert_eq!(world.shown().await.unwrap().state, State::Deleted);
    let recovered = world.recover_key().await.unwrap().current;
    assert_eq!(recovered.key_ops.len(), 6);
    assert!(recovered.key_ops.contains(&KeyOperation::UnwrapKey));
    assert!(recovered.attributes.enabled && recovered.tags.is_empty());
    assert_eq!(recovered.release_policy, None);
    assert_eq!(*world.unwrap(&kid, &wrapped).await.unwrap(), SECRET);
    world.set_enabled(&kid, false).await.unwrap();
    let rotated = world.rotate_key().await.unwrap().current;
    assert_eq!(rotated.key_ops, recovered.key_ops);
    world.vaults.run_due().await.unwrap();
}

/// It was stored under its name as it was written, and its record did not tell the name.
#[tokio::test]
async fn a_key_is_found_in_any_case_and_keeps_its_own() {
    let mut world = World::new().await;
    world.key = "My-Key".parse().unwrap();
    let change = KeyChange {
        tags: Some([("owner".to_owned(), "someone".to_owned())].into()),
        ..KeyChange::default()
    };
    let kid = world.create(KeyType::Rsa, change).await.unwrap().current;
    let kid = kid.kid;
    let wrapped = world.wrap(&kid).await.unwrap();
    world.rotate_key().await.unwrap();
    let actions = vec![rotate(after_create("P30D"))];
    world.set_policy(actions, None).await.unwrap();
    let (before, policy) = (world.shown().await.unwrap(), world.policy().await.unwrap());

    world.forget("keys", &["kv1", "my-key"], &["name"]).await;
    for table in ["keys", "key-versions", "key-tags", "rotation-policies"] {
        world.rename(table, "my-key", "My-Key").await;
    }
    world.reopen().await.unwrap();
    world.key = "MY-KEY".parse().unwrap();
    let after = world.shown().await.unwrap();
    assert_eq!(after, before);
    assert_eq!(after.name.as_str(), "My-Key");
    assert_eq!(world.policy().await.unwrap(), policy);
    assert_eq!(*world.unwrap(&kid, &wrapped).await.unwrap(), SECRET);
    world.reopen().await.unwrap();
    assert_eq!(world.shown().await.unwrap(), before);
    world.delete_and_purge_key().await;
    assert_eq!(world.files(), 0);
}

/// Two of an earlier version's keys can have become one name. Then nothing is touched.
#[tokio::test]
async fn keys_whose_names_differ_in_case_alone_are_named() {
    let mut world = World::new().await;
    world.key = "My-Key".parse().unwrap();
    world.create_ec_key().await.unwrap();
    world.forget("keys", &["kv1", "my-key"], &["name"]).await;
    world.rename("keys", "my-key", "My-Key").await;
    world.key = "my-key".parse().unwrap();
    world.create_ec_key().await.unwrap();
    world.forget("keys", &["kv1", "my-key"], &["name"]).await;
    for _ in 0..2 {
        let refusal = refused(world.reopen().await).to_string();
        for said in ["'kv1'", "'My-Key'", "'my-key'"] {
            assert!(refusal.contains(said), "{refusal}");
        }
    }
}

#[test]
fn a_line_of_the_audit_log_is_read() {
    let line = r#"{"time":"2026-01-01T00:00:00Z","category":"AuditEvent","operationName":"KeyUnwrap","operationVersion":"7.4","resultType":"Success","resultSignature":"OK","resultDescription":"","durationMs":"1","callerIpAddress":"127.0.0.1","correlationId":"00000000-0000-0000-0000-000000000007","identity":{"claim":{}},"properties":{"id":"https://kv1.vault.localhost:5000/keys/k1","clientInfo":"AzureContainerRegistry/emulator","httpStatusCode":200,"requestUri":"https://kv1.vault.localhost:5000/keys/k1/unwrapkey?api-version=7.4","isAccessPolicyMatch":true,"algorithm":"RSA-OAEP-256","keyProperties":{"type":"RSA","size":2048}},"resourceId":"/SUBSCRIPTIONS"}"#;
    let event: AuditEvent = serde_json::from_str(line).unwrap();
    assert_eq!(event.properties.algorithm.as_deref(), Some("RSA-OAEP-256"));
    assert_eq!(event.properties.is_rbac_authorized, None);
}

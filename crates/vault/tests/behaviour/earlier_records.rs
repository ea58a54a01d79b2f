//! What an earlier version of the emulator stored is still read, and is what it was.

use sealock_store::{Batch, Commit, Table};
use sealock_vault::{AuditEvent, Bypass, KeyOperation, NetworkRules, State, VaultSku};
use serde_json::Value;

use crate::world::{SECRET, World, operator};

impl World {
    /// Writes the record as it was before it had these members.
    async fn forget(&self, table: &'static str, key: &[&str], members: &[&str]) {
        let table: Table<Value> = Table::control(table);
        let mut record = self.store.get(&table, key).unwrap().unwrap().value;
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
    let new_of_versions = ["key_ops", "not_before", "expires", "near_expiry_noted"];
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

#[test]
fn a_line_of_the_audit_log_is_read() {
    let line = r#"{"time":"2026-01-01T00:00:00Z","category":"AuditEvent","operationName":"KeyUnwrap","operationVersion":"7.4","resultType":"Success","resultSignature":"OK","resultDescription":"","durationMs":"1","callerIpAddress":"127.0.0.1","correlationId":"00000000-0000-0000-0000-000000000007","identity":{"claim":{}},"properties":{"id":"https://kv1.vault.localhost:5000/keys/k1","clientInfo":"AzureContainerRegistry/emulator","httpStatusCode":200,"requestUri":"https://kv1.vault.localhost:5000/keys/k1/unwrapkey?api-version=7.4","isAccessPolicyMatch":true,"algorithm":"RSA-OAEP-256","keyProperties":{"type":"RSA","size":2048}},"resourceId":"/SUBSCRIPTIONS"}"#;
    let event: AuditEvent = serde_json::from_str(line).unwrap();
    assert_eq!(event.properties.algorithm.as_deref(), Some("RSA-OAEP-256"));
    assert_eq!(event.properties.is_rbac_authorized, None);
}

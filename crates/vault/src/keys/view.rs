use sealock_core::{Kid, VaultName};

use crate::{
    Error, Key, KeyAttributes, KeyBundle, Recovery, Result,
    lookup::StoredVersion,
    records::{KeyRecord, VaultRecord},
    service::Service,
};

impl Service {
    /// Reads a key with its versions.
    pub(crate) async fn key_with_versions(
        &self,
        vault_record: &VaultRecord,
        vault: &VaultName,
        record: &KeyRecord,
    ) -> Result<Key> {
        let versions = self.versions_of(vault, &record.name).await?;
        self.view_of_key(vault_record, vault, record, versions)
    }

    pub(crate) fn view_of_key(
        &self,
        vault_record: &VaultRecord,
        vault: &VaultName,
        record: &KeyRecord,
        mut versions: Vec<StoredVersion>,
    ) -> Result<Key> {
        let key = &record.name;
        // Versions that were added after the key's record was read are not part of this view.
        versions.retain(|stored| stored.record.number <= record.latest);
        let mut bundles = versions
            .iter()
            .map(|stored| stored.bundle(vault_record, record, vault));
        // A key without versions was purged after its record was read.
        let Some(current) = bundles.next() else {
            return Err(Error::KeyNotFound {
                vault: vault.clone(),
                key: key.clone(),
                version: None,
            });
        };
        Ok(Key {
            vault: vault.clone(),
            name: key.clone(),
            current,
            older: bundles.collect(),
            state: self.state_of(record),
            created: record.created,
            deleted: record.deletion.map(|deletion| deletion.deleted),
            scheduled_purge: record.deletion.map(|deletion| deletion.scheduled_purge),
        })
    }
}

impl StoredVersion {
    pub(crate) fn bundle(
        &self,
        vault_record: &VaultRecord,
        key_record: &KeyRecord,
        vault: &VaultName,
    ) -> KeyBundle {
        let record = &self.record;
        KeyBundle {
            kid: Kid::new(vault, &key_record.name, self.version.clone()),
            kty: record.kty,
            key_size: record.key_size,
            key_ops: record.key_ops.clone(),
            public_key: record.public_key.clone(),
            attributes: KeyAttributes {
                enabled: record.enabled,
                not_before: record.not_before,
                expires: record.expires,
                created: record.created,
                updated: record.updated,
                recovery: Recovery {
                    days: vault_record.soft_delete_retention_days,
                    purge_protection: vault_record.purge_protection,
                },
            },
            release_policy: key_record.release_policy.clone(),
            tags: self.tags.clone(),
        }
    }
}

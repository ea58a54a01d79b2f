use std::sync::Arc;

use sealock_core::ObjectId;
use sealock_store::Batch;

use crate::{
    Key, KeyBundle, KeyChange, ReleasePolicy, Result,
    keys::release_policy,
    lookup::StoredVersion,
    operation::{DisableVersion, Permit, UpdateKey, VersionInVault},
    records::{KEYS, KeyRecord, VAULTS, VERSIONS, VersionRecord},
    service::Service,
};

impl Permit<UpdateKey> {
    /// Changes the version. Returns the key and the changed version.
    pub async fn run(self, change: KeyChange) -> Result<(Key, KeyBundle)> {
        let change = Arc::new(change);
        self.run_change(move |permit, found| {
            let change = Arc::clone(&change);
            async move {
                let service = &permit.service;
                let known = found.version.record.clone();
                change.check(known.kty)?;
                let is_expiry_changed = change.expires.is_some();
                let changed = StoredVersion {
                    version: found.kid.version.clone(),
                    tags: change.tags.clone().unwrap_or(found.version.tags.clone()),
                    record: VersionRecord {
                        key_ops: change.key_ops.clone().unwrap_or(known.key_ops),
                        enabled: change.enabled.unwrap_or(known.enabled),
                        not_before: change.not_before.or(known.not_before),
                        expires: change.expires.or(known.expires),
                        is_near_expiry_reported: known.is_near_expiry_reported
                            && !is_expiry_changed,
                        is_expiry_reported: known.is_expiry_reported && !is_expiry_changed,
                        updated: service.clock.now(),
                        ..known
                    },
                };
                let named = permit.target.version.as_ref();
                let release_policy = release_policy::after_update(&found.key, named, &change)?;
                service
                    .plan_version_replacement(&found, changed, release_policy)
                    .await
            }
        })
        .await
    }
}

impl Permit<DisableVersion> {
    /// Disables the version.
    pub async fn run(self) -> Result<()> {
        self.run_change(|permit, ()| async move {
            let service = &permit.service;
            let kid = &permit.target;
            let record = service.version(kid).await?;
            let disabled = VersionRecord {
                enabled: false,
                updated: service.clock.now(),
                ..record.value.clone()
            };
            let key = [kid.vault.as_str(), kid.key.folded(), kid.version.as_str()];
            let batch = Batch::new()
                .expect(&VERSIONS, &key, &record)
                .put(&VERSIONS, &key, &disabled);
            Ok((batch, ()))
        })
        .await
    }
}

impl Service {
    /// Plans the replacement of a version. Writes the key's record anew, since it guards the versions.
    pub(crate) async fn plan_version_replacement(
        &self,
        found: &VersionInVault,
        changed: StoredVersion,
        release_policy: Option<ReleasePolicy>,
    ) -> Result<(Batch, (Key, KeyBundle))> {
        let VersionInVault {
            vault, key, kid, ..
        } = found;
        let new = KeyRecord {
            release_policy,
            revision: ObjectId::random(),
            ..key.value.clone()
        };
        let mut versions = self.versions_of(&kid.vault, &kid.key).await?;
        for stored in &mut versions {
            if stored.version == changed.version {
                *stored = changed.clone();
            }
        }
        let view = self.view_of_key(vault, &kid.vault, &new, versions)?;
        let bundle = changed.bundle(vault, &new, &kid.vault);
        let [vault_name, key_name, version] =
            [kid.vault.as_str(), kid.key.folded(), kid.version.as_str()];
        let batch = Batch::new()
            .expect(&VAULTS, &[vault_name], vault)
            .expect(&KEYS, &[vault_name, key_name], key)
            .put(&KEYS, &[vault_name, key_name], &new)
            .put(&VERSIONS, &[vault_name, key_name, version], &changed.record);
        Ok((Self::put_tags(kid, &changed.tags, batch), (view, bundle)))
    }
}

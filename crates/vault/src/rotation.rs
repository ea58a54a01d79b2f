use std::sync::Arc;

use jiff::Timestamp;
use sealock_core::{KeyIdentifier, KeyName, Kid, VaultName};
use sealock_store::Batch;

use crate::{
    Error, Key, KeyChange, KeyPermission, Requester, Result, RotationPolicy,
    key_material::KeyMaterial,
    keys::NewVersion,
    records::{KEYS, KeyRecord, ROTATION_POLICIES, RotationPolicyRecord, VAULTS, VersionRecord},
    service::{ATTEMPTS, Service},
};

/// A key's rotation policy, and since when it has been so. One that was never set has no times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RotationPolicyView {
    /// The key, in any version.
    pub key: KeyIdentifier,
    /// The policy.
    pub policy: RotationPolicy,
    /// When the first one was set.
    pub created: Option<Timestamp>,
    /// When this one was set.
    pub updated: Option<Timestamp>,
}

impl Service {
    pub(crate) async fn rotate_key(
        self: &Arc<Self>,
        requester: &Requester,
        vault: &VaultName,
        key: &KeyName,
    ) -> Result<Key> {
        for _ in 0..ATTEMPTS {
            match self.rotate_unchanged(requester, vault, key).await {
                Err(Error::ConcurrentChange) => {}
                rotated => return rotated,
            }
        }
        Err(Error::ConcurrentChange)
    }

    /// Rotates the key, unless it is changed meanwhile: the new version takes after the current one.
    async fn rotate_unchanged(
        self: &Arc<Self>,
        requester: &Requester,
        vault: &VaultName,
        key: &KeyName,
    ) -> Result<Key> {
        let place = || {
            let vault_record =
                self.permitted_vault(requester, vault, Some(key), KeyPermission::Rotate)?;
            Ok::<_, Error>((vault_record, self.active_key(vault, key, None)?))
        };
        let (_, before) = place()?;
        let (current, record) = self.current_version(vault, key)?;
        let expires = self
            .rotation_policy_of(vault, key)?
            .policy
            .expires(self.clock.now())?;
        let new = NewVersion {
            kty: record.kty,
            change: KeyChange {
                key_ops: Some(record.key_ops()),
                expires,
                tags: Some(self.tags_of(&current)?),
                ..KeyChange::default()
            },
        };
        let shape = record.shape();
        let make = move || KeyMaterial::generate(shape);
        self.add_version(vault, key, make, new, || {
            let (vault_record, record) = place()?;
            if record.revision != before.revision {
                return Err(Error::ConcurrentChange);
            }
            Ok((vault_record, Some(record)))
        })
        .await
    }

    pub(crate) fn rotation_policy(
        &self,
        requester: &Requester,
        vault: &VaultName,
        key: &KeyName,
    ) -> Result<RotationPolicyView> {
        self.permitted_vault(
            requester,
            vault,
            Some(key),
            KeyPermission::GetRotationPolicy,
        )?;
        let record = self.active_key(vault, key, None)?;
        self.rotation_policy_of(vault, &record.name)
    }

    pub(crate) async fn set_rotation_policy(
        &self,
        requester: &Requester,
        vault: &VaultName,
        key: &KeyName,
        policy: Result<RotationPolicy>,
    ) -> Result<RotationPolicyView> {
        let place = || {
            let vault_record = self.permitted_vault(
                requester,
                vault,
                Some(key),
                KeyPermission::SetRotationPolicy,
            )?;
            Ok::<_, Error>((vault_record, self.active_key(vault, key, None)?))
        };
        place()?;
        let policy = policy?;
        let parts = [vault.as_str(), key.folded()];
        self.change(|| {
            let (vault_record, key_record) = place()?;
            let now = self.clock.now();
            let existing = self.store.get(&ROTATION_POLICIES, &parts)?;
            let record = RotationPolicyRecord {
                policy: policy.clone().checked(now)?,
                created: existing.as_ref().map_or(now, |existing| existing.created),
                updated: now,
            };
            let batch = Batch::new()
                .expect(&VAULTS, &[vault.as_str()], &vault_record)
                .expect(&KEYS, &parts, &key_record)
                .expect_same(&ROTATION_POLICIES, &parts, existing.as_ref())
                .put(&ROTATION_POLICIES, &parts, &record);
            Ok((batch, record.view(vault, &key_record.name)))
        })
        .await
    }

    pub(crate) fn rotation_policy_of(
        &self,
        vault: &VaultName,
        key: &KeyName,
    ) -> Result<RotationPolicyView> {
        let record = self
            .store
            .get(&ROTATION_POLICIES, &[vault.as_str(), key.folded()])?;
        Ok(match record {
            Some(record) => record.view(vault, key),
            None => RotationPolicyView {
                key: KeyIdentifier::current(vault, key),
                policy: RotationPolicy::default(),
                created: None,
                updated: None,
            },
        })
    }

    pub(crate) fn current_version(
        &self,
        vault: &VaultName,
        key: &KeyName,
    ) -> Result<(Kid, VersionRecord)> {
        let KeyRecord { name, current, .. } = self.active_key(vault, key, None)?.value;
        let kid = Kid {
            vault: vault.clone(),
            key: name,
            version: current,
        };
        let record = self.version(&kid)?.value;
        Ok((kid, record))
    }
}

impl RotationPolicyRecord {
    fn view(&self, vault: &VaultName, key: &KeyName) -> RotationPolicyView {
        RotationPolicyView {
            key: KeyIdentifier::current(vault, key),
            policy: self.policy.clone(),
            created: Some(self.created),
            updated: Some(self.updated),
        }
    }
}

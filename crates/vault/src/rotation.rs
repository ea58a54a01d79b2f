use std::sync::Arc;

use jiff::Timestamp;
use sealock_core::{KeyIdentifier, KeyName, Kid, VaultName};
use sealock_store::Batch;

use crate::{
    Error, Key, KeyChange, KeyPermission, Requester, Result, RotationPolicy,
    audit::Request,
    key_material::KeyMaterial,
    keys::Addition,
    records::{KEYS, KeyRecord, ROTATION_POLICIES, RotationPolicyRecord, VAULTS, VersionRecord},
    service::Service,
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
        request: &Request,
        vault: &VaultName,
        key: &KeyName,
    ) -> Result<Key> {
        self.rotate_key_while(request, vault, key, |_| async { Ok(true) })
            .await
    }

    /// Rotates the key, unless `is_wanted` does not hold at the commit any more.
    pub(crate) async fn rotate_key_while<F>(
        self: &Arc<Self>,
        request: &Request,
        vault: &VaultName,
        key: &KeyName,
        is_wanted: impl Fn(Timestamp) -> F,
    ) -> Result<Key>
    where
        F: Future<Output = Result<bool>>,
    {
        let place = || async {
            let vault_record = self
                .permitted_vault(&request.requester, vault, Some(key), KeyPermission::Rotate)
                .await?;
            Ok::<_, Error>((vault_record, self.active_key(vault, key, None).await?))
        };
        place().await?;
        let (_, before) = self.current_version(vault, key).await?;
        let shape = before.shape();
        shape.check_made()?;
        let make = move || KeyMaterial::generate(shape);
        let (place, is_wanted) = (&place, &is_wanted);
        self.add_version(request, vault, key, make, |now| async move {
            let (vault_record, record) = place().await?;
            let (current, version) = self.current_version(vault, key).await?;
            // If it has become a key of another type, what was generated is of no use.
            let is_alike = (version.kty, version.shape()) == (before.kty, shape);
            if !is_alike || !is_wanted(now).await? {
                return Err(Error::ConcurrentChange);
            }
            let policy = self.rotation_policy_of(vault, key).await?.policy;
            Ok(Addition {
                vault: vault_record,
                key: Some(record),
                kty: version.kty,
                change: KeyChange {
                    key_ops: Some(version.key_ops()),
                    expires: policy.expires(now),
                    tags: Some(self.tags_of(&current).await?),
                    ..KeyChange::default()
                },
            })
        })
        .await
    }

    pub(crate) async fn rotation_policy(
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
        )
        .await?;
        let record = self.active_key(vault, key, None).await?;
        self.rotation_policy_of(vault, &record.name).await
    }

    pub(crate) async fn set_rotation_policy(
        &self,
        request: &Request,
        vault: &VaultName,
        key: &KeyName,
        policy: Result<RotationPolicy>,
    ) -> Result<RotationPolicyView> {
        let place = || async {
            let vault_record = self
                .permitted_vault(
                    &request.requester,
                    vault,
                    Some(key),
                    KeyPermission::SetRotationPolicy,
                )
                .await?;
            Ok::<_, Error>((vault_record, self.active_key(vault, key, None).await?))
        };
        place().await?;
        let policy = policy?;
        let parts = [vault.as_str(), key.folded()];
        self.change(request, || async {
            let (vault_record, key_record) = place().await?;
            let now = self.clock.now();
            let existing = self.store.get(&ROTATION_POLICIES, &parts).await?;
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

    pub(crate) async fn rotation_policy_of(
        &self,
        vault: &VaultName,
        key: &KeyName,
    ) -> Result<RotationPolicyView> {
        let record = self
            .store
            .get(&ROTATION_POLICIES, &[vault.as_str(), key.folded()])
            .await?;
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

    pub(crate) async fn current_version(
        &self,
        vault: &VaultName,
        key: &KeyName,
    ) -> Result<(Kid, VersionRecord)> {
        let KeyRecord { name, current, .. } = self.active_key(vault, key, None).await?.value;
        let kid = Kid::new(vault, &name, current);
        let record = self.version(&kid).await?.value;
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

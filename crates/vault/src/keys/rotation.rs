use jiff::Timestamp;
use sealock_core::{KeyIdentifier, KeyName, VaultName};
use sealock_store::Batch;

use super::creation::NewVersion;
use crate::{
    Error, Key, KeyChange, Result, RotationPolicy,
    operation::{
        GetRotationPolicy, KeyInVault, Operation, Permit, RotateKey, RotateKeyIfDue,
        SetRotationPolicy,
    },
    records::{KEYS, ROTATION_POLICIES, RotationPolicyRecord, VAULTS},
    service::Service,
};

/// A key's rotation policy and its times. A default policy, which was never set, has no times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RotationPolicyView {
    /// The key, without a version.
    pub key: KeyIdentifier,
    /// The policy.
    pub policy: RotationPolicy,
    /// The time at which a policy was first set.
    pub created: Option<Timestamp>,
    /// The time at which this policy was set.
    pub updated: Option<Timestamp>,
}

impl Permit<RotateKey> {
    /// Makes a new version of the same type and size.
    pub async fn run(self) -> Result<Key> {
        self.run_to_end(|permit| async move { permit.rotate_if(|_| async { Ok(true) }).await })
            .await
    }
}

impl Permit<RotateKeyIfDue> {
    /// Makes a new version if that is still due. If not, fails with [`Error::ConcurrentChange`] and writes no audit event.
    pub(crate) async fn run(self) -> Result<Key> {
        self.run_to_end(|permit| async move {
            let (service, target) = (&permit.service, &permit.target);
            let is_due = |now| async move {
                let schedule = service.schedule(&target.vault, &target.key).await?;
                Ok(schedule.rotation.is_some_and(|time| time <= now))
            };
            permit.rotate_if(is_due).await
        })
        .await
    }
}

impl<O: Operation<Target = KeyIdentifier, Records = KeyInVault>> Permit<O> {
    /// Rotates the key if `is_wanted` returns true at the commit.
    async fn rotate_if<F>(&self, is_wanted: impl Fn(Timestamp) -> F) -> Result<Key>
    where
        F: Future<Output = Result<bool>>,
    {
        let (service, vault) = (&self.service, &self.target.vault);
        let before = service.version(&self.records.current(vault)).await?.value;
        let shape = before.shape();
        shape.check_generatable()?;
        let for_client = self.request.is_from_client();
        let make = service.workload.generate(shape, for_client);
        let (before, is_wanted) = (&before, &is_wanted);
        self.add_version(make, |found: KeyInVault, now| async move {
            let current = found.current(vault);
            let version = service.version(&current).await?.value;
            // If the current version now has another type or size, the generated key does not match it.
            let is_alike = (version.kty, version.shape()) == (before.kty, shape);
            if !is_alike || !is_wanted(now).await? {
                return Err(Error::ConcurrentChange);
            }
            let policy = service
                .rotation_policy_of(vault, &current.key)
                .await?
                .policy;
            Ok(NewVersion {
                vault: found.vault,
                key: Some(found.key),
                kty: version.kty,
                change: KeyChange {
                    key_ops: Some(version.key_ops),
                    expires: policy.new_version_expiry(now),
                    tags: Some(service.tags_of(&current).await?),
                    ..KeyChange::default()
                },
            })
        })
        .await
    }
}

impl Permit<GetRotationPolicy> {
    /// Shows the key's rotation policy.
    pub async fn run(self) -> Result<RotationPolicyView> {
        self.run_to_end(|permit| async move {
            let name = &permit.records.key.name;
            permit
                .service
                .rotation_policy_of(&permit.target.vault, name)
                .await
        })
        .await
    }
}

impl Permit<SetRotationPolicy> {
    /// Sets the key's rotation policy.
    pub async fn run(self, policy: RotationPolicy) -> Result<RotationPolicyView> {
        self.run_change(move |permit, KeyInVault { vault, key }| {
            let policy = policy.clone();
            async move {
                let (service, name) = (&permit.service, &permit.target.vault);
                let segments = [name.as_str(), key.name.folded()];
                let now = service.clock.now();
                let existing = service.store.get(&ROTATION_POLICIES, &segments).await?;
                let record = RotationPolicyRecord {
                    policy: policy.checked(now)?,
                    created: existing.as_ref().map_or(now, |existing| existing.created),
                    updated: now,
                };
                let batch = Batch::new()
                    .expect(&VAULTS, &[name.as_str()], &vault)
                    .expect(&KEYS, &segments, &key)
                    .expect_same(&ROTATION_POLICIES, &segments, existing.as_ref())
                    .put(&ROTATION_POLICIES, &segments, &record);
                Ok((batch, record.view(name, &key.name)))
            }
        })
        .await
    }
}

impl Service {
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

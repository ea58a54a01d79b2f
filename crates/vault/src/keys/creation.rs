use std::future::ready;

use jiff::Timestamp;
use sealock_core::{KeyIdentifier, KeyVersion, Kid, ObjectId};
use sealock_store::{Batch, Record};

use crate::{
    Error, Key, KeyChange, KeyOperation, KeySpec, KeyType, PublicKey, ReleasePolicy, Result,
    crypto::{key_material::KeyMaterial, private_keys},
    keys::{
        attributes::{hardware_keys_are_premium, key_exchange_keys_expire},
        release_policy,
    },
    lookup::StoredVersion,
    operation::{CreatableKey, CreateKey, Operation, Permit},
    records::{KEYS, KeyRecord, SealedKey, VAULTS, VERSIONS, VaultRecord, VersionRecord},
    service::Service,
};

/// A version to add, with its vault, and its key if that exists.
pub(crate) struct NewVersion {
    pub(crate) vault: Record<VaultRecord>,
    pub(crate) key: Option<Record<KeyRecord>>,
    pub(crate) kty: KeyType,
    pub(crate) change: KeyChange,
}

/// The key pair of a new version. The private key is sealed.
struct SealedVersion {
    kid: Kid,
    public_key: PublicKey,
    key_size: u32,
    private_key: SealedKey,
}

impl Permit<CreateKey> {
    /// Creates the key, or a new version of it.
    pub async fn run(self, spec: KeySpec, change: KeyChange) -> Result<Key> {
        self.request.set_new_key(spec);
        self.run_to_end(|permit| async move {
            let shape = spec.check()?;
            change.check(spec.kty)?;
            let for_client = permit.request.is_from_client();
            let make = permit.service.workload.generate(shape, for_client);
            permit.create_version(spec.kty, &change, make).await
        })
        .await
    }
}

impl<O> Permit<O>
where
    O: Operation<Target = KeyIdentifier, Records = CreatableKey>,
{
    /// Adds a version to the key, or creates the key with it.
    pub(super) async fn create_version(
        &self,
        kty: KeyType,
        change: &KeyChange,
        make: impl Future<Output = Result<KeyMaterial>> + Send,
    ) -> Result<Key> {
        let KeyIdentifier { vault, key, .. } = &self.target;
        self.service.remove_expired_key(vault, key).await?;
        self.add_version(make, |CreatableKey { vault, key }, _| {
            ready(Ok(NewVersion {
                vault,
                key,
                kty,
                change: change.clone(),
            }))
        })
        .await
    }
}

impl<O: Operation<Target = KeyIdentifier, Records: Clone>> Permit<O> {
    /// Adds a version: makes the key, stores its files, and commits. `plan` derives the new version from the target's
    /// records, again for each attempt to commit.
    pub(super) async fn add_version<F>(
        &self,
        make: impl Future<Output = Result<KeyMaterial>> + Send,
        plan: impl Fn(O::Records, Timestamp) -> F,
    ) -> Result<Key>
    where
        F: Future<Output = Result<NewVersion>>,
    {
        let service = &self.service;
        let new_version = plan(self.records.clone(), service.clock.now()).await?;
        // Checked here, too, so that no key is generated in vain.
        new_version.release_policy()?;
        hardware_keys_are_premium(new_version.vault.sku, new_version.kty)?;
        let KeyIdentifier { vault, key, .. } = &self.target;
        let name = new_version.key.as_ref().map_or(key, |record| &record.name);
        let kid = Kid::new(vault, name, KeyVersion::random());
        let made = make.await?;
        let (public_key, key_size) = (made.public_key(), made.shape().bits());

        let seal = {
            let kid = kid.clone();
            move |service: &Service| {
                let objects = &*service.store.vault_keys;
                let sealed = private_keys::seal(objects, &service.service_key, &kid, &made)?;
                Ok((sealed, sealed.objects().into()))
            }
        };
        let (kid, public_key, plan) = (&kid, &public_key, &plan);
        let added = self.commit_with_files(seal, |private_key, records| async move {
            let now = service.clock.now();
            let new_version = plan(records, now).await?;
            let version = SealedVersion {
                kid: kid.clone(),
                public_key: public_key.clone(),
                key_size,
                private_key,
            };
            service.plan_new_version(&new_version, version, now).await
        });
        let key = added.await?;
        service.followers.follow(&key.current.kid).await;
        Ok(key)
    }
}

impl NewVersion {
    /// Returns the key's release policy once the version is added.
    fn release_policy(&self) -> Result<Option<ReleasePolicy>> {
        let key = self.key.as_deref();
        release_policy::after_new_version(&self.vault, key, self.kty, &self.change)
    }
}

impl Service {
    async fn plan_new_version(
        &self,
        new_version: &NewVersion,
        version: SealedVersion,
        now: Timestamp,
    ) -> Result<(Batch, Key)> {
        let (vault_record, record) = (&new_version.vault, new_version.key.as_ref());
        let (kty, change, kid) = (new_version.kty, &new_version.change, &version.kid);
        if record.is_some_and(|record| record.name.as_str() != kid.key.as_str()) {
            // Another request has created the key with its name in another case. The private key is sealed under the
            // name in this request.
            return Err(Error::ConcurrentChange);
        }
        let number = record.map_or(0, |record| record.latest) + 1;
        let key_ops = match &change.key_ops {
            Some(given) => given.clone(),
            None => KeyOperation::default_for(kty),
        };
        let stored = StoredVersion {
            version: kid.version.clone(),
            tags: change.tags.clone().unwrap_or_default(),
            record: VersionRecord {
                number,
                kty,
                key_size: version.key_size,
                public_key: version.public_key,
                expires: key_exchange_keys_expire(&key_ops, change.expires, now),
                key_ops,
                enabled: change.enabled.unwrap_or(true),
                not_before: change.not_before,
                created: now,
                updated: now,
                is_near_expiry_reported: false,
                is_expiry_reported: false,
                private_key: version.private_key,
            },
        };
        let changed = KeyRecord {
            name: kid.key.clone(),
            created: record.map_or(now, |record| record.created),
            deletion: None,
            recovering_until: None,
            current: kid.version.clone(),
            latest: number,
            release_policy: new_version.release_policy()?,
            revision: ObjectId::random(),
        };
        let (vault, key) = (kid.vault.as_str(), kid.key.folded());
        let batch = Batch::new()
            .expect(&VAULTS, &[vault], vault_record)
            .expect_same(&KEYS, &[vault, key], record)
            .put(&KEYS, &[vault, key], &changed)
            .put(
                &VERSIONS,
                &[vault, key, kid.version.as_str()],
                &stored.record,
            );
        let batch = Self::put_tags(kid, &stored.tags, batch);
        let mut versions = self.versions_of(&kid.vault, &kid.key).await?;
        versions.insert(0, stored);
        let view = self.view_of_key(vault_record, &kid.vault, &changed, versions)?;
        Ok((batch, view))
    }
}

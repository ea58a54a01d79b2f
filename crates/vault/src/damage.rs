//! What is looked at and done when the data directory was damaged.

use std::{collections::HashSet, ops::Bound};

use sealock_core::{KeyName, KeyVersion, Kid, ObjectId, VaultName};
use sealock_envelope::ServiceKey;
use sealock_store::{Batch, Store, objects::ObjectSet};

use crate::{
    Error, KeyVault, Requester, Result,
    audit::{Operation, Request, Target},
    lookup::part,
    private_keys,
    records::{KEYS, VERSIONS, VersionRecord},
};

impl KeyVault {
    /// Disables every key version that is enabled, whatever else its vault permits or refuses now, and names them.
    /// For when records are earlier ones, which may permit what was revoked since.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn disable_every_key(&self, requester: &Requester) -> Result<Vec<Kid>> {
        let mut disabled = Vec::new();
        for (kid, record) in versions(&self.service.store)? {
            if record.enabled {
                self.disable(requester, &kid).await?;
                disabled.push(kid);
            }
        }
        Ok(disabled)
    }

    async fn disable(&self, requester: &Requester, kid: &Kid) -> Result<()> {
        let target = Target::Key(kid.identifier());
        let request = Request::new(requester, Operation::KeyUpdate, target);
        let kid = kid.clone();
        self.audited(request, move |service, request| async move {
            let parts = [kid.vault.as_str(), kid.key.folded(), kid.version.as_str()];
            let disable = || {
                let record = service.version(&kid)?;
                let disabled = VersionRecord {
                    enabled: false,
                    updated: service.clock.now(),
                    ..record.value.clone()
                };
                let batch = Batch::new()
                    .expect(&VERSIONS, &parts, &record)
                    .put(&VERSIONS, &parts, &disabled);
                Ok((batch, ()))
            };
            service.change(&request, disable).await
        })
        .await
    }
}

/// Opens the private key of each key version with the service key, and says which do not open, a sentence for each.
///
/// # Errors
/// If the store fails.
pub fn check_private_keys(store: &Store, service_key: &ServiceKey) -> Result<Vec<String>> {
    let mut damaged = Vec::new();
    for (kid, record) in versions(store)? {
        let objects = &*store.vault_keys;
        let sealed = record.private_key;
        match private_keys::open(objects, service_key, &kid, record.kty, sealed) {
            Ok(Some(key)) if key.public_key() == record.public_key => {}
            Ok(Some(_)) => damaged.push(format!(
                "the private key of {kid} does not belong to its public key"
            )),
            Ok(None) => damaged.push(format!("the private key of {kid} is missing")),
            Err(error @ Error::Damaged { .. }) => damaged.push(error.to_string()),
            Err(Error::Storage(error)) => {
                damaged.push(format!("the private key of {kid} cannot be read: {error}"));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(damaged)
}

/// The objects of private keys that no key version mentions.
///
/// # Errors
/// If the store fails.
pub fn unmentioned_private_keys(store: &Store) -> Result<Vec<ObjectId>> {
    let mut mentioned: HashSet<ObjectId> = store.removals(ObjectSet::VaultKeys)?;
    for entry in store.scan(&VERSIONS, &[], Bound::Unbounded) {
        mentioned.extend(entry?.record.private_key.objects());
    }
    let mut objects = store.vault_keys.list()?;
    objects.retain(|object| !mentioned.contains(object));
    Ok(objects)
}

/// All key versions there are.
fn versions(store: &Store) -> Result<Vec<(Kid, VersionRecord)>> {
    let versions = store.scan(&VERSIONS, &[], Bound::Unbounded);
    versions
        .map(|entry| {
            let entry = entry?;
            let vault: VaultName = part(&entry.key, 0)?;
            let key: KeyName = part(&entry.key, 1)?;
            let version: KeyVersion = part(&entry.key, 2)?;
            // Its seal has the name as it was written.
            let written = store.get(&KEYS, &[vault.as_str(), key.folded()])?;
            let key = written.map_or(key, |record| record.value.name);
            Ok((Kid::new(&vault, &key, version), entry.record.value))
        })
        .collect()
}

use std::{ops::Bound, sync::Arc};

use futures_util::TryStreamExt as _;
use sealock_core::{KeyName, KeyVersion, Kid, VaultName};
use sealock_envelope::ServiceKey;
use sealock_store::{Store, objects::Objects};

use crate::{
    Error, KeyVault, Requester, Result,
    crypto::private_keys,
    lookup::parse_segment,
    operation::DisableVersion,
    records::{KEYS, VERSIONS, VersionRecord},
};

impl KeyVault {
    /// Disables all enabled key versions, whatever the state of their vaults and keys, and returns them. A data directory
    /// that was set back to earlier records needs this, since those may permit access that was revoked later.
    ///
    /// # Errors
    /// The store cannot be read or written.
    pub async fn disable_every_key(&self, requester: &Requester) -> Result<Vec<Kid>> {
        let mut disabled = Vec::new();
        for (kid, record) in all_versions(&self.service.store).await? {
            if record.enabled {
                let permit = self
                    .authorize(requester, DisableVersion, kid.clone())
                    .await?;
                permit.run().await?;
                disabled.push(kid);
            }
        }
        Ok(disabled)
    }

    /// Verifies all private keys, as [`verify_private_keys`] does. Writes no audit event.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn verify_private_keys(&self) -> Result<Vec<String>> {
        verify_private_keys(&self.service.store, &self.service.service_key).await
    }
}

/// Opens all private keys under the service key and compares them with their public keys. Returns a line for each
/// damaged one.
///
/// # Errors
/// The store cannot be read.
pub async fn verify_private_keys(
    store: &Store,
    service_key: &Arc<ServiceKey>,
) -> Result<Vec<String>> {
    let versions = all_versions(store).await?;
    let (objects, service_key) = (Arc::clone(&store.vault_keys), Arc::clone(service_key));
    let damaged = tokio::task::spawn_blocking(move || {
        let mut damaged = Vec::new();
        for (kid, record) in versions {
            let why = find_damage(&*objects, &service_key, &kid, &record)?;
            damaged.extend(why.map(|why| (kid, why)));
        }
        Ok::<_, Error>(damaged)
    });
    let mut findings = Vec::new();
    for (kid, why) in damaged.await?? {
        // A version that was purged in the meantime is not damaged.
        let segments = [kid.vault.as_str(), kid.key.folded(), kid.version.as_str()];
        if store.get(&VERSIONS, &segments).await?.is_some() {
            findings.push(format!("the private key of {kid}: {why}"));
        }
    }
    Ok(findings)
}

/// Returns the damage to a version's private key, if there is any.
fn find_damage(
    objects: &dyn Objects,
    service_key: &ServiceKey,
    kid: &Kid,
    version: &VersionRecord,
) -> Result<Option<String>> {
    let [object, record_key] = version.private_key.objects();
    let files = format!("vault-keys/{object} or vault-keys/{record_key}");
    let (kty, sealed) = (version.kty, version.private_key);
    match private_keys::open(objects, service_key, kid, kty, sealed) {
        Ok(Some(key))
            if key.public_key() == version.public_key && key.shape() == version.shape() =>
        {
            Ok(None)
        }
        Ok(Some(_)) => Ok(Some("it belongs to another public key".to_owned())),
        Ok(None) => Ok(Some(format!("{files} is missing"))),
        Err(error @ (Error::Damaged { .. } | Error::Storage(_))) => {
            Ok(Some(format!("{error} ({files})")))
        }
        Err(error) => Err(error),
    }
}

/// Lists all key versions.
async fn all_versions(store: &Store) -> Result<Vec<(Kid, VersionRecord)>> {
    let mut entries = store.scan(&VERSIONS, &[], Bound::Unbounded);
    let mut versions = Vec::new();
    while let Some(entry) = entries.try_next().await? {
        let vault: VaultName = parse_segment(&entry.key, 0)?;
        let key: KeyName = parse_segment(&entry.key, 1)?;
        let version: KeyVersion = parse_segment(&entry.key, 2)?;
        // The private key is sealed with the name in its original case, which only the key's record has.
        let record = store.get(&KEYS, &[vault.as_str(), key.folded()]).await?;
        let key = record.map_or(key, |record| record.value.name);
        versions.push((Kid::new(&vault, &key, version), entry.record.value));
    }
    Ok(versions)
}

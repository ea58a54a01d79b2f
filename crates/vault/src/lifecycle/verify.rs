use std::{ops::Bound, sync::Arc};

use futures_util::TryStreamExt as _;
use sealock_core::{KeyName, KeyVersion, Kid, VaultName};
use sealock_envelope::ServiceKey;
use sealock_store::{Store, objects::Objects};

use crate::{
    Error, KeyVault, Requester, Result,
    crypto::private_keys,
    lookup::part,
    operation::DisableVersion,
    records::{KEYS, VERSIONS, VersionRecord},
};

impl KeyVault {
    /// Disables every enabled key version, in whichever state its vault and key are, and names them. For a data
    /// directory whose records are earlier ones, which may permit what was revoked since.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn disable_every_key(&self, requester: &Requester) -> Result<Vec<Kid>> {
        let mut disabled = Vec::new();
        for (kid, record) in versions(&self.service.store).await? {
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

    /// Verifies every private key, as [`verify_private_keys`] does. The journal records nothing of it: it is nobody's
    /// request.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn verify_private_keys(&self) -> Result<Vec<String>> {
        verify_private_keys(&self.service.store, &self.service.service_key).await
    }
}

/// Opens every private key under the service key and compares it with its public key. Returns the findings, each with
/// its kid.
///
/// # Errors
/// If the store fails.
pub async fn verify_private_keys(
    store: &Store,
    service_key: &Arc<ServiceKey>,
) -> Result<Vec<String>> {
    let versions = versions(store).await?;
    let (objects, service_key) = (Arc::clone(&store.vault_keys), Arc::clone(service_key));
    let damaged = tokio::task::spawn_blocking(move || {
        let mut damaged = Vec::new();
        for (kid, record) in versions {
            let why = damage_of(&*objects, &service_key, &kid, &record)?;
            damaged.extend(why.map(|why| (kid, why)));
        }
        Ok::<_, Error>(damaged)
    });
    let mut findings = Vec::new();
    for (kid, why) in damaged.await?? {
        // Purged while it was read, perhaps.
        let parts = [kid.vault.as_str(), kid.key.folded(), kid.version.as_str()];
        if store.get(&VERSIONS, &parts).await?.is_some() {
            findings.push(format!("the private key of {kid}: {why}"));
        }
    }
    Ok(findings)
}

/// Says why a version's private key cannot be used, if it cannot.
fn damage_of(
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
async fn versions(store: &Store) -> Result<Vec<(Kid, VersionRecord)>> {
    let mut entries = store.scan(&VERSIONS, &[], Bound::Unbounded);
    let mut versions = Vec::new();
    while let Some(entry) = entries.try_next().await? {
        let vault: VaultName = part(&entry.key, 0)?;
        let key: KeyName = part(&entry.key, 1)?;
        let version: KeyVersion = part(&entry.key, 2)?;
        // Its seal has the name as it was written.
        let written = store.get(&KEYS, &[vault.as_str(), key.folded()]).await?;
        let key = written.map_or(key, |record| record.value.name);
        versions.push((Kid::new(&vault, &key, version), entry.record.value));
    }
    Ok(versions)
}

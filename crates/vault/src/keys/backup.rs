//! Backups: a key with all its versions, sealed into one text that clients cannot read.
//!
//! As in a JWE, dots join `&AzureKeyVaultKeyBackupV1.microsoft.com`, a header in JSON, and the sealed versions. The whole
//! is encoded in base64url. The header is the associated data of the seal.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use sealock_core::{KeyIdentifier, KeyName, KeyVersion, Kid, Location, ObjectId, VaultName};
use sealock_entra::SUBSCRIPTION;
use sealock_store::{Batch, Record};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::{
    Error, Key, KeyOperation, KeyType, ReleasePolicy, Result,
    crypto::{base64url, key_material::KeyMaterial, private_keys},
    keys::attributes::hardware_keys_are_premium,
    lookup::{StoredVersion, Tags},
    operation::{BackUpKey, Permit, RestoreKey},
    records::{KEYS, KeyRecord, VAULTS, VERSIONS, VaultRecord, VersionRecord},
    service::Service,
};

const PREFIX: &str = "&AzureKeyVaultKeyBackupV1.microsoft.com";

/// The maximum size of a request to restore a backup: it holds all versions with their tags.
pub const BACKUP_BYTES: usize = 16 << 20;

/// The maximum number of versions in a backup.
///
/// <https://learn.microsoft.com/azure/key-vault/general/backup#limitations>
const VERSION_LIMIT: usize = 500;

/// The header of a backup, with its origin.
#[derive(Serialize, Deserialize)]
struct Header {
    alg: String,
    enc: String,
    subscription: String,
    geography: String,
}

#[derive(Serialize, Deserialize)]
struct Backup {
    name: KeyName,
    created: Timestamp,
    release_policy: Option<ReleasePolicy>,
    versions: Vec<BackedUpVersion>,
}

#[derive(Serialize, Deserialize)]
struct BackedUpVersion {
    version: KeyVersion,
    number: u64,
    kty: KeyType,
    key_ops: Vec<KeyOperation>,
    enabled: bool,
    not_before: Option<Timestamp>,
    expires: Option<Timestamp>,
    created: Timestamp,
    updated: Timestamp,
    tags: Tags,
    secret: Secret,
}

/// The key in a backup, without its versions.
struct RestoredKey {
    name: KeyName,
    created: Timestamp,
    release_policy: Option<ReleasePolicy>,
    newest: Option<KeyVersion>,
    types: Vec<KeyType>,
}

/// A private key, in base64.
#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(transparent)]
struct Secret(String);

impl Header {
    /// Describes a backup from a vault in `location`.
    fn of_vault_in(location: &Location) -> Self {
        Self {
            alg: "dir".to_owned(),
            enc: "A256GCM".to_owned(),
            subscription: SUBSCRIPTION.to_owned(),
            geography: location.geography().to_owned(),
        }
    }

    /// A backup can only be restored in the subscription that it is from, by a vault in the same geography.
    ///
    /// <https://learn.microsoft.com/azure/key-vault/general/backup#design-considerations>
    fn subscription_and_geography_match(&self, location: &Location) -> Result<()> {
        let why = if self.subscription != SUBSCRIPTION {
            "restore it in the subscription that it is from".to_owned()
        } else if self.geography != location.geography() {
            format!(
                "restore it in a vault in the geography that it is from, {}",
                self.geography
            )
        } else {
            return Ok(());
        };
        Err(Error::BackupNotDecrypted { why })
    }
}

impl Permit<BackUpKey> {
    /// Seals the key with all its versions. Only an emulator with the same service key can restore it.
    pub async fn run(self) -> Result<String> {
        self.run_to_end(|permit| async move {
            let (service, vault) = (&permit.service, &permit.target.vault);
            let location = &permit.records.vault.value.resource.location;
            let KeyRecord {
                name,
                created,
                release_policy,
                ..
            } = permit.records.key.value.clone();
            let versions = service.versions_of(vault, &name).await?;
            if versions.is_empty() {
                // The key was purged after its record was read: judging again refuses the backup.
                permit.judge().await?;
            }
            if versions.len() > VERSION_LIMIT {
                return Err(Error::BadParameter(format!(
                    "The key has {} versions; a key with more than {VERSION_LIMIT} cannot be backed up.",
                    versions.len()
                )));
            }
            let for_client = permit.request.is_from_client();
            let backing_up = service.workload.operate(for_client, {
                let (service, vault) = (Arc::clone(service), vault.clone());
                move || {
                    let versions = versions
                        .into_iter()
                        .map(|stored| service.back_up(&vault, &name, stored))
                        .collect::<Result<_>>()?;
                    Ok::<_, Error>(Backup {
                        name,
                        created,
                        release_policy,
                        versions,
                    })
                }
            });
            match backing_up.await? {
                Ok(backup) => service.seal_backup(location, &backup),
                Err(error) => {
                    // If the key was purged after its versions were read, judging again refuses the backup.
                    permit.judge().await?;
                    Err(error)
                }
            }
        })
        .await
    }
}

impl Permit<RestoreKey> {
    /// Restores the key in `backup`, if its name is free.
    pub async fn run(self, backup: String) -> Result<Key> {
        self.run_to_end(move |permit| async move {
            let (service, vault) = (&permit.service, &permit.target);
            let backup = service.open_backup(&permit.records.resource.location, &backup)?;
            let restored = RestoredKey::of(&backup);
            service.remove_expired_key(vault, &restored.name).await?;
            service
                .check_restorable(vault, &permit.records, &restored)
                .await?;
            let store = {
                let vault = vault.clone();
                move |service: &Service| service.store_versions(&vault, backup)
            };
            let restored = &restored;
            let done = permit.commit_with_files(store, |versions, vault_record| async move {
                service
                    .check_restorable(vault, &vault_record, restored)
                    .await?;
                service.plan_restore(vault, &vault_record, restored, versions)
            });
            let key = done.await?;
            service.followers.follow(&key.current.kid).await;
            Ok(key)
        })
        .await
    }
}

impl RestoredKey {
    fn of(backup: &Backup) -> Self {
        let newest = backup.versions.first();
        Self {
            name: backup.name.clone(),
            created: backup.created,
            release_policy: backup.release_policy.clone(),
            newest: newest.map(|newest| newest.version.clone()),
            types: backup.versions.iter().map(|version| version.kty).collect(),
        }
    }
}

impl Service {
    fn back_up(
        &self,
        vault: &VaultName,
        key: &KeyName,
        stored: StoredVersion,
    ) -> Result<BackedUpVersion> {
        let StoredVersion {
            version,
            record,
            tags,
        } = stored;
        let kid = Kid::new(vault, key, version);
        let objects = &*self.store.vault_keys;
        let (kty, sealed) = (record.kty, record.private_key);
        let Some(material) = private_keys::open(objects, &self.service_key, &kid, kty, sealed)?
        else {
            return Err(Error::Damaged {
                kid,
                why: "it is missing",
            });
        };
        Ok(BackedUpVersion {
            key_ops: record.key_ops,
            version: kid.version,
            number: record.number,
            kty,
            enabled: record.enabled,
            not_before: record.not_before,
            expires: record.expires,
            created: record.created,
            updated: record.updated,
            tags,
            secret: Secret(URL_SAFE_NO_PAD.encode(material.to_secret()?.as_slice())),
        })
    }

    fn seal_backup(&self, location: &Location, backup: &Backup) -> Result<String> {
        let plain = Zeroizing::new(serde_json::to_vec(backup)?);
        let header = Header::of_vault_in(location);
        let header = URL_SAFE_NO_PAD.encode(serde_json::to_vec(&header)?);
        let sealed = self
            .service_key
            .backup_key()
            .seal(header.as_bytes(), &plain);
        let sealed = URL_SAFE_NO_PAD.encode(sealed);
        Ok(URL_SAFE_NO_PAD.encode(format!("{PREFIX}.{header}.{sealed}")))
    }

    /// Opens a backup for a vault in `location`.
    fn open_backup(&self, location: &Location, text: &str) -> Result<Backup> {
        let foreign = || {
            Error::BackupNotDecrypted {
            why: "restore it in the emulator that made it, or use another copy: this one may be damaged".to_owned(),
        }
        };
        let malformed = || Error::BackupCorrupt;
        let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).map_err(|_| malformed());
        let bytes = base64url::decode_required("value", Some(text.trim_end_matches('=')))?;
        let parts = str::from_utf8(&bytes).ok().and_then(|text| {
            text.strip_prefix(PREFIX)?
                .strip_prefix('.')?
                .split_once('.')
        });
        let (header, sealed) = parts.ok_or_else(malformed)?;
        let header_data: Header =
            serde_json::from_slice(&decode(header)?).map_err(|_| foreign())?;
        let plain = self
            .service_key
            .backup_key()
            .open(header.as_bytes(), &decode(sealed)?)
            .map_err(|_| foreign())?;
        header_data.subscription_and_geography_match(location)?;
        serde_json::from_slice(&plain).map_err(|_| foreign())
    }

    async fn check_restorable(
        &self,
        vault: &VaultName,
        vault_record: &VaultRecord,
        key: &RestoredKey,
    ) -> Result<()> {
        self.name_is_free(vault, &key.name, key.newest.as_ref())
            .await?;
        for kty in &key.types {
            hardware_keys_are_premium(vault_record.sku, *kty)?;
        }
        Ok(())
    }

    fn plan_restore(
        &self,
        vault: &VaultName,
        vault_record: &Record<VaultRecord>,
        key: &RestoredKey,
        versions: Vec<StoredVersion>,
    ) -> Result<(Batch, Key)> {
        let Some(newest) = versions.first() else {
            return Err(Error::BadParameter("The backup has no version.".to_owned()));
        };
        let record = KeyRecord {
            name: key.name.clone(),
            created: key.created,
            deletion: None,
            recovering_until: None,
            current: newest.version.clone(),
            latest: newest.record.number,
            release_policy: key.release_policy.clone(),
            revision: ObjectId::random(),
        };
        let parts = [vault.as_str(), key.name.folded()];
        let mut batch = Batch::new()
            .expect(&VAULTS, &[vault.as_str()], vault_record)
            .expect_absent(&KEYS, &parts)
            .put(&KEYS, &parts, &record);
        for stored in &versions {
            let kid = Kid::new(vault, &key.name, stored.version.clone());
            let parts = [parts[0], parts[1], kid.version.as_str()];
            batch = batch.put(&VERSIONS, &parts, &stored.record);
            batch = Self::put_tags(&kid, &stored.tags, batch);
        }
        let view = self.view_of_key(vault_record, vault, &record, versions)?;
        Ok((batch, view))
    }

    async fn name_is_free(
        &self,
        vault: &VaultName,
        key: &KeyName,
        version: Option<&KeyVersion>,
    ) -> Result<()> {
        let Some(record) = self.find_key(vault, key).await? else {
            return Ok(());
        };
        let key = KeyIdentifier {
            version: version.cloned(),
            ..KeyIdentifier::current(vault, &record.name)
        };
        Err(Error::RestoreConflict {
            uri: self.names.key_uri(&key),
            state: self.state_of(&record),
            key,
        })
    }

    /// Stores the private keys of a backup. Returns the versions, newest first, and the files.
    fn store_versions(
        &self,
        vault: &VaultName,
        backup: Backup,
    ) -> Result<(Vec<StoredVersion>, Vec<ObjectId>)> {
        let Backup { name, versions, .. } = backup;
        let store = |backed_up: BackedUpVersion| {
            let kid = Kid::new(vault, &name, backed_up.version);
            let unreadable = || {
                Error::BadParameter(format!(
                    "The backup's version {} is not a key of its type.",
                    kid.version
                ))
            };
            let secret = URL_SAFE_NO_PAD
                .decode(backed_up.secret.0.as_bytes())
                .map(Zeroizing::new)
                .map_err(|_| unreadable())?;
            let material =
                KeyMaterial::from_secret(backed_up.kty, &secret).ok_or_else(unreadable)?;
            let objects = &*self.store.vault_keys;
            let record = VersionRecord {
                number: backed_up.number,
                kty: backed_up.kty,
                key_size: material.shape().bits(),
                public_key: material.public_key(),
                key_ops: backed_up.key_ops,
                enabled: backed_up.enabled,
                not_before: backed_up.not_before,
                expires: backed_up.expires,
                created: backed_up.created,
                updated: backed_up.updated,
                is_near_expiry_reported: false,
                is_expiry_reported: false,
                private_key: private_keys::seal(objects, &self.service_key, &kid, &material)?,
            };
            Ok(StoredVersion {
                version: kid.version,
                record,
                tags: backed_up.tags,
            })
        };
        let mut versions: Vec<StoredVersion> =
            versions.into_iter().map(store).collect::<Result<_>>()?;
        versions.sort_by_key(|stored| std::cmp::Reverse(stored.record.number));
        let files = versions
            .iter()
            .flat_map(|stored| stored.record.private_key.objects())
            .collect();
        Ok((versions, files))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backup_of_another_subscription_or_geography_is_refused() {
        let location = |name: &str| name.parse::<Location>().unwrap();
        let another = Header {
            subscription: "11111111-0000-0000-0000-000000000000".to_owned(),
            ..Header::of_vault_in(&location("eastus"))
        };
        let from = |name: &str| Header::of_vault_in(&location(name));
        for (header, to, restorable) in [
            (from("eastus"), "eastus", true),
            (from("eastus"), "westus2", true),
            (from("eastus"), "westeurope", false),
            (from("moonbase1"), "moonbase1", true),
            (from("moonbase1"), "moonbase2", false),
            (from("eastus"), "moonbase1", false),
            (another, "eastus", false),
        ] {
            let judged = header.subscription_and_geography_match(&location(to));
            assert_eq!(judged.is_ok(), restorable, "{to}");
            assert!(matches!(
                judged,
                Ok(()) | Err(Error::BackupNotDecrypted { .. })
            ));
        }
    }
}

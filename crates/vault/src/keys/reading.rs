use std::ops::Bound;

use futures_util::TryStreamExt as _;
use sealock_core::KeyIdentifier;

use crate::{
    Error, Key, KeyBundle, Result,
    operation::{GetDeletedKey, GetKey, GetWholeKey, KeyInVault, ListWholeKeys, Operation, Permit},
    records::KEYS,
};

impl Permit<GetKey> {
    /// Shows the version.
    pub async fn run(self) -> Result<KeyBundle> {
        self.run_to_end(|permit| async move { Ok(permit.records.bundle()) })
            .await
    }
}

impl Permit<GetWholeKey> {
    /// Shows the key with all its versions.
    pub async fn run(self) -> Result<Key> {
        self.show_key().await
    }
}

impl Permit<GetDeletedKey> {
    /// Shows the deleted key.
    pub async fn run(self) -> Result<Key> {
        self.show_key().await
    }
}

impl<O: Operation<Target = KeyIdentifier, Records = KeyInVault>> Permit<O> {
    async fn show_key(self) -> Result<Key> {
        self.run_to_end(|permit| async move {
            let KeyInVault { vault, key } = &permit.records;
            let name = &permit.target.vault;
            permit.service.key_with_versions(vault, name, key).await
        })
        .await
    }
}

impl Permit<ListWholeKeys> {
    /// Lists the keys of the vault by name, deleted ones included.
    pub async fn run(self) -> Result<Vec<Key>> {
        self.run_to_end(|permit| async move {
            let (service, vault) = (&permit.service, &permit.target);
            let mut keys = Vec::new();
            let mut entries = service
                .store
                .scan(&KEYS, &[vault.as_str()], Bound::Unbounded);
            while let Some(entry) = entries.try_next().await? {
                let record = &entry.record;
                if service.retention_has_passed(record.deletion) {
                    continue;
                }
                match service
                    .key_with_versions(&permit.records, vault, record)
                    .await
                {
                    // The key was purged after its record was read.
                    Err(Error::KeyNotFound { .. }) => {}
                    key => keys.push(key?),
                }
            }
            Ok(keys)
        })
        .await
    }
}

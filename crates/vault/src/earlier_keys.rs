use std::{collections::HashMap, ops::Bound};

use futures_util::TryStreamExt as _;
use sealock_core::{KeyName, VaultName};
use sealock_store::{Batch, Record, Table};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use crate::{
    Error, Result,
    lookup::part,
    records::{ROTATION_POLICIES, TAGS, VERSIONS},
    service::Service,
};

/// A record, whatever is in it.
type Members = Map<String, Value>;

/// The keys' records, which did not tell their names.
const KEYS: Table<Members> = Table::control("keys");

fn is_earlier(key: &Record<Members>) -> bool {
    !key.contains_key("name")
}

impl Service {
    /// Moves the keys of earlier versions, which stored them under their names as they were written, to
    /// where their names are found in any case.
    ///
    /// # Errors
    /// [`Error::NamesCollide`], before anything is moved, or if the store fails.
    pub(crate) async fn name_earlier_keys(&self) -> Result<()> {
        for (vault, name) in self.earlier_keys().await? {
            let (from, to) = (
                [vault.as_str(), name.as_str()],
                [vault.as_str(), name.folded()],
            );
            let named = self.store.update(|| async {
                let found = self.store.get(&KEYS, &from).await?;
                let Some(earlier) = found.filter(is_earlier) else {
                    return Ok((Batch::new(), ()));
                };
                let mut record = earlier.value.clone();
                record.insert("name".to_owned(), name.as_str().into());
                let mut batch = Batch::new().expect(&KEYS, &from, &earlier);
                if from != to {
                    batch = self.moved_parts(from, to, batch).await?;
                    batch = batch.delete(&KEYS, &from);
                }
                Ok::<_, Error>((batch.put(&KEYS, &to, &record), ()))
            });
            named.await?;
        }
        Ok(())
    }

    async fn earlier_keys(&self) -> Result<Vec<(VaultName, KeyName)>> {
        let mut names: HashMap<(VaultName, KeyName), KeyName> = HashMap::new();
        let mut earlier = Vec::new();
        let mut keys = self.store.scan(&KEYS, &[], Bound::Unbounded);
        while let Some(entry) = keys.try_next().await? {
            let (vault, name): (VaultName, KeyName) = (part(&entry.key, 0)?, part(&entry.key, 1)?);
            let known = names.insert((vault.clone(), name.clone()), name.clone());
            if let Some(one) = known {
                return Err(Error::NamesCollide {
                    vault,
                    one,
                    other: name,
                });
            }
            if is_earlier(&entry.record) {
                earlier.push((vault, name));
            }
        }
        Ok(earlier)
    }

    /// What belongs to a key, moved to where it has another name.
    async fn moved_parts(&self, from: [&str; 2], to: [&str; 2], mut batch: Batch) -> Result<Batch> {
        if let Some(policy) = self.store.get(&ROTATION_POLICIES, &from).await? {
            batch = batch
                .delete(&ROTATION_POLICIES, &from)
                .put(&ROTATION_POLICIES, &to, &policy);
        }
        let batch = self.moved_entries(&VERSIONS, from, to, batch).await?;
        self.moved_entries(&TAGS, from, to, batch).await
    }

    async fn moved_entries<T: Serialize + DeserializeOwned>(
        &self,
        table: &Table<T>,
        from: [&str; 2],
        to: [&str; 2],
        mut batch: Batch,
    ) -> Result<Batch> {
        let mut entries = self.store.scan(table, &from, Bound::Unbounded);
        while let Some(entry) = entries.try_next().await? {
            let below: Vec<&str> = entry.key.iter().map(String::as_str).collect();
            batch = batch.delete(table, &[&from[..], &below].concat()).put(
                table,
                &[&to[..], &below].concat(),
                &entry.record.value,
            );
        }
        Ok(batch)
    }
}

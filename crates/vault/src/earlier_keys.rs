use std::{collections::HashMap, ops::Bound};

use sealock_core::{KeyName, VaultName};
use sealock_store::{Batch, Commit, Table};
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

impl Service {
    /// Moves the keys of earlier versions, which stored them under their names as they were written, to
    /// where their names are found in any case.
    ///
    /// # Errors
    /// [`Error::NamesCollide`], before anything is moved, or if the store fails.
    pub(crate) async fn name_earlier_keys(&self) -> Result<()> {
        for (vault, name, mut record) in self.earlier_keys()? {
            record.insert("name".to_owned(), name.as_str().into());
            let (from, to) = (
                [vault.as_str(), name.as_str()],
                [vault.as_str(), name.folded()],
            );
            let batch = if from == to {
                Batch::new()
            } else {
                self.moved_parts(from, to)?.delete(&KEYS, &from)
            };
            // Nobody else writes before the vaults are open.
            let (Commit::Done | Commit::Conflict) =
                self.store.commit(batch.put(&KEYS, &to, &record)).await?;
        }
        Ok(())
    }

    fn earlier_keys(&self) -> Result<Vec<(VaultName, KeyName, Members)>> {
        let mut names: HashMap<(VaultName, KeyName), KeyName> = HashMap::new();
        let mut earlier = Vec::new();
        for entry in self.store.scan(&KEYS, &[], Bound::Unbounded) {
            let entry = entry?;
            let (vault, name): (VaultName, KeyName) = (part(&entry.key, 0)?, part(&entry.key, 1)?);
            let known = names.insert((vault.clone(), name.clone()), name.clone());
            if let Some(one) = known {
                return Err(Error::NamesCollide {
                    vault,
                    one,
                    other: name,
                });
            }
            let record = entry.record.value;
            if !record.contains_key("name") {
                earlier.push((vault, name, record));
            }
        }
        Ok(earlier)
    }

    /// What belongs to a key, moved to where it has another name.
    fn moved_parts(&self, from: [&str; 2], to: [&str; 2]) -> Result<Batch> {
        let mut batch = Batch::new();
        if let Some(policy) = self.store.get(&ROTATION_POLICIES, &from)? {
            batch = batch
                .delete(&ROTATION_POLICIES, &from)
                .put(&ROTATION_POLICIES, &to, &policy);
        }
        let batch = self.moved_entries(&VERSIONS, from, to, batch)?;
        self.moved_entries(&TAGS, from, to, batch)
    }

    fn moved_entries<T: Serialize + DeserializeOwned>(
        &self,
        table: &Table<T>,
        from: [&str; 2],
        to: [&str; 2],
        mut batch: Batch,
    ) -> Result<Batch> {
        for entry in self.store.scan(table, &from, Bound::Unbounded) {
            let entry = entry?;
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

use std::ops::Bound;

use sealock_core::{KeyName, VaultName};
use sealock_store::{Batch, Commit, Table};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use crate::{
    Result,
    lookup::part,
    records::{ROTATION_POLICIES, TAGS, VERSIONS},
    service::Service,
};

/// The keys' records, which did not tell their names.
const KEYS: Table<Map<String, Value>> = Table::control("keys");

impl Service {
    /// Moves the keys of earlier versions, which stored them under their names as they were written, to
    /// where their names are found in any case.
    pub(crate) async fn name_earlier_keys(&self) -> Result<()> {
        for entry in self.store.scan(&KEYS, &[], Bound::Unbounded) {
            let entry = entry?;
            let mut record = entry.record.value;
            if record.contains_key("name") {
                continue;
            }
            let (vault, name): (VaultName, KeyName) = (part(&entry.key, 0)?, part(&entry.key, 1)?);
            record.insert("name".to_owned(), name.as_str().into());
            let (from, to) = (
                [vault.as_str(), name.as_str()],
                [vault.as_str(), name.folded()],
            );
            let batch = if from == to {
                Batch::new()
            } else {
                self.moved_parts(from, to)?
                    .expect_absent(&KEYS, &to)
                    .delete(&KEYS, &from)
            };
            match self.store.commit(batch.put(&KEYS, &to, &record)).await? {
                Commit::Done => {}
                Commit::Conflict => tracing::error!(
                    %vault, key = %name, "the key is out of reach: another one has its name"
                ),
            }
        }
        Ok(())
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

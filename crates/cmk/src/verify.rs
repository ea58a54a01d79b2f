use std::{collections::HashSet, ops::Bound};

use futures_util::TryStreamExt as _;
use sealock_core::RegistryId;

use crate::{Custodian, Error, record::CUSTODIES};

impl Custodian {
    /// Opens every custody record under the service key and compares it with its second copy. Returns the findings,
    /// one sentence each, with the registry. Asks no vault.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn verify(&self) -> Result<Vec<String>, Error> {
        let mut findings = Vec::new();
        let mut registries = HashSet::new();
        let mut entries = self.context.store.scan(&CUSTODIES, &[], Bound::Unbounded);
        while let Some(entry) = entries.try_next().await? {
            let Ok(registry) = entry.key.concat().parse::<RegistryId>() else {
                findings.push(format!(
                    "the custody record {} belongs to no registry",
                    entry.key.concat()
                ));
                continue;
            };
            registries.insert(registry.as_uuid());
            let record = &entry.record.value;
            if let Err(error) = record.wrapped(registry, &self.context.service_key) {
                findings.push(error.to_string());
            }
            // The copy is written after the record, under the same lock.
            let _lock = self.lock(registry).await?;
            if !self.has_equal_copy(registry).await? {
                findings.push(format!(
                    "the second copy of the custody record of the registry {} differs from the record \
                     (custodies/{registry}); the next start writes it again",
                    record.name
                ));
            }
        }
        for copy in self.context.store.custodies.list()? {
            if registries.contains(&copy) {
                continue;
            }
            // A registry that is being created or deleted has both or neither under the lock.
            let _lock = self.lock(RegistryId::from_uuid(copy)).await?;
            let exists = self.context.store.custodies.get(copy)?.is_some();
            let registry = RegistryId::from_uuid(copy);
            if exists && self.context.custody_record(registry).await?.is_none() {
                findings.push(format!(
                    "the custody record of the registry with the id {copy} is missing, but its second copy exists (custodies/{copy})"
                ));
            }
        }
        Ok(findings)
    }

    async fn has_equal_copy(&self, registry: RegistryId) -> Result<bool, Error> {
        let id = registry.as_uuid();
        let Some(record) = self.context.custody_record(registry).await? else {
            return Ok(true);
        };
        let copy = self.context.store.custodies.get(id)?;
        Ok(copy.is_some_and(|copy| copy == record.to_json()))
    }
}

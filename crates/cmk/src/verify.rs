use std::{collections::HashSet, ops::Bound};

use futures_util::TryStreamExt as _;
use sealock_core::RegistryId;
use uuid::Uuid;

use crate::{
    Custodian, Error,
    custody::{CUSTODIES, CustodyRecord},
};

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
                    "the custody record {} is no registry's",
                    entry.key.concat()
                ));
                continue;
            };
            registries.insert(registry.as_uuid());
            let record = &entry.record.value;
            if let Err(error) = record.wrapped(registry, &self.context.service_key) {
                findings.push(error.to_string());
            }
            // The copy is written behind the record, in the same turn.
            let _turn = self.turn(registry).await?;
            if !self.is_copied(registry).await? {
                findings.push(format!(
                    "the second copy of the custody record of the registry {} is not as the record \
                     (custodies/{registry}); the next start writes it anew",
                    record.name
                ));
            }
        }
        for copy in self.context.store.custodies.list()? {
            if registries.contains(&copy) {
                continue;
            }
            // One that is about to be created, or deleted, has both or neither in its turn.
            let _turn = self.turn(RegistryId::from_uuid(copy)).await?;
            let is_there = self.context.store.custodies.get(copy)?.is_some();
            if is_there && self.record(copy).await?.is_none() {
                findings.push(format!(
                    "there is no custody record of the registry with the id {copy}, but a second copy of one (custodies/{copy})"
                ));
            }
        }
        Ok(findings)
    }

    async fn is_copied(&self, registry: RegistryId) -> Result<bool, Error> {
        let id = registry.as_uuid();
        let Some(record) = self.record(id).await? else {
            return Ok(true);
        };
        let copy = self.context.store.custodies.get(id)?;
        Ok(copy.is_some_and(|copy| copy == record.to_json()))
    }

    async fn record(&self, registry: Uuid) -> Result<Option<CustodyRecord>, Error> {
        let record = self
            .context
            .store
            .get(&CUSTODIES, &[&registry.to_string()])
            .await?;
        Ok(record.map(|record| record.value))
    }
}

//! The repair of custody records after damage to the metadata.

use sealock_core::{RegistryId, RegistryName};
use sealock_store::Batch;

use crate::{
    Custodian, Error,
    custody::{CUSTODIES, CustodyRecord},
};

impl Custodian {
    /// Restores missing custody records from their second place, and returns the registries restored. `now` is in
    /// seconds since 1970. Blocks between its commits.
    ///
    /// Sets aside a second copy that differs from its record: the copy may be the later one, and the next start would
    /// replace it.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn restore(
        &self,
        registries: &[(RegistryId, RegistryName)],
        now: i64,
    ) -> Result<Vec<RegistryName>, Error> {
        let (store, service_key) = (&self.context.store, &*self.context.service_key);
        let mut restored = Vec::new();
        for (registry, name) in registries {
            let registry = *registry;
            let (key, id) = (registry.to_string(), registry.as_uuid());
            let Some(text) = store.custodies.get(id)? else {
                continue;
            };
            if let Some(record) = store.get(&CUSTODIES, &[&key]).await? {
                if record.to_json() != text {
                    store.custodies.set_aside(id, now)?;
                }
                continue;
            }
            let copy: Option<CustodyRecord> = serde_json::from_slice(&text).ok();
            let Some(mut copy) = copy.filter(|copy| copy.wrapped(registry, service_key).is_ok())
            else {
                store.custodies.set_aside(id, now)?;
                continue;
            };
            // The copy's is not authenticated, and of no use to the DEK.
            copy.name = name.clone();
            let batch =
                Batch::new()
                    .expect_absent(&CUSTODIES, &[&key])
                    .put(&CUSTODIES, &[&key], &copy);
            // Nobody else has the store open.
            let _done = store.commit(batch).await?;
            restored.push(name.clone());
        }
        Ok(restored)
    }
}

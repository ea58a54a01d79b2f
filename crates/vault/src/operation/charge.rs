use sealock_core::{KeyIdentifier, Kid};

use crate::{
    Error, Result,
    audit::{KeyProperties, Request},
    service::Service,
};

impl Service {
    /// Counts a client's request against the limits, or refuses it. Counts each request once.
    pub(crate) async fn charge(&self, request: &Request) -> Result<()> {
        let Some(vault) = request
            .vault
            .as_ref()
            .filter(|_| self.settings.throttling && request.is_from_client())
        else {
            return Ok(());
        };
        if !request.mark_charged() {
            return Ok(());
        }
        self.active_vault(vault).await?;
        let request_type = request.row.request_type;
        let key = match (request.new_key(), &request.key) {
            (None, Some(key)) => self.stored_properties(key).await?,
            (new_key, _) => new_key,
        };
        self.throttling
            .count(vault, request_type, request_type.weight(key), &self.clock)
    }

    /// Returns the type and size of a stored key, deleted or not.
    async fn stored_properties(&self, key: &KeyIdentifier) -> Result<Option<KeyProperties>> {
        let Some(record) = self.find_key(&key.vault, &key.key).await? else {
            return Ok(None);
        };
        let version = key.version.as_ref().unwrap_or(&record.current);
        let kid = Kid::new(&key.vault, &key.key, version.clone());
        match self.version(&kid).await {
            Ok(version) => Ok(Some(KeyProperties {
                kty: version.kty,
                size: version.key_size,
            })),
            Err(Error::KeyNotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

//! The vault's part in mending a damaged data directory.

use sealock_core::Kid;
use sealock_store::Batch;

use crate::{
    KeyVault, Requester, Result,
    audit::{Request, Target},
    operation::Operation,
    records::{VERSIONS, VersionRecord},
    verify::versions,
};

impl KeyVault {
    /// Disables every key version that is enabled, whatever else its vault permits or refuses now, and names them.
    /// For when records are earlier ones, which may permit what was revoked since.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn disable_every_key(&self, requester: &Requester) -> Result<Vec<Kid>> {
        let mut disabled = Vec::new();
        for (kid, record) in versions(&self.service.store).await? {
            if record.enabled {
                self.disable(requester, &kid).await?;
                disabled.push(kid);
            }
        }
        Ok(disabled)
    }

    async fn disable(&self, requester: &Requester, kid: &Kid) -> Result<()> {
        let target = Target::Key(kid.identifier());
        let request = Request::new(requester, Operation::KeyUpdate, target);
        let kid = kid.clone();
        self.audited(request, move |service, request| async move {
            let parts = [kid.vault.as_str(), kid.key.folded(), kid.version.as_str()];
            let disable = || async {
                let record = service.version(&kid).await?;
                let disabled = VersionRecord {
                    enabled: false,
                    updated: service.clock.now(),
                    ..record.value.clone()
                };
                let batch = Batch::new()
                    .expect(&VERSIONS, &parts, &record)
                    .put(&VERSIONS, &parts, &disabled);
                Ok((batch, ()))
            };
            service.change(&request, disable).await
        })
        .await
    }
}

use std::sync::Arc;

use sealock_entra::TrackedResource;

use super::{audited_result::AuditedVersion, event::AuditEvent, request::Request};
use crate::{Error, Result, service::Service};

impl Service {
    /// Makes the audit event of a request.
    pub(crate) async fn audit_event(
        &self,
        request: &Request,
        outcome: std::result::Result<Option<AuditedVersion>, &Error>,
    ) -> Result<AuditEvent> {
        let vault = match &request.vault {
            Some(vault) => self.find_vault(vault).await?,
            None => None,
        };
        let (rbac, place) = match vault {
            Some(vault) => (vault.uses_roles(), vault.value.resource),
            None => (false, self.place_of_missing(request)),
        };
        Ok(request.audit_event(outcome, rbac, &place, &self.names, &self.clock))
    }

    /// Returns the place of a vault that does not exist, or not yet: the resource group that the request names, or the
    /// default one.
    fn place_of_missing(&self, request: &Request) -> TrackedResource {
        let place = self.default_place();
        match &request.group {
            Some(group) => TrackedResource {
                resource_group: group.clone(),
                ..place
            },
            None => place,
        }
    }

    /// Records the outcome of a request, unless the commit of its change has done so.
    pub(crate) async fn record_outcome(
        &self,
        request: &Request,
        outcome: std::result::Result<Option<AuditedVersion>, &Error>,
    ) -> Result<()> {
        let is_obsolete =
            request.row.is_scheduled && matches!(outcome, Err(Error::ConcurrentChange));
        if request.is_recorded() || is_obsolete {
            return Ok(());
        }
        let event = self.audit_event(request, outcome).await?;
        // While the disk takes no writes, the store holds the events of registries and of the operator. A registry goes
        // on, since a full disk does not revoke its key; the operator goes on to find the fault. Clients are refused.
        if request.is_from_emulator() {
            self.store.journal_or_hold(&event).await;
        } else {
            self.store.journal(&event).await?;
        }
        Ok(())
    }

    /// Counts a refused request against the limits, if it was not counted yet, and records the refusal, even if the client
    /// disconnects. Returns the error for the client.
    pub(crate) async fn refuse(self: &Arc<Self>, request: &Arc<Request>, error: Error) -> Error {
        let (service, request) = (Arc::clone(self), Arc::clone(request));
        let recording = tokio::spawn(async move {
            let throttled = service.charge(&request).await.err();
            let error = throttled.unwrap_or(error);
            let unrecorded = service.record_outcome(&request, Err(&error)).await.err();
            unrecorded.unwrap_or(error)
        });
        recording.await.unwrap_or_else(Error::from)
    }
}

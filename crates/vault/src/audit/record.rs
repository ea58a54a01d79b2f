use std::sync::Arc;

use super::{answer::Subject, event::AuditEvent, request::Request};
use crate::{Error, Result, service::Service};

impl Service {
    /// Makes the audit event of a request's end.
    pub(crate) async fn event(
        &self,
        request: &Request,
        outcome: std::result::Result<Option<Subject>, &Error>,
    ) -> Result<AuditEvent> {
        let vault = match &request.vault {
            Some(vault) => self.find_vault(vault).await?,
            None => None,
        };
        let rbac = vault.is_some_and(|vault| vault.rbac);
        Ok(request.event(outcome, rbac, &self.names, &self.clock))
    }

    /// Records how a request ended, unless the commit of its change has done so.
    pub(crate) async fn record(
        &self,
        request: &Request,
        outcome: std::result::Result<Option<Subject>, &Error>,
    ) -> Result<()> {
        let is_overtaken = matches!(outcome, Err(Error::ConcurrentChange));
        if request.is_recorded() || request.row.is_scheduled && is_overtaken {
            return Ok(());
        }
        let event = self.event(request, outcome).await?;
        // A registry's operation goes on while the disk takes no record of it: the disk is not its key. The operator's
        // goes on too, to show what is wrong. The store holds their events meanwhile. Others are refused.
        if request.is_from_emulator() {
            self.store.journal_or_hold(&event).await;
        } else {
            self.store.journal(&event).await?;
        }
        Ok(())
    }

    /// Records the refusal of a request, even if its client leaves. Returns the error to answer with.
    pub(crate) async fn refuse(self: &Arc<Self>, request: &Arc<Request>, error: Error) -> Error {
        let (service, request) = (Arc::clone(self), Arc::clone(request));
        let recording = tokio::spawn(async move {
            let recorded = service.record(&request, Err(&error)).await;
            recorded.err().unwrap_or(error)
        });
        recording.await.unwrap_or_else(Error::from)
    }
}

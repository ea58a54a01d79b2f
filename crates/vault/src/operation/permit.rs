use std::sync::Arc;

use sealock_core::{ObjectId, VaultName};
use sealock_store::Batch;

use super::Operation;
use crate::{
    Client, Error, KeyVault, Requester, Result,
    audit::{AuditedResult, Request},
    service::{CREATIONS, Service},
};

/// The permit to carry out one operation on one target. [`KeyVault::authorize`] returns it, and its `run` carries the
/// operation out.
///
/// A permit can become stale, so a change judges again at its commit, and a use of a key before it begins. Once `run` is
/// polled, the operation runs to its end even if its client disconnects, and leaves one event in the audit log. A dropped
/// permit leaves none.
#[must_use = "a permit does nothing before it is run"]
pub struct Permit<O: Operation> {
    pub(crate) service: Arc<Service>,
    pub(crate) request: Arc<Request>,
    pub(crate) target: O::Target,
    /// The target's records, which the judgement read.
    pub(crate) records: O::Records,
}

impl KeyVault {
    /// Authorizes an operation: counts it against the limits, and judges it in Azure's order. Its parameters come later.
    ///
    /// # Errors
    /// The refusal, which is then in the audit log.
    pub async fn authorize<O: Operation>(
        &self,
        requester: &Requester,
        _operation: O,
        target: impl Into<O::Target>,
    ) -> Result<Permit<O>> {
        let target = target.into();
        let service = Arc::clone(&self.service);
        let request = Arc::new(Request::new(requester, O::ROW, &target));
        let authorizing = tokio::spawn(async move {
            let judged = async {
                // The weight of a creation depends on its parameters, so `run` charges it.
                if !O::ROW.is_charged_by_new_key {
                    service.charge(&request).await?;
                }
                O::judge(&service, &request.requester, &target).await
            };
            match judged.await {
                Ok(records) => Ok(Permit {
                    service,
                    request,
                    target,
                    records,
                }),
                Err(error) => Err(service.refuse(&request, error).await),
            }
        });
        authorizing.await?
    }

    /// Judges an operation as [`authorize`](Self::authorize) does, without an audit event.
    ///
    /// # Errors
    /// The refusal.
    pub async fn judge<O: Operation>(
        &self,
        requester: &Requester,
        _operation: O,
        target: &O::Target,
    ) -> Result<()> {
        let judged = O::judge(&self.service, requester, target).await;
        judged.map(drop)
    }

    /// Records a request whose sender could not be authenticated, unless there are many of them.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn record_unauthenticated(
        &self,
        client: &Client,
        vault: &VaultName,
        why: &str,
    ) -> Result<()> {
        let Some(why) = self.service.unauthenticated.admit(why, &self.service.clock) else {
            return Ok(());
        };
        let request = Arc::new(Request::unauthenticated(client, vault));
        match self
            .service
            .refuse(&request, Error::Unauthorized(why))
            .await
        {
            Error::Unauthorized(_) => Ok(()),
            error => Err(error),
        }
    }
}

impl<O: Operation> Permit<O> {
    /// Awaits the operation's parameters from `reading`. If that fails, records the refusal, and the permit is used up.
    ///
    /// # Errors
    /// The error of `reading`, or [`Error::Throttled`].
    pub async fn parse<T>(self, reading: impl Future<Output = Result<T>>) -> Result<(Self, T)> {
        match reading.await {
            Ok(parameters) => Ok((self, parameters)),
            Err(error) => Err(self.service.refuse(&self.request, error).await),
        }
    }

    /// Runs `work` to its end in a task of its own, and records the outcome.
    pub(crate) async fn run_to_end<T, F>(self, work: impl FnOnce(Arc<Self>) -> F) -> Result<T>
    where
        T: AuditedResult + Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        let permit = Arc::new(self);
        let work = work(Arc::clone(&permit));
        let task = tokio::spawn(async move {
            let (service, request) = (&permit.service, &permit.request);
            let outcome = match service.charge(request).await {
                Ok(()) => work.await,
                Err(error) => Err(error),
            };
            let version = outcome.as_ref().map(AuditedResult::audited_version);
            service.record_outcome(request, version).await?;
            outcome
        });
        task.await?
    }

    /// Runs an operation that is a single change: commits the batch that `plan` makes from the target's records.
    pub(crate) async fn run_change<T, F>(
        self,
        plan: impl Fn(Arc<Self>, O::Records) -> F + Send + Sync + 'static,
    ) -> Result<T>
    where
        T: AuditedResult + Send + 'static,
        F: Future<Output = Result<(Batch, T)>> + Send,
    {
        self.run_to_end(|permit| async move {
            permit
                .commit_change(|records| plan(Arc::clone(&permit), records))
                .await
        })
        .await
    }

    /// Judges again, and commits the batch that `plan` makes from the target's records. Starts over if the records
    /// change in between. The audit event is in the same commit, so that neither exists without the other.
    pub(crate) async fn commit_change<T, F>(&self, plan: impl Fn(O::Records) -> F) -> Result<T>
    where
        T: AuditedResult,
        F: Future<Output = Result<(Batch, T)>>,
    {
        let (service, request) = (&self.service, &self.request);
        let changed = service.commit_with_retries(|| async {
            let records = self.judge().await?;
            let (batch, result) = plan(records).await?;
            let event = service
                .audit_event(request, Ok(result.audited_version()))
                .await?;
            Ok((batch.journal(&event), result))
        });
        let changed = changed.await;
        let is_committed = matches!(
            changed,
            Ok(_) | Err(Error::Storage(sealock_store::Error::NotRemoved(_)))
        );
        if is_committed {
            request.mark_recorded();
        }
        changed
    }

    /// Stores files, then commits the batch that `plan` makes from them. Removes the files if the commit is refused.
    ///
    /// No record mentions the files before the commit, so this makes the sweep wait.
    pub(crate) async fn commit_with_files<S, T, F>(
        &self,
        store: impl FnOnce(&Service) -> Result<(S, Vec<ObjectId>)> + Send + 'static,
        plan: impl Fn(S, O::Records) -> F,
    ) -> Result<T>
    where
        S: Clone + Send + 'static,
        T: AuditedResult,
        F: Future<Output = Result<(Batch, T)>>,
    {
        let service = &self.service;
        let _creating = service.store.lock_shared(&CREATIONS, &[]).await?;
        let (stored, files) = tokio::task::spawn_blocking({
            let service = Arc::clone(service);
            move || store(&service)
        })
        .await??;
        let committed = self
            .commit_change(|records| plan(stored.clone(), records))
            .await;
        match &committed {
            Ok(_) => {}
            // The commit may have succeeded. If not, the sweep quarantines the files.
            Err(Error::Storage(error)) if error.may_be_written() => {}
            Err(_) => {
                if let Err(error) = service.remove_files(files).await {
                    tracing::warn!(%error, "the files of a refused key version could not be removed and are left to the sweep");
                }
            }
        }
        committed
    }

    /// Judges the operation again, by the current records.
    pub(crate) async fn judge(&self) -> Result<O::Records> {
        O::judge(&self.service, &self.request.requester, &self.target).await
    }
}

use std::sync::Arc;

use sealock_core::{ObjectId, VaultName};
use sealock_store::Batch;

use super::Operation;
use crate::{
    Client, Error, KeyVault, Requester, Result,
    audit::{Answer, Request},
    service::{CREATIONS, Service},
};

/// The permit to carry out one operation on one target, which [`KeyVault::authorize`] gives. The method that carries it
/// out is `run`.
///
/// The permit is no promise: a change judges again in the commit. An operation goes to its end even if its client
/// leaves, and leaves one event in the audit log. A permit that is dropped leaves none.
pub struct Permit<O: Operation> {
    pub(crate) service: Arc<Service>,
    pub(crate) request: Arc<Request>,
    pub(crate) target: O::Target,
    /// The records that the judgement found.
    pub(crate) records: O::Records,
}

impl KeyVault {
    /// Authorises an operation: counts it against the limits, and judges it in Azure's order, up to its parameters.
    ///
    /// # Errors
    /// The refusal, which the audit log has by then.
    pub async fn authorize<O: Operation>(
        &self,
        requester: &Requester,
        _operation: O,
        target: O::Target,
    ) -> Result<Permit<O>> {
        let service = Arc::clone(&self.service);
        let request = Arc::new(Request::new(requester, O::ROW, &target));
        let authorizing = tokio::spawn(async move {
            let judged = O::judge(&service, &request.requester, &target).await;
            // The weight of an operation that is permitted may depend on its parameters.
            let charged = match judged {
                Ok(_) if O::ROW.is_charged_by_new_key => Ok(()),
                _ => service.charge(&request).await,
            };
            match charged.and(judged) {
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

    /// Judges an operation as [`authorize`](Self::authorize) does, and records nothing.
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

    /// Records that the sender of a request could not be authenticated, and why.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn record_unauthenticated(
        &self,
        client: &Client,
        vault: &VaultName,
        why: String,
    ) -> Result<()> {
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
    /// Takes the parameters of the operation from `reading`, and records the refusal of what cannot be read.
    ///
    /// # Errors
    /// The error of `reading`.
    pub async fn parse<T>(&self, reading: impl Future<Output = Result<T>>) -> Result<T> {
        let error = match reading.await {
            Ok(parameters) => return Ok(parameters),
            Err(error) => error,
        };
        let error = self
            .service
            .charge(&self.request)
            .await
            .err()
            .unwrap_or(error);
        Err(self.service.refuse(&self.request, error).await)
    }

    /// Runs `work` to its end in a task of its own, and records how it ended.
    pub(crate) async fn run_to_end<T, F>(self, work: impl FnOnce(Arc<Self>) -> F) -> Result<T>
    where
        T: Answer + Send + 'static,
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
            let subject = outcome.as_ref().map(Answer::subject);
            service.record(request, subject).await?;
            outcome
        });
        task.await?
    }

    /// Runs an operation that is one change: commits the batch that `plan` makes of the judged records.
    pub(crate) async fn commit<T, F>(
        self,
        plan: impl Fn(Arc<Self>, O::Records) -> F + Send + Sync + 'static,
    ) -> Result<T>
    where
        T: Answer + Send + 'static,
        F: Future<Output = Result<(Batch, T)>> + Send,
    {
        self.run_to_end(|permit| async move {
            permit
                .change(|records| plan(Arc::clone(&permit), records))
                .await
        })
        .await
    }

    /// Judges again, and commits the batch that `plan` makes of the records. If others changed its input in between, does
    /// both again. The audit event is in the same commit, so that neither exists without the other.
    pub(crate) async fn change<T, F>(&self, plan: impl Fn(O::Records) -> F) -> Result<T>
    where
        T: Answer,
        F: Future<Output = Result<(Batch, T)>>,
    {
        let (service, request) = (&self.service, &self.request);
        let changed = service.change_silently(|| async {
            let records = self.judge().await?;
            let (batch, answer) = plan(records).await?;
            let event = service.event(request, Ok(answer.subject())).await?;
            Ok((batch.journal(&event), answer))
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

    /// Stores files, then commits what `plan` makes of them. If that is refused, removes them.
    ///
    /// From the first file to the commit, nobody refers to them; the sweep waits.
    pub(crate) async fn change_with_files<S, T, F>(
        &self,
        store: impl FnOnce(&Service) -> Result<(S, Vec<ObjectId>)> + Send + 'static,
        plan: impl Fn(S, O::Records) -> F,
    ) -> Result<T>
    where
        S: Clone + Send + 'static,
        T: Answer,
        F: Future<Output = Result<(Batch, T)>>,
    {
        let service = &self.service;
        let _creating = service.store.lock_shared(&CREATIONS, &[]).await?;
        let (stored, files) = tokio::task::spawn_blocking({
            let service = Arc::clone(service);
            move || store(&service)
        })
        .await??;
        let done = self.change(|records| plan(stored.clone(), records)).await;
        match &done {
            Ok(_) => {}
            // The commit may have taken place. If not, the sweep takes the files.
            Err(Error::Storage(error)) if error.may_be_written() => {}
            Err(_) => {
                if let Err(error) = service.unlink(files).await {
                    tracing::warn!(%error, "the files of a refused key version are left to the sweep");
                }
            }
        }
        done
    }

    /// Judges the operation as things are now.
    pub(crate) async fn judge(&self) -> Result<O::Records> {
        O::judge(&self.service, &self.request.requester, &self.target).await
    }
}

use std::sync::{Arc, PoisonError, RwLock};

use jiff::Timestamp;
use sealock_core::{ClientId, RegistryId};
use sealock_envelope::Dek;
use sealock_store::{Epoch, Lock, LockGuard, Record};

use crate::{
    Cause, ContentCache, Error, Obstacle, PendingRevocation, Propagation, Revocation, VaultError,
    context::Context, detachment::CredentialEnd, record::CustodyRecord, settings::AZURE_CACHE,
};

/// Guards a registry's custody: its holder asks the vault for the DEK or changes the custody.
const CUSTODY: Lock = Lock::new("custody");

/// Decides whether a registry may use its DEK, and holds the DEK while it may.
///
/// There is no timer. A verdict holds as long as the store's epoch under which the gate reached it. With
/// [`Propagation::Azure`], the permission to use a key holds for an hour whatever happens.
pub(crate) struct Gate {
    pub(crate) registry: RegistryId,
    pub(crate) context: Arc<Context>,
    verdict: RwLock<Option<Verdict>>,
}

/// The gate's judgement on the registry's key.
struct Verdict {
    epoch: Epoch,
    reached: Timestamp,
    finding: Finding,
}

/// The result of asking the vault.
#[derive(Clone)]
struct Finding {
    decision: Decision,
    obstacle: Option<Obstacle>,
    /// The end of the identity's credential, if the registry cannot renew it.
    until: Option<Timestamp>,
}

impl From<Decision> for Finding {
    fn from(decision: Decision) -> Self {
        Self {
            decision,
            obstacle: None,
            until: None,
        }
    }
}

type Decision = Result<Arc<UnlockedDek>, Revocation>;

/// A DEK that the registry may use, and the content that was decrypted with it.
pub(crate) struct UnlockedDek {
    pub(crate) dek: Dek,
    pub(crate) cache: ContentCache,
}

impl UnlockedDek {
    fn new(dek: Dek) -> Arc<Self> {
        Arc::new(Self {
            dek,
            cache: ContentCache::default(),
        })
    }
}

impl Gate {
    pub(crate) fn new(registry: RegistryId, context: Arc<Context>) -> Self {
        Self {
            registry,
            context,
            verdict: RwLock::default(),
        }
    }

    /// Waits for the lock of the registry's custody.
    pub(crate) async fn lock(&self) -> Result<LockGuard, Error> {
        let id = self.registry.to_string();
        Ok(self.context.store.lock_exclusive(&CUSTODY, &[&id]).await?)
    }

    /// Returns the DEK, after asking the vault if anything may have changed.
    ///
    /// # Errors
    /// [`Error::Revoked`] while the vault refuses the key.
    pub(crate) async fn unlock(&self) -> Result<Arc<UnlockedDek>, Error> {
        if let Some(decision) = self.current_decision().await? {
            return Ok(decision?);
        }
        let _lock = self.lock().await?;
        if let Some(decision) = self.current_decision().await? {
            return Ok(decision?);
        }
        // Before anything is read that a control commit could change.
        let epoch = self.context.store.epoch().await?;
        let finding = self.evaluate().await?;
        let decision = finding.decision.clone();
        if !is_fault(&decision) {
            self.set_verdict(epoch, finding);
        }
        Ok(decision?)
    }

    /// Returns the obstacle that the registry met when it last asked the vault. `None` if it met none.
    pub(crate) fn obstacle(&self) -> Option<Obstacle> {
        let verdict = self.verdict.read().unwrap_or_else(PoisonError::into_inner);
        verdict.as_ref()?.finding.obstacle.clone()
    }

    /// Returns the revocation that follows once the cached permission expires. `None` if the vault permits the key.
    pub(crate) async fn pending_revocation(&self) -> Result<Option<PendingRevocation>, Error> {
        let reached = {
            let verdict = self.verdict.read().unwrap_or_else(PoisonError::into_inner);
            verdict.as_ref().map(|verdict| verdict.reached)
        };
        let (Propagation::Azure, Some(reached)) = (self.context.propagation, reached) else {
            return Ok(None);
        };
        let record = self.record().await?;
        let context = &self.context;
        let next_question = reached
            .saturating_add(AZURE_CACHE)
            .unwrap_or(Timestamp::MAX);
        match context
            .vault
            .judge_unwrap(record.identity, &record.kid)
            .await
        {
            Ok(()) | Err(VaultError::Refused(Cause::VaultUnavailable)) => {}
            Err(VaultError::Refused(cause)) => {
                return Ok(Some(PendingRevocation {
                    at: next_question,
                    cause,
                }));
            }
            Err(VaultError::Store(error)) => return Err(error.into()),
        }
        let end = context.credential_end(self.registry, &record).await?;
        Ok(end.map(|CredentialEnd { at, cause }| PendingRevocation { at, cause }))
    }

    async fn current_decision(&self) -> Result<Option<Decision>, Error> {
        let epoch = self.context.store.epoch().await?;
        let verdict = self.verdict.read().unwrap_or_else(PoisonError::into_inner);
        let current = verdict
            .as_ref()
            .filter(|verdict| self.is_current(verdict, epoch));
        Ok(current.map(|verdict| verdict.finding.decision.clone()))
    }

    fn is_current(&self, verdict: &Verdict, epoch: Epoch) -> bool {
        let Finding {
            decision, until, ..
        } = &verdict.finding;
        match (self.context.propagation, decision) {
            // The hour counts from the last question to the vault, even while nothing changes.
            (Propagation::Azure, Ok(_)) => {
                let now = self.context.clock.now();
                let age = now.duration_since(verdict.reached);
                // The age is negative after somebody set the clock back.
                !age.is_negative() && age < AZURE_CACHE && until.is_none_or(|until| now < until)
            }
            _ => verdict.epoch == epoch,
        }
    }

    /// Opens the gate with a DEK that the vault has just unwrapped and wrapped.
    pub(crate) fn open(&self, epoch: Epoch, dek: Dek) {
        self.set_verdict(epoch, Ok(UnlockedDek::new(dek)).into());
    }

    fn set_verdict(&self, epoch: Epoch, finding: Finding) {
        let verdict = Some(Verdict {
            epoch,
            reached: self.context.clock.now(),
            finding,
        });
        *self.verdict.write().unwrap_or_else(PoisonError::into_inner) = verdict;
    }

    /// Drops the verdict, so that the next request asks the vault.
    pub(crate) fn clear_verdict(&self) {
        *self.verdict.write().unwrap_or_else(PoisonError::into_inner) = None;
    }

    async fn evaluate(&self) -> Result<Finding, Error> {
        let record = self.record().await?;
        let context = &self.context;
        let end = context.credential_end(self.registry, &record).await?;
        let unwrapped = match end {
            Some(CredentialEnd { at, cause }) if at <= context.clock.now() => Err(cause),
            _ => self.unwrap(&record, record.identity).await?,
        };
        match unwrapped {
            Ok(dek) => {
                context
                    .clear_revocation(self.registry, &record.name)
                    .await?;
                Ok(Finding {
                    obstacle: self.follow(&record, &dek).await?,
                    decision: Ok(UnlockedDek::new(dek)),
                    until: end.map(|end| end.at),
                })
            }
            Err(cause @ Cause::VaultUnavailable) => {
                let revocation = Revocation {
                    cause,
                    key: record.kid.clone(),
                    since: context.clock.now(),
                };
                Ok(Err(revocation).into())
            }
            Err(cause) => {
                let recorded = context.record_revocation(self.registry, &record, cause);
                Ok(Err(recorded.await?).into())
            }
        }
    }

    /// Asks the vault for the DEK. The inner error is the vault's refusal.
    pub(crate) async fn unwrap(
        &self,
        record: &CustodyRecord,
        identity: ClientId,
    ) -> Result<Result<Dek, Cause>, Error> {
        let damaged = |why| Error::Damaged {
            registry: record.name.clone(),
            why,
        };
        let wrapped = record.wrapped(self.registry, &self.context.service_key)?;
        let value = wrapped
            .value()
            .ok_or_else(|| damaged("its algorithm or value is unknown"))?;
        match self
            .context
            .vault
            .unwrap_key(identity, &record.kid, &value)
            .await
        {
            Ok(unwrapped) => match wrapped.verify_unwrapped(&unwrapped) {
                Some(dek) => Ok(Ok(dek)),
                None => Err(damaged("the vault unwrapped another key than was wrapped")),
            },
            Err(VaultError::Refused(cause)) => Ok(Err(cause)),
            Err(VaultError::Store(error)) => Err(error.into()),
        }
    }

    pub(crate) async fn record(&self) -> Result<Record<CustodyRecord>, Error> {
        let record = self.context.custody_record(self.registry).await?;
        record.ok_or(Error::Missing(self.registry))
    }
}

/// Returns true if the vault could not answer. It has decided nothing then, so the next request asks it again.
fn is_fault(decision: &Decision) -> bool {
    matches!(decision, Err(revocation) if revocation.cause == Cause::VaultUnavailable)
}

use std::sync::{Arc, PoisonError, RwLock};

use jiff::Timestamp;
use sealock_core::{ClientId, KeyIdentifier, Kid, RegistryId, RegistryName};
use sealock_envelope::Dek;
use sealock_store::{Batch, Commit, Epoch, Lock, LockGuard, Record, Table};
use serde::{Deserialize, Serialize};

use crate::{
    Cause, Error, KeyFacts, NotDone, Opened, Propagation, Refusal,
    custodian::Context,
    custody::{CUSTODIES, CustodyRecord, WrappedDek},
    rules,
    settings::AZURE_CACHE,
};

/// Held while the vault is asked for a registry's DEK, or its custody is changed.
const CUSTODY: Lock = Lock::new("custody");

const REVOCATIONS: Table<RevocationRecord> = Table::content("revocations");

/// Why and since when a registry may not use its key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .cause.message())]
pub struct Revocation {
    /// Why.
    pub cause: Cause,
    /// The key version that was refused.
    pub key: Kid,
    /// When the registry first met this refusal.
    pub since: Timestamp,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct RevocationRecord {
    cause: Cause,
    since: Timestamp,
}

/// Decides whether a registry may use its DEK, and holds it while it may.
///
/// There is no timer. A verdict holds as long as the store's epoch under which it was reached; with
/// [`Propagation::Azure`], the permission to use a key holds for an hour whatever happens.
pub(crate) struct Gate {
    registry: RegistryId,
    context: Arc<Context>,
    verdict: RwLock<Option<Verdict>>,
}

struct Verdict {
    epoch: Epoch,
    reached: Timestamp,
    outcome: Outcome,
}

type Outcome = Result<Arc<Unlocked>, Revocation>;

/// A DEK that may be used, and what was opened with it.
pub(crate) struct Unlocked {
    pub(crate) dek: Dek,
    pub(crate) opened: Opened,
}

impl Unlocked {
    fn new(dek: Dek) -> Arc<Self> {
        Arc::new(Self {
            dek,
            opened: Opened::default(),
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

    /// Waits until nobody else changes the custody.
    pub(crate) async fn turn(&self) -> Result<LockGuard, Error> {
        let id = self.registry.to_string();
        Ok(self.context.store.exclusive(&CUSTODY, &[&id]).await?)
    }

    /// The DEK, if it may be used now.
    pub(crate) async fn unlocked(&self) -> Result<Arc<Unlocked>, Error> {
        if let Some(outcome) = self.standing_verdict().await? {
            return Ok(outcome?);
        }
        let _turn = self.turn().await?;
        if let Some(outcome) = self.standing_verdict().await? {
            return Ok(outcome?);
        }
        // Before anything is read that a control commit could change.
        let epoch = self.context.store.epoch().await?;
        let outcome = self.evaluate().await?;
        if !is_fault(&outcome) {
            self.decide(epoch, outcome.clone());
        }
        Ok(outcome?)
    }

    /// Moves the registry to `key` and `identity`, by default those that it has.
    pub(crate) async fn rotate(
        &self,
        registry: &RegistryName,
        key: Option<KeyIdentifier>,
        identity: Option<ClientId>,
    ) -> Result<(), Error> {
        let _turn = self.turn().await?;
        let epoch = self.context.store.epoch().await?;
        let record = self.record().await?;
        let key = key.unwrap_or_else(|| record.key.clone());
        let dek = self.unwrap_to_rotate(registry, &record, identity).await?;
        let identity = identity.unwrap_or(record.identity);
        let facts = self.context.usable_key(&key, identity).await?;
        let wrapped = self
            .context
            .wrap_and_prove(&facts.kid, identity, &dek)
            .await?;
        self.replace(&record, key, identity, facts.kid, &wrapped)
            .await?;
        self.decide(epoch, Ok(Unlocked::new(dek)));
        Ok(())
    }

    /// The current DEK. A registry whose identity is gone can be rescued by naming another that may
    /// use the current key; without one, the key cannot be changed.
    async fn unwrap_to_rotate(
        &self,
        registry: &RegistryName,
        record: &CustodyRecord,
        identity: Option<ClientId>,
    ) -> Result<Dek, Error> {
        let refused = |cause, identity| match cause {
            Cause::IdentityNotFound => Refusal::IdentityNotAssigned {
                registry: registry.clone(),
                resource: rules::resource_id(registry),
                identity: format!("{identity}"),
            },
            _ => self
                .context
                .inaccessible(&record.kid.identifier(), identity),
        };
        match (self.unwrap(record, record.identity).await?, identity) {
            (Ok(dek), _) => Ok(dek),
            (Err(Cause::IdentityNotFound), Some(identity)) => self
                .unwrap(record, identity)
                .await?
                .map_err(|cause| refused(cause, identity).into()),
            (Err(cause), _) => Err(refused(cause, record.identity).into()),
        }
    }

    async fn standing_verdict(&self) -> Result<Option<Outcome>, Error> {
        let epoch = self.context.store.epoch().await?;
        let verdict = self.verdict.read().unwrap_or_else(PoisonError::into_inner);
        let standing = verdict
            .as_ref()
            .filter(|verdict| self.still_stands(verdict, epoch));
        Ok(standing.map(|verdict| verdict.outcome.clone()))
    }

    fn still_stands(&self, verdict: &Verdict, epoch: Epoch) -> bool {
        match (self.context.propagation, &verdict.outcome) {
            // Not longer while nothing changes either: the hour is since the vault was last asked.
            (Propagation::Azure, Ok(_)) => {
                let age = self.context.clock.now().duration_since(verdict.reached);
                age < AZURE_CACHE
            }
            _ => verdict.epoch == epoch,
        }
    }

    fn decide(&self, epoch: Epoch, outcome: Outcome) {
        let verdict = Some(Verdict {
            epoch,
            reached: self.context.clock.now(),
            outcome,
        });
        *self.verdict.write().unwrap_or_else(PoisonError::into_inner) = verdict;
    }

    async fn evaluate(&self) -> Result<Outcome, Error> {
        let record = self.record().await?;
        match self.unwrap(&record, record.identity).await? {
            Ok(dek) => {
                if let Err(error) = self.note_restored().await {
                    self.pass_over(error, "that the registry is available again")?;
                }
                if record.key.version.is_none()
                    && let Err(error) = self.follow_current_version(&record, &dek).await
                {
                    // The old version still unwraps; the next change in the vault is another try.
                    tracing::warn!(registry = %self.registry, %error, "the registry could not follow its key");
                }
                Ok(Ok(Unlocked::new(dek)))
            }
            Err(Cause::VaultUnavailable) => Ok(Err(Revocation {
                cause: Cause::VaultUnavailable,
                key: record.kid.clone(),
                since: self.context.clock.now(),
            })),
            Err(cause) => Ok(Err(self.note_revoked(cause, record.kid.clone()).await?)),
        }
    }

    /// Asks the vault for the DEK: its answer is the outer result's success.
    async fn unwrap(
        &self,
        record: &CustodyRecord,
        identity: ClientId,
    ) -> Result<Result<Dek, Cause>, Error> {
        let damaged = |why| Error::Damaged {
            registry: self.registry,
            why,
        };
        let wrapped = record.wrapped(self.registry, &self.context.service_key)?;
        let value = wrapped
            .value()
            .ok_or_else(|| damaged("its algorithm or value is not ours"))?;
        match self
            .context
            .vault
            .unwrap_key(identity, &record.kid, &value)
            .await
        {
            Ok(unwrapped) => match wrapped.admit(&unwrapped) {
                Some(dek) => Ok(Ok(dek)),
                None => Err(damaged("the vault unwrapped another key than was wrapped")),
            },
            Err(NotDone::Refused(cause)) => Ok(Err(cause)),
            Err(NotDone::Store(error)) => Err(error.into()),
        }
    }

    /// A registry with an unversioned key moves to the key's current version, if that may be used.
    async fn follow_current_version(
        &self,
        record: &Record<CustodyRecord>,
        dek: &Dek,
    ) -> Result<(), Error> {
        let vault = &self.context.vault;
        let current = match vault.get_key(record.identity, &record.key).await {
            Ok(KeyFacts { kid, .. }) if kid == record.kid => return Ok(()),
            Ok(facts) if facts.enabled => facts,
            Ok(_) => return Ok(()),
            Err(_) => {
                return Err(self
                    .context
                    .inaccessible(&record.key, record.identity)
                    .into());
            }
        };
        let wrapped = self
            .context
            .wrap_and_prove(&current.kid, record.identity, dek)
            .await?;
        self.replace(
            record,
            record.key.clone(),
            record.identity,
            current.kid,
            &wrapped,
        )
        .await
    }

    async fn replace(
        &self,
        old: &Record<CustodyRecord>,
        key: KeyIdentifier,
        identity: ClientId,
        kid: Kid,
        wrapped: &WrappedDek,
    ) -> Result<(), Error> {
        let id = self.registry.to_string();
        let service_key = &self.context.service_key;
        let mut new = CustodyRecord::new(self.registry, service_key, key, identity, kid, wrapped);
        new.rotated = Some(self.context.clock.now());
        // Whatever becomes of this future: the verdict was reached on the custody that goes now.
        *self.verdict.write().unwrap_or_else(PoisonError::into_inner) = None;
        let batch = Batch::new()
            .expect(&CUSTODIES, &[&id], old)
            .put(&CUSTODIES, &[&id], &new)
            .delete(&REVOCATIONS, &[&id]);
        match self.context.store.commit(batch).await? {
            Commit::Done => {
                tracing::info!(registry = %self.registry, kid = %new.kid, "the registry's key was rotated");
                self.context.back_up(self.registry, &new).await;
                Ok(())
            }
            Commit::Conflict => Err(Error::Damaged {
                registry: self.registry,
                why: "it was changed while this gate had its turn",
            }),
        }
    }

    /// Remembers since when, across restarts too.
    async fn note_revoked(&self, cause: Cause, key: Kid) -> Result<Revocation, Error> {
        let id = self.registry.to_string();
        let store = &self.context.store;
        let known = store
            .get(&REVOCATIONS, &[&id])
            .await?
            .filter(|known| known.cause == cause);
        let since = match known {
            Some(known) => known.since,
            None => {
                let since = self.context.clock.now();
                let batch =
                    Batch::new().put(&REVOCATIONS, &[&id], &RevocationRecord { cause, since });
                if let Err(error) = store.commit(batch).await {
                    self.pass_over(error.into(), "since when the registry is revoked")?;
                }
                tracing::warn!(registry = %self.registry, %cause, key = %key, "the registry is revoked");
                since
            }
        };
        Ok(Revocation { cause, key, since })
    }

    async fn note_restored(&self) -> Result<(), Error> {
        let id = self.registry.to_string();
        let store = &self.context.store;
        if store.get(&REVOCATIONS, &[&id]).await?.is_some() {
            let _unconditional = store
                .commit(Batch::new().delete(&REVOCATIONS, &[&id]))
                .await?;
            tracing::info!(registry = %self.registry, "the registry is available again");
        }
        Ok(())
    }

    /// Ignores an error of the disk, and returns any other. The verdict on a key stands even if the disk cannot note
    /// it.
    fn pass_over(&self, error: Error, what: &str) -> Result<(), Error> {
        match &error {
            Error::Store(fault) if fault.fault().is_some() => {
                tracing::warn!(registry = %self.registry, %error, "{what} could not be noted");
                Ok(())
            }
            _ => Err(error),
        }
    }

    pub(crate) async fn find_record(&self) -> Result<Option<Record<CustodyRecord>>, Error> {
        let id = self.registry.to_string();
        Ok(self.context.store.get(&CUSTODIES, &[&id]).await?)
    }

    pub(crate) async fn record(&self) -> Result<Record<CustodyRecord>, Error> {
        self.find_record().await?.ok_or(Error::Damaged {
            registry: self.registry,
            why: "it is missing",
        })
    }
}

/// A vault that could not answer has decided nothing, so it is asked again.
fn is_fault(outcome: &Outcome) -> bool {
    matches!(outcome, Err(revocation) if revocation.cause == Cause::VaultUnavailable)
}

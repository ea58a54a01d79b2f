use std::sync::{Arc, PoisonError, RwLock};

use jiff::Timestamp;
use sealock_core::{ClientId, KeyIdentifier, Kid, RegistryId, RegistryName};
use sealock_envelope::Dek;
use sealock_store::{Batch, Commit, Epoch, Lock, LockGuard, Record, Table};
use serde::{Deserialize, Serialize};

use crate::{
    Cause, Error, Inaccessible, KeyFacts, NotDone, Opened, Propagation, Refusal,
    custodian::Context,
    custody::{CUSTODIES, CustodyRecord, WrappedDek},
    rules,
    settings::AZURE_CACHE,
};

/// Held while the vault is asked for a registry's DEK, or its custody is changed.
const CUSTODY: Lock = Lock::new("custody");

const REVOCATIONS: Table<CauseRecord> = Table::content("revocations");

/// The causes for which registries cannot follow their keys.
const OBSTACLES: Table<CauseRecord> = Table::content("obstacles");

/// The time of each registry's last rotation on request. A control table, since a rotation can bring back a registry that
/// another node has found revoked.
const ROTATIONS: Table<Timestamp> = Table::control("rotations");

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

/// The reason for which a registry that follows its key cannot move to the current version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Behind {
    /// The cause.
    pub cause: Cause,
    /// The current version, if the registry may know it.
    pub current: Option<Kid>,
    /// The time at which the registry first could not.
    pub since: Timestamp,
}

/// The end of the time for which a registry goes on with a DEK that the vault would not unwrap any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// The time at which the vault is asked again.
    pub at: Timestamp,
    /// The cause for which it will refuse.
    pub cause: Cause,
}

/// The obstacle between a registry and the current version of its key.
struct Obstacle {
    cause: Cause,
    current: Option<Kid>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct CauseRecord {
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
    behind: Option<Behind>,
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
        let (outcome, behind) = self.evaluate().await?;
        if !is_fault(&outcome) {
            self.decide(epoch, outcome.clone(), behind);
        }
        Ok(outcome?)
    }

    /// Returns the reason for which the registry could not follow its key when the vault was last asked.
    pub(crate) fn behind(&self) -> Option<Behind> {
        let verdict = self.verdict.read().unwrap_or_else(PoisonError::into_inner);
        verdict.as_ref().and_then(|verdict| verdict.behind.clone())
    }

    /// Returns the end of the time for which the DEK is used, if the vault refuses the key by now.
    pub(crate) async fn end(&self) -> Result<Option<End>, Error> {
        let reached = {
            let verdict = self.verdict.read().unwrap_or_else(PoisonError::into_inner);
            verdict.as_ref().map(|verdict| verdict.reached)
        };
        let (Propagation::Azure, Some(reached)) = (self.context.propagation, reached) else {
            return Ok(None);
        };
        let record = self.record().await?;
        let judged = self
            .context
            .vault
            .judge_unwrap(record.identity, &record.kid);
        match judged.await {
            Ok(()) | Err(NotDone::Refused(Cause::VaultUnavailable)) => Ok(None),
            Err(NotDone::Refused(cause)) => {
                let at = reached.saturating_add(AZURE_CACHE);
                let at = at.unwrap_or(Timestamp::MAX);
                Ok(Some(End { at, cause }))
            }
            Err(NotDone::Store(error)) => Err(error.into()),
        }
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
        let context = &self.context;
        let facts = context.usable_key(&key, identity).await?;
        let wrapped = context.wrap_and_prove(&facts.kid, identity, &dek).await;
        let wrapped =
            wrapped.map_err(|error| context.not_done(error, &facts.kid.identifier(), identity))?;
        let requested = Batch::new().put(
            &ROTATIONS,
            &[&self.registry.to_string()],
            &context.clock.now(),
        );
        self.replace(&record, key, identity, facts.kid, &wrapped, requested)
            .await?;
        self.decide(epoch, Ok(Unlocked::new(dek)), None);
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
            cause => {
                let key = record.kid.identifier();
                let refused = self.context.inaccessible(&key, identity, cause);
                Refusal::from(Inaccessible {
                    is_current: true,
                    ..refused
                })
            }
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
                // Once the clock is back before that time, the hour says nothing.
                !age.is_negative() && age < AZURE_CACHE
            }
            _ => verdict.epoch == epoch,
        }
    }

    fn decide(&self, epoch: Epoch, outcome: Outcome, behind: Option<Behind>) {
        let verdict = Some(Verdict {
            epoch,
            reached: self.context.clock.now(),
            outcome,
            behind,
        });
        *self.verdict.write().unwrap_or_else(PoisonError::into_inner) = verdict;
    }

    async fn evaluate(&self) -> Result<(Outcome, Option<Behind>), Error> {
        let record = self.record().await?;
        match self.unwrap(&record, record.identity).await? {
            Ok(dek) => {
                if let Err(error) = self.note_restored(&record.name).await {
                    let what = "that the registry is available again";
                    pass_over(error, &record.name, what)?;
                }
                let behind = self.follow(&record, &dek).await?;
                Ok((Ok(Unlocked::new(dek)), behind))
            }
            Err(Cause::VaultUnavailable) => {
                let revocation = Revocation {
                    cause: Cause::VaultUnavailable,
                    key: record.kid.clone(),
                    since: self.context.clock.now(),
                };
                Ok((Err(revocation), None))
            }
            Err(cause) => {
                let revocation = self.note_revoked(cause, &record).await?;
                Ok((Err(revocation), None))
            }
        }
    }

    /// Moves a registry with an unversioned key to the key's current version, or notes the reason for which it cannot.
    /// The old version still unwraps then; the next change in the vault is another try.
    async fn follow(
        &self,
        record: &Record<CustodyRecord>,
        dek: &Dek,
    ) -> Result<Option<Behind>, Error> {
        if record.key.version.is_some() {
            return Ok(None);
        }
        match self.follow_current_version(record, dek).await {
            Ok(None) => {
                if let Err(error) = self.note_no_obstacle().await {
                    let what = "that the registry can follow its key again";
                    pass_over(error, &record.name, what)?;
                }
                Ok(None)
            }
            Ok(Some(obstacle)) => self.note_obstacle(obstacle, &record.name).await.map(Some),
            Err(error) => {
                warn_left_behind(&record.name, &error);
                Ok(None)
            }
        }
    }

    /// Asks the vault for the DEK: its answer is the outer result's success.
    async fn unwrap(
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

    /// Moves a registry to its key's current version, if that may be used.
    async fn follow_current_version(
        &self,
        record: &Record<CustodyRecord>,
        dek: &Dek,
    ) -> Result<Option<Obstacle>, Error> {
        let (vault, identity) = (&self.context.vault, record.identity);
        let obstacle = |cause, current| Ok(Some(Obstacle { cause, current }));
        let kid = match vault.get_key(identity, &record.key).await {
            Ok(KeyFacts { kid, .. }) if kid == record.kid => return Ok(None),
            Ok(KeyFacts { kid, enabled, .. }) if enabled => kid,
            Ok(KeyFacts { kid, .. }) => return obstacle(Cause::KeyDisabled, Some(kid)),
            Err(NotDone::Refused(cause)) => return obstacle(cause, None),
            Err(NotDone::Store(error)) => return Err(error.into()),
        };
        match self.context.wrap_and_prove(&kid, identity, dek).await {
            Ok(wrapped) => {
                let key = record.key.clone();
                self.replace(record, key, identity, kid, &wrapped, Batch::new())
                    .await?;
                Ok(None)
            }
            Err(NotDone::Refused(cause)) => obstacle(cause, Some(kid)),
            Err(NotDone::Store(error)) => Err(error.into()),
        }
    }

    /// Remembers since when the registry cannot follow its key, across restarts too.
    async fn note_obstacle(
        &self,
        obstacle: Obstacle,
        registry: &RegistryName,
    ) -> Result<Behind, Error> {
        let Obstacle { cause, current } = obstacle;
        let since = match self.note_cause(cause, registry).await {
            Ok(since) => since,
            Err(error) => {
                let what = "since when the registry cannot follow its key";
                pass_over(error, registry, what)?;
                self.context.clock.now()
            }
        };
        Ok(Behind {
            cause,
            current,
            since,
        })
    }

    async fn note_cause(&self, cause: Cause, registry: &RegistryName) -> Result<Timestamp, Error> {
        let id = self.registry.to_string();
        let store = &self.context.store;
        let known = store.get(&OBSTACLES, &[&id]).await?;
        if let Some(known) = known.filter(|known| known.cause == cause) {
            return Ok(known.since);
        }
        tracing::warn!(%registry, %cause, "the registry cannot follow its key");
        let since = self.context.clock.now();
        let batch = Batch::new().put(&OBSTACLES, &[&id], &CauseRecord { cause, since });
        let _unconditional = store.commit(batch).await?;
        Ok(since)
    }

    async fn note_no_obstacle(&self) -> Result<(), Error> {
        let id = self.registry.to_string();
        let store = &self.context.store;
        if store.get(&OBSTACLES, &[&id]).await?.is_some() {
            let batch = Batch::new().delete(&OBSTACLES, &[&id]);
            let _unconditional = store.commit(batch).await?;
        }
        Ok(())
    }

    async fn replace(
        &self,
        old: &Record<CustodyRecord>,
        key: KeyIdentifier,
        identity: ClientId,
        kid: Kid,
        wrapped: &WrappedDek,
        batch: Batch,
    ) -> Result<(), Error> {
        let id = self.registry.to_string();
        let service_key = &self.context.service_key;
        let name = old.name.clone();
        let mut new = CustodyRecord::new(
            self.registry,
            name,
            service_key,
            key,
            identity,
            kid,
            wrapped,
        );
        new.rotated = Some(self.context.clock.now());
        // Whatever becomes of this future: the verdict was reached on the custody that goes now.
        *self.verdict.write().unwrap_or_else(PoisonError::into_inner) = None;
        let batch = batch
            .expect(&CUSTODIES, &[&id], old)
            .put(&CUSTODIES, &[&id], &new);
        let batch = without_notes(&id, batch);
        match self.context.store.commit(batch).await? {
            Commit::Done => {
                tracing::info!(registry = %new.name, kid = %new.kid, "the registry's key was rotated");
                self.context.back_up(self.registry, &new).await;
                Ok(())
            }
            Commit::Conflict => Err(Error::Damaged {
                registry: new.name,
                why: "it was changed while this gate had its turn",
            }),
        }
    }

    /// Remembers since when, across restarts too.
    async fn note_revoked(
        &self,
        cause: Cause,
        record: &CustodyRecord,
    ) -> Result<Revocation, Error> {
        let (name, key) = (&record.name, record.kid.clone());
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
                let batch = Batch::new().put(&REVOCATIONS, &[&id], &CauseRecord { cause, since });
                if let Err(error) = store.commit(batch).await {
                    pass_over(error.into(), name, "since when the registry is revoked")?;
                }
                tracing::warn!(registry = %name, %cause, key = %key, "the registry is revoked");
                since
            }
        };
        Ok(Revocation { cause, key, since })
    }

    async fn note_restored(&self, name: &RegistryName) -> Result<(), Error> {
        let id = self.registry.to_string();
        let store = &self.context.store;
        if store.get(&REVOCATIONS, &[&id]).await?.is_some() {
            let _unconditional = store
                .commit(Batch::new().delete(&REVOCATIONS, &[&id]))
                .await?;
            tracing::info!(registry = %name, "the registry is available again");
        }
        Ok(())
    }

    pub(crate) async fn find_record(&self) -> Result<Option<Record<CustodyRecord>>, Error> {
        let id = self.registry.to_string();
        Ok(self.context.store.get(&CUSTODIES, &[&id]).await?)
    }

    pub(crate) async fn record(&self) -> Result<Record<CustodyRecord>, Error> {
        let record = self.find_record().await?;
        record.ok_or(Error::Missing(self.registry))
    }
}

/// Adds to `batch` that a registry is deleted.
pub(crate) fn release(id: &str, batch: Batch) -> Batch {
    let batch = batch.delete(&CUSTODIES, &[id]).delete(&ROTATIONS, &[id]);
    without_notes(id, batch)
}

/// Adds to `batch` that nothing is known any more of a registry's revocation and obstacles.
fn without_notes(id: &str, batch: Batch) -> Batch {
    batch.delete(&REVOCATIONS, &[id]).delete(&OBSTACLES, &[id])
}

/// Ignores an error of the disk, and returns any other. The verdict on a key stands even if the disk cannot note it.
fn pass_over(error: Error, registry: &RegistryName, what: &str) -> Result<(), Error> {
    match &error {
        Error::Store(fault) if fault.fault().is_some() => {
            tracing::warn!(%registry, %error, "{what} could not be noted");
            Ok(())
        }
        _ => Err(error),
    }
}

/// Logs that a registry stays at the version of its key that it has, with the vault's cause, which Azure's text hides.
pub(crate) fn warn_left_behind(registry: &RegistryName, error: &Error) {
    let cause = error.cause().map(tracing::field::display);
    tracing::warn!(%registry, cause, %error, "the registry cannot follow its key");
}

/// A vault that could not answer has decided nothing, so it is asked again.
fn is_fault(outcome: &Outcome) -> bool {
    matches!(outcome, Err(revocation) if revocation.cause == Cause::VaultUnavailable)
}

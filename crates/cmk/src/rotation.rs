//! Rotation: the same DEK, wrapped under another key version.

use std::sync::Arc;

use jiff::Timestamp;
use sealock_core::{ChosenKey, ClientId, Kid, RegistryId, RegistryName};
use sealock_envelope::Dek;
use sealock_store::{Batch, Commit, Epoch, LockGuard, Record, Table};

use crate::{
    Cause, CustodyChange, Error, InaccessibleKey, KeyFacts, Obstacle, Refusal, VaultError,
    detachment::remove_detachment,
    gate::Gate,
    record::{CUSTODIES, CustodyRecord, WrappedDek},
    revocation::remove_causes,
    rules,
};

/// The time of each registry's last rotation on request. A control table, since a rotation can restore a registry that
/// another node has found revoked.
const ROTATIONS: Table<Timestamp> = Table::control("rotations");

/// A rotation whose batch is not committed yet. Nobody else uses or changes the custody before it is dropped.
pub struct PlannedRotation {
    gate: Arc<Gate>,
    epoch: Epoch,
    dek: Dek,
    record: CustodyRecord,
    _lock: LockGuard,
}

impl PlannedRotation {
    /// Completes the rotation after the commit of its batch.
    pub async fn complete(self) {
        let Self {
            gate,
            epoch,
            dek,
            record,
            _lock,
        } = self;
        log_rotation(&record);
        gate.context.write_second_copy(gate.registry, &record).await;
        gate.open(epoch, dek);
    }
}

impl Gate {
    /// Adds to `batch` that the current version of `key` wraps the DEK, as `identity`. Both default to the registry's own.
    pub(crate) async fn plan_rotation(
        self: Arc<Self>,
        registry: &RegistryName,
        resource_id: &str,
        key: Option<ChosenKey>,
        identity: Option<ClientId>,
        batch: Batch,
    ) -> Result<(Batch, PlannedRotation), Error> {
        let lock = self.lock().await?;
        let context = &self.context;
        let epoch = context.store.epoch().await?;
        let record = self.record().await?;
        let key = match key {
            Some(key) => key.without_own_url(&context.names),
            None => record.key.clone(),
        };
        let dek = self
            .unwrap_to_rotate(registry, resource_id, &record, identity)
            .await?;
        let identity = identity.unwrap_or(record.identity);
        let facts = context.usable_key(registry, &key, identity).await?;
        let wrapped = context.wrap_and_verify(&facts.kid, identity, &dek).await;
        let wrapped = wrapped
            .map_err(|error| context.refuse_key(error, &key, &facts.kid.identifier(), identity))?;
        let id = self.registry.to_string();
        let batch = batch.put(&ROTATIONS, &[&id], &context.clock.now());
        let (batch, record) = self
            .plan_replacement(&record, key, identity, facts.kid, &wrapped, batch)
            .await?;
        let planned = PlannedRotation {
            epoch,
            dek,
            record,
            _lock: lock,
            gate: Arc::clone(&self),
        };
        Ok((batch, planned))
    }

    /// Unwraps the DEK with the current key. If the registry's identity no longer exists, the new identity unwraps it,
    /// if it may use the current key.
    async fn unwrap_to_rotate(
        &self,
        registry: &RegistryName,
        resource_id: &str,
        record: &CustodyRecord,
        identity: Option<ClientId>,
    ) -> Result<Dek, Error> {
        let refused = |cause, identity| match cause {
            Cause::IdentityNotFound => Refusal::IdentityNotAssigned {
                registry: registry.clone(),
                resource: resource_id.to_owned(),
                identity: format!("{identity}"),
            },
            cause => {
                let key = record.kid.identifier();
                let refused = self.context.inaccessible_key(&key, identity, cause);
                Refusal::from(InaccessibleKey {
                    kid: record.key.version_url(&record.kid, &self.context.names),
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

    /// Moves a registry with an unversioned key to the key's current version. Returns the obstacle if it cannot move:
    /// the old version still unwraps then, and the next change in the vault is another try.
    pub(crate) async fn follow(
        &self,
        record: &Record<CustodyRecord>,
        dek: &Dek,
    ) -> Result<Option<Obstacle>, Error> {
        if record.key.identifier.version.is_some() {
            return Ok(None);
        }
        let (context, name) = (&self.context, &record.name);
        match self.move_to_current_version(record, dek).await {
            Ok(Ok(())) => {
                context.clear_obstacle(self.registry, name).await?;
                Ok(None)
            }
            Ok(Err((cause, current))) => {
                let recorded = context.record_obstacle(self.registry, name, cause, current);
                recorded.await.map(Some)
            }
            Err(error) => {
                warn_left_behind(name, &error);
                Ok(None)
            }
        }
    }

    /// Moves a registry to its key's current version. The inner error is the vault's refusal, with the current version
    /// if the registry may read it.
    async fn move_to_current_version(
        &self,
        record: &Record<CustodyRecord>,
        dek: &Dek,
    ) -> Result<Result<(), (Cause, Option<Kid>)>, Error> {
        let (vault, identity) = (&self.context.vault, record.identity);
        let kid = match vault.get_key(identity, &record.key.identifier).await {
            Ok(KeyFacts { kid, .. }) if kid == record.kid => return Ok(Ok(())),
            Ok(KeyFacts { kid, kty, .. }) if rules::rsa_only("", &kty).is_err() => {
                return Ok(Err((Cause::KeyTypeUnsupported, Some(kid))));
            }
            Ok(KeyFacts { kid, enabled, .. }) if enabled => kid,
            Ok(KeyFacts { kid, .. }) => return Ok(Err((Cause::KeyDisabled, Some(kid)))),
            Err(VaultError::Refused(cause)) => return Ok(Err((cause, None))),
            Err(VaultError::Store(error)) => return Err(error.into()),
        };
        match self.context.wrap_and_verify(&kid, identity, dek).await {
            Ok(wrapped) => {
                let key = record.key.clone();
                self.replace(record, key, identity, kid, &wrapped).await?;
                Ok(Ok(()))
            }
            Err(VaultError::Refused(cause)) => Ok(Err((cause, Some(kid)))),
            Err(VaultError::Store(error)) => Err(error.into()),
        }
    }

    async fn replace(
        &self,
        old: &Record<CustodyRecord>,
        key: ChosenKey,
        identity: ClientId,
        kid: Kid,
        wrapped: &WrappedDek,
    ) -> Result<(), Error> {
        let batch = Batch::new();
        let (batch, new) = self
            .plan_replacement(old, key, identity, kid, wrapped, batch)
            .await?;
        match self.context.store.commit(batch).await? {
            Commit::Done => {
                log_rotation(&new);
                self.context.write_second_copy(self.registry, &new).await;
                Ok(())
            }
            Commit::Conflict => Err(Error::Damaged {
                registry: new.name,
                why: "it was changed while this gate held its lock",
            }),
        }
    }

    /// Adds to `batch` that `wrapped` takes the place of the `old` custody. The caller holds the lock.
    async fn plan_replacement(
        &self,
        old: &Record<CustodyRecord>,
        key: ChosenKey,
        identity: ClientId,
        kid: Kid,
        wrapped: &WrappedDek,
        batch: Batch,
    ) -> Result<(Batch, CustodyRecord), Error> {
        let id = self.registry.to_string();
        let (context, name) = (&self.context, old.name.clone());
        let mut new = CustodyRecord::new(
            self.registry,
            name,
            &context.service_key,
            key,
            identity,
            kid,
            wrapped,
        );
        new.rotated = Some(context.clock.now());
        // The verdict was reached on the old custody. It must not survive, even if this future is dropped.
        self.clear_verdict();
        let batch = batch
            .expect(&CUSTODIES, &[&id], old)
            .put(&CUSTODIES, &[&id], &new);
        let batch = remove_causes(self.registry, batch);
        let mut events = vec![new.wrapped_now()];
        if context.is_revoked(self.registry).await? {
            events.push(CustodyChange::Restored);
        }
        let batch = context.plan_events(self.registry, events, batch).await?;
        Ok((batch, new))
    }
}

fn log_rotation(record: &CustodyRecord) {
    tracing::info!(registry = %record.name, kid = %record.kid, "the registry's key was rotated");
}

/// Adds to `batch` the removal of all that the store holds of a registry's custody.
pub(crate) fn remove_custody(registry: RegistryId, batch: Batch) -> Batch {
    let id = registry.to_string();
    let batch = batch.delete(&CUSTODIES, &[&id]).delete(&ROTATIONS, &[&id]);
    remove_causes(registry, remove_detachment(registry, batch))
}

/// Logs that a registry stays at its version of the key, with the vault's cause, which Azure's text hides.
pub(crate) fn warn_left_behind(registry: &RegistryName, error: &Error) {
    let cause = error.cause().map(tracing::field::display);
    tracing::warn!(%registry, cause, %error, "the registry cannot follow its key");
}

use std::{
    collections::HashMap,
    ops::Bound,
    sync::{Arc, Mutex, PoisonError},
};

use futures_util::TryStreamExt as _;
use jiff::Timestamp;
use sealock_core::{ChosenKey, ClientId, Clock, Kid, PublicName, RegistryId, RegistryName};
use sealock_envelope::{Dek, ServiceKey};
use sealock_store::{Batch, LockGuard, Store};

use crate::{
    Custody, Encryption, Error, Identity, KeyVault, Obstacle, PendingRevocation, Propagation,
    Revocation, Settings, Sku,
    context::Context,
    gate::Gate,
    history::remove_history,
    record::{CUSTODIES, CustodyRecord},
    rotation::{PlannedRotation, remove_custody, warn_left_behind},
    rules,
};

/// The custodian of all registries' keys. Clones share them.
#[derive(Clone)]
pub struct Custodian {
    pub(crate) context: Arc<Context>,
    gates: Arc<Mutex<HashMap<RegistryId, Arc<Gate>>>>,
}

/// The state of a registry's custody.
#[derive(Clone, Debug)]
pub struct CustodyStatus {
    /// Its key.
    pub in_use: KeyInUse,
    /// The obstacle between the registry and its key's current version. `None` if there is none.
    pub obstacle: Option<Obstacle>,
}

/// The key of a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyInUse {
    /// The key as it was chosen.
    pub key: ChosenKey,
    /// The key version that wraps the DEK.
    pub kid: Kid,
    /// The identity's client id.
    pub identity: ClientId,
    /// The time of the last rotation.
    pub rotated: Option<Timestamp>,
}

/// A registry that follows a key.
#[derive(Clone, Debug)]
pub struct Follower {
    /// The registry's id.
    pub registry: RegistryId,
    /// The registry's name.
    pub name: RegistryName,
    /// The key version that wraps its DEK.
    pub kid: Kid,
}

/// The answer to whether a registry can use its key now.
#[derive(Debug)]
pub enum Availability {
    /// The registry may use its key.
    Available {
        /// The revocation that follows once the cached permission expires.
        pending: Option<PendingRevocation>,
    },
    /// The vault refuses the key.
    Revoked(Revocation),
    /// The stored state could not be read, so the vault decided nothing.
    Unknown(sealock_store::Error),
}

impl Custodian {
    /// Creates a custodian over `store` that reaches keys through `vault`.
    pub fn new(
        store: Store,
        service_key: Arc<ServiceKey>,
        vault: Arc<dyn KeyVault>,
        clock: Clock,
        names: PublicName,
        settings: &Settings,
    ) -> Self {
        let context = Context {
            propagation: settings.propagation,
            credential_lifetime: settings.credential_lifetime(),
            requires_purge_protection: settings.requires_purge_protection,
            store,
            service_key,
            vault,
            clock,
            names,
        };
        Self {
            context: Arc::new(context),
            gates: Arc::default(),
        }
    }

    /// Returns the custody of a registry.
    ///
    /// A registry with a custody record is always encrypted, whatever its own record says. A changed word there
    /// must not store its content in the clear.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn custody(&self, registry: RegistryId, encrypted: bool) -> Result<Custody, Error> {
        let context = &self.context;
        let has_gate = encrypted || context.custody_record(registry).await?.is_some();
        Ok(Custody {
            registry,
            service_key: Arc::clone(&context.service_key),
            gate: has_gate.then(|| self.gate(registry)),
        })
    }

    /// Waits for the lock of a registry's custody. The creator of a registry holds it from the commit until the
    /// [second copy](Self::write_second_copy) is written.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn lock(&self, registry: RegistryId) -> Result<LockGuard, Error> {
        self.gate(registry).lock().await
    }

    /// Creates a DEK for a new registry, wraps it, and adds the custody to the `batch` that creates the registry.
    /// A request without encryption adds nothing.
    ///
    /// # Errors
    /// [`Error::Refused`] with the rule that the request breaks.
    pub async fn establish(
        &self,
        registry: RegistryId,
        name: &RegistryName,
        sku: Sku,
        encryption: &Encryption,
        batch: Batch,
    ) -> Result<Batch, Error> {
        rules::premium_only(name, sku, encryption.is_requested())?;
        if !encryption.is_requested() {
            return Ok(batch);
        }
        let (key, identity) = rules::key_and_identity_together(name, encryption)?;
        let key = key.without_own_url(&self.context.names);
        let identity = rules::user_assigned_identity_at_creation(name, identity)?;
        let context = &self.context;
        let facts = context.usable_key(name, &key, identity).await?;
        let dek = Dek::random();
        let wrapped = context.wrap_and_verify(&facts.kid, identity, &dek).await;
        let wrapped = wrapped
            .map_err(|error| context.refuse_key(error, &key, &facts.kid.identifier(), identity))?;
        let service_key = &self.context.service_key;
        let record = CustodyRecord::new(
            registry,
            name.clone(),
            service_key,
            key,
            identity,
            facts.kid,
            &wrapped,
        );
        let batch = batch.put(&CUSTODIES, &[&registry.to_string()], &record);
        context
            .plan_events(registry, [record.wrapped_now()], batch)
            .await
    }

    /// Checks that `encryption` names the key and the identity that an existing registry has. Only
    /// a [rotation](Self::plan_rotation) changes them.
    ///
    /// # Errors
    /// [`Error::Refused`] if it names others.
    pub async fn check_unchanged(
        &self,
        registry: RegistryId,
        name: &RegistryName,
        encryption: &Encryption,
    ) -> Result<(), Error> {
        let (key, identity) = rules::key_and_identity_together(name, encryption)?;
        let record = self.gate(registry).record().await?;
        Ok(rules::changed_by_rotation_only(
            name,
            key.identifier == record.key.identifier
                && identity == Identity::UserAssigned(record.identity),
        )?)
    }

    /// Adds to `batch` that a registry's DEK is wrapped under the current version of its key, under another key, or as
    /// another identity. Content stays as it is. A refusal may name the registry's ARM id, `resource_id`.
    ///
    /// # Errors
    /// [`Error::Refused`] if the identity may not use the new key, or the vault refuses the current one.
    pub async fn plan_rotation(
        &self,
        registry: RegistryId,
        name: &RegistryName,
        resource_id: &str,
        key: Option<ChosenKey>,
        identity: Option<ClientId>,
        batch: Batch,
    ) -> Result<(Batch, PlannedRotation), Error> {
        self.gate(registry)
            .plan_rotation(name, resource_id, key, identity, batch)
            .await
    }

    /// Adds the removal of a registry's custody to the `batch` that deletes the registry. Its DEK is lost then.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn remove_custody(&self, registry: RegistryId, batch: Batch) -> Result<Batch, Error> {
        let batch = remove_custody(registry, batch);
        remove_history(&self.context.store, registry, batch).await
    }

    /// Drops the gate of a deleted registry.
    pub fn drop_gate(&self, registry: RegistryId) {
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        gates.remove(&registry);
    }

    /// Moves every registry that follows a key to its version `current` before it returns. A registry that cannot move
    /// now, for instance a revoked one, moves once it can. With [`Propagation::Azure`] nothing moves now: each registry
    /// asks for the current version itself.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn follow(&self, current: &Kid) -> Result<(), Error> {
        for follower in self.followers(current).await? {
            if follower.kid != *current
                && let Err(error) = self.gate(follower.registry).unlock().await
            {
                warn_left_behind(&follower.name, &error);
            }
        }
        Ok(())
    }

    /// Lists the registries that follow the key of `kid`, each with the version that wraps its DEK. The list is empty
    /// with [`Propagation::Azure`]: each registry follows in its own time.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn followers(&self, kid: &Kid) -> Result<Vec<Follower>, Error> {
        let mut followers = Vec::new();
        if self.context.propagation == Propagation::Azure {
            return Ok(followers);
        }
        let mut entries = self.context.store.scan(&CUSTODIES, &[], Bound::Unbounded);
        while let Some(entry) = entries.try_next().await? {
            let custody = &entry.record;
            let key = &custody.key.identifier;
            let follows = key.version.is_none() && key.refers_to(&kid.vault, &kid.key);
            if let (true, Some(Ok(registry))) = (follows, entry.key.first().map(|id| id.parse())) {
                followers.push(Follower {
                    registry,
                    name: custody.name.clone(),
                    kid: custody.kid.clone(),
                });
            }
        }
        Ok(followers)
    }

    /// Returns the key of a registry without asking its vault. `None` without a customer-managed key.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn key_in_use(&self, registry: RegistryId) -> Result<Option<KeyInUse>, Error> {
        let record = self.context.custody_record(registry).await?;
        Ok(record.map(|record| record.in_use()))
    }

    /// Returns the state of a registry's custody and the verdict of its gate.
    ///
    /// # Errors
    /// If the store fails or the custody is damaged.
    pub async fn status(
        &self,
        registry: RegistryId,
    ) -> Result<(CustodyStatus, Availability), Error> {
        let gate = self.gate(registry);
        let availability = match gate.unlock().await {
            Ok(_) => match gate.pending_revocation().await {
                Ok(pending) => Availability::Available { pending },
                Err(Error::Store(error)) if error.fault().is_some() => Availability::Unknown(error),
                Err(error) => return Err(error),
            },
            Err(Error::Revoked(revocation)) => Availability::Revoked(revocation),
            Err(Error::Store(error)) if error.fault().is_some() => Availability::Unknown(error),
            Err(error) => return Err(error),
        };
        let record = gate.record().await?;
        let status = CustodyStatus {
            in_use: record.in_use(),
            obstacle: match availability {
                Availability::Available { .. } => gate.obstacle(),
                // The gate did not ask for the current version.
                Availability::Revoked(_) | Availability::Unknown(_) => None,
            },
        };
        Ok((status, availability))
    }

    pub(crate) fn gate(&self, registry: RegistryId) -> Arc<Gate> {
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        let gate = gates
            .entry(registry)
            .or_insert_with(|| Arc::new(Gate::new(registry, Arc::clone(&self.context))));
        Arc::clone(gate)
    }
}

use std::{
    collections::HashMap,
    ops::Bound,
    sync::{Arc, Mutex, PoisonError},
};

use futures_util::TryStreamExt as _;
use jiff::Timestamp;
use sealock_core::{ClientId, Clock, KeyIdentifier, Kid, PublicName, RegistryId, RegistryName};
use sealock_envelope::{Dek, ServiceKey};
use sealock_store::{Batch, LockGuard, Store};

use crate::{
    Behind, Cause, Custody, Encryption, End, Error, Identity, Inaccessible, KeyFacts, KeyVault,
    NotDone, Propagation, Refusal, Revocation, Settings, Sku,
    custody::{CUSTODIES, CustodyRecord, WrappedDek},
    gate::{self, Gate, warn_left_behind},
    rules,
};

/// Keeps the keys of all registries. Clones share them.
#[derive(Clone)]
pub struct Custodian {
    pub(crate) context: Arc<Context>,
    gates: Arc<Mutex<HashMap<RegistryId, Arc<Gate>>>>,
}

/// What every gate works with.
pub(crate) struct Context {
    pub(crate) store: Store,
    pub(crate) service_key: Arc<ServiceKey>,
    pub(crate) vault: Arc<dyn KeyVault>,
    pub(crate) clock: Clock,
    pub(crate) names: PublicName,
    pub(crate) propagation: Propagation,
}

/// What is known of a registry's custody.
#[derive(Clone, Debug)]
pub struct CustodyStatus {
    /// The key as it was chosen; without a version, the registry follows its rotation.
    pub key: KeyIdentifier,
    /// The key version that wraps the DEK.
    pub kid: Kid,
    /// The identity's client id.
    pub identity: ClientId,
    /// When the DEK was last wrapped anew.
    pub rotated: Option<Timestamp>,
    /// The reason for which the registry cannot follow its key, if it cannot.
    pub behind: Option<Behind>,
}

/// A registry that follows a key.
#[derive(Clone, Debug)]
pub struct Follower {
    /// The registry's id.
    pub registry: RegistryId,
    /// The registry's name.
    pub name: RegistryName,
    /// The key version that it is at.
    pub kid: Kid,
}

/// A registry's access to its key at this moment.
#[derive(Debug)]
pub enum Standing {
    /// The registry may use its key.
    Available {
        /// The end of that, if it is in sight.
        ends: Option<End>,
    },
    /// The vault refuses the key.
    Revoked(Revocation),
    /// The stored state could not be read, so the vault did not decide.
    Unknown(sealock_store::Error),
}

impl Custodian {
    /// A custodian over `store`, which reaches keys through `vault`.
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

    /// The custody of a registry.
    ///
    /// A registry with a custody record is always encrypted, whatever its own record says. One changed word elsewhere
    /// must not cause its content to be stored in the clear.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn custody(&self, registry: RegistryId, encrypted: bool) -> Result<Custody, Error> {
        let gate = self.gate(registry);
        Ok(Custody {
            registry,
            service_key: Arc::clone(&self.context.service_key),
            gate: (encrypted || gate.find_record().await?.is_some()).then_some(gate),
        })
    }

    /// Waits until nobody else changes a registry's custody: from the commit that creates it until its record is
    /// [backed up](Self::back_up), nobody is to miss the second copy.
    pub async fn turn(&self, registry: RegistryId) -> Result<LockGuard, Error> {
        self.gate(registry).turn().await
    }

    /// Writes a registry's custody record to its second place, too. Its creator calls this behind the commit.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn back_up(&self, registry: RegistryId) -> Result<(), Error> {
        if let Some(record) = self.gate(registry).find_record().await? {
            self.context.back_up(registry, &record).await;
        }
        Ok(())
    }

    /// Copies every custody record, as it is now, to its second place. Call it at start.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn back_up_all(&self) -> Result<(), Error> {
        let mut entries = self.context.store.scan(&CUSTODIES, &[], Bound::Unbounded);
        while let Some(entry) = entries.try_next().await? {
            if let Some(Ok(registry)) = entry.key.first().map(|id| id.parse::<RegistryId>()) {
                // The registry may follow its key in the meantime: an older record must not replace a newer copy.
                let _turn = self.turn(registry).await?;
                self.back_up(registry).await?;
            }
        }
        Ok(())
    }

    /// Makes a DEK for a registry to be created, wraps it, and adds the custody to the `batch` that
    /// creates the registry. A request without encryption adds nothing.
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
        let identity = rules::user_assigned_identity_at_creation(name, identity)?;
        let context = &self.context;
        let facts = context.usable_key(&key, identity).await?;
        let dek = Dek::random();
        let wrapped = context.wrap_and_prove(&facts.kid, identity, &dek).await;
        let wrapped =
            wrapped.map_err(|error| context.not_done(error, &facts.kid.identifier(), identity))?;
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
        Ok(batch.put(&CUSTODIES, &[&registry.to_string()], &record))
    }

    /// Checks that `encryption` is what an existing registry has: another key or identity is taken by
    /// [`rotate`](Self::rotate) alone.
    ///
    /// # Errors
    /// [`Error::Refused`] if it is another.
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
            key == record.key && identity == Identity::UserAssigned(record.identity),
        )?)
    }

    /// Wraps a registry's DEK anew: under the current version of its key, or under another key, or as
    /// another identity. Content is not touched.
    ///
    /// # Errors
    /// [`Error::Refused`] if the identity may not use the new key, or the current one is gone.
    pub async fn rotate(
        &self,
        registry: RegistryId,
        name: &RegistryName,
        key: Option<KeyIdentifier>,
        identity: Option<ClientId>,
    ) -> Result<(), Error> {
        self.gate(registry).rotate(name, key, identity).await
    }

    /// Adds to the `batch` that deletes a registry that its custody goes: its DEK is lost then.
    pub fn release(&self, registry: RegistryId, batch: Batch) -> Batch {
        gate::release(&registry.to_string(), batch)
    }

    /// Removes the second copy of the custody of a registry that is about to be deleted, for whoever has its turn.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn remove_copy(&self, registry: RegistryId) -> Result<(), Error> {
        let store = self.context.store.clone();
        let removed =
            tokio::task::spawn_blocking(move || store.custodies.remove(registry.as_uuid()));
        match removed.await {
            Ok(removed) => Ok(removed.map(drop)?),
            Err(_) => Err(Error::Missing(registry)),
        }
    }

    /// Drops the gate of a deleted registry.
    pub fn forget(&self, registry: RegistryId) {
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        gates.remove(&registry);
    }

    /// Moves every registry that follows a key to its version `current`, before it returns. Those that cannot move now
    /// (they are revoked, say) do so once they can. With [`Propagation::Azure`] nothing moves now: the registries find
    /// out by themselves.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn follow(&self, current: &Kid) -> Result<(), Error> {
        for follower in self.followers(current).await? {
            if follower.kid != *current
                && let Err(error) = self.gate(follower.registry).unlocked().await
            {
                warn_left_behind(&follower.name, &error);
            }
        }
        Ok(())
    }

    /// Lists the registries that follow the key of `kid`, each with the version that it is at. With
    /// [`Propagation::Azure`] there are none: each follows in its own time.
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
            let follows = custody.key.version.is_none() && custody.key.names(&kid.vault, &kid.key);
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

    /// What is known of a registry's custody, and whether its gate is open now.
    ///
    /// # Errors
    /// If the store fails or the custody is damaged.
    pub async fn status(&self, registry: RegistryId) -> Result<(CustodyStatus, Standing), Error> {
        let gate = self.gate(registry);
        let standing = match gate.unlocked().await {
            Ok(_) => match gate.end().await {
                Ok(ends) => Standing::Available { ends },
                Err(Error::Store(error)) if error.fault().is_some() => Standing::Unknown(error),
                Err(error) => return Err(error),
            },
            Err(Error::Revoked(revocation)) => Standing::Revoked(revocation),
            Err(Error::Store(error)) if error.fault().is_some() => Standing::Unknown(error),
            Err(error) => return Err(error),
        };
        let record = gate.record().await?;
        let status = CustodyStatus {
            key: record.key.clone(),
            kid: record.kid.clone(),
            identity: record.identity,
            rotated: record.rotated,
            behind: match standing {
                Standing::Available { .. } => gate.behind(),
                // Nobody asked for the current version.
                Standing::Revoked(_) | Standing::Unknown(_) => None,
            },
        };
        Ok((status, standing))
    }

    pub(crate) fn gate(&self, registry: RegistryId) -> Arc<Gate> {
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        let gate = gates
            .entry(registry)
            .or_insert_with(|| Arc::new(Gate::new(registry, Arc::clone(&self.context))));
        Arc::clone(gate)
    }
}

impl Context {
    /// Writes a custody record to its second place. If the metadata is lost, the copy still connects the content with
    /// the vault's keys.
    pub(crate) async fn back_up(&self, registry: RegistryId, record: &CustodyRecord) {
        let name = &record.name;
        let (store, id, text) = (self.store.clone(), registry.as_uuid(), record.to_json());
        let written = tokio::task::spawn_blocking(move || {
            if store.custodies.get(id)?.as_deref() == Some(&*text) {
                return Ok(());
            }
            store.custodies.put(id, &text)
        });
        match written.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(registry = %name, %error, "the custody record's second copy could not be written; the next start tries again");
            }
            Err(error) => {
                tracing::warn!(registry = %name, %error, "the custody record's second copy was not written");
            }
        }
    }

    /// The key version that `key` names: it must be found, enabled and of type RSA.
    pub(crate) async fn usable_key(
        &self,
        key: &KeyIdentifier,
        identity: ClientId,
    ) -> Result<KeyFacts, Error> {
        let facts = self.vault.get_key(identity, key).await;
        let facts = facts.map_err(|error| self.not_done(error, key, identity))?;
        rules::rsa_only(&self.names.key_uri(key), &facts.kty)?;
        if facts.enabled {
            return Ok(facts);
        }
        let version = &facts.kid.identifier();
        let mut refused = self.inaccessible(version, identity, Cause::KeyDisabled);
        refused.kid = self.names.key_uri(key);
        Err(Refusal::from(refused).into())
    }

    /// Wraps the DEK and unwraps it again, so that a key is never taken that could not give it back.
    pub(crate) async fn wrap_and_prove(
        &self,
        kid: &Kid,
        identity: ClientId,
        dek: &Dek,
    ) -> Result<WrappedDek, NotDone> {
        let value = self.vault.wrap_key(identity, kid, dek.expose()).await?;
        let unwrapped = self.vault.unwrap_key(identity, kid, &value).await?;
        let wrapped = WrappedDek::new(dek, &value);
        match wrapped.admit(&unwrapped) {
            Some(_) => Ok(wrapped),
            None => Err(Cause::VaultUnavailable.into()),
        }
    }

    /// Turns a vault's failure into the error of the request that needs the key.
    pub(crate) fn not_done(
        &self,
        error: NotDone,
        key: &KeyIdentifier,
        identity: ClientId,
    ) -> Error {
        match error {
            NotDone::Refused(cause) => {
                Refusal::from(self.inaccessible(key, identity, cause)).into()
            }
            NotDone::Store(error) => error.into(),
        }
    }

    /// A key that is to be used from now on, and cannot.
    pub(crate) fn inaccessible(
        &self,
        key: &KeyIdentifier,
        identity: ClientId,
        cause: Cause,
    ) -> Inaccessible {
        Inaccessible {
            kid: self.names.key_uri(key),
            key: key.clone(),
            identity,
            cause,
            is_current: false,
        }
    }
}

//! The managed identities that are assigned to a registry.

use std::ops::Bound;

use futures_util::TryStreamExt as _;
use sealock_cmk::{Identity, PlannedRotation, rules};
use sealock_core::{ChosenKey, ClientId, PrincipalId, RegistryId};
use sealock_entra::ManagedIdentity;
use sealock_store::{Batch, Table};
use serde::{Deserialize, Serialize};

use crate::{Error, Registries, RegistryRecord};

/// Keyed by registry and client id.
const IDENTITIES: Table<AssignedIdentity> = Table::content("assigned-identities");

/// A user-assigned identity of a registry. As in Azure, the registry keeps it after the identity is deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssignedIdentity {
    /// Its ARM id.
    pub resource_id: String,
    /// Its client id.
    pub client_id: ClientId,
    /// Its principal id.
    pub principal_id: PrincipalId,
}

/// An identity to assign to a registry.
#[derive(Clone, Debug)]
pub enum AssignableIdentity {
    /// The registry's own.
    System,
    /// A user-assigned one.
    User(AssignedIdentity),
}

/// A rotation that a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRotation {
    /// The key.
    pub key: ChosenKey,
    /// The identity that uses it.
    pub identity: Identity,
}

/// The identities that a request assigns to a registry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestedIdentities {
    /// True if the registry has an identity of its own.
    pub has_system_assigned: bool,
    /// The user-assigned ones.
    pub user_assigned: Vec<AssignedIdentity>,
}

impl RequestedIdentities {
    /// Returns these identities and another one. It takes the place of a deleted one with the same ARM id.
    fn with(mut self, identity: &AssignableIdentity) -> Self {
        match identity {
            AssignableIdentity::System => self.has_system_assigned = true,
            AssignableIdentity::User(identity) => {
                let id = &identity.resource_id;
                self.user_assigned
                    .retain(|it| !it.resource_id.eq_ignore_ascii_case(id));
                self.user_assigned.push(identity.clone());
            }
        }
        self
    }
}

impl From<&ManagedIdentity> for AssignedIdentity {
    fn from(identity: &ManagedIdentity) -> Self {
        Self {
            resource_id: identity.resource_id(),
            client_id: identity.client_id,
            principal_id: identity.principal_id,
        }
    }
}

impl Registries {
    /// Returns the user-assigned identities of a registry.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn user_assigned_identities(
        &self,
        registry: RegistryId,
    ) -> Result<Vec<AssignedIdentity>, sealock_store::Error> {
        let id = registry.to_string();
        let entries = self.store.scan(&IDENTITIES, &[&id], Bound::Unbounded);
        entries
            .map_ok(|entry| entry.record.value)
            .try_collect()
            .await
    }

    /// Returns the system-assigned identity of a registry, if it has one.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn system_assigned_identity(
        &self,
        registry: &RegistryRecord,
    ) -> Result<Option<ManagedIdentity>, sealock_store::Error> {
        let directory = self.entra.directory();
        directory.system_identity(&registry.resource_id()).await
    }

    /// Assigns an identity to a registry. An identity that uses the registry's key again restores the registry.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn assign_identity(
        &self,
        registry: &RegistryRecord,
        identity: &AssignableIdentity,
    ) -> Result<(), sealock_cmk::Error> {
        let identities = self.identities(registry).await?.with(identity);
        self.set_identities(registry, &identities).await?;
        self.replace_deleted_identity(registry).await
    }

    /// Removes an identity from a registry, even if it uses the registry's key. Returns false if it is not assigned.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn remove_identity(
        &self,
        registry: &RegistryRecord,
        identity: &AssignableIdentity,
    ) -> Result<bool, sealock_cmk::Error> {
        let mut identities = self.identities(registry).await?;
        let before = identities.clone();
        match identity {
            AssignableIdentity::System => identities.has_system_assigned = false,
            AssignableIdentity::User(identity) => identities
                .user_assigned
                .retain(|it| it.client_id != identity.client_id),
        }
        let is_assigned = identities != before;
        if is_assigned {
            self.set_identities(registry, &identities).await?;
        }
        Ok(is_assigned)
    }

    /// Assigns exactly the `requested` identities to a registry, of which none uses its key, and refuses. As in Azure, the
    /// attempt to remove the identity in use fails, and detaches it all the same.
    ///
    /// <https://learn.microsoft.com/azure/container-registry/tutorial-troubleshoot-customer-managed-keys>
    ///
    /// # Errors
    /// [`rules::identity_is_assigned`], or the store fails.
    pub async fn detach_identity_in_use(
        &self,
        registry: &RegistryRecord,
        requested: &RequestedIdentities,
    ) -> Result<(), sealock_cmk::Error> {
        self.set_identities(registry, requested).await?;
        self.check_identity_in_use(registry, false).await
    }

    /// Checks that the identity that uses a registry's key is not detached, or is among the `requested` ones.
    ///
    /// # Errors
    /// [`rules::identity_is_assigned`], or the store fails.
    pub async fn identity_in_use_is_attached(
        &self,
        registry: &RegistryRecord,
        requested: Option<&RequestedIdentities>,
    ) -> Result<(), sealock_cmk::Error> {
        let is_restored = match (requested, self.identity_in_use(registry).await?) {
            (Some(requested), Some(in_use)) => self.includes(registry, requested, in_use).await?,
            _ => false,
        };
        let is_attached = is_restored
            || !self.custodian.is_detached(registry.id).await?
            || !self.has_identity_in_use(registry).await?;
        self.check_identity_in_use(registry, is_attached).await
    }

    /// Returns true unless the identity that uses a registry's key exists and is assigned, and is not among the `requested`
    /// ones.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn keeps_identity_in_use(
        &self,
        registry: &RegistryRecord,
        requested: &RequestedIdentities,
    ) -> Result<bool, sealock_cmk::Error> {
        let Some(in_use) = self.identity_in_use(registry).await? else {
            return Ok(true);
        };
        if self.includes(registry, requested, in_use).await?
            || self.custodian.is_detached(registry.id).await?
        {
            return Ok(true);
        }
        Ok(!self.has_identity_in_use(registry).await?)
    }

    /// Returns true if the identity that uses a registry's key exists.
    async fn has_identity_in_use(
        &self,
        registry: &RegistryRecord,
    ) -> Result<bool, sealock_cmk::Error> {
        let Some(in_use) = self.identity_in_use(registry).await? else {
            return Ok(false);
        };
        let directory = self.entra.directory();
        Ok(directory.identity_by_client_id(in_use).await?.is_some())
    }

    pub(crate) async fn identity_in_use(
        &self,
        registry: &RegistryRecord,
    ) -> Result<Option<ClientId>, sealock_cmk::Error> {
        let in_use = self.custodian.key_in_use(registry.id).await?;
        Ok(in_use.map(|in_use| in_use.identity))
    }

    async fn set_identities(
        &self,
        registry: &RegistryRecord,
        requested: &RequestedIdentities,
    ) -> Result<(), sealock_cmk::Error> {
        let updated = self.store.update(|| async {
            let in_use = self.identity_in_use(registry).await?;
            let batch = self
                .plan_identities(registry, requested, in_use, Batch::new())
                .await?;
            Ok::<_, sealock_cmk::Error>((batch, ()))
        });
        updated.await
    }

    /// Lets a registry whose identity was deleted use its key as another of its identities, if one of them may.
    pub(crate) async fn replace_deleted_identity(
        &self,
        registry: &RegistryRecord,
    ) -> Result<(), sealock_cmk::Error> {
        let directory = self.entra.directory();
        if self.identity_in_use(registry).await?.is_none()
            || self.has_identity_in_use(registry).await?
        {
            return Ok(());
        }
        let user_assigned = self.user_assigned_identities(registry.id).await?;
        let mut candidates: Vec<_> = user_assigned.into_iter().map(|it| it.client_id).collect();
        let system = self.system_assigned_identity(registry).await?;
        candidates.extend(system.map(|system| system.client_id));
        for candidate in candidates {
            if directory.identity_by_client_id(candidate).await?.is_none() {
                continue;
            }
            match self.rotate(registry, None, Some(candidate)).await {
                // This one may not use the key.
                Err(sealock_cmk::Error::Refused(_)) => {}
                done => return done,
            }
        }
        Ok(())
    }

    async fn identities(
        &self,
        registry: &RegistryRecord,
    ) -> Result<RequestedIdentities, sealock_store::Error> {
        Ok(RequestedIdentities {
            has_system_assigned: self.system_assigned_identity(registry).await?.is_some(),
            user_assigned: self.user_assigned_identities(registry.id).await?,
        })
    }

    /// Returns true if the identity `in_use` is among the `requested` ones.
    async fn includes(
        &self,
        registry: &RegistryRecord,
        requested: &RequestedIdentities,
        in_use: ClientId,
    ) -> Result<bool, sealock_store::Error> {
        let mut user_assigned = requested.user_assigned.iter();
        if user_assigned.any(|it| it.client_id == in_use) {
            return Ok(true);
        }
        let system = self.system_assigned_identity(registry).await?;
        let is_system = system.is_some_and(|system| system.client_id == in_use);
        Ok(is_system && requested.has_system_assigned)
    }

    /// The identity that uses a registry's key stays assigned.
    pub(crate) async fn identity_in_use_stays(
        &self,
        registry: &RegistryRecord,
        requested: &RequestedIdentities,
    ) -> Result<(), sealock_cmk::Error> {
        let stays = self.keeps_identity_in_use(registry, requested).await?;
        self.check_identity_in_use(registry, stays).await
    }

    async fn check_identity_in_use(
        &self,
        registry: &RegistryRecord,
        is_assigned: bool,
    ) -> Result<(), sealock_cmk::Error> {
        let Some(in_use) = self.identity_in_use(registry).await? else {
            return Ok(());
        };
        Ok(rules::identity_is_assigned(
            &registry.name,
            &registry.resource_id_in_errors(),
            &in_use.to_string(),
            is_assigned.then_some(()),
        )?)
    }

    /// Rotates a registry's key: wraps its DEK under another key, or as another identity. Both default to those that it has.
    /// A user-assigned identity is also assigned.
    ///
    /// # Errors
    /// The rule of [`sealock_cmk::rules`] that the request breaks.
    pub async fn rotate_key(
        &self,
        registry: &RegistryRecord,
        key: Option<ChosenKey>,
        identity: Option<AssignableIdentity>,
    ) -> Result<(), sealock_cmk::Error> {
        let Some(in_use) = self.custodian.key_in_use(registry.id).await? else {
            return Ok(rules::encrypted_only(&registry.name, false)?);
        };
        let Some(identity) = identity else {
            self.identity_in_use_is_attached(registry, None).await?;
            return self.rotate(registry, key, None).await;
        };
        let current = self.identities(registry).await?;
        let (wanted, identities) = match &identity {
            AssignableIdentity::System => (Identity::SystemAssigned, current),
            AssignableIdentity::User(user) => (
                Identity::UserAssigned(user.client_id),
                current.with(&identity),
            ),
        };
        let rotation = KeyRotation {
            key: key.unwrap_or(in_use.key),
            identity: wanted,
        };
        let rotated = self.store.update(|| async {
            let requested = Some(&identities);
            let planned = self.plan_rotation(registry, &rotation, requested, Batch::new());
            let (batch, in_use, rotated) = planned.await?;
            let planned = self.plan_identities(registry, &identities, Some(in_use), batch);
            Ok::<_, sealock_cmk::Error>((planned.await?, rotated))
        });
        rotated.await?.complete().await;
        Ok(())
    }

    /// Rotates a registry's key as one of its identities.
    async fn rotate(
        &self,
        registry: &RegistryRecord,
        key: Option<ChosenKey>,
        identity: Option<ClientId>,
    ) -> Result<(), sealock_cmk::Error> {
        let rotated = self.store.update(|| {
            let key = key.clone();
            let resource_id = registry.resource_id_in_errors();
            async move {
                let (id, name) = (registry.id, &registry.name);
                let custodian = &self.custodian;
                let batch = custodian.plan_attachment(id, true, Batch::new()).await?;
                custodian
                    .plan_rotation(id, name, &resource_id, key, identity, batch)
                    .await
            }
        });
        rotated.await?.complete().await;
        Ok(())
    }

    /// Adds to `batch` the rotation of a registry's key as one of the identities that the registry shall have. Returns that
    /// identity's client id.
    pub(crate) async fn plan_rotation(
        &self,
        registry: &RegistryRecord,
        rotation: &KeyRotation,
        requested: Option<&RequestedIdentities>,
        batch: Batch,
    ) -> Result<(Batch, ClientId, PlannedRotation), sealock_cmk::Error> {
        let current = self.identities(registry).await?;
        let identities = requested.unwrap_or(&current);
        self.identity_in_use_is_attached(registry, requested)
            .await?;
        let identity = self
            .assigned_client_id(registry, rotation.identity, identities)
            .await?;
        let resource_id = registry.resource_id_in_errors();
        let batch = self.custodian.plan_attachment(registry.id, true, batch);
        let batch = batch.await?;
        let planned = self.custodian.plan_rotation(
            registry.id,
            &registry.name,
            &resource_id,
            Some(rotation.key.clone()),
            Some(identity),
            batch,
        );
        let (batch, planned) = planned.await?;
        Ok((batch, identity, planned))
    }

    /// Returns the client id of one of the identities that a registry has or shall have.
    async fn assigned_client_id(
        &self,
        registry: &RegistryRecord,
        identity: Identity,
        identities: &RequestedIdentities,
    ) -> Result<ClientId, sealock_cmk::Error> {
        let (shown, found) = match identity {
            Identity::SystemAssigned => {
                let system = self.system_assigned_identity(registry).await?;
                let kept = system.filter(|_| identities.has_system_assigned);
                ("system".to_owned(), kept.map(|system| system.client_id))
            }
            Identity::UserAssigned(client_id) => {
                let mut assigned = identities.user_assigned.iter();
                let found = assigned.find(|it| it.client_id == client_id);
                (client_id.to_string(), found.map(|it| it.client_id))
            }
        };
        Ok(rules::identity_is_assigned(
            &registry.name,
            &registry.resource_id_in_errors(),
            &shown,
            found,
        )?)
    }

    /// Adds the assignment of exactly the `requested` identities to `batch`. The identity `in_use` is detached if it is not
    /// among them. A system-assigned identity that is removed and assigned again has other ids.
    pub(crate) async fn plan_identities(
        &self,
        registry: &RegistryRecord,
        requested: &RequestedIdentities,
        in_use: Option<ClientId>,
        mut batch: Batch,
    ) -> Result<Batch, sealock_cmk::Error> {
        let (id, owner) = (registry.id.to_string(), registry.resource_id());
        let directory = self.entra.directory();
        if let Some(in_use) = in_use {
            let included = self.includes(registry, requested, in_use).await?;
            let planned = self.custodian.plan_attachment(registry.id, included, batch);
            batch = planned.await?;
        }
        for existing in self.user_assigned_identities(registry.id).await? {
            let mut kept = requested.user_assigned.iter();
            if !kept.any(|it| it.client_id == existing.client_id) {
                batch = batch.delete(&IDENTITIES, &[&id, &existing.client_id.to_string()]);
            }
        }
        for identity in &requested.user_assigned {
            let key = [&*id, &identity.client_id.to_string()];
            batch = batch.put(&IDENTITIES, &key, identity);
        }
        if !requested.has_system_assigned {
            let planned = directory.plan_system_identity_removal(&owner, batch);
            return Ok(planned.await?);
        }
        #[expect(
            clippy::expect_used,
            reason = "each name of a registry is one of an identity"
        )]
        let name = registry.name.as_str().parse().expect("a valid name");
        let planned = directory.plan_system_identity(&owner, &name, &registry.resource, batch);
        Ok(planned.await?.1)
    }

    /// Adds the removal of all assignments of a registry to `batch`.
    pub(crate) async fn plan_identities_removal(
        &self,
        registry: RegistryId,
        mut batch: Batch,
    ) -> Result<Batch, Error> {
        let id = registry.to_string();
        for existing in self.user_assigned_identities(registry).await? {
            batch = batch.delete(&IDENTITIES, &[&id, &existing.client_id.to_string()]);
        }
        Ok(batch)
    }
}

//! The managed identities that are assigned to a registry.

use std::ops::Bound;

use futures_util::TryStreamExt as _;
use sealock_cmk::{Identity, rules};
use sealock_core::{ClientId, KeyIdentifier, PrincipalId, RegistryId};
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

/// The identities that a request assigns to a registry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestedIdentities {
    /// True if the registry has an identity of its own.
    pub has_system_assigned: bool,
    /// The user-assigned ones.
    pub user_assigned: Vec<AssignedIdentity>,
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

    /// Assigns an identity to a registry, if the identity exists and is not assigned yet.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn assign_identity(
        &self,
        registry: &RegistryRecord,
        client_id: ClientId,
    ) -> Result<(), sealock_store::Error> {
        let directory = self.entra.directory();
        if let Some(identity) = directory.identity_by_client_id(client_id).await? {
            let key = [&*registry.id.to_string(), &client_id.to_string()];
            let batch = Batch::new().put(&IDENTITIES, &key, &AssignedIdentity::from(&identity));
            let _unconditional = self.store.commit(batch).await?;
        }
        Ok(())
    }

    /// Rotates a registry's key: wraps its DEK under another key, or as another of its identities. Both default to those
    /// that it has.
    ///
    /// # Errors
    /// The rule of [`sealock_cmk::rules`] that the request breaks.
    pub async fn rotate_key(
        &self,
        registry: &RegistryRecord,
        key: Option<KeyIdentifier>,
        identity: Option<Identity>,
    ) -> Result<(), sealock_cmk::Error> {
        let RegistryRecord { id, name, .. } = registry;
        let resource_id = registry.resource_id_in_errors();
        let client_id = match identity {
            None => None,
            Some(identity) => {
                let assigned = self.assigned_client_id(registry, identity).await?;
                let shown = match identity {
                    Identity::SystemAssigned => "system".to_owned(),
                    Identity::UserAssigned(client_id) => client_id.to_string(),
                };
                let is_assigned = assigned.is_some();
                rules::identity_is_assigned(name, &resource_id, &shown, is_assigned)?;
                assigned
            }
        };
        let rotated = self
            .custodian
            .rotate(*id, name, &resource_id, key, client_id);
        rotated.await
    }

    /// Returns the client id of one of a registry's identities. `None` if it is not assigned.
    async fn assigned_client_id(
        &self,
        registry: &RegistryRecord,
        identity: Identity,
    ) -> Result<Option<ClientId>, sealock_store::Error> {
        match identity {
            Identity::SystemAssigned => {
                let system = self.system_assigned_identity(registry).await?;
                Ok(system.map(|system| system.client_id))
            }
            Identity::UserAssigned(client_id) => {
                let mut assigned = self
                    .user_assigned_identities(registry.id)
                    .await?
                    .into_iter();
                Ok(assigned
                    .find(|it| it.client_id == client_id)
                    .map(|it| it.client_id))
            }
        }
    }

    /// Adds the assignment of exactly the `requested` identities to `batch`. The identity that wraps the registry's DEK
    /// must stay. A system-assigned identity that is removed and assigned again has other ids.
    pub(crate) async fn plan_identities(
        &self,
        registry: &RegistryRecord,
        requested: &RequestedIdentities,
        mut batch: Batch,
    ) -> Result<Batch, sealock_cmk::Error> {
        let (id, owner) = (registry.id.to_string(), registry.resource_id());
        let directory = self.entra.directory();
        let system = directory.system_identity(&owner).await?;
        if registry.encrypted
            && let Some(in_use) = self.custodian.key_in_use(registry.id).await?
        {
            let mut user_assigned = requested.user_assigned.iter();
            let is_system = system.is_some_and(|system| system.client_id == in_use.identity);
            rules::identity_is_assigned(
                &registry.name,
                &registry.resource_id_in_errors(),
                &in_use.identity.to_string(),
                user_assigned.any(|it| it.client_id == in_use.identity)
                    || is_system && requested.has_system_assigned,
            )?;
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
            return Ok(directory.plan_system_identity_removal(&owner, batch));
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

//! Registries as resources: what a request wants, and the steps that lead there.

use std::collections::BTreeMap;

use sealock_cmk::{ChosenKey, Encryption, Identity, KeyInUse, Sku};
use sealock_core::{IdentityName, RegistryName, ResourceGroupName, excerpt};
use sealock_entra::{Caller, Tags, TrackedResource};
use sealock_registry::{
    AssignedIdentity, LoginChange, NetworkChange, Registry, RegistryRecord, RegistryRequest,
    RequestedIdentities,
};
use sealock_store::{Lock, LockGuard};

use crate::{
    Error, ResourceManager, Result,
    groups::parse_name,
    resources::{REGISTRY, is_in},
};

/// The lock of a registry's name, which is unique across all groups.
const REGISTRY_NAME: Lock = Lock::new("registry-name");

/// A change of a registry. What is `None` stays as it is.
#[derive(Debug, Default)]
pub(crate) struct RegistryChange {
    pub(crate) sku: Option<Sku>,
    pub(crate) tags: Option<Tags>,
    pub(crate) identities: Option<IdentitiesChange>,
    pub(crate) encryption: Option<EncryptionChange>,
    pub(crate) logins: LoginChange,
    pub(crate) network: NetworkChange,
    /// True if the request enables Content Trust.
    pub(crate) content_trust: bool,
}

/// A change of a registry's identities.
#[derive(Debug)]
pub(crate) struct IdentitiesChange {
    pub(crate) has_system_assigned: bool,
    /// The ids of user-assigned identities, each with `false` if it is to be removed. Other ones stay if `keeps_others`.
    pub(crate) user_assigned: BTreeMap<String, bool>,
    pub(crate) keeps_others: bool,
}

/// A change of a registry's encryption.
#[derive(Debug)]
pub(crate) struct EncryptionChange {
    pub(crate) is_enabled: bool,
    pub(crate) key: Option<ChosenKey>,
    pub(crate) identity: Option<Identity>,
}

impl RegistryChange {
    /// Returns the ids of the user-assigned identities that the registry shall have.
    pub(crate) fn assigned_identities(&self) -> impl Iterator<Item = &String> {
        let named = self.identities.iter().flat_map(|it| &it.user_assigned);
        named.filter(|(_, stays)| **stays).map(|(id, _)| id)
    }

    /// Returns true if Azure makes this change as an asynchronous operation.
    pub(crate) fn is_asynchronous(&self) -> bool {
        self.identities.is_some()
            || self.logins.anonymous_pull_enabled.is_some()
            || self.encryption.as_ref().is_some_and(|it| it.is_enabled)
    }
}

impl ResourceManager {
    /// Returns the registry of a group, if there is one.
    pub(crate) async fn find_registry(
        &self,
        group: &ResourceGroupName,
        name: &RegistryName,
    ) -> Result<Option<Registry>> {
        match self.registries.get(name).await {
            Ok(registry) if is_in(&registry.record.resource, group) => Ok(Some(registry)),
            Ok(_) | Err(sealock_registry::Error::RegistryUnknown(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Returns the registry of a group.
    pub(crate) async fn registry(
        &self,
        group: &ResourceGroupName,
        name: &RegistryName,
    ) -> Result<Registry> {
        let group = self.group(group).await?;
        let found = self.find_registry(&group.name, name).await?;
        found.ok_or_else(|| Error::ResourceNotFound {
            resource_type: REGISTRY,
            name: name.to_string(),
            group: group.name,
        })
    }

    /// The name of a registry is unique in all of Azure.
    ///
    /// <https://learn.microsoft.com/rest/api/containerregistry/registries/check-name-availability>
    pub(crate) async fn registry_name_is_free(&self, name: &RegistryName) -> Result<()> {
        match self.registries.get(name).await {
            Ok(_) => Err(Error::RegistryNameTaken(name.clone())),
            Err(sealock_registry::Error::RegistryUnknown(_)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Waits until no other request creates, changes or deletes a registry of this name.
    pub(crate) async fn hold_registry_name(&self, name: &RegistryName) -> Result<LockGuard> {
        let key = [name.as_str()];
        Ok(self.store.lock_exclusive(&REGISTRY_NAME, &key).await?)
    }

    /// Creates a registry. The caller holds the group and the name.
    pub(crate) async fn create_registry(
        &self,
        name: &RegistryName,
        resource: TrackedResource,
        change: RegistryChange,
    ) -> Result<Registry> {
        self.registry_name_is_free(name).await?;
        let wants_key = change.encryption.as_ref().is_some_and(|it| it.is_enabled);
        content_trust_is_blocked(name, &resource, wants_key, change.content_trust)?;
        let identities = match change.identities {
            Some(wanted) => self.wanted_identities(None, wanted).await?,
            None => RequestedIdentities::default(),
        };
        let encryption = match change.encryption {
            Some(wanted) if wanted.is_enabled => {
                let encryption = Encryption {
                    key: wanted.key,
                    identity: wanted.identity,
                };
                encryption_is_complete(name, &encryption)?;
                encryption_identity_is_assigned(name, &resource, &encryption, &identities)?;
                encryption
            }
            _ => Encryption::default(),
        };
        let request = RegistryRequest {
            sku: change.sku.ok_or(Error::SkuMissing)?,
            resource,
            identities: Some(identities),
            encryption,
            logins: change.logins,
            network: change.network,
        };
        self.registries.put(name, &request).await?;
        Ok(self.registries.get(name).await?)
    }

    /// Changes a registry: first its key, as one of its old or new identities, and then the rest. The caller holds the
    /// group.
    pub(crate) async fn change_registry(
        &self,
        registry: &Registry,
        change: RegistryChange,
        author: &Caller,
    ) -> Result<Registry> {
        let record = &*registry.record;
        content_trust_is_blocked(
            &record.name,
            &record.resource,
            record.encrypted,
            change.content_trust,
        )?;
        let wanted = match change.identities {
            Some(wanted) => Some(self.wanted_identities(Some(record), wanted).await?),
            None => None,
        };
        let mut request = RegistryRequest {
            sku: record.sku,
            resource: record.resource.clone(),
            identities: None,
            encryption: Encryption::default(),
            logins: LoginChange::default(),
            network: NetworkChange::default(),
        };
        if let Some(in_use) = self.registries.key_in_use(record).await? {
            request.encryption = encryption_of(&in_use);
        }
        match change.encryption {
            Some(encryption) if !encryption.is_enabled => {
                request.encryption = Encryption::default();
            }
            Some(encryption) if !record.encrypted => {
                request.encryption = Encryption {
                    key: encryption.key,
                    identity: encryption.identity,
                };
                encryption_is_complete(&record.name, &request.encryption)?;
            }
            Some(encryption) => {
                let encryption = Encryption {
                    key: encryption.key,
                    identity: encryption.identity,
                };
                encryption_is_complete(&record.name, &encryption)?;
                let rest = RegistryRequest {
                    sku: change.sku.unwrap_or(record.sku),
                    logins: change.logins,
                    network: change.network.clone(),
                    ..request.clone()
                };
                self.registries.check(&record.name, &rest).await?;
                let before = self.union(record, &RequestedIdentities::default()).await?;
                if let Some(wanted) = &wanted {
                    // Until the key is changed, the old identities and the new ones are assigned.
                    let union = self.union(record, wanted).await?;
                    request.identities = Some(union);
                    self.registries.put(&record.name, &request).await?;
                }
                if let Err(error) = self.change_key(record, encryption).await {
                    // A refused request leaves the identities as they were.
                    if wanted.is_some()
                        && self
                            .registries
                            .keeps_identity_in_use(record, &before)
                            .await?
                    {
                        request.identities = Some(before);
                        self.registries.put(&record.name, &request).await?;
                    }
                    return Err(error);
                }
                if let Some(in_use) = self.registries.key_in_use(record).await? {
                    request.encryption = encryption_of(&in_use);
                }
            }
            None => {}
        }
        if let Some(wanted) = &wanted
            && !self
                .registries
                .keeps_identity_in_use(record, wanted)
                .await?
        {
            self.registries
                .detach_identity_in_use(record, wanted)
                .await?;
        }
        let changed = record.resource.clone().changed_by(author, self.clock.now());
        request.resource = TrackedResource {
            tags: change.tags.unwrap_or_else(|| changed.tags.clone()),
            ..changed
        };
        request.sku = change.sku.unwrap_or(record.sku);
        request.identities = wanted;
        request.logins = change.logins;
        request.network = change.network;
        self.registries.put(&record.name, &request).await?;
        Ok(self.registries.get(&record.name).await?)
    }

    /// Rotates a registry's key, if the request names another key or identity. `az` also sends the key that a registry has
    /// when it changes something else.
    async fn change_key(&self, record: &RegistryRecord, encryption: Encryption) -> Result<()> {
        let system = self.registries.system_assigned_identity(record).await?;
        let identity = match encryption.identity {
            Some(Identity::UserAssigned(client_id)) => Some(client_id),
            Some(Identity::SystemAssigned) => system.map(|system| system.client_id),
            None => None,
        };
        if let Some(in_use) = self.registries.key_in_use(record).await?
            && let Some(key) = &encryption.key
            && key.identifier == in_use.key.identifier
            && key.url(&self.names) == in_use.key.url(&self.names)
            && identity == Some(in_use.identity)
        {
            return Ok(());
        }
        let rotated = self
            .registries
            .rotate_key(record, encryption.key, encryption.identity);
        Ok(rotated.await?)
    }

    /// Returns the identities that a registry shall have.
    async fn wanted_identities(
        &self,
        existing: Option<&RegistryRecord>,
        wanted: IdentitiesChange,
    ) -> Result<RequestedIdentities> {
        let assigned = match existing {
            Some(record) => self.registries.user_assigned_identities(record.id).await?,
            None => Vec::new(),
        };
        let mut user_assigned = Vec::new();
        if wanted.keeps_others {
            let mut named = wanted.user_assigned.keys();
            let mut is_named =
                |it: &AssignedIdentity| named.any(|id| id.eq_ignore_ascii_case(&it.resource_id));
            user_assigned.extend(assigned.iter().filter(|it| !is_named(it)).cloned());
        }
        for (id, stays) in wanted.user_assigned {
            if !stays {
                continue;
            }
            match self.identity_by_resource_id(&id).await {
                Ok(identity) => user_assigned.push(identity),
                Err(error) => {
                    // As in Azure, a registry keeps an identity that was deleted.
                    let mut assigned = assigned.iter();
                    let stale = assigned.find(|it| it.resource_id.eq_ignore_ascii_case(&id));
                    user_assigned.push(stale.cloned().ok_or(error)?);
                }
            }
        }
        Ok(RequestedIdentities {
            has_system_assigned: wanted.has_system_assigned,
            user_assigned,
        })
    }

    async fn union(
        &self,
        record: &RegistryRecord,
        wanted: &RequestedIdentities,
    ) -> Result<RequestedIdentities> {
        let mut union = wanted.clone();
        for assigned in self.registries.user_assigned_identities(record.id).await? {
            let mut known = union.user_assigned.iter();
            if !known.any(|it| it.client_id == assigned.client_id) {
                union.user_assigned.push(assigned);
            }
        }
        union.has_system_assigned |= self
            .registries
            .system_assigned_identity(record)
            .await?
            .is_some();
        Ok(union)
    }

    /// Finds a user-assigned identity by its ARM id.
    async fn identity_by_resource_id(&self, id: &str) -> Result<AssignedIdentity> {
        let not_found = || Error::IdentityUnknown(excerpt(id).to_owned());
        let lower = id.to_ascii_lowercase();
        let words: Vec<_> = lower.split('/').collect();
        let [
            "",
            "subscriptions",
            _,
            "resourcegroups",
            group,
            "providers",
            "microsoft.managedidentity",
            "userassignedidentities",
            name,
        ] = words[..]
        else {
            return Err(not_found());
        };
        let name: IdentityName = name.parse().map_err(|_| not_found())?;
        match self.directory.identity_in(&parse_name(group)?, &name).await {
            Ok(identity) => Ok(AssignedIdentity::from(&identity)),
            Err(sealock_entra::Error::IdentityNotFound { .. }) => Err(not_found()),
            Err(error) => Err(error.into()),
        }
    }
}

fn encryption_of(in_use: &KeyInUse) -> Encryption {
    Encryption {
        key: Some(in_use.key.clone()),
        identity: Some(Identity::UserAssigned(in_use.identity)),
    }
}

/// Enabled encryption needs a key and an identity.
///
/// <https://aka.ms/acr/cmk>
fn encryption_is_complete(name: &RegistryName, encryption: &Encryption) -> Result<()> {
    sealock_cmk::rules::key_and_identity_together(name, encryption)
        .map_err(sealock_cmk::Error::from)?;
    Ok(())
}

/// A registry with a customer-managed key has no Content Trust, and no other registry of the emulator has it.
///
/// <https://github.com/Azure/PSRule.Rules.Azure/issues/1810>
fn content_trust_is_blocked(
    name: &RegistryName,
    resource: &TrackedResource,
    encrypted: bool,
    content_trust: bool,
) -> Result<()> {
    let id = resource.id(REGISTRY, name.as_str());
    sealock_cmk::rules::no_content_trust(&id, encrypted, content_trust)
        .map_err(sealock_cmk::Error::from)?;
    if content_trust {
        return Err(Error::PropertyUnsupported {
            property: "policies.trustPolicy.status",
            value: "\"enabled\"".to_owned(),
        });
    }
    Ok(())
}

/// The identity for the key of a new registry must be among the identities of the request.
///
/// <https://learn.microsoft.com/azure/container-registry/tutorial-enable-customer-managed-keys>
fn encryption_identity_is_assigned(
    name: &RegistryName,
    resource: &TrackedResource,
    encryption: &Encryption,
    identities: &RequestedIdentities,
) -> Result<()> {
    let Some(Identity::UserAssigned(client_id)) = encryption.identity else {
        return Ok(());
    };
    let mut assigned = identities.user_assigned.iter();
    let id = resource.id(REGISTRY, name.as_str());
    sealock_cmk::rules::identity_is_assigned(
        name,
        &id.replace("/resourceGroups/", "/resourcegroups/"),
        &client_id.to_string(),
        assigned.any(|it| it.client_id == client_id),
    )
    .map_err(sealock_cmk::Error::from)?;
    Ok(())
}

//! Registries as resources: what a request wants, and the steps that lead there.

use std::collections::BTreeMap;

use sealock_cmk::{Encryption, Identity, KeyInUse, Refusal, Sku};
use sealock_core::{ChosenKey, IdentityName, RegistryName, ResourceGroupName, excerpt};
use sealock_entra::{Caller, Tags, TrackedResource};
use sealock_registry::{
    AssignedIdentity, KeyRotation, LoginChange, NetworkChange, Registry, RegistryRecord,
    RegistryRequest, RequestedIdentities,
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
            rotation: None,
            logins: change.logins,
            network: change.network,
        };
        self.registries.put(name, &request).await?;
        Ok(self.registries.get(name).await?)
    }

    /// Changes a registry. The caller holds the group.
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
        let identities = match change.identities {
            Some(wanted) => Some(self.wanted_identities(Some(record), wanted).await?),
            None => None,
        };
        let in_use = self.registries.key_in_use(record).await?;
        let mut encryption = in_use.as_ref().map(encryption_of).unwrap_or_default();
        let mut rotation = None;
        if let Some(wanted) = change.encryption {
            match &in_use {
                _ if !wanted.is_enabled => encryption = Encryption::default(),
                Some(in_use) => {
                    rotation = self.rotation(record, wanted, in_use).await?;
                    if rotation.is_none() {
                        let requested = identities.as_ref();
                        self.registries
                            .identity_in_use_is_attached(record, requested)
                            .await?;
                    }
                }
                None => {
                    encryption = Encryption {
                        key: wanted.key,
                        identity: wanted.identity,
                    };
                    encryption_is_complete(&record.name, &encryption)?;
                }
            }
        }
        let changed = record.resource.clone().changed_by(author, self.clock.now());
        let request = RegistryRequest {
            sku: change.sku.unwrap_or(record.sku),
            resource: TrackedResource {
                tags: change.tags.unwrap_or_else(|| changed.tags.clone()),
                ..changed
            },
            identities,
            encryption,
            rotation,
            logins: change.logins,
            network: change.network,
        };
        let put = self.registries.put(&record.name, &request).await;
        if let Err(sealock_registry::Error::Custody(sealock_cmk::Error::Refused(refusal))) = &put
            && let Refusal::IdentityNotAssigned { .. } = refusal
            && let (Some(wanted), None) = (&request.identities, &request.rotation)
        {
            self.registries
                .detach_identity_in_use(record, wanted)
                .await?;
        }
        put?;
        Ok(self.registries.get(&record.name).await?)
    }

    /// Returns the rotation of a registry's key, if the request names another key or identity. `az` also sends the key that
    /// a registry has when it changes something else.
    async fn rotation(
        &self,
        record: &RegistryRecord,
        wanted: EncryptionChange,
        in_use: &KeyInUse,
    ) -> Result<Option<KeyRotation>> {
        let encryption = Encryption {
            key: wanted.key,
            identity: wanted.identity,
        };
        let (key, identity) =
            sealock_cmk::rules::key_and_identity_together(&record.name, &encryption)
                .map_err(sealock_cmk::Error::from)?;
        let client_id = match identity {
            Identity::UserAssigned(client_id) => Some(client_id),
            Identity::SystemAssigned => {
                let system = self.registries.system_assigned_identity(record).await?;
                system.map(|system| system.client_id)
            }
        };
        let is_same = key.identifier == in_use.key.identifier
            && key.url(&self.names) == in_use.key.url(&self.names)
            && client_id == Some(in_use.identity);
        Ok((!is_same).then_some(KeyRotation { key, identity }))
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
            let is_named = |it: &AssignedIdentity| {
                let mut named = wanted.user_assigned.keys();
                named.any(|id| id.eq_ignore_ascii_case(&it.resource_id))
            };
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
        assigned.find(|it| it.client_id == client_id),
    )
    .map_err(sealock_cmk::Error::from)?;
    Ok(())
}

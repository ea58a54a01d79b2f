//! The resources of all types, as their services list them.

use sealock_core::{Location, ResourceGroupName};
use sealock_entra::TrackedResource;
use sealock_vault::{
    Requester,
    operation::{DeleteVault, ManagedVault},
};

use crate::{Error, ResourceManager, Result};

/// A resource of any type.
#[derive(Clone, Debug)]
pub(crate) struct GenericResource {
    pub(crate) id: String,
    pub(crate) name: String,
    /// Its type, such as `Microsoft.KeyVault/vaults`.
    pub(crate) resource_type: &'static str,
    pub(crate) resource: TrackedResource,
}

pub(crate) const REGISTRY: &str = sealock_registry::RESOURCE_TYPE;
pub(crate) const IDENTITY: &str = "Microsoft.ManagedIdentity/userAssignedIdentities";
pub(crate) const VAULT: &str = "Microsoft.KeyVault/vaults";

impl ResourceManager {
    /// Returns all resources, sorted by type and name.
    pub(crate) async fn resources(&self) -> Result<Vec<GenericResource>> {
        let vaults = self.vaults.resources().await?.into_iter();
        let vaults = vaults.map(|(name, resource)| GenericResource {
            id: resource.id(VAULT, name.as_str()),
            name: name.to_string(),
            resource_type: VAULT,
            resource,
        });
        let identities = self.directory.identities().await?.into_iter();
        let identities = identities.map(|identity| GenericResource {
            id: identity.resource_id(),
            name: identity.name.to_string(),
            resource_type: IDENTITY,
            resource: identity.resource,
        });
        let registries = self.registries.list().await?.into_iter();
        let registries = registries.map(|registry| GenericResource {
            id: registry.record.resource_id(),
            name: registry.record.name.to_string(),
            resource_type: REGISTRY,
            resource: registry.record.resource.clone(),
        });
        Ok(registries.chain(vaults).chain(identities).collect())
    }

    /// Deletes all resources of a group.
    pub(crate) async fn delete_resources_of(&self, group: &ResourceGroupName) -> Result<()> {
        for registry in self.registries.list().await? {
            if is_in(&registry.record.resource, group) {
                let record = &registry.record;
                self.registries.delete(&record.name).await?;
                self.forget_operation(&record.resource_id()).await?;
            }
        }
        for (vault, resource) in self.vaults.resources().await? {
            if is_in(&resource, group) {
                let target = ManagedVault::in_group(vault, group.clone());
                let operator = Requester::operator();
                let permit = self.vaults.authorize(&operator, DeleteVault, target);
                let deleted = permit.await?.run().await?;
                self.forget_operation(&deleted.id).await?;
            }
        }
        for identity in self.directory.identities().await? {
            if is_in(&identity.resource, group) {
                self.directory.delete_identity(&identity).await?;
            }
        }
        Ok(())
    }
}

/// Returns true if a resource is in a group, whose name is compared without case.
pub(crate) fn is_in(resource: &TrackedResource, group: &ResourceGroupName) -> bool {
    let name = resource.resource_group.as_str();
    name.eq_ignore_ascii_case(group.as_str())
}

/// The location of a resource cannot be changed.
///
/// <https://learn.microsoft.com/azure/azure-resource-manager/troubleshooting/error-invalid-resource-location>
pub(crate) fn location_is_permanent(
    name: &impl ToString,
    existing: &TrackedResource,
    location: &Location,
) -> Result<()> {
    if existing.location == *location {
        return Ok(());
    }
    Err(Error::ResourceLocation {
        name: name.to_string(),
        group: existing.resource_group.clone(),
        existing: existing.location.clone(),
        requested: location.clone(),
    })
}

use std::ops::Bound;

use futures_util::TryStreamExt as _;
use sealock_core::{Location, ResourceGroupName, excerpt};
use sealock_entra::{RESOURCE_GROUP, SUBSCRIPTION, Tags, default_location, default_resource_group};
use sealock_store::{Batch, Lock, LockGuard, Table};
use serde::{Deserialize, Serialize};

use crate::{Action, Error, Operation, ResourceManager, Result, operations::ProvisioningState};

/// Keyed by name in lower case.
const GROUPS: Table<ResourceGroup> = Table::content("resource-groups");

/// The lock of a resource group: shared by those who create a resource in it, held exclusively by its deletion.
const GROUP: Lock = Lock::new("resource-group");

/// A resource group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ResourceGroup {
    pub(crate) name: ResourceGroupName,
    pub(crate) location: Location,
    /// The id of the resource that manages it, as the client wrote it.
    pub(crate) managed_by: Option<String>,
    pub(crate) tags: Tags,
}

impl ResourceGroup {
    /// Returns its ARM id.
    pub(crate) fn id(&self) -> String {
        group_id(&self.name)
    }
}

/// Returns the ARM id of a resource group.
pub(crate) fn group_id(name: &ResourceGroupName) -> String {
    format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/{name}")
}

/// The location of a resource group cannot be changed.
///
/// <https://learn.microsoft.com/azure/azure-resource-manager/troubleshooting/error-invalid-resource-location>
fn location_is_permanent(existing: &ResourceGroup, location: &Location) -> Result<()> {
    if existing.location == *location {
        return Ok(());
    }
    Err(Error::ResourceGroupLocation {
        group: existing.name.clone(),
        existing: existing.location.clone(),
        requested: location.clone(),
    })
}

impl ResourceManager {
    /// Creates the default resource group at the first start.
    ///
    /// # Errors
    /// The store fails.
    pub async fn create_default_group(&self) -> sealock_store::Result<()> {
        let group = ResourceGroup {
            name: default_resource_group(),
            location: default_location(),
            managed_by: None,
            tags: Tags::default(),
        };
        let batch = Batch::new().expect_absent(&GROUPS, &[RESOURCE_GROUP]).put(
            &GROUPS,
            &[RESOURCE_GROUP],
            &group,
        );
        let _exists_already = self.store.commit(batch).await?;
        Ok(())
    }

    /// Creates a resource group, or replaces the tags of an existing one. The flag is true if the group is new.
    pub(crate) async fn put_group(&self, group: &ResourceGroup) -> Result<(ResourceGroup, bool)> {
        let key = key(&group.name);
        let put = self.store.update(|| async {
            let found = self.store.get(&GROUPS, &[&key]).await?;
            let changed = match &found {
                Some(found) => {
                    self.group_is_not_being_deleted(found).await?;
                    location_is_permanent(found, &group.location)?;
                    ResourceGroup {
                        name: found.name.clone(),
                        ..group.clone()
                    }
                }
                None => group.clone(),
            };
            let batch = Batch::new()
                .expect_same(&GROUPS, &[&key], found.as_ref())
                .put(&GROUPS, &[&key], &changed);
            Ok((batch, (changed, found.is_none())))
        });
        put.await
    }

    /// Returns a resource group.
    pub(crate) async fn group(&self, name: &ResourceGroupName) -> Result<ResourceGroup> {
        let found = self.store.get(&GROUPS, &[&key(name)]).await?;
        let found = found.ok_or_else(|| Error::ResourceGroupNotFound(name.to_string()))?;
        Ok(found.value)
    }

    /// Returns true if a resource group has this name.
    ///
    /// # Errors
    /// The store fails.
    pub async fn has_group(&self, name: &str) -> sealock_store::Result<bool> {
        let found = self
            .store
            .get(&GROUPS, &[&name.to_ascii_lowercase()])
            .await?;
        Ok(found.is_some())
    }

    /// Returns all resource groups, sorted by name.
    pub(crate) async fn groups(&self) -> Result<Vec<ResourceGroup>> {
        let entries = self.store.scan(&GROUPS, &[], Bound::Unbounded);
        let groups = entries.map_ok(|entry| entry.record.value);
        Ok(groups.try_collect().await?)
    }

    /// Returns a resource group that stays until the guard is dropped.
    pub(crate) async fn hold_group(
        &self,
        name: &ResourceGroupName,
    ) -> Result<(ResourceGroup, LockGuard)> {
        let guard = self.store.lock_shared(&GROUP, &[&key(name)]).await?;
        let group = self.group(name).await?;
        self.group_is_not_being_deleted(&group).await?;
        Ok((group, guard))
    }

    /// A group whose deletion is under way gets no resources.
    ///
    /// <https://github.com/Azure/azure-cli/issues/21121>
    async fn group_is_not_being_deleted(&self, group: &ResourceGroup) -> Result<()> {
        if self.provisioning_state(&group.id()).await? == ProvisioningState::Deleting {
            return Err(Error::ResourceGroupBeingDeleted(group.name.clone()));
        }
        Ok(())
    }

    /// Begins the deletion of a resource group with all its resources, or returns the one that is under way.
    pub(crate) async fn begin_group_deletion(&self, name: &ResourceGroupName) -> Result<Operation> {
        let group = self.group(name).await?;
        let last = self.unsuccessful_operation(&group.id()).await?;
        if let Some(last) = last.filter(|last| last.end.is_none()) {
            return Ok(last);
        }
        let action = Action::DeleteGroup(group.name.clone());
        self.begin(action, &group.id()).await
    }

    /// Deletes a resource group with all its resources. The group itself goes last, so an interrupted deletion can be
    /// repeated.
    pub(crate) async fn delete_group(&self, name: &ResourceGroupName) -> Result<()> {
        let key = key(name);
        let _guard = self.store.lock_exclusive(&GROUP, &[&key]).await?;
        let group = self.group(name).await?;
        self.delete_resources_of(&group.name).await?;
        let deleted = self.store.update(|| async {
            let Some(found) = self.store.get(&GROUPS, &[&key]).await? else {
                return Ok((Batch::new(), ()));
            };
            let batch = Batch::new()
                .expect(&GROUPS, &[&key], &found)
                .delete(&GROUPS, &[&key]);
            let batch = self
                .directory
                .delete_roles_within(&found.id(), batch)
                .await?;
            Ok((batch, ()))
        });
        deleted.await
    }
}

/// Returns the name in lower case, since Azure ignores its case.
fn key(name: &ResourceGroupName) -> String {
    name.as_str().to_ascii_lowercase()
}

/// Parses the name of a resource group in a path.
pub(crate) fn parse_name(text: &str) -> Result<ResourceGroupName> {
    text.parse()
        .map_err(|_| Error::ResourceGroupNameInvalid(excerpt(text).to_owned()))
}

use sealock_core::{ClientId, IdentityName, PrincipalId, TenantId};
use serde::{Deserialize, Serialize};

use crate::{SUBSCRIPTION, TrackedResource};

/// A managed identity: a user-assigned one, or the system-assigned one of a resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManagedIdentity {
    /// Its name, which is unique in its resource group.
    pub name: IdentityName,
    /// The id by which a registry's encryption settings select it. Claim `appid`.
    pub client_id: ClientId,
    /// The id by which access policies and role assignments select it. Claim `oid`.
    pub principal_id: PrincipalId,
    /// Its tenant. Claim `tid`.
    pub tenant_id: TenantId,
    /// Its place, tags and history.
    pub resource: TrackedResource,
    /// The ARM id of the resource whose system-assigned identity it is. `None` if it is user-assigned.
    pub owner: Option<String>,
}

impl ManagedIdentity {
    /// Returns its ARM id, with `resourcegroups` in lower case as in Azure, or that of its owner. Claim `xms_mirid`.
    pub fn resource_id(&self) -> String {
        if let Some(owner) = &self.owner {
            return owner.clone();
        }
        format!(
            "/subscriptions/{SUBSCRIPTION}/resourcegroups/{}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{}",
            self.resource.resource_group, self.name
        )
    }
}

use jiff::Timestamp;
use sealock_core::{ClientId, IdentityName, PrincipalId, TenantId};
use serde::{Deserialize, Serialize};

/// The only subscription, which contains every resource.
pub const SUBSCRIPTION: &str = "00000000-0000-0000-0000-000000000000";

/// The only resource group, which contains every resource.
pub const RESOURCE_GROUP: &str = "sealock";

/// A user-assigned managed identity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManagedIdentity {
    /// Its name.
    pub name: IdentityName,
    /// The id by which a registry's encryption settings select it. Claim `appid`.
    pub client_id: ClientId,
    /// The id by which access policies and role assignments select it. Claim `oid`.
    pub principal_id: PrincipalId,
    /// Its tenant. Claim `tid`.
    pub tenant_id: TenantId,
    /// The time of its creation.
    pub created: Timestamp,
}

impl ManagedIdentity {
    /// Returns its ARM id, with `resourcegroups` in lower case as in tokens. Claim `xms_mirid`.
    pub fn resource_id(&self) -> String {
        format!(
            "/subscriptions/{SUBSCRIPTION}/resourcegroups/{RESOURCE_GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{}",
            self.name
        )
    }
}

use jiff::Timestamp;
use sealock_core::{ClientId, IdentityName, PrincipalId, TenantId};
use serde::{Deserialize, Serialize};

/// The subscription in which everything lies.
pub const SUBSCRIPTION: &str = "00000000-0000-0000-0000-000000000000";

/// The resource group in which everything lies.
pub const RESOURCE_GROUP: &str = "sealock";

/// A user-assigned managed identity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManagedIdentity {
    /// Its name.
    pub name: IdentityName,
    /// By which a registry's encryption settings select it. Claim `appid`.
    pub client_id: ClientId,
    /// By which access policies name it. Claim `oid`.
    pub principal_id: PrincipalId,
    /// The tenant that it belongs to. Claim `tid`.
    pub tenant_id: TenantId,
    /// When it was created.
    pub created: Timestamp,
}

impl ManagedIdentity {
    /// Its ARM id, with the lower-case `resourcegroups` that tokens carry. Claim `xms_mirid`.
    pub fn resource_id(&self) -> String {
        format!(
            "/subscriptions/{SUBSCRIPTION}/resourcegroups/{RESOURCE_GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{}",
            self.name
        )
    }
}

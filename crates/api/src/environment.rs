use schemars::JsonSchema;
use sealock_core::{ClientId, TenantId};
use serde::{Deserialize, Serialize};

use crate::Secret;

/// The endpoints at which clients of Azure find the emulator, and the login of its developer, who owns the subscription.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Environment {
    /// The tenant.
    pub tenant_id: TenantId,
    /// The subscription.
    pub subscription_id: String,
    /// The developer's client id.
    pub client_id: ClientId,
    /// The developer's secret. Null after its renewal, since only a hash of another secret is stored.
    pub client_secret: Option<Secret>,
    /// The URL of the authority, without a tenant.
    pub authority: String,
    /// The URL of Resource Manager.
    pub resource_manager: String,
    /// The URL of Graph.
    pub graph: String,
    /// The host and port of the default registry under its own name.
    pub login_server: String,
    /// The URL of the default vault.
    pub vault_uri: String,
    /// The value for `IDENTITY_HEADER`. It is `any` while the managed identity endpoint requires no secret.
    pub identity_header: Secret,
}

use std::{convert::Infallible, fmt, str::FromStr};

use schemars::JsonSchema;
use sealock_core::{
    ApplicationName, ClientId, IdentityName, PrincipalId, RegistryName, TenantId, VaultName,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Time;

/// A principal, as a path names it: a managed identity by its name, or any principal by its id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct PrincipalReference(
    #[schemars(regex(pattern = "^[A-Za-z0-9][A-Za-z0-9_-]{2,127}$"))] pub String,
);

impl FromStr for PrincipalReference {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

/// The principal that a right is for. It has neither name once it is gone; its rights stay, as in Azure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Principal {
    /// The managed identity's name.
    pub identity: Option<IdentityName>,
    /// The application's name.
    pub application: Option<ApplicationName>,
    /// Its id. Claim `oid`.
    pub principal_id: PrincipalId,
}

/// Its name, or the id of one that is gone.
impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.identity, &self.application) {
            (Some(identity), _) => identity.fmt(f),
            (None, Some(application)) => application.fmt(f),
            (None, None) => self.principal_id.fmt(f),
        }
    }
}

/// The managed identities.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Identities {
    /// Each managed identity.
    pub identities: Vec<Identity>,
}

/// A managed identity.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Identity {
    /// Its name.
    pub name: IdentityName,
    /// Its client id, by which a registry's encryption settings select it. Claim `appid`.
    pub client_id: ClientId,
    /// Its principal id, by which access policies name it. Claim `oid`.
    pub principal_id: PrincipalId,
    /// The tenant that it belongs to. Claim `tid`.
    pub tenant_id: TenantId,
    /// The time of its creation.
    pub created: Time,
}

/// The header of App Service's form of the managed identity endpoint.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct IdentityHeader {
    /// The value that a program sets as `IDENTITY_HEADER`: `any` while the endpoint asks for no secret.
    pub identity_header: Secret,
}

/// The applications.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Applications {
    /// Each application.
    pub applications: Vec<Application>,
}

/// An application.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Application {
    /// Its name.
    pub name: ApplicationName,
    /// Its client id, with which it logs in. Claim `appid`.
    pub client_id: ClientId,
    /// Its service principal's id, by which rights name it. Claim `oid`.
    pub principal_id: PrincipalId,
    /// The tenant that it belongs to. Claim `tid`.
    pub tenant_id: TenantId,
    /// The time of its creation.
    pub created: Time,
    /// The time at which its secret ends, by the emulator's clock.
    pub secret_expires: Time,
}

/// An application, with its secret if that was just made.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ApplicationWithSecret {
    /// The application.
    #[serde(flatten)]
    pub application: Application,
    /// Its secret, which is shown this once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<Secret>,
}

/// The role assignments.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct RoleAssignments {
    /// Each assignment.
    pub role_assignments: Vec<RoleAssignment>,
}

/// A role that a principal has at a scope.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct RoleAssignment {
    /// Its id.
    pub id: Uuid,
    /// The principal.
    #[serde(flatten)]
    pub principal: Principal,
    /// The role's name in Azure, such as `AcrPull`.
    pub role: String,
    /// The role's id in Azure.
    pub role_definition_id: String,
    /// The ARM id at and below which the role counts.
    pub scope: String,
    /// False in a vault where access policies decide.
    pub in_effect: bool,
    /// The time of its creation.
    pub created: Time,
}

/// A role at a place: in a registry, in a vault or at a scope. It names one of them.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RoleAtScope {
    /// The role, by its name or id in Azure.
    pub role: String,
    /// The registry.
    pub registry: Option<RegistryName>,
    /// The vault.
    pub vault: Option<VaultName>,
    /// The ARM id.
    pub scope: Option<String>,
}

/// A secret. It is wiped from memory when it is dropped, and `Debug` does not show it.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Secret(#[schemars(with = "String")] pub zeroize::Zeroizing<String>);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

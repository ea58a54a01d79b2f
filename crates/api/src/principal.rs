use std::{convert::Infallible, fmt, str::FromStr};

use schemars::JsonSchema;
use sealock_core::{
    ApplicationName, ClientId, IdentityName, PrincipalId, RegistryName, TenantId, VaultName,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Time;

/// A reference to a principal in a path: the name of a managed identity, or the id of any principal.
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

/// The principal of an access policy or role assignment. After its deletion, all names are null. Its access policies and
/// role assignments remain, as in Azure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Principal {
    /// The managed identity's name.
    pub identity: Option<IdentityName>,
    /// The application's name.
    pub application: Option<ApplicationName>,
    /// The user's name.
    pub user: Option<String>,
    /// Its id. Claim `oid`.
    pub principal_id: PrincipalId,
}

/// Writes the name of the principal, or its id after its deletion.
impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.identity, &self.application, &self.user) {
            (Some(identity), ..) => identity.fmt(f),
            (None, Some(application), _) => application.fmt(f),
            (None, None, Some(user)) => user.fmt(f),
            (None, None, None) => self.principal_id.fmt(f),
        }
    }
}

/// The managed identities.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Identities {
    /// The managed identities.
    pub identities: Vec<Identity>,
}

/// A managed identity.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Identity {
    /// Its name.
    pub name: IdentityName,
    /// Its ARM id.
    pub id: String,
    /// Its client id, by which a registry's encryption settings select it. Claim `appid`.
    pub client_id: ClientId,
    /// Its principal id, by which access policies and role assignments select it. Claim `oid`.
    pub principal_id: PrincipalId,
    /// Its tenant. Claim `tid`.
    pub tenant_id: TenantId,
    /// The time of its creation.
    pub created: Time,
}

/// The header of App Service's form of the managed identity endpoint.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct IdentityHeader {
    /// The value for `IDENTITY_HEADER`. It is `any` while the endpoint requires no secret.
    pub identity_header: Secret,
}

/// The applications.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Applications {
    /// The applications.
    pub applications: Vec<Application>,
}

/// An application.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Application {
    /// Its name.
    pub name: ApplicationName,
    /// Its client id, with which it logs in. Claim `appid`.
    pub client_id: ClientId,
    /// The id of its service principal, by which access policies and role assignments select it. Claim `oid`.
    pub principal_id: PrincipalId,
    /// Its tenant. Claim `tid`.
    pub tenant_id: TenantId,
    /// The time of its creation.
    pub created: Time,
    /// The time at which its secret expires, by the emulator's clock.
    pub secret_expires: Time,
    /// Its certificates and federated credentials.
    pub credentials: Vec<Credential>,
}

/// A certificate or federated credential of an application.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Credential {
    /// Its name. That of a certificate is its SHA-1 hash.
    pub name: CredentialName,
    /// The kind.
    pub kind: CredentialKind,
    /// The issuer whose tokens a federated credential accepts. Claim `iss`.
    pub issuer: Option<String>,
    /// The subject of these tokens. Claim `sub`.
    pub subject: Option<String>,
    /// The audience of these tokens. Claim `aud`.
    pub audience: Option<String>,
    /// The end of a certificate's validity, by the system's clock.
    pub expires: Option<Time>,
}

/// The kind of a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CredentialKind {
    /// A certificate.
    Certificate,
    /// Trust in the tokens of another issuer.
    Federated,
}

/// The name of a credential.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct CredentialName(#[schemars(regex(pattern = "^[A-Za-z0-9_-]{1,120}$"))] pub String);

impl FromStr for CredentialName {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for CredentialName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A certificate to be added.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewCertificate {
    /// The certificate in PEM, without its private key.
    pub certificate: String,
}

/// A federated credential to be added.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewFederatedCredential {
    /// Its name.
    pub name: CredentialName,
    /// The issuer of the tokens. Claim `iss`.
    pub issuer: String,
    /// The subject of the tokens. Claim `sub`.
    pub subject: String,
    /// The audience of the tokens. Claim `aud`. By default `api://AzureADTokenExchange`.
    pub audience: Option<String>,
    /// The issuer's JSON Web Key Set, since the emulator fetches nothing. The emulator's own tenant needs none.
    pub keys: Option<String>,
}

/// An application, with its secret if that is new.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ApplicationWithSecret {
    /// The application.
    #[serde(flatten)]
    pub application: Application,
    /// Its new secret. No other response shows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<Secret>,
}

/// The role assignments.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct RoleAssignments {
    /// The role assignments.
    pub role_assignments: Vec<RoleAssignment>,
}

/// The assignment of a role to a principal at a scope.
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
    /// False if the scope is a vault that uses access policies instead of roles.
    pub in_effect: bool,
    /// The time of its creation.
    pub created: Time,
}

/// A role in a registry, in a vault or at a scope. Exactly one of the three is required.
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

/// A secret. Dropping it wipes it from memory, and `Debug` does not show it.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Secret(#[schemars(with = "String")] pub zeroize::Zeroizing<String>);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

use std::{fmt, str::FromStr};

use sealock_core::{ClientId, PrincipalId, TenantId, excerpt};
use serde::{Deserialize, Serialize};

use crate::{Application, Directory, Error, ManagedIdentity, Result};

/// The caller of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// The user of the control API, who owns the emulator and may do everything.
    Operator,
    /// A principal, which may do what it is permitted.
    Principal(Principal),
}

/// A principal to which permissions are granted: a service principal in Entra.
///
/// <https://learn.microsoft.com/entra/identity-platform/app-objects-and-service-principals>
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Principal {
    /// A managed identity.
    ManagedIdentity(Box<ManagedIdentity>),
    /// An application.
    Application(Application),
}

/// The kind of a principal, as role assignments name it.
///
/// <https://learn.microsoft.com/rest/api/authorization/role-assignments/create#principaltype>
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PrincipalType {
    /// A device.
    Device,
    /// A group of another tenant.
    ForeignGroup,
    /// A group.
    Group,
    /// An application's or a managed identity's service principal.
    ServicePrincipal,
    /// A user.
    User,
}

impl PrincipalType {
    const ALL: [Self; 5] = [
        Self::Device,
        Self::ForeignGroup,
        Self::Group,
        Self::ServicePrincipal,
        Self::User,
    ];

    /// Returns its name in Azure.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Device => "Device",
            Self::ForeignGroup => "ForeignGroup",
            Self::Group => "Group",
            Self::ServicePrincipal => "ServicePrincipal",
            Self::User => "User",
        }
    }
}

impl FromStr for PrincipalType {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|it| it.as_str().eq_ignore_ascii_case(text))
            .ok_or_else(|| Error::PrincipalTypeUnknown(excerpt(text).to_owned()))
    }
}

impl fmt::Display for PrincipalType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Principal {
    /// Returns its client id. Claim `appid`.
    pub fn client_id(&self) -> ClientId {
        match self {
            Self::ManagedIdentity(identity) => identity.client_id,
            Self::Application(application) => application.client_id,
        }
    }

    /// Returns the id by which access policies and role assignments select it. Claim `oid`.
    pub fn principal_id(&self) -> PrincipalId {
        match self {
            Self::ManagedIdentity(identity) => identity.principal_id,
            Self::Application(application) => application.principal_id,
        }
    }

    /// Returns its kind.
    pub fn principal_type(&self) -> PrincipalType {
        PrincipalType::ServicePrincipal
    }

    /// Returns its tenant. Claim `tid`.
    pub fn tenant_id(&self) -> TenantId {
        match self {
            Self::ManagedIdentity(identity) => identity.tenant_id,
            Self::Application(application) => application.tenant_id,
        }
    }

    /// Returns the code of its credential: `2` for a certificate, `1` for a client secret. Claim `appidacr`.
    ///
    /// <https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference>
    pub fn appidacr(&self) -> &'static str {
        match self {
            Self::ManagedIdentity(_) => "2",
            Self::Application(_) => "1",
        }
    }

    /// Returns the ARM id of a managed identity, or `None` for an application. Claim `xms_mirid`.
    pub fn resource_id(&self) -> Option<String> {
        match self {
            Self::ManagedIdentity(identity) => Some(identity.resource_id()),
            Self::Application(_) => None,
        }
    }
}

impl From<ManagedIdentity> for Principal {
    fn from(identity: ManagedIdentity) -> Self {
        Self::ManagedIdentity(Box::new(identity))
    }
}

impl From<Application> for Principal {
    fn from(application: Application) -> Self {
        Self::Application(application)
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ManagedIdentity(identity) => write!(f, "managed identity '{}'", identity.name),
            Self::Application(application) => write!(f, "application '{}'", application.name),
        }
    }
}

impl Directory {
    /// Returns the principal with this id, or `None` if it does not exist.
    ///
    /// # Errors
    /// The store fails.
    pub async fn principal(&self, id: PrincipalId) -> Result<Option<Principal>> {
        self.find_principal(|principal| principal.principal_id() == id)
            .await
    }

    /// Returns the principal with this client id, or `None` if it does not exist.
    ///
    /// # Errors
    /// The store fails.
    pub async fn principal_by_client_id(&self, id: ClientId) -> Result<Option<Principal>> {
        self.find_principal(|principal| principal.client_id() == id)
            .await
    }

    /// Scans all principals, of which an emulator has few.
    async fn find_principal(
        &self,
        matches: impl Fn(&Principal) -> bool,
    ) -> Result<Option<Principal>> {
        let identities = self.identities().await?.into_iter();
        let identities = identities.chain(self.system_identities().await?);
        let applications = self.applications().await?.into_iter().map(Principal::from);
        Ok(identities
            .map(Principal::from)
            .chain(applications)
            .find(matches))
    }
}

use std::{fmt, str::FromStr};

use sealock_core::{ClientId, PrincipalId, TenantId, excerpt};
use serde::{Deserialize, Serialize};

use super::user::User;
use crate::{Application, Directory, Error, ManagedIdentity, Result};

/// The caller of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// The user of the control API, who owns the emulator and may do everything.
    Operator,
    /// A principal, which may do what it is permitted.
    Principal(Principal),
}

/// A principal to which permissions are granted: a service principal or user in Entra.
///
/// <https://learn.microsoft.com/entra/identity-platform/app-objects-and-service-principals>
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Principal {
    /// A managed identity.
    ManagedIdentity(Box<ManagedIdentity>),
    /// An application.
    Application(Application),
    /// A user.
    User(User),
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
    /// Returns its client id, or the id of the client through which a user signed in. Claim `appid`.
    pub fn client_id(&self) -> ClientId {
        match self {
            Self::ManagedIdentity(identity) => identity.client_id,
            Self::Application(application) => application.client_id,
            Self::User(user) => user.client_id,
        }
    }

    /// Returns the id by which access policies and role assignments select it. Claim `oid`.
    pub fn principal_id(&self) -> PrincipalId {
        match self {
            Self::ManagedIdentity(identity) => identity.principal_id,
            Self::Application(application) => application.principal_id,
            Self::User(user) => user.principal_id,
        }
    }

    /// Returns its kind.
    pub fn principal_type(&self) -> PrincipalType {
        match self {
            Self::ManagedIdentity(_) | Self::Application(_) => PrincipalType::ServicePrincipal,
            Self::User(_) => PrincipalType::User,
        }
    }

    /// Returns an id that no other principal has and with which it signs in: its client id, or a user's own id.
    pub fn account_id(&self) -> ClientId {
        match self {
            Self::User(user) => ClientId::from_uuid(user.principal_id.as_uuid()),
            _ => self.client_id(),
        }
    }

    /// Returns the kind of its tokens. Claim `idtyp`.
    pub fn idtyp(&self) -> &'static str {
        match self.principal_type() {
            PrincipalType::User => "user",
            _ => "app",
        }
    }

    /// Returns its tenant. Claim `tid`.
    pub fn tenant_id(&self) -> TenantId {
        match self {
            Self::ManagedIdentity(identity) => identity.tenant_id,
            Self::Application(application) => application.tenant_id,
            Self::User(user) => user.tenant_id,
        }
    }

    /// Returns the code of its credential: `2` for a certificate, `1` for a client secret, `0` for a client without one, as
    /// users have. Claim `appidacr`.
    ///
    /// <https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference>
    pub fn appidacr(&self) -> &'static str {
        match self {
            Self::ManagedIdentity(_) => "2",
            Self::Application(_) => "1",
            Self::User(_) => "0",
        }
    }

    /// Returns the ARM id of a managed identity, or `None` for another principal. Claim `xms_mirid`.
    pub fn resource_id(&self) -> Option<String> {
        match self {
            Self::ManagedIdentity(identity) => Some(identity.resource_id()),
            Self::Application(_) | Self::User(_) => None,
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

impl From<User> for Principal {
    fn from(user: User) -> Self {
        Self::User(user)
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ManagedIdentity(identity) => write!(f, "managed identity '{}'", identity.name),
            Self::Application(application) => write!(f, "application '{}'", application.name),
            Self::User(user) => write!(f, "user '{}'", user.name),
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

    /// Returns the principal with this [account id](Principal::account_id), or `None` if it does not exist.
    ///
    /// # Errors
    /// The store fails.
    pub async fn principal_by_account_id(&self, id: ClientId) -> Result<Option<Principal>> {
        self.find_principal(|principal| principal.account_id() == id)
            .await
    }

    /// Returns all principals.
    ///
    /// # Errors
    /// The store fails.
    pub async fn principals(&self) -> Result<Vec<Principal>> {
        let identities = self.identities().await?.into_iter();
        let identities = identities.chain(self.system_identities().await?);
        let identities = identities.map(Principal::from);
        let applications = self.applications().await?.into_iter().map(Principal::from);
        let users = self.users().into_iter().map(Principal::from);
        Ok(identities.chain(applications).chain(users).collect())
    }

    /// Scans all principals, of which an emulator has few.
    async fn find_principal(
        &self,
        matches: impl Fn(&Principal) -> bool,
    ) -> Result<Option<Principal>> {
        Ok(self.principals().await?.into_iter().find(matches))
    }
}

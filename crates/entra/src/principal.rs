use std::fmt;

use sealock_core::{ClientId, PrincipalId, TenantId};

use crate::{Application, Directory, ManagedIdentity, Result};

/// Who can be permitted something: what Entra calls a service principal.
///
/// <https://learn.microsoft.com/entra/identity-platform/app-objects-and-service-principals>
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Principal {
    /// A managed identity.
    ManagedIdentity(ManagedIdentity),
    /// An application.
    Application(Application),
}

impl Principal {
    /// By which it is known to clients. Claim `appid`.
    pub fn client_id(&self) -> ClientId {
        match self {
            Self::ManagedIdentity(identity) => identity.client_id,
            Self::Application(application) => application.client_id,
        }
    }

    /// By which access policies and role assignments name it. Claim `oid`.
    pub fn principal_id(&self) -> PrincipalId {
        match self {
            Self::ManagedIdentity(identity) => identity.principal_id,
            Self::Application(application) => application.principal_id,
        }
    }

    /// The tenant that it belongs to. Claim `tid`.
    pub fn tenant_id(&self) -> TenantId {
        match self {
            Self::ManagedIdentity(identity) => identity.tenant_id,
            Self::Application(application) => application.tenant_id,
        }
    }

    /// How it proves itself: with a certificate, or with a client secret. Claim `appidacr`.
    ///
    /// <https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference>
    pub fn appidacr(&self) -> &'static str {
        match self {
            Self::ManagedIdentity(_) => "2",
            Self::Application(_) => "1",
        }
    }

    /// A managed identity's ARM id. An application is no resource. Claim `xms_mirid`.
    pub fn resource_id(&self) -> Option<String> {
        match self {
            Self::ManagedIdentity(identity) => Some(identity.resource_id()),
            Self::Application(_) => None,
        }
    }
}

impl From<ManagedIdentity> for Principal {
    fn from(identity: ManagedIdentity) -> Self {
        Self::ManagedIdentity(identity)
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
    /// The principal with this id, if it is still there.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn principal(&self, id: PrincipalId) -> Result<Option<Principal>> {
        self.find_principal(|principal| principal.principal_id() == id)
            .await
    }

    /// The principal with this client id, if it is still there.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn principal_by_client_id(&self, id: ClientId) -> Result<Option<Principal>> {
        self.find_principal(|principal| principal.client_id() == id)
            .await
    }

    /// Looks at all of them: an emulator has few.
    async fn find_principal(
        &self,
        wanted: impl Fn(&Principal) -> bool,
    ) -> Result<Option<Principal>> {
        let identities = self.identities().await?.into_iter().map(Principal::from);
        let applications = self.applications().await?.into_iter().map(Principal::from);
        Ok(identities.chain(applications).find(wanted))
    }
}

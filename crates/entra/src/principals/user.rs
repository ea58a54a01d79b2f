use sealock_core::{ClientId, PrincipalId, TenantId};
use uuid::Uuid;

use crate::{Directory, TENANT};

/// The client id of Azure's command line, with which people sign in.
///
/// <https://learn.microsoft.com/troubleshoot/entra/entra-id/governance/verify-first-party-apps-sign-in>
const AZURE_CLI: ClientId =
    ClientId::from_uuid(Uuid::from_u128(0x04b0_7795_8ddb_461a_bbee_02f9_e1bf_7b46));

/// The name of the only user.
pub const DEVELOPER_USER: &str = "developer@sealock.localhost";

/// The id of the only user.
pub(super) const DEVELOPER_USER_ID: PrincipalId =
    PrincipalId::from_uuid(Uuid::from_u128(0x5ea1_0c00_0000_4000_8000_0000_0000_0003));

/// A person who signs in through a client such as `az`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Its name. Claims `upn` and `unique_name`.
    pub name: &'static str,
    /// The name that people see. Claim `name`.
    pub display_name: &'static str,
    /// The id of the client through which it signed in. Claim `appid`.
    pub client_id: ClientId,
    /// Its id in access policies and role assignments. Claim `oid`.
    pub principal_id: PrincipalId,
    /// Its tenant. Claim `tid`.
    pub tenant_id: TenantId,
}

impl User {
    /// Returns the only user.
    pub(crate) fn developer() -> Self {
        Self {
            name: DEVELOPER_USER,
            display_name: "Developer",
            client_id: AZURE_CLI,
            principal_id: DEVELOPER_USER_ID,
            tenant_id: TENANT,
        }
    }

    /// Returns the user as it signed in through a client.
    #[must_use]
    pub(crate) fn through(self, client_id: ClientId) -> Self {
        Self { client_id, ..self }
    }
}

impl Directory {
    /// Returns the users.
    pub fn users(&self) -> Vec<User> {
        vec![User::developer()]
    }

    /// Returns the user with this name, in any case.
    pub fn user(&self, name: &str) -> Option<User> {
        let mut users = self.users().into_iter();
        users.find(|user| user.name.eq_ignore_ascii_case(name))
    }
}

use sealock_entra::{Principal, Role};

use crate::{Error, ResourceManager, Result};

impl ResourceManager {
    /// Checks that a role permits the principal an action at a scope.
    ///
    /// <https://learn.microsoft.com/azure/role-based-access-control/overview#how-azure-rbac-determines-if-a-user-has-access-to-a-resource>
    pub(crate) async fn check_permitted(
        &self,
        principal: &Principal,
        action: &'static str,
        scope: &str,
    ) -> Result<()> {
        if self.is_permitted(principal, action, scope).await? {
            return Ok(());
        }
        Err(Error::AuthorizationFailed {
            client: principal.client_id(),
            object: principal.principal_id(),
            action,
            scope: scope.to_owned(),
        })
    }

    /// Returns true if a role permits the principal an action at a scope.
    pub(crate) async fn is_permitted(
        &self,
        principal: &Principal,
        action: &str,
        scope: &str,
    ) -> Result<bool> {
        let roles = self
            .directory
            .roles(principal.principal_id(), scope)
            .await?;
        Ok(roles.into_iter().any(|role| permits(role, action)))
    }
}

/// Returns true if a role permits an action of the control plane.
///
/// <https://learn.microsoft.com/azure/role-based-access-control/built-in-roles/general>
fn permits(role: Role, action: &str) -> bool {
    let action = action.to_ascii_lowercase();
    let is_authorization = action.starts_with("microsoft.authorization/");
    match role {
        Role::Owner => true,
        Role::Contributor => !is_authorization || action.ends_with("/read"),
        Role::Reader => action.ends_with("/read"),
        Role::KeyVaultContributor => action.starts_with("microsoft.keyvault/"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reader_reads_and_contributor_assigns_no_roles() {
        let (read, write) = ("Microsoft.X/y/read", "Microsoft.X/y/write");
        let assign = "Microsoft.Authorization/roleAssignments/write";
        for (role, permitted) in [
            (Role::Owner, [true, true, true]),
            (Role::Contributor, [true, true, false]),
            (Role::Reader, [true, false, false]),
            (Role::AcrPull, [false, false, false]),
        ] {
            assert_eq!([read, write, assign].map(|it| permits(role, it)), permitted);
        }
    }
}

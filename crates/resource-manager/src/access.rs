use sealock_entra::{Author, Caller, Principal};

use crate::{Error, ResourceManager, Result};

const ASSIGN_IDENTITY: &str = "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action";

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
            client: Author::from(&Caller::Principal(principal.clone())).name,
            object: principal.principal_id(),
            action,
            scope: scope.to_owned(),
        })
    }

    /// A caller who writes a resource with user-assigned identities needs a permission to assign each of them.
    ///
    /// <https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-assign-access-azure-resource>
    pub(crate) async fn identities_may_be_assigned(
        &self,
        principal: &Principal,
        write: (&'static str, &str),
        identities: impl Iterator<Item = &String>,
    ) -> Result<()> {
        let (action, scope) = write;
        for identity in identities {
            if !self
                .is_permitted(principal, ASSIGN_IDENTITY, identity)
                .await?
            {
                return Err(Error::LinkedAuthorizationFailed {
                    client: Author::from(&Caller::Principal(principal.clone())).name,
                    object: principal.principal_id(),
                    action,
                    scope: scope.to_owned(),
                    linked_action: ASSIGN_IDENTITY,
                    linked_scope: identity.clone(),
                });
            }
        }
        Ok(())
    }

    /// Returns true if a role permits the principal an action at a scope.
    pub(crate) async fn is_permitted(
        &self,
        principal: &Principal,
        action: &str,
        scope: &str,
    ) -> Result<bool> {
        let permitted = self
            .directory
            .is_permitted(principal.principal_id(), action, scope);
        Ok(permitted.await?)
    }
}

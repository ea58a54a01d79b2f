use sealock_entra::{Author, Caller, Principal};

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
            client: Author::from(&Caller::Principal(principal.clone())).name,
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
        let permitted = self
            .directory
            .is_permitted(principal.principal_id(), action, scope);
        Ok(permitted.await?)
    }
}

use sealock_core::{KeyName, VaultName};
use sealock_entra::SUBSCRIPTION;
use sealock_store::Record;

use super::{network::may_reach, policies::policies_permit, roles::roles_permit};
use crate::{
    Error, KeyPermission, Requester, Result, arm_id::resource_id, records::VaultRecord,
    service::Service,
};

impl Service {
    /// Checks that the requester may manage vaults: the operator, or a caller of Resource Manager, which has checked the
    /// caller's roles.
    pub(crate) async fn check_manager(
        &self,
        requester: &Requester,
        action: &'static str,
        vault: Option<&VaultName>,
    ) -> Result<()> {
        let Some(principal) = requester.judged_principal() else {
            return Ok(());
        };
        let scope = match vault {
            Some(vault) => self.resource_id(vault).await?,
            None => format!("/subscriptions/{SUBSCRIPTION}"),
        };
        Err(Error::AuthorizationFailed {
            principal: Box::new(principal.clone()),
            action,
            scope,
        })
    }

    /// Returns the vault, if it is active, its firewall lets the requester in, and an access policy or a role over the
    /// vault or the `key` grants the permission.
    pub(crate) async fn permitted_vault(
        &self,
        requester: &Requester,
        vault: &VaultName,
        key: Option<&KeyName>,
        permission: KeyPermission,
    ) -> Result<Record<VaultRecord>> {
        let record = self.reachable_vault(requester, vault).await?;
        self.check_permitted(requester, vault, &record, key, permission)
            .await?;
        requester.api_version_is_named()?;
        if permission.is_change() && record.failed_over {
            return Err(Error::FailedOver {
                vault: vault.clone(),
            });
        }
        Ok(record)
    }

    /// Returns the vault, if it is active and its firewall lets the requester in.
    pub(crate) async fn reachable_vault(
        &self,
        requester: &Requester,
        vault: &VaultName,
    ) -> Result<Record<VaultRecord>> {
        let record = self.active_vault(vault).await?;
        let Some(principal) = requester.judged_principal() else {
            return Ok(record);
        };
        let ip_rules = self.ip_rules_of(vault).await?;
        let origin = requester.client.origin;
        let trusts_identity = self.settings.trusted_services.include(principal);
        let reached = may_reach(record.network, &ip_rules, origin, trusts_identity);
        reached.map_err(|why| Error::Unreachable {
            why,
            address: origin.address(),
            principal: Box::new(principal.clone()),
            vault: vault.clone(),
            location: record.resource.location.clone(),
        })?;
        Ok(record)
    }

    async fn check_permitted(
        &self,
        requester: &Requester,
        vault: &VaultName,
        record: &VaultRecord,
        key: Option<&KeyName>,
        permission: KeyPermission,
    ) -> Result<()> {
        let Some(principal) = requester.judged_principal() else {
            return Ok(());
        };
        if record.uses_roles() {
            let resource = resource_id(vault, &record.resource);
            let resource = match key {
                Some(key) => format!("{resource}/keys/{key}"),
                None => resource,
            };
            let roles = self
                .directory
                .roles(principal.principal_id(), &resource)
                .await?;
            let action = permission.data_action();
            if roles_permit(&roles, action) {
                return Ok(());
            }
            return Err(Error::ForbiddenByRbac {
                principal: Box::new(principal.clone()),
                action,
                resource,
                vault: vault.clone(),
                location: record.resource.location.clone(),
            });
        }
        let id = principal.principal_id();
        let policies = self.policies_of_principal(vault, id).await?;
        if policies_permit(id, &policies, permission) {
            return Ok(());
        }
        Err(Error::ForbiddenByPolicy {
            principal: Box::new(principal.clone()),
            permission,
            vault: vault.clone(),
            location: record.resource.location.clone(),
        })
    }
}

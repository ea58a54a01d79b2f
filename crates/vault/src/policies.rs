use std::collections::BTreeSet;

use sealock_core::{PrincipalId, VaultName};
use sealock_store::Batch;

use crate::{
    Error, KeyPermission, Policy, Requester, Result,
    audit::Request,
    permission::without,
    records::{POLICIES, VAULTS},
    service::Service,
};

const READ: &str = "Microsoft.KeyVault/vaults/read";
const WRITE: &str = "Microsoft.KeyVault/vaults/accessPolicies/write";

/// How many access policies a vault can have.
const POLICY_LIMIT: usize = 1024;

impl Service {
    pub(crate) async fn policies(
        &self,
        requester: &Requester,
        vault: &VaultName,
    ) -> Result<Vec<Policy>> {
        Self::check_operator(requester, READ, Some(vault))?;
        self.active_vault(vault).await?;
        self.policies_of(vault).await
    }

    pub(crate) async fn grant(
        &self,
        request: &Request,
        vault: &VaultName,
        principal: PrincipalId,
        permissions: BTreeSet<KeyPermission>,
    ) -> Result<Policy> {
        self.change_policy(request, vault, principal, |held| held | &permissions)
            .await
    }

    pub(crate) async fn revoke(
        &self,
        request: &Request,
        vault: &VaultName,
        principal: PrincipalId,
        permissions: BTreeSet<KeyPermission>,
    ) -> Result<Policy> {
        self.change_policy(request, vault, principal, |held| {
            without(held, &permissions)
        })
        .await
    }

    async fn change_policy(
        &self,
        request: &Request,
        vault: &VaultName,
        principal: PrincipalId,
        change: impl Fn(&BTreeSet<KeyPermission>) -> BTreeSet<KeyPermission>,
    ) -> Result<Policy> {
        Self::check_operator(&request.requester, WRITE, Some(vault))?;
        let id = principal.to_string();
        let parts = [vault.as_str(), id.as_str()];
        self.change(request, || async {
            let vault_record = self.changeable_vault(vault).await?;
            let held = self.store.get(&POLICIES, &parts).await?;
            let permissions = match &held {
                Some(held) => change(held),
                None => change(&BTreeSet::new()),
            };
            if held.is_none() && !permissions.is_empty() {
                at_most_1024_policies(self.policies_of(vault).await?.len() + 1)?;
            }
            let batch = Batch::new()
                .expect(&VAULTS, &[vault.as_str()], &vault_record)
                .expect_same(&POLICIES, &parts, held.as_ref());
            let batch = if permissions.is_empty() {
                batch.delete(&POLICIES, &parts)
            } else {
                batch.put(&POLICIES, &parts, &permissions)
            };
            let policy = Policy {
                principal,
                permissions,
            };
            Ok((batch, policy))
        })
        .await
    }
}

/// <https://learn.microsoft.com/azure/key-vault/general/assign-access-policy>
fn at_most_1024_policies(count: usize) -> Result<()> {
    if count <= POLICY_LIMIT {
        return Ok(());
    }
    Err(Error::BadParameter(format!(
        "The vault has {POLICY_LIMIT} access policies, which is as many as it can have; revoke one, or let roles decide."
    )))
}

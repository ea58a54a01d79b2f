use std::{collections::BTreeSet, sync::Arc};

use sealock_core::{PrincipalId, VaultName};
use sealock_store::{Batch, Record};

use crate::{
    AccessPolicy, Error, KeyPermission, Result,
    authorization::permission::subtract_permissions,
    operation::{GrantPermissions, ListPolicies, Operation, Permit, RevokePermissions},
    records::{POLICIES, VAULTS, VaultRecord},
};

/// The maximum number of access policies in a vault.
const POLICY_LIMIT: usize = 1024;

impl Permit<ListPolicies> {
    /// Lists the vault's access policies.
    pub async fn run(self) -> Result<Vec<AccessPolicy>> {
        self.run_to_end(|permit| async move { permit.service.policies_of(&permit.target).await })
            .await
    }
}

impl Permit<GrantPermissions> {
    /// Adds `permissions` to the principal's access policy. Returns the new policy.
    pub async fn run(
        self,
        principal: PrincipalId,
        permissions: BTreeSet<KeyPermission>,
    ) -> Result<AccessPolicy> {
        self.change_policy(principal, move |held| held | &permissions)
            .await
    }
}

impl Permit<RevokePermissions> {
    /// Removes `permissions` from the principal's access policy. Returns the remaining policy.
    pub async fn run(
        self,
        principal: PrincipalId,
        permissions: BTreeSet<KeyPermission>,
    ) -> Result<AccessPolicy> {
        self.change_policy(principal, move |held| {
            subtract_permissions(held, &permissions)
        })
        .await
    }
}

impl<O: Operation<Target = VaultName, Records = Record<VaultRecord>>> Permit<O> {
    async fn change_policy(
        self,
        principal: PrincipalId,
        change: impl Fn(&BTreeSet<KeyPermission>) -> BTreeSet<KeyPermission> + Send + Sync + 'static,
    ) -> Result<AccessPolicy> {
        let change = Arc::new(change);
        self.run_change(move |permit, vault_record| {
            let change = Arc::clone(&change);
            async move {
                let (service, vault) = (&permit.service, permit.target.as_str());
                let id = principal.to_string();
                let key = [vault, id.as_str()];
                let held = service.store.get(&POLICIES, &key).await?;
                let permissions = match &held {
                    Some(held) => change(held),
                    None => change(&BTreeSet::new()),
                };
                if held.is_none() && !permissions.is_empty() {
                    let policies = service.policies_of(&permit.target).await?;
                    at_most_1024_policies(policies.len() + 1)?;
                }
                let batch = Batch::new()
                    .expect(&VAULTS, &[vault], &vault_record)
                    .expect_same(&POLICIES, &key, held.as_ref());
                let batch = if permissions.is_empty() {
                    batch.delete(&POLICIES, &key)
                } else {
                    batch.put(&POLICIES, &key, &permissions)
                };
                let policy = AccessPolicy {
                    principal,
                    permissions,
                };
                Ok((batch, policy))
            }
        })
        .await
    }
}

/// Checks the number of access policies.
///
/// <https://learn.microsoft.com/azure/key-vault/general/assign-access-policy>
fn at_most_1024_policies(count: usize) -> Result<()> {
    if count <= POLICY_LIMIT {
        return Ok(());
    }
    Err(Error::BadParameter(format!(
        "The vault has {POLICY_LIMIT} access policies, and cannot have more; remove one, or use roles instead."
    )))
}

/// Returns true if an access policy grants the principal the permission, or `all`.
///
/// <https://learn.microsoft.com/azure/key-vault/general/assign-access-policy>
pub(super) fn policies_permit(
    principal: PrincipalId,
    policies: &[AccessPolicy],
    permission: KeyPermission,
) -> bool {
    policies.iter().any(|policy| {
        policy.principal == principal
            && (policy.permissions.contains(&permission)
                || policy.permissions.contains(&KeyPermission::All))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_principals_own_policy_grants_a_permission() {
        use KeyPermission::{All, Get, UnwrapKey, WrapKey};

        let principal = PrincipalId::random();
        let own = |permissions: &[KeyPermission]| AccessPolicy {
            principal,
            permissions: permissions.iter().copied().collect(),
        };
        let foreign = |permissions: &[KeyPermission]| AccessPolicy {
            principal: PrincipalId::random(),
            permissions: permissions.iter().copied().collect(),
        };
        for (policies, permission, is_permitted) in [
            (vec![], Get, false),
            (vec![own(&[])], Get, false),
            (vec![own(&[Get])], Get, true),
            (vec![own(&[Get])], WrapKey, false),
            (vec![own(&[Get, WrapKey])], UnwrapKey, false),
            (vec![own(&[Get, WrapKey])], WrapKey, true),
            (vec![own(&[All])], UnwrapKey, true),
            (vec![foreign(&[All])], Get, false),
            (vec![foreign(&[Get]), own(&[Get])], Get, true),
            (vec![foreign(&[Get]), own(&[WrapKey])], Get, false),
        ] {
            assert_eq!(
                policies_permit(principal, &policies, permission),
                is_permitted,
                "{permission} of {policies:?}"
            );
        }
    }
}

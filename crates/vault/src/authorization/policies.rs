use std::{collections::BTreeSet, sync::Arc};

use sealock_core::{PrincipalId, VaultName};
use sealock_store::{Batch, Record};

use crate::{
    Error, KeyPermission, Policy, Result,
    authorization::permission::without,
    operation::{GrantPermissions, ListPolicies, Operation, Permit, RevokePermissions},
    records::{POLICIES, VAULTS, VaultRecord},
};

/// How many access policies a vault can have.
const POLICY_LIMIT: usize = 1024;

impl Permit<ListPolicies> {
    /// Lists the vault's access policies.
    pub async fn run(self) -> Result<Vec<Policy>> {
        self.run_to_end(|permit| async move { permit.service.policies_of(&permit.target).await })
            .await
    }
}

impl Permit<GrantPermissions> {
    /// Gives the principal `permissions`, in addition to those that it has.
    pub async fn run(
        self,
        principal: PrincipalId,
        permissions: BTreeSet<KeyPermission>,
    ) -> Result<Policy> {
        self.change_policy(principal, move |held| held | &permissions)
            .await
    }
}

impl Permit<RevokePermissions> {
    /// Takes `permissions` from the principal. Returns the policy that remains.
    pub async fn run(
        self,
        principal: PrincipalId,
        permissions: BTreeSet<KeyPermission>,
    ) -> Result<Policy> {
        self.change_policy(principal, move |held| without(held, &permissions))
            .await
    }
}

impl<O: Operation<Target = VaultName, Records = Record<VaultRecord>>> Permit<O> {
    async fn change_policy(
        self,
        principal: PrincipalId,
        change: impl Fn(&BTreeSet<KeyPermission>) -> BTreeSet<KeyPermission> + Send + Sync + 'static,
    ) -> Result<Policy> {
        let change = Arc::new(change);
        self.commit(move |permit, vault_record| {
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
                let policy = Policy {
                    principal,
                    permissions,
                };
                Ok((batch, policy))
            }
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

/// Returns true if a vault's access policies give a principal a permission. `all` includes every other.
///
/// <https://learn.microsoft.com/azure/key-vault/general/assign-access-policy>
pub(super) fn policies_permit(
    principal: PrincipalId,
    policies: &[Policy],
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
    fn only_a_policy_of_the_principal_itself_grants_a_permission() {
        use KeyPermission::{All, Get, UnwrapKey, WrapKey};

        let principal = PrincipalId::random();
        let own = |permissions: &[KeyPermission]| Policy {
            principal,
            permissions: permissions.iter().copied().collect(),
        };
        let of_another = |permissions: &[KeyPermission]| Policy {
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
            (vec![of_another(&[All])], Get, false),
            (vec![of_another(&[Get]), own(&[Get])], Get, true),
            (vec![of_another(&[Get]), own(&[WrapKey])], Get, false),
        ] {
            assert_eq!(
                policies_permit(principal, &policies, permission),
                is_permitted,
                "{permission} of {policies:?}"
            );
        }
    }
}

use std::{collections::BTreeSet, sync::Arc};

use sealock_core::PrincipalId;
use sealock_store::{Batch, Record};

use crate::{
    AccessPolicy, Error, KeyPermission, PolicyPermissions, Result,
    lists::replace_policies,
    operation::{
        AddPolicies, GrantPermissions, ListPolicies, ManagedVault, Operation, Permit,
        RemovePolicies, ReplacePolicies, RevokePermissions,
    },
    records::{VAULTS, VaultRecord},
};

/// The maximum number of access policies in a vault.
const POLICY_LIMIT: usize = 1024;

impl Permit<ListPolicies> {
    /// Lists the vault's access policies.
    pub async fn run(self) -> Result<Vec<AccessPolicy>> {
        self.run_to_end(
            |permit| async move { permit.service.policies_of(&permit.target.vault).await },
        )
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
        let policy = AccessPolicy::to_keys(principal, &permissions);
        let policies = self.change_policies(vec![policy], PolicyPermissions::union);
        Ok(AccessPolicy::of(principal, policies.await?))
    }
}

impl Permit<RevokePermissions> {
    /// Removes `permissions` from the principal's access policy. Returns the remaining policy.
    pub async fn run(
        self,
        principal: PrincipalId,
        permissions: BTreeSet<KeyPermission>,
    ) -> Result<AccessPolicy> {
        let policy = AccessPolicy::to_keys(principal, &permissions);
        let policies = self.change_policies(vec![policy], PolicyPermissions::without);
        Ok(AccessPolicy::of(principal, policies.await?))
    }
}

/// <https://learn.microsoft.com/rest/api/keyvault/keyvault/vaults/update-access-policy>
impl Permit<AddPolicies> {
    /// Adds the permissions of `policies` to those that their principals have. Returns the vault's policies.
    pub async fn run(self, policies: Vec<AccessPolicy>) -> Result<Vec<AccessPolicy>> {
        self.change_policies(policies, PolicyPermissions::union)
            .await
    }
}

impl Permit<ReplacePolicies> {
    /// Replaces the policies of the principals in `policies`, and keeps those of others. Returns the vault's policies.
    pub async fn run(self, policies: Vec<AccessPolicy>) -> Result<Vec<AccessPolicy>> {
        self.change_policies(policies, |_, given| given.clone())
            .await
    }
}

impl Permit<RemovePolicies> {
    /// Removes the permissions of `policies` from those that their principals have. Returns the vault's policies.
    pub async fn run(self, policies: Vec<AccessPolicy>) -> Result<Vec<AccessPolicy>> {
        self.change_policies(policies, PolicyPermissions::without)
            .await
    }
}

impl<O: Operation<Target = ManagedVault, Records = Record<VaultRecord>>> Permit<O> {
    /// Combines what each principal of `given` has with what `given` says. Drops policies that permit nothing. Returns
    /// all policies of the vault.
    async fn change_policies(
        self,
        given: Vec<AccessPolicy>,
        combine: fn(&PolicyPermissions, &PolicyPermissions) -> PolicyPermissions,
    ) -> Result<Vec<AccessPolicy>> {
        let given = Arc::new(given);
        self.run_change(move |permit, record| {
            let given = Arc::clone(&given);
            async move {
                let (service, vault) = (&permit.service, &permit.target.vault);
                let held = service.policies_of(vault).await?;
                let changed = combine_policies(&held, &given, combine);
                at_most_1024_policies(changed.len())?;
                let key = [vault.as_str()];
                let batch = Batch::new().expect(&VAULTS, &key, &record).put(
                    &VAULTS,
                    &key,
                    &permit.touched(&record),
                );
                Ok((replace_policies(batch, vault, &held, &changed), changed))
            }
        })
        .await
    }
}

fn combine_policies(
    held: &[AccessPolicy],
    given: &[AccessPolicy],
    combine: fn(&PolicyPermissions, &PolicyPermissions) -> PolicyPermissions,
) -> Vec<AccessPolicy> {
    let mut policies = held.to_vec();
    for policy in given {
        match policies.iter_mut().find(|held| held.is_for_same(policy)) {
            Some(held) => held.permissions = combine(&held.permissions, &policy.permissions),
            None => policies.push(AccessPolicy {
                permissions: combine(&PolicyPermissions::default(), &policy.permissions),
                ..policy.clone()
            }),
        }
    }
    policies.retain(|policy| !policy.permissions.is_empty());
    policies
}

impl AccessPolicy {
    /// Returns a policy with permissions to keys only.
    fn to_keys(principal: PrincipalId, permissions: &BTreeSet<KeyPermission>) -> Self {
        Self {
            principal,
            application: None,
            permissions: PolicyPermissions::to_keys(permissions),
        }
    }

    /// Returns the principal's policy among `policies`, or an empty one.
    fn of(principal: PrincipalId, policies: Vec<Self>) -> Self {
        let empty = Self::to_keys(principal, &BTreeSet::new());
        let mut policies = policies.into_iter();
        policies
            .find(|policy| policy.is_for_same(&empty))
            .unwrap_or(empty)
    }

    /// Returns true if both policies are for the same principal and application.
    pub(crate) fn is_for_same(&self, other: &Self) -> bool {
        (self.principal, self.application) == (other.principal, other.application)
    }

    /// Returns true if the policy permits something to the principal alone.
    fn permits(&self, principal: PrincipalId, permission: KeyPermission) -> bool {
        self.principal == principal
            && self.application.is_none()
            && self.permissions.include(permission)
    }
}

/// Checks the number of access policies.
///
/// <https://learn.microsoft.com/azure/key-vault/general/assign-access-policy>
pub(crate) fn at_most_1024_policies(count: usize) -> Result<()> {
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
    policies
        .iter()
        .any(|policy| policy.permits(principal, permission))
}

#[cfg(test)]
mod tests {
    use sealock_core::ClientId;

    use super::*;

    #[test]
    fn only_the_principals_own_policy_grants_a_permission() {
        use KeyPermission::{All, Get, UnwrapKey, WrapKey};

        let principal = PrincipalId::random();
        let policy = |principal, permissions: &[KeyPermission]| {
            AccessPolicy::to_keys(principal, &permissions.iter().copied().collect())
        };
        let own = |permissions: &[KeyPermission]| policy(principal, permissions);
        let foreign = |permissions: &[KeyPermission]| policy(PrincipalId::random(), permissions);
        let on_behalf = AccessPolicy {
            application: Some(ClientId::random()),
            ..own(&[All])
        };
        for (policies, permission, is_permitted) in [
            (vec![], Get, false),
            (vec![own(&[])], Get, false),
            (vec![own(&[Get])], Get, true),
            (vec![own(&[Get])], WrapKey, false),
            (vec![own(&[Get, WrapKey])], UnwrapKey, false),
            (vec![own(&[Get, WrapKey])], WrapKey, true),
            (vec![own(&[All])], UnwrapKey, true),
            (vec![on_behalf], Get, false),
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

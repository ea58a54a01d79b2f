use std::collections::BTreeSet;

use sealock_core::PrincipalId;

use crate::{Directory, Result, Role, RoleAssignment, RoleScope};

/// The role assignments that a list for a scope shows.
///
/// <https://learn.microsoft.com/azure/role-based-access-control/role-assignments-list-rest>
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Those at the scope, above it and below it: no filter.
    Everywhere,
    /// Those at the scope and above it: `atScope()`.
    AtOrAbove,
    /// Those at the scope: `atExactScope()`.
    Exactly,
}

impl Reach {
    /// Returns true if a list for `listed` shows an assignment at `assigned`.
    fn includes(self, listed: &RoleScope, assigned: &RoleScope) -> bool {
        let is_above = assigned.covers(listed.as_str());
        let is_below = listed.covers(assigned.as_str());
        match self {
            Self::Everywhere => is_above || is_below,
            Self::AtOrAbove => is_above,
            Self::Exactly => is_above && is_below,
        }
    }
}

/// Returns the roles that `assignments` give `principal` over `resource`. A role counts at its scope and below.
///
/// <https://learn.microsoft.com/azure/role-based-access-control/overview#how-azure-rbac-determines-if-a-user-has-access-to-a-resource>
fn effective_roles(
    assignments: impl IntoIterator<Item = RoleAssignment>,
    principal: PrincipalId,
    resource: &str,
) -> BTreeSet<Role> {
    assignments
        .into_iter()
        .filter(|assignment| {
            assignment.principal_id == principal && assignment.scope.covers(resource)
        })
        .map(|assignment| assignment.role)
        .collect()
}

impl Directory {
    /// Returns the roles that `principal` has over `resource`.
    ///
    /// # Errors
    /// The store fails.
    pub async fn roles(&self, principal: PrincipalId, resource: &str) -> Result<BTreeSet<Role>> {
        let assignments = self.role_assignments_of(principal).await?;
        Ok(effective_roles(assignments, principal, resource))
    }

    /// Returns true if `principal` may carry out an action of the control plane on the resource, group or subscription
    /// with the ARM id `scope`.
    ///
    /// # Errors
    /// The store fails.
    pub async fn is_permitted(
        &self,
        principal: PrincipalId,
        action: &str,
        scope: &str,
    ) -> Result<bool> {
        let roles = self.roles(principal, scope).await?;
        Ok(roles.into_iter().any(|role| role.permits(action)))
    }

    /// Returns true if `principal` may assign `role` at the scope with the ARM id `scope`, and remove it there.
    ///
    /// # Errors
    /// The store fails.
    pub async fn may_assign_role(
        &self,
        principal: PrincipalId,
        role: Role,
        scope: &str,
    ) -> Result<bool> {
        let roles = self.roles(principal, scope).await?;
        Ok(roles.into_iter().any(|own| own.may_assign(role)))
    }

    /// Returns the role assignments that a list for `scope` shows, of one principal or of all.
    ///
    /// # Errors
    /// The store fails.
    pub async fn role_assignments_for(
        &self,
        scope: &RoleScope,
        reach: Reach,
        principal: Option<PrincipalId>,
    ) -> Result<Vec<RoleAssignment>> {
        let mut assignments = match principal {
            Some(principal) => self.role_assignments_of(principal).await?,
            None => self.role_assignments().await?,
        };
        assignments.retain(|assignment| reach.includes(scope, &assignment.scope));
        Ok(assignments)
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use sealock_core::Clock;
    use sealock_store::Store;
    use uuid::Uuid;

    use super::*;
    use crate::{Principal, PrincipalType, SUBSCRIPTION};

    const REGISTRY: &str =
        "/resourcegroups/sealock/providers/Microsoft.ContainerRegistry/registries/sealock";

    fn scope(path: &str) -> RoleScope {
        format!("/subscriptions/{SUBSCRIPTION}{path}")
            .parse()
            .unwrap()
    }

    #[test]
    fn role_counts_at_its_scope_and_below() {
        let (ours, other) = (PrincipalId::random(), PrincipalId::random());
        let resource = format!("/subscriptions/{SUBSCRIPTION}{REGISTRY}");
        let assigned = |principal_id, role, scope: &str| RoleAssignment {
            id: Uuid::new_v4(),
            principal_id,
            principal_type: PrincipalType::ServicePrincipal,
            role,
            description: None,
            created_by: None,
            updated: Timestamp::UNIX_EPOCH,
            scope: format!("/subscriptions/{SUBSCRIPTION}{scope}")
                .parse()
                .unwrap(),
            created: Timestamp::UNIX_EPOCH,
        };
        for (principal, scope, counts) in [
            (ours, REGISTRY, true),
            (ours, &REGISTRY.to_ascii_uppercase(), true),
            (ours, &format!("{REGISTRY}/"), true),
            (ours, "/resourceGroups/sealock", true),
            (ours, "/resourceGroups/sealoc", false),
            (ours, "/resourceGroups/sealock2", false),
            (ours, "", true),
            (ours, &format!("{REGISTRY}2"), false),
            (ours, &format!("{REGISTRY}/tokens/x"), false),
            (other, REGISTRY, false),
            (other, "", false),
        ] {
            let found =
                effective_roles([assigned(principal, Role::AcrPull, scope)], ours, &resource);
            assert_eq!(!found.is_empty(), counts, "{scope}");
        }
        let several = [
            assigned(ours, Role::AcrPull, REGISTRY),
            assigned(ours, Role::AcrDelete, ""),
            assigned(ours, Role::Owner, "/resourceGroups/another"),
            assigned(other, Role::Owner, ""),
        ];
        let both = BTreeSet::from([Role::AcrDelete, Role::AcrPull]);
        assert_eq!(effective_roles(several, ours, &resource), both);
    }

    #[tokio::test]
    async fn role_permits_its_actions_at_its_scope_and_below() {
        let directory = Directory::open(Store::ephemeral(), Clock::system())
            .await
            .unwrap();
        let name = "builder".parse().unwrap();
        let (identity, _) = directory.create_identity(name).await.unwrap();
        let principal = Principal::from(identity);
        let group = scope("/resourceGroups/sealock");
        for (role, scope) in [
            (Role::Reader, RoleScope::subscription()),
            (Role::KeyVaultDataAccessAdministrator, group),
        ] {
            let assigned = directory.assign_role(&principal, role, scope);
            assigned.await.unwrap();
        }
        let id = principal.principal_id();
        let registry = scope(REGISTRY);
        for (action, at, expected) in [
            (
                "Microsoft.ContainerRegistry/registries/read",
                REGISTRY,
                true,
            ),
            (
                "Microsoft.ContainerRegistry/registries/write",
                REGISTRY,
                false,
            ),
            (
                "Microsoft.Authorization/roleAssignments/write",
                REGISTRY,
                true,
            ),
            ("Microsoft.Authorization/roleAssignments/write", "", false),
            ("Microsoft.Resources/subscriptions/read", "", true),
        ] {
            let permitted = directory.is_permitted(id, action, scope(at).as_str()).await;
            assert_eq!(permitted.unwrap(), expected, "{action} at '{at}'");
        }
        for (role, expected) in [(Role::KeyVaultCryptoUser, true), (Role::Owner, false)] {
            let may = directory.may_assign_role(id, role, registry.as_str()).await;
            assert_eq!(may.unwrap(), expected, "{role}");
        }
    }

    #[tokio::test]
    async fn list_for_a_scope_shows_assignments_above_and_below_as_asked() {
        let directory = Directory::open(Store::ephemeral(), Clock::system())
            .await
            .unwrap();
        let name = "builder".parse().unwrap();
        let (identity, _) = directory.create_identity(name).await.unwrap();
        let principal = Principal::from(identity);
        let id = principal.principal_id();
        for at in ["", "/resourceGroups/sealock", REGISTRY, "/resourceGroups/x"] {
            let assigned = directory.assign_role(&principal, Role::Reader, scope(at));
            assigned.await.unwrap();
        }
        let group = scope("/resourcegroups/SEALOCK");
        for (reach, expected) in [
            (Reach::Everywhere, 3),
            (Reach::AtOrAbove, 2),
            (Reach::Exactly, 1),
        ] {
            let of = |principal| directory.role_assignments_for(&group, reach, principal);
            assert_eq!(of(Some(id)).await.unwrap().len(), expected, "{reach:?}");
            let nobody = of(Some(PrincipalId::random())).await.unwrap();
            assert_eq!(nobody, []);
        }
        let everyone = directory.role_assignments_for(&group, Reach::AtOrAbove, None);
        let owners = everyone.await.unwrap();
        assert!(
            owners.iter().any(|it| it.role == Role::Owner),
            "the developer"
        );
    }
}

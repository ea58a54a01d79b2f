use std::{collections::BTreeSet, ops::Bound};

use futures_util::TryStreamExt as _;
use jiff::Timestamp;
use sealock_core::PrincipalId;
use sealock_store::{Batch, Commit, Table};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{Directory, Error, Principal, Result, Role, RoleScope};

const ROLE_ASSIGNMENTS: Table<RoleAssignment> = Table::control("role-assignments");

/// The assignment of a role to a principal at a scope.
///
/// <https://learn.microsoft.com/azure/role-based-access-control/role-assignments>
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleAssignment {
    /// Its name in ARM.
    pub id: Uuid,
    /// The principal.
    pub principal_id: PrincipalId,
    /// The role.
    pub role: Role,
    /// The scope.
    pub scope: RoleScope,
    /// The time of its creation.
    pub created: Timestamp,
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
    /// Assigns a role to a principal, or returns the existing assignment. The flag is true if the assignment is new.
    ///
    /// # Errors
    /// The store fails.
    pub async fn assign_role(
        &self,
        principal: &Principal,
        role: Role,
        scope: RoleScope,
    ) -> Result<(RoleAssignment, bool)> {
        let key = key(principal.principal_id(), role, &scope);
        let key = key.each_ref().map(String::as_str);
        let assignment = || RoleAssignment {
            id: Uuid::new_v4(),
            principal_id: principal.principal_id(),
            role,
            scope: scope.clone(),
            created: self.clock.now(),
        };
        let assigned = self.store.update(|| async {
            if let Some(existing) = self.store.get(&ROLE_ASSIGNMENTS, &key).await? {
                return Ok((Batch::new(), (existing.value, false)));
            }
            let new = assignment();
            let batch = Batch::new().expect_absent(&ROLE_ASSIGNMENTS, &key).put(
                &ROLE_ASSIGNMENTS,
                &key,
                &new,
            );
            Ok((batch, (new, true)))
        });
        assigned.await
    }

    /// Returns all role assignments, including those of deleted principals.
    ///
    /// # Errors
    /// The store fails.
    pub async fn role_assignments(&self) -> Result<Vec<RoleAssignment>> {
        self.all(&ROLE_ASSIGNMENTS).await
    }

    /// Removes a role assignment at exactly this scope. The principal may be deleted already.
    ///
    /// # Errors
    /// [`Error::RoleAssignmentNotFound`], or the store fails.
    pub async fn remove_role(
        &self,
        principal: PrincipalId,
        role: Role,
        scope: &RoleScope,
    ) -> Result<()> {
        let key = key(principal, role, scope);
        let key = key.each_ref().map(String::as_str);
        let batch = Batch::new()
            .expect_present(&ROLE_ASSIGNMENTS, &key)
            .delete(&ROLE_ASSIGNMENTS, &key);
        match self.store.commit(batch).await? {
            Commit::Done => Ok(()),
            Commit::Conflict => Err(Error::RoleAssignmentNotFound {
                principal: match self.principal(principal).await? {
                    Some(principal) => principal.to_string(),
                    None => format!("principal '{principal}'"),
                },
                role,
                scope: scope.clone(),
            }),
        }
    }

    /// Adds the deletion of all role assignments at `resource` or below it to `batch`.
    ///
    /// # Errors
    /// The store fails.
    pub async fn delete_roles_within(&self, resource: &str, mut batch: Batch) -> Result<Batch> {
        let resource: RoleScope = resource.parse()?;
        for assignment in self.role_assignments().await? {
            if resource.covers(assignment.scope.as_str()) {
                let key = key(assignment.principal_id, assignment.role, &assignment.scope);
                batch = batch.delete(&ROLE_ASSIGNMENTS, &key.each_ref().map(String::as_str));
            }
        }
        Ok(batch)
    }

    /// Returns the roles that `principal` has over `resource`.
    ///
    /// # Errors
    /// The store fails.
    pub async fn roles(&self, principal: PrincipalId, resource: &str) -> Result<BTreeSet<Role>> {
        let id = principal.to_string();
        let entries = self.store.scan(&ROLE_ASSIGNMENTS, &[&id], Bound::Unbounded);
        let assignments = entries.map_ok(|entry| entry.record.value);
        let assignments: Vec<_> = assignments.try_collect().await?;
        Ok(effective_roles(assignments, principal, resource))
    }
}

/// Returns the key of the record of an assignment. A principal has at most one assignment of each role at each scope.
fn key(principal: PrincipalId, role: Role, scope: &RoleScope) -> [String; 3] {
    [
        principal.to_string(),
        role.definition_id().to_owned(),
        scope.as_str().to_ascii_lowercase(),
    ]
}

#[cfg(test)]
mod tests {
    use sealock_core::Clock;
    use sealock_store::Store;

    use super::*;
    use crate::SUBSCRIPTION;

    const REGISTRY: &str =
        "/resourcegroups/sealock/providers/Microsoft.ContainerRegistry/registries/sealock";

    #[test]
    fn role_counts_at_its_scope_and_below() {
        let (ours, other) = (PrincipalId::random(), PrincipalId::random());
        let resource = format!("/subscriptions/{SUBSCRIPTION}{REGISTRY}");
        let assigned = |principal_id, role, scope: &str| RoleAssignment {
            id: Uuid::new_v4(),
            principal_id,
            role,
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
    async fn role_is_assigned_once_and_each_change_raises_the_epoch() {
        let store = Store::ephemeral();
        let directory = Directory::open(store.clone(), Clock::system())
            .await
            .unwrap();
        let name = "builder".parse().unwrap();
        let (identity, _) = directory.create_identity(name).await.unwrap();
        let principal = Principal::from(identity);
        let resource = format!("/subscriptions/{SUBSCRIPTION}{REGISTRY}");
        let scope: RoleScope = resource.parse().unwrap();
        let before = store.epoch().await.unwrap();
        let assign = || directory.assign_role(&principal, Role::AcrPush, scope.clone());
        let (assigned, is_new) = assign().await.unwrap();
        assert!(is_new && before < store.epoch().await.unwrap());
        assert_eq!(assign().await.unwrap(), (assigned.clone(), false));
        assert_eq!(directory.role_assignments().await.unwrap(), [assigned]);
        let roles = async || {
            let id = principal.principal_id();
            directory.roles(id, &resource).await.unwrap()
        };
        assert_eq!(roles().await, BTreeSet::from([Role::AcrPush]));

        let before = store.epoch().await.unwrap();
        let remove = || directory.remove_role(principal.principal_id(), Role::AcrPush, &scope);
        remove().await.unwrap();
        assert!(roles().await.is_empty() && before < store.epoch().await.unwrap());
        assert!(matches!(
            remove().await,
            Err(Error::RoleAssignmentNotFound { .. })
        ));
    }
}

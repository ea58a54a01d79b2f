use std::ops::Bound;

use futures_util::TryStreamExt as _;
use jiff::Timestamp;
use sealock_core::PrincipalId;
use sealock_store::{Batch, Table};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{Directory, Error, Principal, PrincipalType, Result, Role, RoleScope, TENANT};

const ROLE_ASSIGNMENTS: Table<RoleAssignment> = Table::control("role-assignments");

/// The keys of role assignments by their names.
const NAMES: Table<[String; 3]> = Table::control("role-assignment-names");

/// The limit of a description's length in characters. A record holds it.
const DESCRIPTION_LIMIT: usize = 512;

/// The assignment of a role to a principal at a scope.
///
/// <https://learn.microsoft.com/azure/role-based-access-control/role-assignments>
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleAssignment {
    /// Its name in ARM.
    pub id: Uuid,
    /// The principal.
    pub principal_id: PrincipalId,
    /// The kind of the principal.
    pub principal_type: PrincipalType,
    /// The role.
    pub role: Role,
    /// The scope.
    pub scope: RoleScope,
    /// The reason that its creator gave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Its creator. `None` for the operator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_by: Option<PrincipalId>,
    /// The time of its creation.
    pub created: Timestamp,
    /// The time of its last change.
    pub updated: Timestamp,
}

/// A role assignment to be created.
#[derive(Clone, Debug)]
pub struct NewRoleAssignment {
    /// Its name, which the caller chooses.
    pub id: Uuid,
    /// The principal.
    pub principal_id: PrincipalId,
    /// The kind of the principal, if the caller knows it.
    pub principal_type: Option<PrincipalType>,
    /// The role.
    pub role: Role,
    /// The scope.
    pub scope: RoleScope,
    /// The caller's reason.
    pub description: Option<String>,
    /// The caller. `None` for the operator.
    pub created_by: Option<PrincipalId>,
}

impl RoleAssignment {
    fn key(&self) -> [String; 3] {
        key(self.principal_id, self.role, &self.scope)
    }
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
        let assigned = self.store.update(|| async {
            if let Some(existing) = self.store.get(&ROLE_ASSIGNMENTS, &borrow(&key)).await? {
                return Ok((Batch::new(), (existing.value, false)));
            }
            let now = self.clock.now();
            let new = RoleAssignment {
                id: Uuid::new_v4(),
                principal_id: principal.principal_id(),
                principal_type: principal.principal_type(),
                role,
                scope: scope.clone(),
                description: None,
                created_by: None,
                created: now,
                updated: now,
            };
            Ok((add(Batch::new(), &new), (new, true)))
        });
        assigned.await
    }

    /// Creates the role assignment with the name `new.id`, or changes its description. The flag is true if it is new. Its
    /// principal need not exist if the caller gives its kind.
    ///
    /// <https://learn.microsoft.com/rest/api/authorization/role-assignments/create>
    ///
    /// # Errors
    /// [`Error::RoleAssignmentExists`] if the principal has the role at that scope under another name,
    /// [`Error::RoleAssignmentUnchangeable`] if the name belongs to another assignment, [`Error::PrincipalNotFound`],
    /// [`Error::PrincipalTypeDiffers`], [`Error::DescriptionTooLong`], or the store fails.
    pub async fn create_role_assignment(
        &self,
        new: &NewRoleAssignment,
    ) -> Result<(RoleAssignment, bool)> {
        let length = new.description.as_ref().map_or(0, |it| it.chars().count());
        if length > DESCRIPTION_LIMIT {
            return Err(Error::DescriptionTooLong {
                limit: DESCRIPTION_LIMIT,
            });
        }
        let principal_type = self.type_of_assignee(new).await?;
        let key = key(new.principal_id, new.role, &new.scope);
        let id = new.id.to_string();
        let created = self.store.update(|| async {
            let now = self.clock.now();
            if let Some(existing) = self.store.get(&ROLE_ASSIGNMENTS, &borrow(&key)).await? {
                if existing.value.id != new.id {
                    return Err(Error::RoleAssignmentExists);
                }
                if existing.value.description == new.description {
                    return Ok((Batch::new(), (existing.value, false)));
                }
                let changed = RoleAssignment {
                    description: new.description.clone(),
                    updated: now,
                    ..existing.value.clone()
                };
                let batch = Batch::new()
                    .expect(&ROLE_ASSIGNMENTS, &borrow(&key), &existing)
                    .put(&ROLE_ASSIGNMENTS, &borrow(&key), &changed);
                return Ok((batch, (changed, false)));
            }
            if self.store.get(&NAMES, &[&id]).await?.is_some() {
                return Err(Error::RoleAssignmentUnchangeable);
            }
            let assignment = RoleAssignment {
                id: new.id,
                principal_id: new.principal_id,
                principal_type,
                role: new.role,
                scope: new.scope.clone(),
                description: new.description.clone(),
                created_by: new.created_by,
                created: now,
                updated: now,
            };
            Ok((add(Batch::new(), &assignment), (assignment, true)))
        });
        created.await
    }

    /// Returns the kind of a new assignment's principal.
    async fn type_of_assignee(&self, new: &NewRoleAssignment) -> Result<PrincipalType> {
        let id = new.principal_id;
        let actual = self.principal(id).await?;
        match (actual.map(|it| it.principal_type()), new.principal_type) {
            (Some(actual), Some(given)) if actual != given => {
                Err(Error::PrincipalTypeDiffers { id, actual, given })
            }
            (Some(kind), _) | (None, Some(kind)) => Ok(kind),
            (None, None) => Err(Error::PrincipalNotFound { id, tenant: TENANT }),
        }
    }

    /// Adds a new assignment to the batch that creates the tenant.
    pub(crate) fn add_assignment(
        &self,
        batch: Batch,
        principal_id: PrincipalId,
        principal_type: PrincipalType,
        role: Role,
    ) -> Batch {
        let now = self.clock.now();
        let new = RoleAssignment {
            id: Uuid::new_v4(),
            principal_id,
            principal_type,
            role,
            scope: RoleScope::subscription(),
            description: None,
            created_by: None,
            created: now,
            updated: now,
        };
        add(batch, &new)
    }

    /// Returns all role assignments, including those of deleted principals.
    ///
    /// # Errors
    /// The store fails.
    pub async fn role_assignments(&self) -> Result<Vec<RoleAssignment>> {
        self.all(&ROLE_ASSIGNMENTS).await
    }

    /// Returns the role assignments of a principal.
    ///
    /// # Errors
    /// The store fails.
    pub async fn role_assignments_of(&self, principal: PrincipalId) -> Result<Vec<RoleAssignment>> {
        let id = principal.to_string();
        let entries = self.store.scan(&ROLE_ASSIGNMENTS, &[&id], Bound::Unbounded);
        let assignments = entries.map_ok(|entry| entry.record.value);
        Ok(assignments.try_collect().await?)
    }

    /// Returns the role assignment with this name, or `None` if it does not exist. Its scope is not compared.
    ///
    /// # Errors
    /// The store fails.
    pub async fn role_assignment(&self, id: Uuid) -> Result<Option<RoleAssignment>> {
        let Some(key) = self.store.get(&NAMES, &[&id.to_string()]).await? else {
            return Ok(None);
        };
        let key = borrow(&key.value);
        let found = self.store.get(&ROLE_ASSIGNMENTS, &key).await?;
        Ok(found.map(|record| record.value))
    }

    /// Deletes the role assignment with this name and returns it, or returns `None` if it does not exist.
    ///
    /// # Errors
    /// The store fails.
    pub async fn delete_role_assignment(&self, id: Uuid) -> Result<Option<RoleAssignment>> {
        let deleted = self.store.update(|| async {
            let Some(assignment) = self.role_assignment(id).await? else {
                return Ok((Batch::new(), None));
            };
            let key = assignment.key();
            let batch = Batch::new().expect_present(&ROLE_ASSIGNMENTS, &borrow(&key));
            Ok::<_, Error>((remove(batch, &assignment), Some(assignment)))
        });
        deleted.await
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
        let removed = self.store.update(|| async {
            let Some(existing) = self.store.get(&ROLE_ASSIGNMENTS, &borrow(&key)).await? else {
                return Err(Error::RoleAssignmentNotFound {
                    principal: match self.principal(principal).await? {
                        Some(principal) => principal.to_string(),
                        None => format!("principal '{principal}'"),
                    },
                    role,
                    scope: scope.clone(),
                });
            };
            let batch = Batch::new().expect(&ROLE_ASSIGNMENTS, &borrow(&key), &existing);
            Ok((remove(batch, &existing.value), ()))
        });
        removed.await
    }

    /// Adds the deletion of all role assignments at `resource` or below it to `batch`.
    ///
    /// # Errors
    /// The store fails.
    pub async fn delete_roles_within(&self, resource: &str, mut batch: Batch) -> Result<Batch> {
        let resource: RoleScope = resource.parse()?;
        for assignment in self.role_assignments().await? {
            if resource.covers(assignment.scope.as_str()) {
                batch = remove(batch, &assignment);
            }
        }
        Ok(batch)
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

fn borrow(key: &[String; 3]) -> [&str; 3] {
    key.each_ref().map(String::as_str)
}

/// Adds a new assignment, whose name must be new in the tenant.
///
/// <https://learn.microsoft.com/azure/role-based-access-control/role-assignments-template#name>
fn add(batch: Batch, new: &RoleAssignment) -> Batch {
    let (key, id) = (new.key(), new.id.to_string());
    batch
        .expect_absent(&ROLE_ASSIGNMENTS, &borrow(&key))
        .put(&ROLE_ASSIGNMENTS, &borrow(&key), new)
        .expect_absent(&NAMES, &[&id])
        .put(&NAMES, &[&id], &key)
}

fn remove(batch: Batch, assignment: &RoleAssignment) -> Batch {
    batch
        .delete(&ROLE_ASSIGNMENTS, &borrow(&assignment.key()))
        .delete(&NAMES, &[&assignment.id.to_string()])
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use sealock_core::Clock;
    use sealock_store::Store;

    use super::*;
    use crate::SUBSCRIPTION;

    const REGISTRY: &str =
        "/resourcegroups/sealock/providers/Microsoft.ContainerRegistry/registries/sealock";

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
        let of = directory.role_assignments_of(principal.principal_id());
        assert_eq!(of.await.unwrap(), [assigned]);
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

    #[tokio::test]
    async fn named_assignment_is_found_and_deleted_by_its_name() {
        let directory = Directory::open(Store::ephemeral(), Clock::system())
            .await
            .unwrap();
        let (identity, _) = directory
            .create_identity("builder".parse().unwrap())
            .await
            .unwrap();
        let new = NewRoleAssignment {
            id: Uuid::new_v4(),
            principal_id: identity.principal_id,
            principal_type: Some(PrincipalType::ServicePrincipal),
            role: Role::Reader,
            scope: RoleScope::subscription(),
            description: Some("first".to_owned()),
            created_by: None,
        };
        let create = |new| async { directory.create_role_assignment(&{ new }).await };
        let (created, is_new) = create(new.clone()).await.unwrap();
        assert!(is_new && created.id == new.id);
        assert_eq!(create(new.clone()).await.unwrap(), (created.clone(), false));
        let described = NewRoleAssignment {
            description: None,
            ..new.clone()
        };
        let (changed, is_new) = create(described).await.unwrap();
        assert!(!is_new && changed.description.is_none());

        let renamed = NewRoleAssignment {
            id: Uuid::new_v4(),
            ..new.clone()
        };
        let refused = create(renamed).await.unwrap_err();
        assert_eq!(refused.to_string(), "The role assignment already exists.");
        let another_role = NewRoleAssignment {
            role: Role::Owner,
            ..new.clone()
        };
        let refused = create(another_role.clone()).await;
        assert!(matches!(refused, Err(Error::RoleAssignmentUnchangeable)));

        let found = async || directory.role_assignment(new.id).await.unwrap();
        assert_eq!(found().await, Some(changed.clone()));
        let delete = async || directory.delete_role_assignment(new.id).await.unwrap();
        assert_eq!(delete().await, Some(changed));
        assert_eq!(delete().await, None);
        assert_eq!(found().await, None);
        assert!(create(another_role).await.unwrap().1, "its name is free");
    }

    #[tokio::test]
    async fn unknown_principal_needs_a_type_and_a_known_one_its_own() {
        let directory = Directory::open(Store::ephemeral(), Clock::system())
            .await
            .unwrap();
        let nobody = PrincipalId::random();
        let assign = async |principal_id, principal_type| {
            let new = NewRoleAssignment {
                id: Uuid::new_v4(),
                principal_id,
                principal_type,
                role: Role::Reader,
                scope: RoleScope::subscription(),
                description: None,
                created_by: None,
            };
            directory.create_role_assignment(&new).await
        };
        let refused = assign(nobody, None).await.unwrap_err().to_string();
        let id = nobody.as_uuid().simple();
        let text = format!("Principal {id} does not exist in the directory {TENANT}. ");
        assert!(refused.starts_with(&text), "{refused}");
        assert!(assign(nobody, Some(PrincipalType::Group)).await.is_ok());
        let (identity, _) = directory
            .create_identity("builder".parse().unwrap())
            .await
            .unwrap();
        let known = identity.principal_id;
        let refused = assign(known, Some(PrincipalType::User)).await;
        assert!(matches!(refused, Err(Error::PrincipalTypeDiffers { .. })));
        let (assigned, _) = assign(known, None).await.unwrap();
        assert_eq!(assigned.principal_type, PrincipalType::ServicePrincipal);
    }
}

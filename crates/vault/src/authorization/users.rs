//! The principals that may use a key, and what permits them.

use std::collections::BTreeSet;

use sealock_core::{KeyName, PrincipalId, VaultName};
use sealock_entra::{Reach, Role, RoleScope};

use super::{policies::policies_permit, roles::roles_permit};
use crate::{AccessPolicy, Error, KeyPermission, KeyVault, Result, arm_id::resource_id};

/// A principal that may use a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyUser {
    /// The principal.
    pub principal: PrincipalId,
    /// Its permissions to the key.
    pub permissions: Vec<KeyPermission>,
    /// The grant of these permissions.
    pub grant: Grant,
}

/// A grant of permissions to a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Grant {
    /// The vault's access policies.
    AccessPolicy,
    /// A role assignment.
    RoleAssignment {
        /// The role.
        role: Role,
        /// The scope.
        scope: RoleScope,
    },
}

impl KeyVault {
    /// Lists the principals that have permissions to a key. The vault's firewall may still stop them.
    ///
    /// # Errors
    /// [`Error::VaultNotFound`], or the store cannot be read.
    pub async fn users_of_key(&self, vault: &VaultName, key: &KeyName) -> Result<Vec<KeyUser>> {
        let service = &self.service;
        let record = service.find_vault(vault).await?;
        let record = record.ok_or_else(|| Error::VaultNotFound {
            vault: vault.clone(),
        })?;
        if !record.uses_roles() {
            return Ok(policy_users(&service.policies_of(vault).await?));
        }
        let resource = format!("{}/keys/{key}", resource_id(vault, &record.resource));
        let Ok(scope) = resource.parse::<RoleScope>() else {
            return Ok(Vec::new());
        };
        let directory = &service.directory;
        let assignments = directory.role_assignments_for(&scope, Reach::AtOrAbove, None);
        let users = assignments.await?.into_iter().map(|assignment| KeyUser {
            principal: assignment.principal_id,
            permissions: permissions(|permission| {
                roles_permit(&[assignment.role].into(), permission.data_action())
            }),
            grant: Grant::RoleAssignment {
                role: assignment.role,
                scope: assignment.scope,
            },
        });
        Ok(users.filter(|user| !user.permissions.is_empty()).collect())
    }
}

fn policy_users(policies: &[AccessPolicy]) -> Vec<KeyUser> {
    let principals: BTreeSet<PrincipalId> = policies.iter().map(|it| it.principal).collect();
    let users = principals.into_iter().map(|principal| KeyUser {
        principal,
        permissions: permissions(|permission| policies_permit(principal, policies, permission)),
        grant: Grant::AccessPolicy,
    });
    users.filter(|user| !user.permissions.is_empty()).collect()
}

fn permissions(is_permitted: impl Fn(KeyPermission) -> bool) -> Vec<KeyPermission> {
    let every = KeyPermission::EVERY.into_iter();
    let each = every.filter(|permission| *permission != KeyPermission::All);
    each.filter(|permission| is_permitted(*permission))
        .collect()
}

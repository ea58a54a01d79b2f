use sealock_api as api;
use sealock_core::{KeyName, excerpt};
use sealock_entra::{Role, RoleAssignment, RoleScope};

use crate::{
    control::{
        Answer, ControlError,
        call::{Call, Reply},
        effect::report_effect_of,
        principals::{find, find_id, view as principal},
    },
    services::Services,
};

pub(in crate::control) async fn list(
    call: Call<api::ListRoleAssignments>,
) -> Answer<api::RoleAssignments> {
    let mut role_assignments = Vec::new();
    for assignment in call.services.directory.role_assignments().await? {
        role_assignments.push(view(&call.services, assignment).await?);
    }
    // Their order in the store is that of random ids.
    role_assignments.sort_by_cached_key(|it: &api::RoleAssignment| {
        (
            it.principal.to_string(),
            it.role.clone(),
            it.scope.to_ascii_lowercase(),
        )
    });
    Ok(api::RoleAssignments { role_assignments })
}

pub(in crate::control) async fn assign(
    call: Call<api::AssignRole>,
) -> Answer<Reply<api::Changed<api::RoleAssignment>>> {
    let Call { services, body, .. } = call;
    let in_registry = body.registry.is_some();
    let (role, scope) = parse(&services, body).await?;
    let principal = find(&services.directory, &call.path.principal).await?;
    if in_registry && role.is_for_vaults() {
        return Err(ControlError::role_for_vaults(role, &principal));
    }
    check_scope_exists(&services, &scope).await?;
    let mut created = false;
    let changed = report_effect_of(&services, async {
        let assigned = services.directory.assign_role(&principal, role, scope);
        let (assignment, is_new) = assigned.await?;
        created = is_new;
        view(&services, assignment).await
    });
    let changed = changed.await?;
    Ok(Reply::created_if(created, changed))
}

pub(in crate::control) async fn remove(
    call: Call<api::RemoveRole>,
) -> Answer<api::Changed<api::Empty>> {
    let Call { services, body, .. } = call;
    let directory = &services.directory;
    let (role, scope) = parse(&services, body).await?;
    let principal = find_id(directory, &call.path.principal).await?;
    report_effect_of(&services, async {
        directory.remove_role(principal, role, &scope).await?;
        Ok(api::Empty {})
    })
    .await
}

/// Parses a role and its scope.
async fn parse(services: &Services, body: api::RoleAtScope) -> Answer<(Role, RoleScope)> {
    let scope = match (body.registry, body.vault, body.scope) {
        (Some(registry), None, None) => {
            let registry = services.registries.get(&registry).await?;
            registry.record.resource_id()
        }
        (None, Some(vault), None) => services.vault.resource_id(&vault).await?,
        (None, None, Some(scope)) => scope,
        _ => {
            return Err(ControlError::bad_request(
                "name exactly one of registry, vault and scope",
            ));
        }
    };
    Ok((body.role.parse()?, scope.parse()?))
}

/// Checks that the resource of a scope exists. For a key, its vault must exist.
///
/// <https://learn.microsoft.com/azure/role-based-access-control/scope-overview>
async fn check_scope_exists(services: &Services, scope: &RoleScope) -> Answer<()> {
    let lower = scope.as_str().to_ascii_lowercase();
    let (_, name) = scope.as_str().rsplit_once('/').unwrap_or_default();
    // Skips `/subscriptions/ID`, the beginning of every scope.
    match lower.split('/').skip(3).collect::<Vec<_>>()[..] {
        [] => Ok(()),
        ["resourcegroups", group] => {
            let has_group = services.resource_manager.has_group(group).await?;
            has_group.then_some(()).ok_or_else(|| unknown_scope(scope))
        }
        ["resourcegroups", _, "providers", ref resource @ ..] => match *resource {
            ["microsoft.containerregistry", "registries", registry] => {
                let registry = services.registries.get(&registry.parse()?).await?;
                let is_there = registry.record.resource_id().eq_ignore_ascii_case(&lower);
                is_there.then_some(()).ok_or_else(|| unknown_scope(scope))
            }
            ["microsoft.keyvault", "vaults", vault] => {
                Ok(services.vault.check_active(&vault.parse()?).await?)
            }
            ["microsoft.keyvault", "vaults", vault, "keys", key] => {
                let _: KeyName = key.parse()?;
                Ok(services.vault.check_active(&vault.parse()?).await?)
            }
            ["microsoft.managedidentity", "userassignedidentities", _] => {
                services.directory.identity(&name.parse()?).await?;
                Ok(())
            }
            _ => Err(unknown_scope(scope)),
        },
        _ => Err(unknown_scope(scope)),
    }
}

/// Returns true if roles count at a scope. They do not count in a vault with access policies.
async fn in_effect(services: &Services, scope: &RoleScope) -> bool {
    let lower = scope.as_str().to_ascii_lowercase();
    let Some((_, vault)) = lower.split_once("/providers/microsoft.keyvault/vaults/") else {
        return true;
    };
    let (vault, _) = vault.split_once('/').unwrap_or((vault, ""));
    match vault.parse() {
        Ok(vault) => services.vault.uses_rbac(&vault).await.unwrap_or_default(),
        Err(_) => false,
    }
}

fn unknown_scope(scope: &RoleScope) -> ControlError {
    sealock_entra::Error::ScopeInvalid(excerpt(scope.as_str()).to_owned()).into()
}

async fn view(services: &Services, assignment: RoleAssignment) -> Answer<api::RoleAssignment> {
    Ok(api::RoleAssignment {
        id: assignment.id,
        principal: principal(&services.directory, assignment.principal_id).await?,
        role: assignment.role.to_string(),
        role_definition_id: assignment.role.definition_id().to_owned(),
        in_effect: in_effect(services, &assignment.scope).await,
        scope: assignment.scope.as_str().to_owned(),
        created: assignment.created.into(),
    })
}

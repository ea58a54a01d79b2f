use axum::{Json, extract::State, http::StatusCode};
use jiff::Timestamp;
use sealock_cmk::rules;
use sealock_core::{KeyName, RegistryName, VaultName, excerpt};
use sealock_entra::{RESOURCE_GROUP, Role, RoleAssignment, RoleScope};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    Answer, ControlError,
    extract::{Body, Path},
    principals::{PrincipalView, id_of, named},
};
use crate::services::Services;

/// A role assignment, with the name of whom it is for.
#[derive(Serialize)]
pub(super) struct RoleAssignmentView {
    id: Uuid,
    #[serde(flatten)]
    principal: PrincipalView,
    role: Role,
    role_definition_id: &'static str,
    scope: RoleScope,
    /// Not in a vault where access policies decide.
    in_effect: bool,
    created: Timestamp,
}

#[derive(Serialize)]
pub(super) struct List {
    role_assignments: Vec<RoleAssignmentView>,
}

/// Which role, and where: in a registry, in a vault, or wherever a scope says.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    role: String,
    registry: Option<RegistryName>,
    vault: Option<VaultName>,
    scope: Option<String>,
}

pub(super) async fn list(State(services): State<Services>) -> Answer<List> {
    let assignments = services.directory.role_assignments().await?;
    let mut views = Vec::new();
    for assignment in assignments {
        views.push(view(&services, assignment).await?);
    }
    Ok(Json(List {
        role_assignments: views,
    }))
}

pub(super) async fn assign(
    State(services): State<Services>,
    Path(principal): Path<String>,
    Body(asked): Body<Asked>,
) -> Result<(StatusCode, Json<RoleAssignmentView>), ControlError> {
    let in_registry = asked.registry.is_some();
    let (role, scope) = read(asked)?;
    let principal = named(&services.directory, &principal).await?;
    if in_registry && role.is_for_vaults() {
        return Err(ControlError::role_for_vaults(role, &principal));
    }
    scope_is_there(&services, &scope).await?;
    let assigned = services.directory.assign_role(&principal, role, scope);
    let (assignment, is_new) = assigned.await?;
    let status = if is_new {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    Ok((status, Json(view(&services, assignment).await?)))
}

pub(super) async fn remove(
    State(services): State<Services>,
    Path(principal): Path<String>,
    Body(asked): Body<Asked>,
) -> Result<StatusCode, ControlError> {
    let (role, scope) = read(asked)?;
    let principal = id_of(&services.directory, &principal).await?;
    let removed = services.directory.remove_role(principal, role, &scope);
    removed.await?;
    Ok(StatusCode::NO_CONTENT)
}

fn read(asked: Asked) -> Result<(Role, RoleScope), ControlError> {
    let scope = match (asked.registry, asked.vault, asked.scope) {
        (Some(registry), None, None) => rules::resource_id(&registry),
        (None, Some(vault), None) => sealock_vault::resource_id(&vault),
        (None, None, Some(scope)) => scope,
        _ => {
            return Err(ControlError::bad_request(
                "a role is assigned in a registry, in a vault or at a scope: name one of them",
            ));
        }
    };
    Ok((asked.role.parse()?, scope.parse()?))
}

/// A role is assigned to something that is there; of a key, it is the vault that must be. Ids are the same in any
/// case.
///
/// <https://learn.microsoft.com/azure/role-based-access-control/scope-overview>
async fn scope_is_there(services: &Services, scope: &RoleScope) -> Result<(), ControlError> {
    let lower = scope.as_str().to_ascii_lowercase();
    let (_, name) = scope.as_str().rsplit_once('/').unwrap_or_default();
    // Behind `/subscriptions/ID`, which every scope begins with.
    match lower.split('/').skip(3).collect::<Vec<_>>()[..] {
        [] | ["resourcegroups", RESOURCE_GROUP] => Ok(()),
        [
            "resourcegroups",
            RESOURCE_GROUP,
            "providers",
            ref resource @ ..,
        ] => match *resource {
            ["microsoft.containerregistry", "registries", registry] => {
                services.registries.get(&registry.parse()?).await?;
                Ok(())
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
            _ => Err(names_nothing(scope)),
        },
        _ => Err(names_nothing(scope)),
    }
}

/// Whether roles count there: in a vault they do if it says so.
async fn in_effect(services: &Services, scope: &RoleScope) -> bool {
    let lower = scope.as_str().to_ascii_lowercase();
    let Some((_, vault)) = lower.split_once("/providers/microsoft.keyvault/vaults/") else {
        return true;
    };
    let (vault, _) = vault.split_once('/').unwrap_or((vault, ""));
    match vault.parse() {
        Ok(vault) => services.vault.has_roles(&vault).await.unwrap_or_default(),
        Err(_) => false,
    }
}

fn names_nothing(scope: &RoleScope) -> ControlError {
    sealock_entra::Error::ScopeInvalid(excerpt(scope.as_str()).to_owned()).into()
}

async fn view(
    services: &Services,
    assignment: RoleAssignment,
) -> Result<RoleAssignmentView, ControlError> {
    Ok(RoleAssignmentView {
        id: assignment.id,
        principal: PrincipalView::of(&services.directory, assignment.principal_id).await?,
        role: assignment.role,
        role_definition_id: assignment.role.definition_id(),
        in_effect: in_effect(services, &assignment.scope).await,
        scope: assignment.scope,
        created: assignment.created,
    })
}

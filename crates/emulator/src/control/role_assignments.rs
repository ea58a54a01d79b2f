use axum::{Json, extract::State, http::StatusCode};
use jiff::Timestamp;
use sealock_cmk::rules;
use sealock_core::{PrincipalId, RegistryName};
use sealock_entra::{Principal, Role, RoleAssignment, RoleScope};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    Answer, ControlError,
    extract::{Body, Path},
    principals::{PrincipalView, named},
};
use crate::services::Services;

/// A role assignment, with the name of whom it is for.
#[derive(Serialize)]
pub(super) struct RoleAssignmentView {
    id: Uuid,
    #[serde(flatten)]
    principal: PrincipalView,
    principal_id: PrincipalId,
    role: Role,
    role_definition_id: &'static str,
    scope: RoleScope,
    created: Timestamp,
}

#[derive(Serialize)]
pub(super) struct List {
    role_assignments: Vec<RoleAssignmentView>,
}

/// Which role, and where: in a registry, or wherever a scope says.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    role: String,
    registry: Option<RegistryName>,
    scope: Option<String>,
}

pub(super) async fn list(State(services): State<Services>) -> Answer<List> {
    let assignments = services.directory.role_assignments()?;
    let views = assignments
        .into_iter()
        .map(|assignment| view(&services, assignment));
    Ok(Json(List {
        role_assignments: views.collect::<Result<_, _>>()?,
    }))
}

pub(super) async fn assign(
    State(services): State<Services>,
    Path(principal): Path<String>,
    Body(asked): Body<Asked>,
) -> Result<(StatusCode, Json<RoleAssignmentView>), ControlError> {
    if let Some(registry) = &asked.registry {
        services.registries.get(registry)?;
    }
    let (principal, role, scope) = read(&services, &principal, asked)?;
    let assigned = services.directory.assign_role(&principal, role, scope);
    let (assignment, is_new) = assigned.await?;
    let status = if is_new {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    Ok((status, Json(view(&services, assignment)?)))
}

pub(super) async fn remove(
    State(services): State<Services>,
    Path(principal): Path<String>,
    Body(asked): Body<Asked>,
) -> Result<StatusCode, ControlError> {
    let (principal, role, scope) = read(&services, &principal, asked)?;
    let removed = services.directory.remove_role(&principal, role, &scope);
    removed.await?;
    Ok(StatusCode::NO_CONTENT)
}

fn read(
    services: &Services,
    principal: &str,
    asked: Asked,
) -> Result<(Principal, Role, RoleScope), ControlError> {
    let scope = match (asked.registry, asked.scope) {
        (Some(registry), None) => rules::resource_id(&registry),
        (None, Some(scope)) => scope,
        _ => {
            return Err(ControlError::bad_request(
                "a role is assigned either in a registry or at a scope: name one of them",
            ));
        }
    };
    let principal = named(&services.directory, principal)?;
    Ok((principal, asked.role.parse()?, scope.parse()?))
}

fn view(
    services: &Services,
    assignment: RoleAssignment,
) -> Result<RoleAssignmentView, ControlError> {
    Ok(RoleAssignmentView {
        id: assignment.id,
        principal: PrincipalView::of(&services.directory, assignment.principal_id)?,
        principal_id: assignment.principal_id,
        role: assignment.role,
        role_definition_id: assignment.role.definition_id(),
        scope: assignment.scope,
        created: assignment.created,
    })
}

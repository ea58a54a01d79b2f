use axum::{Json, extract::State, http::StatusCode};
use jiff::Timestamp;
use sealock_cmk::rules;
use sealock_core::{IdentityName, PrincipalId, RegistryName};
use sealock_entra::{ManagedIdentity, Role, RoleAssignment, RoleScope};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    Answer, ControlError,
    extract::{Body, Path},
};
use crate::services::Services;

/// A role assignment, with the name of whom it is for.
#[derive(Serialize)]
pub(super) struct RoleAssignmentView {
    id: Uuid,
    /// `None` if the identity is gone; its roles stay, as in Azure.
    identity: Option<IdentityName>,
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
    Path(identity): Path<String>,
    Body(asked): Body<Asked>,
) -> Result<(StatusCode, Json<RoleAssignmentView>), ControlError> {
    if let Some(registry) = &asked.registry {
        services.registries.get(registry)?;
    }
    let (identity, role, scope) = read(&services, &identity, asked)?;
    let assigned = services.directory.assign_role(&identity, role, scope);
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
    Path(identity): Path<String>,
    Body(asked): Body<Asked>,
) -> Result<StatusCode, ControlError> {
    let (identity, role, scope) = read(&services, &identity, asked)?;
    let removed = services.directory.remove_role(&identity, role, &scope);
    removed.await?;
    Ok(StatusCode::NO_CONTENT)
}

fn read(
    services: &Services,
    identity: &str,
    asked: Asked,
) -> Result<(ManagedIdentity, Role, RoleScope), ControlError> {
    let scope = match (asked.registry, asked.scope) {
        (Some(registry), None) => rules::resource_id(&registry),
        (None, Some(scope)) => scope,
        _ => {
            return Err(ControlError::bad_request(
                "a role is assigned either in a registry or at a scope: name one of them",
            ));
        }
    };
    let identity = services.directory.identity(&identity.parse()?)?;
    Ok((identity, asked.role.parse()?, scope.parse()?))
}

fn view(
    services: &Services,
    assignment: RoleAssignment,
) -> Result<RoleAssignmentView, ControlError> {
    let identity = services
        .directory
        .identity_by_principal_id(assignment.principal_id)?;
    Ok(RoleAssignmentView {
        id: assignment.id,
        identity: identity.map(|identity| identity.name),
        principal_id: assignment.principal_id,
        role: assignment.role,
        role_definition_id: assignment.role.definition_id(),
        scope: assignment.scope,
        created: assignment.created,
    })
}

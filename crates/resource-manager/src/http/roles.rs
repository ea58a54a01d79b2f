//! Role definitions and role assignments, at every scope.

use axum::{Json, body::Body, http::StatusCode, response::IntoResponse as _};
use jiff::Timestamp;
use sealock_core::{PrincipalId, excerpt};
use sealock_entra::{
    NewRoleAssignment, PrincipalType, Reach, Role, RoleAssignment, RoleScope, SUBSCRIPTION,
};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    Answer, Call,
    body::read,
    endpoint::{Scope, Word},
    groups::created_if,
};
use crate::{Error, Result};

const ASSIGNMENTS: &str = "Microsoft.Authorization/roleAssignments";
const DEFINITIONS: &str = "Microsoft.Authorization/roleDefinitions";
const READ: &str = "Microsoft.Authorization/roleAssignments/read";
const WRITE: &str = "Microsoft.Authorization/roleAssignments/write";
const DELETE: &str = "Microsoft.Authorization/roleAssignments/delete";

/// The time at which every definition was created, which Azure shows.
const DEFINED: &str = "2015-02-02T21:55:09.8806423Z";

/// A role assignment in a request. Read-only members are ignored.
#[derive(Deserialize)]
struct AssignmentRequest {
    properties: AssignmentProperties,
}

#[derive(Deserialize)]
struct AssignmentProperties {
    roledefinitionid: String,
    principalid: String,
    principaltype: Option<String>,
    description: Option<String>,
    condition: Option<String>,
}

/// Lists the built-in roles. Every caller with a token may read them, as in Azure.
///
/// <https://learn.microsoft.com/rest/api/authorization/role-definitions/list>
pub(super) fn list_definitions(call: &Call, _: &Scope) -> Answer {
    let filter = call.query.first_ignoring_case("$filter");
    let name = match filter {
        None => None,
        Some(filter) => match equality(filter) {
            Some((field, value)) if field.eq_ignore_ascii_case("roleName") => Some(value),
            Some((field, _)) if field.eq_ignore_ascii_case("type") => None,
            _ if filter.starts_with("atScope") => None,
            _ => return Err(Error::FilterInvalid(excerpt(filter).to_owned())),
        },
    };
    let roles = Role::ALL.into_iter().filter(|role| {
        let known = role.as_str();
        name.is_none_or(|name| known.eq_ignore_ascii_case(name))
    });
    let value: Vec<_> = roles.map(definition).collect();
    Ok(Json(json!({"value": value})).into_response())
}

pub(super) fn show_definition(id: &Word) -> Answer {
    Ok(Json(definition(role(&id.0)?)).into_response())
}

/// <https://learn.microsoft.com/rest/api/authorization/role-assignments/list-for-scope>
pub(super) async fn list(call: Call, scope: RoleScope) -> Answer {
    call.authorize(READ, scope.as_str()).await?;
    let filter = call.query.first_ignoring_case("$filter");
    let (mut reach, mut principal) = (Reach::Everywhere, None);
    let conditions = filter.into_iter().flat_map(|filter| filter.split(" and "));
    for condition in conditions.map(str::trim) {
        let invalid = || Error::FilterInvalid(excerpt(condition).to_owned());
        match condition {
            "atScope()" => reach = Reach::AtOrAbove,
            "atExactScope()" => reach = Reach::Exactly,
            _ => principal = Some(selected_principal(condition).ok_or_else(invalid)?),
        }
    }
    let directory = &call.manager.directory;
    let found = directory.role_assignments_for(&scope, reach, principal);
    let value: Vec<_> = found.await?.iter().map(|it| body(it, false)).collect();
    Ok(Json(json!({"value": value})).into_response())
}

pub(super) async fn show(call: Call, scope: RoleScope, id: Word) -> Answer {
    call.authorize(READ, scope.as_str()).await?;
    let found = find(&call, &scope, &id).await?;
    let found = found.ok_or_else(|| Error::RoleAssignmentUnknown(excerpt(&id.0).to_owned()))?;
    Ok(Json(body(&found, false)).into_response())
}

/// Assigns a role.
///
/// <https://learn.microsoft.com/rest/api/authorization/role-assignments/create>
pub(super) async fn put(call: Call, content: Body, scope: RoleScope, id: Word) -> Answer {
    let id = assignment_id(&id)?;
    let request: AssignmentRequest = read(content).await?;
    let properties = request.properties;
    if let Some(condition) = properties.condition {
        return Err(Error::PropertyUnsupported {
            property: "properties.condition",
            value: excerpt(&condition).to_owned(),
        });
    }
    let definition = properties.roledefinitionid;
    let role = role(definition.rsplit('/').next().unwrap_or_default())?;
    let principal = call.principal.principal_id();
    let directory = &call.manager.directory;
    if !directory
        .may_assign_role(principal, role, scope.as_str())
        .await?
    {
        call.authorize(WRITE, scope.as_str()).await?;
    }
    let principal_id = properties
        .principalid
        .parse()
        .map_err(|_| Error::BodyInvalid("properties.principalId: expected a GUID".to_owned()))?;
    let kind = properties.principaltype.filter(|kind| !kind.is_empty());
    let principal_type = kind.map(|kind| kind.parse::<PrincipalType>()).transpose()?;
    let new = NewRoleAssignment {
        id,
        principal_id,
        principal_type,
        role,
        scope,
        description: properties.description,
        created_by: Some(principal),
    };
    let (assignment, is_new) = directory.create_role_assignment(&new).await?;
    Ok(created_if(is_new, body(&assignment, is_new)))
}

/// Removes a role assignment, and shows it. Answers 204 if there is none.
pub(super) async fn delete(call: Call, scope: RoleScope, id: Word) -> Answer {
    let Some(found) = find(&call, &scope, &id).await? else {
        call.authorize(DELETE, scope.as_str()).await?;
        return Ok(StatusCode::NO_CONTENT.into_response());
    };
    let directory = &call.manager.directory;
    let principal = call.principal.principal_id();
    let may_remove = directory.may_assign_role(principal, found.role, scope.as_str());
    if !may_remove.await? {
        call.authorize(DELETE, scope.as_str()).await?;
    }
    match directory.delete_role_assignment(found.id).await? {
        Some(deleted) => Ok(Json(body(&deleted, false)).into_response()),
        None => Ok(StatusCode::NO_CONTENT.into_response()),
    }
}

/// Finds a role assignment by its name, at exactly this scope.
async fn find(call: &Call, scope: &RoleScope, id: &Word) -> Result<Option<RoleAssignment>> {
    let id = assignment_id(id)?;
    let found = call.manager.directory.role_assignment(id).await?;
    Ok(found.filter(|it| it.scope.covers(scope.as_str()) && scope.covers(it.scope.as_str())))
}

fn assignment_id(id: &Word) -> Result<Uuid> {
    id.0.parse()
        .map_err(|_| Error::RoleAssignmentNameInvalid(excerpt(&id.0).to_owned()))
}

fn role(id: &str) -> Result<Role> {
    let mut roles = Role::ALL.into_iter();
    let found = roles.find(|role| role.definition_id().eq_ignore_ascii_case(id));
    found.ok_or_else(|| Error::RoleDefinitionUnknown(excerpt(id).to_owned()))
}

/// Returns the principal in `principalId eq 'ID'` or `assignedTo('ID')`.
fn selected_principal(condition: &str) -> Option<PrincipalId> {
    let assigned = condition.strip_prefix("assignedTo('");
    let id = match assigned.and_then(|rest| rest.strip_suffix("')")) {
        Some(id) => id,
        None => match equality(condition)? {
            (field, value) if field.eq_ignore_ascii_case("principalId") => value,
            _ => return None,
        },
    };
    id.parse().ok()
}

/// Splits `FIELD eq 'VALUE'`.
fn equality(condition: &str) -> Option<(&str, &str)> {
    let (field, rest) = condition.split_once(" eq ")?;
    let value = rest.trim().strip_prefix('\'')?.strip_suffix('\'')?;
    Some((field.trim(), value))
}

fn definition_url(role: Role) -> String {
    let id = role.definition_id();
    format!("/subscriptions/{SUBSCRIPTION}/providers/{DEFINITIONS}/{id}")
}

/// <https://learn.microsoft.com/rest/api/authorization/role-definitions/get>
fn definition(role: Role) -> Value {
    let definition = role.definition();
    json!({
        "properties": {
            "roleName": definition.name,
            "type": "BuiltInRole",
            "description": definition.description,
            "assignableScopes": ["/"],
            "permissions": [{
                "actions": definition.actions,
                "notActions": definition.not_actions,
                "dataActions": definition.data_actions,
                "notDataActions": [],
            }],
            "createdOn": DEFINED,
            "updatedOn": DEFINED,
            "createdBy": null,
            "updatedBy": null,
        },
        "id": definition_url(role),
        "type": DEFINITIONS,
        "name": definition.id,
    })
}

/// Describes a role assignment. Azure leaves out the author in the answer to its creation.
fn body(assignment: &RoleAssignment, is_created: bool) -> Value {
    let scope = assignment.scope.as_str();
    let time = |time: Timestamp| format!("{time:.7}");
    let author = assignment.created_by;
    json!({
        "properties": {
            "roleDefinitionId": definition_url(assignment.role),
            "principalId": assignment.principal_id,
            "principalType": assignment.principal_type.to_string(),
            "scope": scope,
            "condition": null,
            "conditionVersion": null,
            "createdOn": time(assignment.created),
            "updatedOn": time(assignment.updated),
            "createdBy": author.filter(|_| !is_created),
            "updatedBy": author,
            "delegatedManagedIdentityResourceId": null,
            "description": assignment.description,
        },
        "id": format!("{scope}/providers/{ASSIGNMENTS}/{}", assignment.id),
        "type": ASSIGNMENTS,
        "name": assignment.id,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn principal_in_a_filter_is_read_and_other_conditions_are_not() {
        let id = "a2c7563b-2929-485d-b488-5966733fe2ca";
        for condition in [
            format!("principalId eq '{id}'"),
            format!("PrincipalID eq '{id}'"),
            format!("assignedTo('{id}')"),
        ] {
            let found = selected_principal(&condition);
            assert_eq!(found.unwrap().to_string(), id, "{condition}");
        }
        for bad in ["", "principalId eq x", "roleName eq 'x'", "assignedTo('x')"] {
            assert_eq!(selected_principal(bad), None, "{bad}");
        }
    }
}

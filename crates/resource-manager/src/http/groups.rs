use std::collections::BTreeMap;

use axum::{
    Json,
    body::Body,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use sealock_core::ResourceGroupName;
use sealock_entra::Tags;
use serde::{Deserialize, Serialize};

use super::{
    Answer, Call,
    body::{List, read, read_location, read_tags},
    operations,
};
use crate::{
    Result,
    groups::{ResourceGroup, group_id},
    operations::ProvisioningState,
};

const DELETE: &str = "Microsoft.Resources/subscriptions/resourceGroups/delete";
const READ: &str = "Microsoft.Resources/subscriptions/resourceGroups/read";
const WRITE: &str = "Microsoft.Resources/subscriptions/resourceGroups/write";

/// A resource group in an answer.
///
/// <https://learn.microsoft.com/rest/api/resources/resource-groups/get>
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct GroupBody {
    id: String,
    name: ResourceGroupName,
    #[serde(rename = "type")]
    resource_type: &'static str,
    location: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    managed_by: Option<String>,
    tags: Tags,
    properties: GroupProperties,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct GroupProperties {
    provisioning_state: &'static str,
}

/// A resource group in a request. Read-only members are ignored.
#[derive(Deserialize)]
struct NewGroup {
    location: Option<String>,
    managedby: Option<String>,
    tags: Option<BTreeMap<String, Option<String>>>,
}

pub(super) async fn list(call: Call) -> Answer {
    let groups = call.manager.groups().await?;
    let groups = call.permitted(READ, groups, ResourceGroup::id).await?;
    let mut value = Vec::new();
    for group in groups {
        value.push(body(&call, group).await?);
    }
    Ok(Json(List { value }).into_response())
}

/// Answers 204 if the group exists.
pub(super) async fn check(call: Call, name: ResourceGroupName) -> Answer {
    call.authorize(READ, &group_id(&name)).await?;
    call.manager.group(&name).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub(super) async fn show(call: Call, name: ResourceGroupName) -> Answer {
    call.authorize(READ, &group_id(&name)).await?;
    let group = call.manager.group(&name).await?;
    Ok(Json(body(&call, group).await?).into_response())
}

pub(super) async fn put(call: Call, content: Body, name: ResourceGroupName) -> Answer {
    call.authorize(WRITE, &group_id(&name)).await?;
    let new: NewGroup = read(content).await?;
    let group = ResourceGroup {
        name,
        location: read_location(new.location.as_deref())?,
        managed_by: new.managedby,
        tags: read_tags(new.tags)?,
    };
    let exists = call.manager.has_group(group.name.as_str()).await?;
    call.precondition.check(exists)?;
    let (group, is_new) = call.manager.put_group(&group).await?;
    Ok(created_if(is_new, body(&call, group).await?))
}

pub(super) async fn patch(call: Call, content: Body, name: ResourceGroupName) -> Answer {
    call.authorize(WRITE, &group_id(&name)).await?;
    let change: NewGroup = read(content).await?;
    let (existing, _guard) = call.manager.hold_group(&name).await?;
    call.precondition.check(true)?;
    let group = ResourceGroup {
        managed_by: change.managedby.or(existing.managed_by),
        tags: match change.tags {
            Some(tags) => read_tags(Some(tags))?,
            None => existing.tags,
        },
        ..existing
    };
    let (group, _) = call.manager.put_group(&group).await?;
    Ok(Json(body(&call, group).await?).into_response())
}

/// Deletes the group with all its resources. The answer is as in Azure that of an asynchronous operation.
pub(super) async fn delete(call: Call, name: ResourceGroupName) -> Answer {
    call.authorize(DELETE, &group_id(&name)).await?;
    let operation = call.manager.begin_group_deletion(&name).await?;
    Ok(operations::accepted(&call, &operation))
}

async fn body(call: &Call, group: ResourceGroup) -> Result<GroupBody> {
    let provisioning_state = match call.manager.provisioning_state(&group.id()).await? {
        ProvisioningState::Deleting => ProvisioningState::Deleting,
        // After a deletion that has failed, Azure also puts the state back.
        _ => ProvisioningState::Succeeded,
    };
    Ok(GroupBody {
        id: group.id(),
        name: group.name,
        resource_type: "Microsoft.Resources/resourceGroups",
        location: group.location.to_string(),
        managed_by: group.managed_by,
        tags: group.tags,
        properties: GroupProperties {
            provisioning_state: provisioning_state.as_str(),
        },
    })
}

/// Answers 201 for a new resource, and 200 otherwise.
pub(super) fn created_if(is_new: bool, body: impl Serialize) -> Response {
    let status = if is_new {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    (status, Json(body)).into_response()
}

use std::collections::BTreeMap;

use axum::{
    Json,
    body::Body,
    http::{StatusCode, header},
    response::IntoResponse as _,
};
use sealock_core::{ClientId, IdentityName, PrincipalId, ResourceGroupName, TenantId};
use sealock_entra::{ManagedIdentity, SUBSCRIPTION, Tags, TrackedResource};
use sealock_http::header_value;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    Answer, Call,
    body::{List, read, read_location, read_tags},
    groups::created_if,
    subscriptions::SUBSCRIPTION_NAME,
};
use crate::{
    Error, Result,
    resources::{IDENTITY, REGISTRY, is_in, location_is_permanent},
};

const DELETE: &str = "Microsoft.ManagedIdentity/userAssignedIdentities/delete";
const READ: &str = "Microsoft.ManagedIdentity/userAssignedIdentities/read";
const WRITE: &str = "Microsoft.ManagedIdentity/userAssignedIdentities/write";

/// A managed identity in an answer.
///
/// <https://learn.microsoft.com/rest/api/managedidentity/user-assigned-identities/get>
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct IdentityBody {
    location: String,
    tags: Tags,
    id: String,
    name: IdentityName,
    #[serde(rename = "type")]
    resource_type: &'static str,
    properties: IdentityProperties,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_field_names, reason = "as on the wire")]
struct IdentityProperties {
    tenant_id: TenantId,
    principal_id: PrincipalId,
    client_id: ClientId,
}

/// A managed identity in a request. Read-only members are ignored.
#[derive(Deserialize)]
struct NewIdentity {
    location: Option<String>,
    tags: Option<BTreeMap<String, Option<String>>>,
}

pub(super) async fn list(call: Call, group: Option<ResourceGroupName>) -> Answer {
    if let Some(group) = &group {
        call.manager.group(group).await?;
    }
    let mut identities = call.manager.directory.identities().await?;
    identities.retain(|it| {
        group
            .as_ref()
            .is_none_or(|group| is_in(&it.resource, group))
    });
    let readable = call
        .permitted(READ, identities, ManagedIdentity::resource_id)
        .await?;
    let value: Vec<_> = readable.into_iter().map(body).collect();
    Ok(Json(List { value }).into_response())
}

pub(super) async fn show(call: Call, group: ResourceGroupName, name: IdentityName) -> Answer {
    call.authorize(READ, &id(&group, &name)).await?;
    Ok(Json(body(find(&call, &group, &name).await?)).into_response())
}

pub(super) async fn put(
    call: Call,
    content: Body,
    group: ResourceGroupName,
    name: IdentityName,
) -> Answer {
    call.authorize(WRITE, &id(&group, &name)).await?;
    let new: NewIdentity = read(content).await?;
    let location = read_location(new.location.as_deref())?;
    let tags = read_tags(new.tags)?;
    let (group, _guard) = call.manager.hold_group(&group).await?;
    let existing = found(&call, &group.name, &name).await?;
    call.precondition.check(existing.is_some())?;
    if let Some(existing) = existing {
        location_is_permanent(&existing.name, &existing.resource, &location)?;
    }
    let (author, now) = (call.caller(), call.manager.clock.now());
    let resource = TrackedResource::new(group.name, location, tags.clone(), &author, now);
    let change = |existing: &ManagedIdentity| TrackedResource {
        tags: tags.clone(),
        ..existing.resource.clone().changed_by(&author, now)
    };
    let directory = &call.manager.directory;
    let (identity, is_new) = directory.put_identity(&name, &resource, change).await?;
    let location = header_value(identity.resource_id());
    let mut response = created_if(is_new, body(identity));
    if let Some(location) = location.filter(|_| is_new) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

pub(super) async fn patch(
    call: Call,
    content: Body,
    group: ResourceGroupName,
    name: IdentityName,
) -> Answer {
    call.authorize(WRITE, &id(&group, &name)).await?;
    let change: NewIdentity = read(content).await?;
    let tags = change.tags.map(|tags| read_tags(Some(tags))).transpose()?;
    let (group, _guard) = call.manager.hold_group(&group).await?;
    let existing = find(&call, &group.name, &name).await?;
    call.precondition.check(true)?;
    let (author, now) = (call.caller(), call.manager.clock.now());
    let change = |existing: &ManagedIdentity| {
        let changed = existing.resource.clone().changed_by(&author, now);
        TrackedResource {
            tags: tags.clone().unwrap_or_else(|| changed.tags.clone()),
            ..changed
        }
    };
    let directory = &call.manager.directory;
    let put = directory.put_identity(&existing.name, &existing.resource, change);
    Ok(Json(body(put.await?.0)).into_response())
}

/// Deletes the identity. Answers 204 if there is none.
pub(super) async fn delete(call: Call, group: ResourceGroupName, name: IdentityName) -> Answer {
    call.authorize(DELETE, &id(&group, &name)).await?;
    let Some(identity) = found(&call, &group, &name).await? else {
        return Ok(StatusCode::NO_CONTENT.into_response());
    };
    match call.manager.directory.delete_identity(&identity).await {
        Ok(()) => Ok(StatusCode::OK.into_response()),
        Err(sealock_entra::Error::IdentityNotFound { .. }) => {
            Ok(StatusCode::NO_CONTENT.into_response())
        }
        Err(error) => Err(error.into()),
    }
}

/// Lists the registries to which the identity is assigned.
///
/// <https://learn.microsoft.com/rest/api/managedidentity/user-assigned-identities/list-associated-resources>
pub(super) async fn list_associated(
    call: Call,
    group: ResourceGroupName,
    name: IdentityName,
) -> Answer {
    let action = "Microsoft.ManagedIdentity/userAssignedIdentities/listAssociatedResources/action";
    call.authorize(action, &id(&group, &name)).await?;
    let identity = find(&call, &group, &name).await?;
    let registries = &call.manager.registries;
    let mut value = Vec::new();
    for registry in registries.list().await? {
        let record = &registry.record;
        let assigned = registries.user_assigned_identities(record.id).await?;
        if assigned.iter().any(|it| it.client_id == identity.client_id) {
            value.push(json!({
                "id": record.resource_id(),
                "name": record.name,
                "type": REGISTRY,
                "resourceGroup": record.resource.resource_group,
                "subscriptionId": SUBSCRIPTION,
                "subscriptionDisplayName": SUBSCRIPTION_NAME,
            }));
        }
    }
    Ok(Json(json!({"totalCount": value.len(), "value": value})).into_response())
}

async fn found(
    call: &Call,
    group: &ResourceGroupName,
    name: &IdentityName,
) -> Result<Option<ManagedIdentity>> {
    match call.manager.directory.identity_in(group, name).await {
        Ok(identity) => Ok(Some(identity)),
        Err(sealock_entra::Error::IdentityNotFound { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

async fn find(
    call: &Call,
    group: &ResourceGroupName,
    name: &IdentityName,
) -> Result<ManagedIdentity> {
    let group = call.manager.group(group).await?;
    let identity = found(call, &group.name, name).await?;
    identity.ok_or_else(|| Error::ResourceNotFound {
        resource_type: IDENTITY,
        name: name.to_string(),
        group: group.name,
    })
}

fn id(group: &ResourceGroupName, name: &IdentityName) -> String {
    format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/{group}/providers/{IDENTITY}/{name}")
}

fn body(identity: ManagedIdentity) -> IdentityBody {
    IdentityBody {
        location: identity.resource.location.to_string(),
        id: identity.resource_id(),
        tags: identity.resource.tags,
        name: identity.name,
        resource_type: IDENTITY,
        properties: IdentityProperties {
            tenant_id: identity.tenant_id,
            principal_id: identity.principal_id,
            client_id: identity.client_id,
        },
    }
}

use axum::{Json, body::Body, http::StatusCode, response::IntoResponse as _};
use sealock_core::ScopeMapName;
use sealock_registry::{Refusal, Registry, ScopeMap, ScopeMapAction};
use serde::Deserialize;
use serde_json::{Value, json};

use super::RegistryCall;
use crate::{
    Error, Result,
    http::{
        Answer,
        body::{SystemDataBody, read, with_offset},
    },
    resources::REGISTRY,
};

#[derive(Deserialize)]
struct ScopeMapRequest {
    properties: ScopeMapProperties,
}

#[derive(Deserialize)]
struct ScopeMapProperties {
    description: Option<String>,
    actions: Option<Vec<String>>,
}

pub(in crate::http) async fn list(call: RegistryCall) -> Answer {
    let action = "Microsoft.ContainerRegistry/registries/scopeMaps/read";
    let registry = call.registry(action).await?;
    let scope_maps = registry.scope_maps().await?.into_iter();
    let value: Vec<_> = scope_maps.map(|it| body(&registry, it)).collect();
    Ok(Json(json!({"value": value})).into_response())
}

pub(in crate::http) async fn show(call: RegistryCall, name: ScopeMapName) -> Answer {
    let action = "Microsoft.ContainerRegistry/registries/scopeMaps/read";
    let registry = call.registry(action).await?;
    let found = find(&registry, &name).await?;
    let found = found.ok_or_else(|| Error::SubresourceNotFound(name.to_string()))?;
    Ok(Json(body(&registry, found)).into_response())
}

/// Creates or replaces a scope map, or changes it if `keeps` is true.
pub(in crate::http) async fn put(
    call: RegistryCall,
    content: Body,
    name: ScopeMapName,
    keeps: bool,
) -> Answer {
    let action = "Microsoft.ContainerRegistry/registries/scopeMaps/write";
    let registry = call.registry(action).await?;
    let request: ScopeMapRequest = read(content).await?;
    let ScopeMapProperties {
        description,
        actions,
    } = request.properties;
    let existing = find(&registry, &name).await?.filter(|_| keeps);
    if keeps && existing.is_none() {
        return Err(Error::SubresourceNotFound(name.to_string()));
    }
    let actions = match (actions, &existing) {
        (Some(actions), _) => {
            let actions = actions.iter().map(|action| action.parse());
            let parsed: Result<Vec<ScopeMapAction>, Refusal> = actions.collect();
            parsed.map_err(sealock_registry::Error::from)?
        }
        (None, Some(existing)) => existing.actions.clone(),
        (None, None) => {
            let why = "properties.actions: missing".to_owned();
            return Err(Error::BodyInvalid(why));
        }
    };
    let description = description.or_else(|| existing?.description);
    let author = call.call.caller();
    let put = registry.put_scope_map(&name, description, actions, &author);
    let (scope_map, _) = put.await?;
    Ok(Json(body(&registry, scope_map)).into_response())
}

pub(in crate::http) async fn delete(call: RegistryCall, name: ScopeMapName) -> Answer {
    let action = "Microsoft.ContainerRegistry/registries/scopeMaps/delete";
    let registry = call.registry(action).await?;
    Ok(match registry.delete_scope_map(&name).await {
        Ok(()) => StatusCode::OK.into_response(),
        Err(error) if is_unknown(&error) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => return Err(error.into()),
    })
}

async fn find(registry: &Registry, name: &ScopeMapName) -> Result<Option<ScopeMap>> {
    match registry.scope_map(name).await {
        Ok(found) => Ok(Some(found)),
        Err(error) if is_unknown(&error) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn is_unknown(error: &sealock_registry::Error) -> bool {
    matches!(
        error,
        sealock_registry::Error::Refused(Refusal::ScopeMapUnknown { .. })
    )
}

/// <https://learn.microsoft.com/rest/api/containerregistry/scope-maps/get>
fn body(registry: &Registry, scope_map: ScopeMap) -> Value {
    let kind = match scope_map.system_data {
        Some(_) => "UserDefined",
        None => "SystemDefined",
    };
    let of_registry = || registry.record.resource.system_data.clone();
    let history = scope_map.system_data.unwrap_or_else(of_registry);
    let mut properties = json!({
        "type": kind,
        "creationDate": with_offset(history.created_at),
        "provisioningState": "Succeeded",
        "actions": scope_map.actions.iter().map(ToString::to_string).collect::<Vec<_>>(),
    });
    if let Some(description) = scope_map.description {
        properties["description"] = description.into();
    }
    json!({
        "type": format!("{REGISTRY}/scopeMaps"),
        "id": format!("{}/scopeMaps/{}", registry.record.resource_id(), scope_map.name),
        "name": scope_map.name,
        "systemData": SystemDataBody::with_offsets(history),
        "properties": properties,
    })
}

use sealock_api as api;
use sealock_entra::Caller;
use sealock_registry::{ScopeMap, ScopeMapAction};

use crate::control::{
    Answer, ControlError,
    call::{Call, Reply},
};

pub(in crate::control) async fn list(call: Call<api::ListScopeMaps>) -> Answer<api::ScopeMaps> {
    let registry = call.services.registries.get(&call.path.registry).await?;
    let scope_maps = registry.scope_maps().await?;
    Ok(api::ScopeMaps {
        scope_maps: scope_maps.into_iter().map(view).collect(),
    })
}

pub(in crate::control) async fn show(call: Call<api::ShowScopeMap>) -> Answer<api::ScopeMap> {
    let registry = call.services.registries.get(&call.path.registry).await?;
    Ok(view(registry.scope_map(&call.path.scope_map).await?))
}

pub(in crate::control) async fn put(call: Call<api::PutScopeMap>) -> Answer<Reply<api::ScopeMap>> {
    let registry = call.services.registries.get(&call.path.registry).await?;
    let actions = call.body.actions.iter().map(|action| action.parse());
    let actions: Result<Vec<ScopeMapAction>, _> = actions.collect();
    let actions = actions.map_err(|error| ControlError::bad_request(error.to_string()))?;
    let (name, description) = (&call.path.scope_map, call.body.description);
    let put = registry.put_scope_map(name, description, actions, &Caller::Operator);
    let (scope_map, is_new) = put.await?;
    Ok(Reply::created_if(is_new, view(scope_map)))
}

pub(in crate::control) async fn delete(call: Call<api::DeleteScopeMap>) -> Answer<()> {
    let registry = call.services.registries.get(&call.path.registry).await?;
    Ok(registry.delete_scope_map(&call.path.scope_map).await?)
}

fn view(scope_map: ScopeMap) -> api::ScopeMap {
    let actions = scope_map.actions.into_iter();
    api::ScopeMap {
        name: scope_map.name,
        description: scope_map.description,
        actions: actions.map(|action| action.to_string()).collect(),
        created: scope_map.system_data.map(|data| data.created_at.into()),
    }
}

//! Registries: `Microsoft.ContainerRegistry/registries`.

mod body;
mod request;
pub(super) mod scope_maps;
pub(super) mod tokens;

use axum::{
    Json,
    body::Body,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use sealock_cmk::Sku;
use sealock_core::{RegistryName, ResourceGroupName};
use sealock_entra::{SUBSCRIPTION, TrackedResource};
use sealock_registry::{AdminCredentials, PasswordName, Registry};
use serde::Deserialize;
use serde_json::json;
use zeroize::Zeroizing;

use self::{body::RegistryBody, request::RegistryRequestBody};
use super::{
    Answer, Call,
    body::{List, read, read_location, read_tags},
    operations,
};
use crate::{
    Action, Error, Result,
    operations::ProvisioningState,
    registries::RegistryChange,
    resources::{REGISTRY, is_in, location_is_permanent},
};

const DELETE: &str = "Microsoft.ContainerRegistry/registries/delete";
const READ: &str = "Microsoft.ContainerRegistry/registries/read";
const WRITE: &str = "Microsoft.ContainerRegistry/registries/write";

/// The bytes of storage that a SKU includes.
///
/// <https://learn.microsoft.com/azure/container-registry/container-registry-skus#registry-throughput-and-throttling>
const INCLUDED_BYTES: [(Sku, u64); 3] = [
    (Sku::Basic, 10 << 30),
    (Sku::Standard, 100 << 30),
    (Sku::Premium, 500 << 30),
];

/// A request for what belongs to a registry.
pub(super) struct RegistryCall {
    pub(super) call: Call,
    pub(super) group: ResourceGroupName,
    pub(super) registry: RegistryName,
}

impl RegistryCall {
    /// Returns the registry, if a role permits the caller an action on it.
    async fn registry(&self, action: &'static str) -> Result<Registry> {
        let Self {
            call,
            group,
            registry,
        } = self;
        call.authorize(action, &id(group, registry)).await?;
        call.manager.registry(group, registry).await
    }
}

pub(super) async fn list(call: Call, group: Option<ResourceGroupName>) -> Answer {
    if let Some(group) = &group {
        call.manager.group(group).await?;
    }
    let mut registries = call.manager.registries.list().await?;
    registries.retain(|it| {
        let resource = &it.record.resource;
        group.as_ref().is_none_or(|group| is_in(resource, group))
    });
    let id = |it: &Registry| it.record.resource_id();
    let mut value = Vec::new();
    for registry in call.permitted(READ, registries, id).await? {
        value.push(RegistryBody::shown(&call, &registry).await?);
    }
    Ok(Json(List { value }).into_response())
}

pub(super) async fn show(call: Call, group: ResourceGroupName, name: RegistryName) -> Answer {
    call.authorize(READ, &id(&group, &name)).await?;
    let registry = call.manager.registry(&group, &name).await?;
    Ok(Json(RegistryBody::shown(&call, &registry).await?).into_response())
}

/// Creates a registry, or replaces what the request says of an existing one.
pub(super) async fn put(
    call: Call,
    content: Body,
    group: ResourceGroupName,
    name: RegistryName,
) -> Answer {
    call.authorize(WRITE, &id(&group, &name)).await?;
    let request: RegistryRequestBody = read(content).await?;
    let (group, _guard) = call.manager.hold_group(&group).await?;
    let _name = call.manager.hold_registry_name(&name).await?;
    let existing = call.manager.find_registry(&group.name, &name).await?;
    call.precondition.check(existing.is_some())?;
    if let Some(existing) = existing {
        if let Some(location) = request.location.as_deref() {
            location_is_permanent(
                &existing.record.name,
                &existing.record.resource,
                &location.parse()?,
            )?;
        }
        let change = request.into_change(true)?;
        return update(&call, &existing, change).await;
    }
    let location = read_location(request.location.as_deref())?;
    let tags = read_tags(request.tags.clone())?;
    let (author, now) = (call.caller(), call.manager.clock.now());
    let resource = TrackedResource::new(group.name, location, tags, &author, now);
    let change = request.into_change(true)?;
    authorize_assignments(&call, &resource.id(REGISTRY, name.as_str()), &change).await?;
    let is_asynchronous = change.is_asynchronous();
    let created = call.manager.create_registry(&name, resource, change);
    let registry = Box::pin(created).await?;
    answer(&call, &registry, Action::Create, is_asynchronous).await
}

pub(super) async fn patch(
    call: Call,
    content: Body,
    group: ResourceGroupName,
    name: RegistryName,
) -> Answer {
    call.authorize(WRITE, &id(&group, &name)).await?;
    let request: RegistryRequestBody = read(content).await?;
    let (group, _guard) = call.manager.hold_group(&group).await?;
    let _name = call.manager.hold_registry_name(&name).await?;
    let registry = call.manager.registry(&group.name, &name).await?;
    call.precondition.check(true)?;
    let change = request.into_change(false)?;
    update(&call, &registry, change).await
}

async fn update(call: &Call, registry: &Registry, change: RegistryChange) -> Answer {
    let id = registry.record.resource_id();
    authorize_assignments(call, &id, &change).await?;
    call.manager.no_operation_in_progress(&id).await?;
    let is_asynchronous = change.is_asynchronous();
    let author = call.caller();
    let changed = call.manager.change_registry(registry, change, &author);
    let registry = Box::pin(changed).await?;
    answer(call, &registry, Action::Update, is_asynchronous).await
}

/// Checks that the caller may assign the identities that the registry shall have.
async fn authorize_assignments(call: &Call, registry: &str, change: &RegistryChange) -> Result<()> {
    let (manager, write) = (&call.manager, (WRITE, registry));
    let identities = change.assigned_identities();
    let permitted = manager.identities_may_be_assigned(&call.principal, write, identities);
    permitted.await
}

/// Answers for a registry that was created or changed. If Azure does so asynchronously, the answer is 201 with a URL at
/// which the client polls the operation.
async fn answer(call: &Call, registry: &Registry, action: Action, is_asynchronous: bool) -> Answer {
    let id = registry.record.resource_id();
    if !is_asynchronous {
        call.manager.forget_operation(&id).await?;
        let body = RegistryBody::of(call, registry, ProvisioningState::Succeeded).await?;
        return Ok(Json(body).into_response());
    }
    let body = RegistryBody::of(call, registry, action.state()).await?;
    let operation = call.manager.begin(action, &id).await?;
    let response = (StatusCode::CREATED, Json(body)).into_response();
    Ok(operations::with_status_url(
        call,
        &operation,
        "registries",
        response,
    ))
}

/// Deletes a registry with its content. Answers 204 if there is none.
pub(super) async fn delete(call: Call, group: ResourceGroupName, name: RegistryName) -> Answer {
    call.authorize(DELETE, &id(&group, &name)).await?;
    let _name = call.manager.hold_registry_name(&name).await?;
    let Some(registry) = call.manager.find_registry(&group, &name).await? else {
        return Ok(StatusCode::NO_CONTENT.into_response());
    };
    match call.manager.registries.delete(&name).await {
        Ok(()) => {
            let id = registry.record.resource_id();
            call.manager.forget_operation(&id).await?;
            Ok(StatusCode::OK.into_response())
        }
        Err(sealock_registry::Error::RegistryUnknown(_)) => {
            Ok(StatusCode::NO_CONTENT.into_response())
        }
        Err(error) => Err(error.into()),
    }
}

/// A question whether a name is free.
#[derive(Deserialize)]
struct NameQuestion {
    name: String,
}

/// <https://learn.microsoft.com/rest/api/containerregistry/registries/check-name-availability>
pub(super) async fn check_name(call: Call, content: Body) -> Answer {
    let question: NameQuestion = read(content).await?;
    let refusal = |reason: &str, message: &str| json!({"nameAvailable": false, "reason": reason, "message": message});
    let answer = match question.name.parse() {
        Err(error) => {
            let error: sealock_core::InvalidName = error;
            refusal("Invalid", &format!("{error}."))
        }
        Ok(name) => match call.manager.registry_name_is_free(&name).await {
            Ok(()) => json!({"nameAvailable": true}),
            Err(Error::RegistryNameTaken(_)) => refusal(
                "AlreadyExists",
                &format!("The registry {} is already in use.", question.name),
            ),
            Err(error) => return Err(error),
        },
    };
    Ok(Json(answer).into_response())
}

/// <https://learn.microsoft.com/rest/api/containerregistry/registries/list-usages>
pub(super) async fn usages(call: Call, group: ResourceGroupName, name: RegistryName) -> Answer {
    let action = "Microsoft.ContainerRegistry/registries/listUsages/read";
    call.authorize(action, &id(&group, &name)).await?;
    let registry = call.manager.registry(&group, &name).await?;
    let sku = registry.record.sku;
    let mut included = INCLUDED_BYTES.iter();
    let bytes = included.find(|(of, _)| *of == sku).map_or(0, |it| it.1);
    let usage = |name: &str, limit: i64, value: u64, unit: &str| json!({"name": name, "limit": limit, "currentValue": value, "unit": unit});
    let count = |name: &str, limit: i64, value: usize| usage(name, limit, value as u64, "Count");
    let is_premium = sku == Sku::Premium;
    let of_premium = |limit: i64| if is_premium { limit } else { 0 };
    let webhooks = match sku {
        Sku::Basic => 2,
        Sku::Standard => 10,
        Sku::Premium => 500,
    };
    let size = registry.usage().await?.bytes;
    let ip_rules = registry.ip_rules().await?.len();
    let scope_maps = registry.scope_maps().await?.into_iter();
    // The built-in ones have no history.
    let scope_maps = scope_maps.filter(|it| it.system_data.is_some());
    let value = [
        usage(
            "Size",
            i64::try_from(bytes).unwrap_or(i64::MAX),
            size,
            "Bytes",
        ),
        count("Webhooks", webhooks, 0),
        count("Geo-replications", if is_premium { -1 } else { 0 }, 0),
        count("IPRules", of_premium(100), ip_rules),
        count("VNetRules", of_premium(100), 0),
        count("PrivateEndpointConnections", of_premium(200), 0),
        count("ScopeMaps", 50_000, scope_maps.count()),
        count("Tokens", 50_000, registry.tokens().await?.len()),
    ];
    Ok(Json(json!({"value": value})).into_response())
}

/// <https://learn.microsoft.com/rest/api/containerregistry/registries/list-credentials>
pub(super) async fn credentials(
    call: Call,
    group: ResourceGroupName,
    name: RegistryName,
) -> Answer {
    let action = "Microsoft.ContainerRegistry/registries/listCredentials/action";
    call.authorize(action, &id(&group, &name)).await?;
    let registry = call.manager.registry(&group, &name).await?;
    Ok(show_credentials(&registry.admin_credentials().await?))
}

/// The name of a password to replace.
#[derive(Deserialize)]
struct PasswordChoice {
    name: String,
}

/// <https://learn.microsoft.com/rest/api/containerregistry/registries/regenerate-credential>
pub(super) async fn regenerate(
    call: Call,
    content: Body,
    group: ResourceGroupName,
    name: RegistryName,
) -> Answer {
    let action = "Microsoft.ContainerRegistry/registries/regenerateCredential/action";
    call.authorize(action, &id(&group, &name)).await?;
    let choice: PasswordChoice = read(content).await?;
    let password = match choice.name.to_ascii_lowercase().as_str() {
        "password" => PasswordName::Password1,
        "password2" => PasswordName::Password2,
        _ => {
            let why = "name: expected password or password2".to_owned();
            return Err(Error::BodyInvalid(why));
        }
    };
    let registry = call.manager.registry(&group, &name).await?;
    let credentials = registry.regenerate_admin_password(password).await?;
    Ok(show_credentials(&credentials))
}

fn show_credentials(credentials: &AdminCredentials) -> Response {
    let [first, second] = &credentials.passwords;
    let password = |name: &str, value: &Zeroizing<String>| json!({"name": name, "value": **value});
    Json(json!({
        "username": credentials.user,
        "passwords": [password("password", first), password("password2", second)],
    }))
    .into_response()
}

/// Answers for the children that the emulator does not have: no registry has any.
pub(super) async fn no_children(
    call: Call,
    group: ResourceGroupName,
    name: RegistryName,
) -> Answer {
    call.authorize(READ, &id(&group, &name)).await?;
    call.manager.registry(&group, &name).await?;
    Ok(Json(json!({"value": []})).into_response())
}

fn id(group: &ResourceGroupName, name: &RegistryName) -> String {
    format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/{group}/providers/{REGISTRY}/{name}")
}

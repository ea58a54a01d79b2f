use axum::{Json, body::Body, http::StatusCode, response::IntoResponse as _};
use jiff::{SignedDuration, Timestamp};
use sealock_core::{ScopeMapName, TokenName, excerpt};
use sealock_registry::{PasswordName, Refusal, Registry, Token, TokenChange};
use serde::Deserialize;
use serde_json::{Value, json};

use super::RegistryCall;
use crate::{
    Action, Error, Result,
    http::{
        Answer,
        body::{SystemDataBody, read, with_offset},
        operations,
    },
    operations::ProvisioningState,
    resources::REGISTRY,
};

#[derive(Deserialize)]
struct TokenRequest {
    properties: TokenProperties,
}

#[derive(Deserialize)]
struct TokenProperties {
    scopemapid: Option<String>,
    status: Option<String>,
    credentials: Option<TokenCredentials>,
}

#[derive(Deserialize)]
struct TokenCredentials {
    passwords: Option<Vec<TokenPassword>>,
}

#[derive(Deserialize)]
struct TokenPassword {
    name: String,
}

#[derive(Deserialize)]
struct GenerateRequest {
    tokenid: String,
    expiry: Option<Timestamp>,
    name: Option<String>,
}

pub(in crate::http) async fn list(call: RegistryCall) -> Answer {
    let action = "Microsoft.ContainerRegistry/registries/tokens/read";
    let registry = call.registry(action).await?;
    let mut value = Vec::new();
    for token in registry.tokens().await? {
        value.push(shown(&call, &registry, &token).await?);
    }
    Ok(Json(json!({"value": value})).into_response())
}

pub(in crate::http) async fn show(call: RegistryCall, name: TokenName) -> Answer {
    let action = "Microsoft.ContainerRegistry/registries/tokens/read";
    let registry = call.registry(action).await?;
    let token = find(&registry, &name).await?;
    Ok(Json(shown(&call, &registry, &token).await?).into_response())
}

async fn shown(call: &RegistryCall, registry: &Registry, token: &Token) -> Result<Value> {
    let id = token_id(registry, &token.name);
    let state = call.call.manager.provisioning_state(&id).await?;
    Ok(body(registry, token, state))
}

/// Creates or changes a token. With `is_change`, the token must exist.
pub(in crate::http) async fn put(
    call: RegistryCall,
    content: Body,
    name: TokenName,
    is_change: bool,
) -> Answer {
    let action = "Microsoft.ContainerRegistry/registries/tokens/write";
    let registry = call.registry(action).await?;
    let request: TokenRequest = read(content).await?;
    if is_change {
        find(&registry, &name).await?;
    }
    let scope_map = request.properties.scopemapid.as_deref();
    let scope_map: Option<ScopeMapName> = match scope_map {
        Some(id) => Some(last_segment(id).parse()?),
        None => None,
    };
    let status = request.properties.status;
    let enabled = match status.as_deref().map(str::to_ascii_lowercase).as_deref() {
        None => None,
        Some("enabled") => Some(true),
        Some("disabled") => Some(false),
        Some(_) => {
            let why = "properties.status: expected enabled or disabled".to_owned();
            return Err(Error::BodyInvalid(why));
        }
    };
    let passwords = request.properties.credentials.and_then(|it| it.passwords);
    let named = passwords.map(|named| {
        let names = named.iter().map(|it| read_password_name(&it.name));
        names.collect::<Result<Vec<_>>>()
    });
    let change = TokenChange {
        scope_map,
        enabled,
        kept_passwords: named.transpose()?,
    };
    let (call, manager) = (&call.call, &call.call.manager);
    let resource = token_id(&registry, &name);
    manager.no_operation_in_progress(&resource).await?;
    let (token, is_new) = registry.put_token(&name, &change, &call.caller()).await?;
    let action = if is_new {
        Action::Create
    } else {
        Action::Update
    };
    let answer = body(&registry, &token, action.state());
    let operation = manager.begin(action, &resource).await?;
    let response = (StatusCode::CREATED, Json(answer)).into_response();
    Ok(operations::with_status_url(
        call, &operation, "token", response,
    ))
}

pub(in crate::http) async fn delete(call: RegistryCall, name: TokenName) -> Answer {
    let action = "Microsoft.ContainerRegistry/registries/tokens/delete";
    let registry = call.registry(action).await?;
    Ok(match registry.delete_token(&name).await {
        Ok(()) => {
            let id = token_id(&registry, &name);
            call.call.manager.forget_operation(&id).await?;
            StatusCode::OK.into_response()
        }
        Err(error) if is_unknown(&error) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => return Err(error.into()),
    })
}

/// Replaces one password of a token, or both.
///
/// <https://learn.microsoft.com/rest/api/containerregistry/registries/generate-credentials>
pub(in crate::http) async fn generate(call: RegistryCall, content: Body) -> Answer {
    let action = "Microsoft.ContainerRegistry/registries/generateCredentials/action";
    let registry = call.registry(action).await?;
    let request: GenerateRequest = read(content).await?;
    let token: TokenName = last_segment(&request.tokenid).parse()?;
    find(&registry, &token).await?;
    let both = PasswordName::BOTH.to_vec();
    let chosen = match request.name.as_deref() {
        None => both,
        Some(name) => vec![read_password_name(name)?],
    };
    let now = call.call.manager.clock.now();
    let valid_for = request.expiry.map(|expiry| expiry.duration_since(now));
    if valid_for.is_some_and(|valid_for| valid_for <= SignedDuration::ZERO) {
        return Err(Error::BodyInvalid("expiry: it is in the past".to_owned()));
    }
    let mut passwords = Vec::new();
    for password in chosen {
        let value = registry
            .generate_password(&token, password, valid_for)
            .await?;
        let mut shown = json!({
            "creationTime": with_offset(now),
            "name": password_name(password),
            "value": *value,
        });
        if let Some(expiry) = request.expiry {
            shown["expiry"] = with_offset(expiry).into();
        }
        passwords.push(shown);
    }
    Ok(Json(json!({"username": token, "passwords": passwords})).into_response())
}

async fn find(registry: &Registry, name: &TokenName) -> Result<Token> {
    match registry.token(name).await {
        Err(error) if is_unknown(&error) => Err(Error::SubresourceNotFound(name.to_string())),
        found => Ok(found?),
    }
}

fn is_unknown(error: &sealock_registry::Error) -> bool {
    matches!(
        error,
        sealock_registry::Error::Refused(Refusal::TokenUnknown { .. })
    )
}

fn last_segment(id: &str) -> &str {
    id.rsplit('/').next().unwrap_or_default()
}

fn read_password_name(given: &str) -> Result<PasswordName> {
    let mut names = PasswordName::BOTH.into_iter();
    names.find(|it| password_name(*it) == given).ok_or_else(|| {
        let given = excerpt(given);
        Error::BodyInvalid(format!(
            "name: expected password1 or password2, not '{given}'"
        ))
    })
}

fn password_name(password: PasswordName) -> &'static str {
    match password {
        PasswordName::Password1 => "password1",
        PasswordName::Password2 => "password2",
    }
}

fn token_id(registry: &Registry, name: &TokenName) -> String {
    format!("{}/tokens/{name}", registry.record.resource_id())
}

/// <https://learn.microsoft.com/rest/api/containerregistry/tokens/get>
fn body(registry: &Registry, token: &Token, state: ProvisioningState) -> Value {
    let id = registry.record.resource_id();
    let passwords = token.passwords.iter().map(|password| {
        let mut shown = json!({
            "creationTime": with_offset(password.created),
            "name": password_name(password.name),
        });
        if let Some(expires) = password.expires {
            shown["expiry"] = with_offset(expires).into();
        }
        shown
    });
    json!({
        "type": format!("{REGISTRY}/tokens"),
        "id": token_id(registry, &token.name),
        "name": token.name,
        "systemData": SystemDataBody::with_offsets(token.system_data.clone()),
        "properties": {
            "creationDate": with_offset(token.system_data.created_at),
            "provisioningState": state.as_str(),
            "scopeMapId": format!("{id}/scopeMaps/{}", token.scope_map),
            "credentials": {"passwords": passwords.collect::<Vec<_>>()},
            "status": if token.enabled { "enabled" } else { "disabled" },
        },
    })
}

use jiff::SignedDuration;
use sealock_api as api;
use sealock_core::TokenName;
use sealock_entra::Caller;
use sealock_registry::{Registry, Token, TokenChange};

use crate::control::{
    Answer,
    call::{Call, Reply},
    translation::Translate as _,
};

pub(in crate::control) async fn list(call: Call<api::ListTokens>) -> Answer<api::Tokens> {
    let registry = call.services.registries.get(&call.path.registry).await?;
    let tokens = registry.tokens().await?;
    Ok(api::Tokens {
        tokens: tokens.into_iter().map(view).collect(),
    })
}

pub(in crate::control) async fn show(call: Call<api::ShowToken>) -> Answer<api::Token> {
    let registry = call.services.registries.get(&call.path.registry).await?;
    Ok(view(registry.token(&call.path.token).await?))
}

pub(in crate::control) async fn put(
    call: Call<api::PutToken>,
) -> Answer<Reply<api::TokenWithPasswords>> {
    let registry = call.services.registries.get(&call.path.registry).await?;
    let name = &call.path.token;
    let api::TokenChange {
        scope_map,
        enabled,
        passwords,
    } = call.body;
    let change = TokenChange {
        scope_map,
        enabled,
        kept_passwords: None,
    };
    let put = registry.put_token(name, &change, &Caller::Operator);
    let (mut token, is_new) = put.await?;
    let mut generated = Vec::new();
    if let (true, Some(life)) = (is_new, passwords) {
        for password in [
            api::TokenPasswordName::First,
            api::TokenPasswordName::Second,
        ] {
            generated.push(new_password(&registry, name, password, life).await?);
        }
        token = registry.token(name).await?;
    }
    let token = view(token);
    let put = api::TokenWithPasswords { token, generated };
    Ok(Reply::created_if(is_new, put))
}

pub(in crate::control) async fn delete(call: Call<api::DeleteToken>) -> Answer<()> {
    let registry = call.services.registries.get(&call.path.registry).await?;
    Ok(registry.delete_token(&call.path.token).await?)
}

pub(in crate::control) async fn generate(
    call: Call<api::GeneratePassword>,
) -> Answer<api::NewPassword> {
    let registry = call.services.registries.get(&call.path.registry).await?;
    let api::GeneratePassword {
        token, password, ..
    } = call.path;
    new_password(&registry, &token, password, call.body).await
}

async fn new_password(
    registry: &Registry,
    token: &TokenName,
    password: api::TokenPasswordName,
    life: api::PasswordLife,
) -> Answer<api::NewPassword> {
    let days = life.days;
    let valid_for = days.map(|days| SignedDuration::from_hours(24 * i64::from(days)));
    let generated = registry.generate_password(token, password.translate(), valid_for);
    Ok(api::NewPassword {
        value: api::Secret(generated.await?),
        username: token.clone(),
        name: password,
    })
}

fn view(token: Token) -> api::Token {
    let passwords = token.passwords.into_iter();
    let passwords = passwords.map(|password| api::TokenPassword {
        name: password.name.translate(),
        created: password.created.into(),
        expires: password.expires.map(Into::into),
    });
    api::Token {
        name: token.name,
        scope_map: token.scope_map,
        enabled: token.enabled,
        passwords: passwords.collect(),
        created: token.system_data.created_at.into(),
    }
}

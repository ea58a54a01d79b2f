use sealock_api as api;
use sealock_core::RegistryName;
use sealock_registry::{AdminCredentials, LoginChange};

use crate::control::{Answer, call::Call, translation::Translate as _};

pub(in crate::control) async fn update(call: Call<api::UpdateLogin>) -> Answer<api::LoginSettings> {
    let registry = call.services.registries.get(&call.path.registry).await?;
    let change = LoginChange {
        admin_enabled: call.body.admin_enabled,
        anonymous_pull_enabled: call.body.anonymous_pull_enabled,
        accepts_arm_tokens: None,
    };
    Ok(settings(registry.update_login(change).await?))
}

pub(in crate::control) async fn credentials(
    call: Call<api::ShowCredentials>,
) -> Answer<api::AdminCredentials> {
    let registry = call.services.registries.get(&call.path.registry).await?;
    let credentials = registry.admin_credentials().await?;
    Ok(view(call.path.registry, credentials))
}

pub(in crate::control) async fn regenerate(
    call: Call<api::RegenerateCredential>,
) -> Answer<api::AdminCredentials> {
    let registry = call.services.registries.get(&call.path.registry).await?;
    let password = call.path.password.translate();
    let credentials = registry.regenerate_admin_password(password).await?;
    Ok(view(call.path.registry, credentials))
}

pub(in crate::control) fn settings(
    settings: sealock_registry::LoginSettings,
) -> api::LoginSettings {
    api::LoginSettings {
        admin_enabled: settings.admin_enabled,
        anonymous_pull_enabled: settings.anonymous_pull_enabled,
    }
}

/// Shows the passwords with their names in Azure.
fn view(registry: RegistryName, credentials: AdminCredentials) -> api::AdminCredentials {
    let [first, second] = credentials.passwords;
    let password = |name, value| api::AdminPassword {
        name,
        value: api::Secret(value),
    };
    api::AdminCredentials {
        username: registry,
        passwords: vec![
            password(api::AdminPasswordName::First, first),
            password(api::AdminPasswordName::Second, second),
        ],
    }
}

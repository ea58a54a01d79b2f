use sealock_api as api;
use sealock_entra::SUBSCRIPTION;
use zeroize::Zeroizing;

use super::{Answer, call::Call, identities};
use crate::{routing::friendly_door::FriendlyDoor, services::Services};

pub(super) async fn show(call: Call<api::ShowEnvironment>) -> Answer<api::Environment> {
    view(&call.services, &call.friendly_door).await
}

/// Shows the endpoints and the developer's login.
pub(crate) async fn environment(
    services: &Services,
    friendly_door: &FriendlyDoor,
) -> Result<api::Environment, api::Problem> {
    let shown = view(services, friendly_door).await;
    shown.map_err(super::ControlError::into_problem)
}

async fn view(services: &Services, friendly_door: &FriendlyDoor) -> Answer<api::Environment> {
    let names = &services.names;
    let (developer, secret) = services.directory.developer().await?;
    let secret = secret.map(|secret| Zeroizing::new(secret.as_str().to_owned()));
    Ok(api::Environment {
        tenant_id: developer.tenant_id,
        subscription_id: SUBSCRIPTION.to_owned(),
        client_id: developer.client_id,
        client_secret: secret.map(api::Secret),
        authority: format!("https://login.{names}"),
        resource_manager: format!("https://management.{names}/"),
        graph: format!("https://graph.{names}/"),
        login_server: names.login_server(&services.default_registry),
        vault_uri: names.vault_uri(&services.default_vault),
        identity_header: identities::identity_header(friendly_door),
    })
}

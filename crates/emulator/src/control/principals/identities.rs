use sealock_api as api;
use sealock_entra::ManagedIdentity;
use zeroize::Zeroizing;

use crate::{
    control::{
        Answer,
        call::{Call, Reply},
        effect::report_effect_of,
    },
    routing::friendly_door::FriendlyDoor,
    secrets::shared_secret::Secret,
};

/// The header for App Service's form of the managed identity endpoint while the endpoint requires no secret.
const ANY: &str = "any";

pub(in crate::control) async fn list(call: Call<api::ListIdentities>) -> Answer<api::Identities> {
    let identities = call.services.directory.identities().await?;
    Ok(api::Identities {
        identities: identities.into_iter().map(view).collect(),
    })
}

pub(in crate::control) async fn show(call: Call<api::ShowIdentity>) -> Answer<api::Identity> {
    let identity = call.services.directory.identity(&call.path.identity);
    Ok(view(identity.await?))
}

pub(in crate::control) async fn create(
    call: Call<api::CreateIdentity>,
) -> Answer<Reply<api::Identity>> {
    let created = call.services.directory.create_identity(call.path.identity);
    let (identity, is_new) = created.await?;
    Ok(Reply::created_if(is_new, view(identity)))
}

pub(in crate::control) async fn delete(
    call: Call<api::DeleteIdentity>,
) -> Answer<api::Changed<api::Empty>> {
    let (services, name) = (call.services, call.path.identity);
    report_effect_of(&services, async {
        let identity = services.directory.identity(&name).await?;
        services.directory.delete_identity(&identity).await?;
        Ok(api::Empty {})
    })
    .await
}

/// Shows the value for `IDENTITY_HEADER`.
pub(in crate::control) async fn header(
    call: Call<api::ShowIdentityHeader>,
) -> Answer<api::IdentityHeader> {
    Ok(api::IdentityHeader {
        identity_header: identity_header(&call.friendly_door),
    })
}

/// Returns the value that a program sends as the identity header.
pub(in crate::control) fn identity_header(friendly_door: &FriendlyDoor) -> api::Secret {
    let secret = friendly_door.identity_header().map(Secret::text);
    api::Secret(secret.unwrap_or_else(|| Zeroizing::new(ANY.to_owned())))
}

fn view(identity: ManagedIdentity) -> api::Identity {
    api::Identity {
        id: identity.resource_id(),
        name: identity.name,
        client_id: identity.client_id,
        principal_id: identity.principal_id,
        tenant_id: identity.tenant_id,
        created: identity.resource.system_data.created_at.into(),
    }
}

use sealock_api as api;
use sealock_entra::ManagedIdentity;
use zeroize::Zeroizing;

use super::{
    Answer,
    call::{Call, Reply},
    effect::observed,
};
use crate::secret::Secret;

/// The header for App Service's form of the managed identity endpoint while that asks for no secret.
const ANY: &str = "any";

pub(super) async fn list(call: Call<api::ListIdentities>) -> Answer<api::Identities> {
    let identities = call.services.directory.identities().await?;
    Ok(api::Identities {
        identities: identities.into_iter().map(view).collect(),
    })
}

pub(super) async fn show(call: Call<api::ShowIdentity>) -> Answer<api::Identity> {
    let identity = call.services.directory.identity(&call.path.identity);
    Ok(view(identity.await?))
}

pub(super) async fn create(call: Call<api::CreateIdentity>) -> Answer<Reply<api::Identity>> {
    let created = call.services.directory.create_identity(call.path.identity);
    let (identity, is_new) = created.await?;
    Ok(Reply::created_if(is_new, view(identity)))
}

pub(super) async fn delete(call: Call<api::DeleteIdentity>) -> Answer<api::Changed<api::Empty>> {
    let (services, name) = (call.services, call.path.identity);
    observed(&services, async {
        services.directory.delete_identity(&name).await?;
        Ok(api::Empty {})
    })
    .await
}

/// Shows the value that a workload sets as `IDENTITY_HEADER`.
pub(super) async fn header(call: Call<api::ShowIdentityHeader>) -> Answer<api::IdentityHeader> {
    let secret = call.door.identity_header().map(Secret::text);
    let header = secret.as_ref().map_or(ANY, |text| text.as_str());
    Ok(api::IdentityHeader {
        identity_header: api::Secret(Zeroizing::new(header.to_owned())),
    })
}

fn view(identity: ManagedIdentity) -> api::Identity {
    api::Identity {
        name: identity.name,
        client_id: identity.client_id,
        principal_id: identity.principal_id,
        tenant_id: identity.tenant_id,
        created: identity.created.into(),
    }
}

pub(super) mod applications;
pub(super) mod identities;
pub(super) mod role_assignments;

use sealock_api::{self as api, PrincipalReference};
use sealock_core::PrincipalId;
use sealock_entra::{Directory, Principal};

use super::{Answer, ControlError};

/// Shows a principal, even after its deletion.
pub(super) async fn view(directory: &Directory, id: PrincipalId) -> Answer<api::Principal> {
    let (identity, application, user) = match directory.principal(id).await? {
        Some(Principal::ManagedIdentity(identity)) => (Some(identity.name), None, None),
        Some(Principal::Application(application)) => (None, Some(application.name), None),
        Some(Principal::User(user)) => (None, None, Some(user.name.to_owned())),
        None => (None, None, None),
    };
    Ok(api::Principal {
        identity,
        application,
        user,
        principal_id: id,
    })
}

/// Finds the id of the principal in a path. Accepts the id of a deleted principal, whose access can still be revoked.
pub(super) async fn find_id(
    directory: &Directory,
    reference: &PrincipalReference,
) -> Result<PrincipalId, ControlError> {
    match reference.0.parse() {
        Ok(id) => Ok(id),
        Err(_) => Ok(find(directory, reference).await?.principal_id()),
    }
}

/// Finds the principal in a path: a managed identity by its name, or any principal by its id.
pub(super) async fn find(
    directory: &Directory,
    reference: &PrincipalReference,
) -> Result<Principal, ControlError> {
    let PrincipalReference(text) = reference;
    if let Ok(id) = text.parse()
        && let Some(principal) = directory.principal(id).await?
    {
        return Ok(principal);
    }
    Ok(directory.identity(&text.parse()?).await?.into())
}

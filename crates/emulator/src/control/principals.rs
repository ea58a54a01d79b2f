pub(super) mod applications;
pub(super) mod identities;
pub(super) mod role_assignments;

use sealock_api::{self as api, PrincipalReference};
use sealock_core::PrincipalId;
use sealock_entra::{Directory, Principal};

use super::{Answer, ControlError};

/// Shows whom a right is for.
pub(super) async fn view(directory: &Directory, id: PrincipalId) -> Answer<api::Principal> {
    let (identity, application) = match directory.principal(id).await? {
        Some(Principal::ManagedIdentity(identity)) => (Some(identity.name), None),
        Some(Principal::Application(application)) => (None, Some(application.name)),
        None => (None, None),
    };
    Ok(api::Principal {
        identity,
        application,
        principal_id: id,
    })
}

/// Finds the id of the principal that a path names, be it there or not. Its rights outlive it, and can be taken away.
pub(super) async fn id_of(
    directory: &Directory,
    reference: &PrincipalReference,
) -> Result<PrincipalId, ControlError> {
    match reference.0.parse() {
        Ok(id) => Ok(id),
        Err(_) => Ok(named(directory, reference).await?.principal_id()),
    }
}

/// Finds the principal that a path names: a managed identity by its name, or any principal by its id.
pub(super) async fn named(
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

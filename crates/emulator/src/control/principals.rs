use sealock_core::{ApplicationName, IdentityName, PrincipalId};
use sealock_entra::{Directory, Principal};
use serde::Serialize;

use super::ControlError;

/// Whom a right is for, by name. Neither name is there once the principal is gone; its rights stay, as in Azure.
#[derive(Serialize)]
pub(super) struct PrincipalView {
    identity: Option<IdentityName>,
    application: Option<ApplicationName>,
    principal_id: PrincipalId,
}

impl PrincipalView {
    pub(super) async fn of(directory: &Directory, id: PrincipalId) -> Result<Self, ControlError> {
        let (identity, application) = match directory.principal(id).await? {
            Some(Principal::ManagedIdentity(identity)) => (Some(identity.name), None),
            Some(Principal::Application(application)) => (None, Some(application.name)),
            None => (None, None),
        };
        Ok(Self {
            identity,
            application,
            principal_id: id,
        })
    }
}

/// Whom a path names, be it there or not: a managed identity by its name, or any principal by its id. What it
/// was permitted outlives it, and can be taken away.
pub(super) async fn id_of(directory: &Directory, text: &str) -> Result<PrincipalId, ControlError> {
    match text.parse() {
        Ok(id) => Ok(id),
        Err(_) => Ok(named(directory, text).await?.principal_id()),
    }
}

/// Whom a path names: a managed identity by its name, or any principal by its id.
pub(super) async fn named(directory: &Directory, text: &str) -> Result<Principal, ControlError> {
    if let Ok(id) = text.parse()
        && let Some(principal) = directory.principal(id).await?
    {
        return Ok(principal);
    }
    Ok(directory.identity(&text.parse()?).await?.into())
}

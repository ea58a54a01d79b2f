use std::fmt;

use clap::Args;
use sealock_api::{Principal, PrincipalReference, ShowApplication};
use sealock_core::{ApplicationName, IdentityName};

use crate::{client::Client, error::Error, target::ParentArgs};

/// The principal that a command refers to.
#[derive(Debug, Args)]
pub(crate) struct PrincipalArgs {
    #[command(flatten)]
    identity: ParentArgs<IdentityName>,
    /// Application, instead of a managed identity
    #[arg(long, value_name = "APP", conflicts_with = "identity")]
    app: Option<ApplicationName>,
}

impl PrincipalArgs {
    /// Returns the principal as the control API's paths name it: a managed identity by name, another by id.
    pub(crate) fn reference(&self, client: &Client) -> Result<PrincipalReference, Error> {
        let Some(application) = self.app.clone() else {
            return Ok(PrincipalReference(self.identity.name.to_string()));
        };
        let application = client.ask(&ShowApplication { application })?.parse()?;
        Ok(PrincipalReference(application.principal_id.to_string()))
    }
}

impl fmt::Display for PrincipalArgs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.app {
            Some(app) => app.fmt(f),
            None => self.identity.name.fmt(f),
        }
    }
}

/// Returns the label of a principal in a list.
pub(crate) fn label(principal: &Principal) -> String {
    match (&principal.identity, &principal.application, &principal.user) {
        (Some(identity), ..) => identity.to_string(),
        (None, Some(application), _) => format!("{application} (application)"),
        (None, None, Some(user)) => user.clone(),
        (None, None, None) => format!("(deleted: {})", principal.principal_id),
    }
}

use std::fmt;

use clap::Args;
use sealock_api::{Principal, PrincipalReference, ShowApplication};
use sealock_core::{ApplicationName, IdentityName};

use crate::{client::Client, error::Error, identity::DEFAULT_IDENTITY};

/// Whom a command is for.
#[derive(Debug, Args)]
pub(crate) struct PrincipalArgs {
    /// The managed identity
    #[arg(long, value_name = "NAME", default_value = DEFAULT_IDENTITY)]
    identity: IdentityName,
    /// The application, instead of a managed identity
    #[arg(long, value_name = "NAME", conflicts_with = "identity")]
    app: Option<ApplicationName>,
}

impl PrincipalArgs {
    /// Names it as the control API's paths do: a managed identity by its name, any other principal by its id.
    pub(crate) fn reference(&self, client: &Client) -> Result<PrincipalReference, Error> {
        let Some(application) = self.app.clone() else {
            return Ok(PrincipalReference(self.identity.to_string()));
        };
        let application = client.ask(&ShowApplication { application })?.parse()?;
        Ok(PrincipalReference(application.principal_id.to_string()))
    }
}

impl fmt::Display for PrincipalArgs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.app {
            Some(app) => app.fmt(f),
            None => self.identity.fmt(f),
        }
    }
}

/// Names a principal in a list of managed identities and others.
pub(crate) fn listed(principal: &Principal) -> String {
    match (&principal.identity, &principal.application) {
        (Some(identity), _) => identity.to_string(),
        (None, Some(application)) => format!("{application} (application)"),
        (None, None) => "(gone)".to_owned(),
    }
}

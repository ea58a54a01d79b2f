use std::fmt;

use clap::Args;
use sealock_core::{ApplicationName, IdentityName};
use serde::Deserialize;

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

/// The application that a name stands for.
#[derive(Debug, Deserialize)]
struct Application {
    principal_id: String,
}

/// Whom a right is for, as the control API tells it.
#[derive(Debug, Deserialize)]
pub(crate) struct Principal {
    identity: Option<String>,
    application: Option<String>,
    #[serde(rename = "principal_id")]
    pub(crate) id: String,
}

impl PrincipalArgs {
    /// As the control API's paths name it: a managed identity by its name, any other principal by its id.
    pub(crate) fn path_segment(&self, client: &Client) -> Result<String, Error> {
        let Some(app) = &self.app else {
            return Ok(self.identity.to_string());
        };
        let application: Application = client.get(&format!("applications/{app}"))?.parse()?;
        Ok(application.principal_id)
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

impl Principal {
    /// Its name in a list of managed identities and others.
    pub(crate) fn listed(&self) -> String {
        match (&self.identity, &self.application) {
            (Some(identity), _) => identity.clone(),
            (None, Some(application)) => format!("{application} (application)"),
            (None, None) => "(gone)".to_owned(),
        }
    }
}

/// The name, or the id of one that is gone.
impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.identity.as_ref().or(self.application.as_ref());
        f.write_str(name.unwrap_or(&self.id))
    }
}

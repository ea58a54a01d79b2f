use clap::{Args, Subcommand};
use sealock_core::ApplicationName;
use serde::Deserialize;

use crate::{
    client::Client,
    error::Error,
    output::{Output, TITLE, record, table},
};

#[derive(Debug, Subcommand)]
pub(crate) enum AppCommand {
    /// List the applications
    #[command(after_help = "Example:\n  sealock app list")]
    List,
    /// Show an application
    #[command(after_help = "Example:\n  sealock app show deploy")]
    Show(AppArgs),
    /// Create an application with a client secret, which is shown this once
    #[command(after_help = "\
Examples:
  sealock app create deploy
  sealock app create deploy --json | jq -r .secret")]
    Create(AppArgs),
    /// Give an application a new client secret; the old one ends
    #[command(after_help = "Example:\n  sealock app reset-secret deploy")]
    ResetSecret(AppArgs),
    /// Delete an application: its tokens end with it
    #[command(after_help = "Example:\n  sealock app delete deploy")]
    Delete(AppArgs),
}

#[derive(Debug, Args)]
pub(crate) struct AppArgs {
    /// The application
    name: ApplicationName,
}

#[derive(Deserialize)]
struct Applications {
    applications: Vec<Application>,
}

#[derive(Deserialize)]
struct Application {
    name: String,
    client_id: String,
    principal_id: String,
    tenant_id: String,
    created: String,
    secret_expires: String,
    /// Only of one that was just made.
    secret: Option<String>,
}

impl AppCommand {
    pub(crate) fn run(self, client: &Client, output: &mut Output) -> Result<(), Error> {
        match self {
            Self::List => output.show(&client.get("applications")?, Applications::render),
            Self::Show(AppArgs { name }) => {
                let answer = client.get(&format!("applications/{name}"))?;
                output.show(&answer, Application::render)
            }
            Self::Create(AppArgs { name }) => {
                let answer = client.put(&format!("applications/{name}"), None)?;
                output.show(&answer, |application: &Application| {
                    if answer.created() {
                        application.render()
                    } else {
                        format!(
                            "application {name} was there already, client {}, and keeps its secret",
                            application.client_id
                        )
                    }
                })
            }
            Self::ResetSecret(AppArgs { name }) => {
                let answer = client.post(&format!("applications/{name}/reset-secret"), None);
                let answer = answer.map_err(Error::without_creation)?;
                output.show(&answer, Application::render)
            }
            Self::Delete(AppArgs { name }) => {
                let answer = client.delete(&format!("applications/{name}"));
                answer.map_err(Error::without_creation)?;
                output.done(format!("deleted application {name}"))
            }
        }
    }
}

impl Applications {
    fn render(&self) -> String {
        let rows = self.applications.iter().map(|application| {
            [
                application.name.clone(),
                application.client_id.clone(),
                application.principal_id.clone(),
                application.secret_expires.clone(),
            ]
        });
        table(["NAME", "CLIENT", "PRINCIPAL", "SECRET UNTIL"], rows)
    }
}

impl Application {
    fn render(&self) -> String {
        let mut fields = vec![
            ("tenant", self.tenant_id.clone()),
            ("client", self.client_id.clone()),
            ("principal", self.principal_id.clone()),
            ("created", self.created.clone()),
        ];
        if let Some(secret) = &self.secret {
            fields.push(("secret", secret.clone()));
        }
        fields.push(("secret until", self.secret_expires.clone()));
        let record = record(format!("{TITLE}{}{TITLE:#}", self.name), fields);
        match self.secret {
            Some(_) => format!("{record}\nKeep the secret: it is not shown again."),
            None => record,
        }
    }
}

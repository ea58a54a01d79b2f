use clap::{Args, Subcommand};
use sealock_api::{
    Application, ApplicationWithSecret, Applications, CreateApplication, DeleteApplication,
    ListApplications, ResetSecret, ShowApplication,
};
use sealock_core::ApplicationName;

use crate::{
    client::Client,
    error::Error,
    output::{Column, Output, Screen, TITLE, record},
};

#[derive(Debug, Subcommand)]
pub(crate) enum AppCommand {
    /// List the applications
    #[command(after_help = "Example:\n  sealock app list")]
    List,
    /// Show an application
    #[command(after_help = "Example:\n  sealock app show deploy")]
    Show(AppArgs),
    /// Create an application with a client secret, which is shown only once
    #[command(after_help = "\
Examples:
  sealock app create deploy
  sealock app create deploy --json | jq -r .secret")]
    Create(AppArgs),
    /// Renew an application's client secret; the old one stops working
    #[command(after_help = "Example:\n  sealock app renew deploy")]
    Renew(AppArgs),
    /// Delete an application; its tokens stop working
    #[command(after_help = "Example:\n  sealock app delete deploy")]
    Delete(AppArgs),
}

#[derive(Debug, Args)]
pub(crate) struct AppArgs {
    /// Name of the application
    #[arg(value_name = "APP")]
    name: ApplicationName,
}

impl AppCommand {
    pub(crate) fn run(self, client: &Client, output: &mut Output) -> Result<(), Error> {
        match self {
            Self::List => {
                let screen = output.screen();
                let answer = client.ask(&ListApplications {})?;
                output.show(&answer, |applications| list(applications, screen))
            }
            Self::Show(AppArgs { name: application }) => {
                let answer = client.ask(&ShowApplication { application })?;
                output.show(&answer, |application| render(application, None))
            }
            Self::Create(AppArgs { name: application }) => {
                let answer = client.ask(&CreateApplication { application })?;
                output.show(&answer, |created: &ApplicationWithSecret| {
                    if answer.is_created() {
                        return with_secret(created);
                    }
                    let Application {
                        name, client_id, ..
                    } = &created.application;
                    format!(
                        "application {name} already exists, client {client_id}; its secret is unchanged"
                    )
                })
            }
            Self::Renew(AppArgs { name: application }) => {
                let answer = client.ask(&ResetSecret { application });
                output.show(&answer.map_err(Error::without_creation_hints)?, with_secret)
            }
            Self::Delete(AppArgs { name }) => {
                let application = name.clone();
                let answer = client.ask(&DeleteApplication { application });
                answer.map_err(Error::without_creation_hints)?;
                output.done(format!("deleted application {name}"))
            }
        }
    }
}

fn list(list: &Applications, screen: Screen) -> String {
    let rows = list.applications.iter().map(|application| {
        [
            application.name.to_string(),
            application.client_id.to_string(),
            application.principal_id.to_string(),
            application.secret_expires.to_string(),
        ]
    });
    let columns = [
        Column::Always("NAME"),
        Column::Always("CLIENT"),
        Column::Wide("PRINCIPAL"),
        Column::Always("SECRET EXPIRES"),
    ];
    screen.table(columns, rows)
}

fn with_secret(created: &ApplicationWithSecret) -> String {
    let secret = created.secret.as_ref().map(|secret| secret.0.as_str());
    render(&created.application, secret)
}

fn render(application: &Application, secret: Option<&str>) -> String {
    let mut fields = vec![
        ("tenant", application.tenant_id.to_string()),
        ("client", application.client_id.to_string()),
        ("principal", application.principal_id.to_string()),
        ("created", application.created.to_string()),
    ];
    fields.extend(secret.map(|secret| ("secret", secret.to_owned())));
    fields.push(("secret expires", application.secret_expires.to_string()));
    let record = record(format!("{TITLE}{}{TITLE:#}", application.name), fields);
    match secret {
        Some(_) => format!("{record}\nSave the secret now: it is not shown again."),
        None => record,
    }
}

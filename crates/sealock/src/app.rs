use std::path::PathBuf;

use clap::{Args, Subcommand};
use fs_err as fs;
use sealock_api::{
    AddCertificate, AddFederatedCredential, Application, ApplicationWithSecret, Applications,
    CreateApplication, Credential, CredentialKind, CredentialName, DeleteApplication,
    ListApplications, NewCertificate, NewFederatedCredential, RemoveCredential, ResetSecret,
    ShowApplication,
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
    /// Let an application log in with the private key of a certificate
    #[command(after_help = "\
Example:
  sealock app add-certificate deploy --file certificate.pem")]
    AddCertificate(CertificateArgs),
    /// Let an application log in with the tokens of another issuer, such as a Kubernetes cluster
    #[command(after_help = "\
Examples:
  sealock app federate deploy --name cluster --issuer https://kubernetes.default.svc --subject system:serviceaccount:default:deploy --keys jwks.json
  sealock app federate deploy --name identity --issuer https://sts.windows.net/5ea10c00-0000-4000-8000-000000000000/ --subject PRINCIPAL")]
    Federate(FederateArgs),
    /// Remove a certificate or federated credential of an application
    #[command(after_help = "Example:\n  sealock app remove-credential deploy cluster")]
    RemoveCredential(CredentialArgs),
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

#[derive(Debug, Args)]
pub(crate) struct CertificateArgs {
    #[command(flatten)]
    app: AppArgs,
    /// File with the certificate, in PEM
    #[arg(long, value_name = "FILE")]
    file: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct FederateArgs {
    #[command(flatten)]
    app: AppArgs,
    /// Name of the credential
    #[arg(long = "name", value_name = "NAME")]
    credential: CredentialName,
    /// Issuer of the tokens
    #[arg(long, value_name = "URL")]
    issuer: String,
    /// Subject of the tokens
    #[arg(long, value_name = "SUBJECT")]
    subject: String,
    /// Audience of the tokens, instead of `api://AzureADTokenExchange`
    #[arg(long, value_name = "AUDIENCE")]
    audience: Option<String>,
    /// File with the issuer's JSON Web Key Set; the emulator's own tenant needs none
    #[arg(long, value_name = "FILE")]
    keys: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct CredentialArgs {
    #[command(flatten)]
    app: AppArgs,
    /// Name of a federated credential, or a certificate's thumbprint
    #[arg(value_name = "CREDENTIAL")]
    credential: CredentialName,
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
            Self::AddCertificate(CertificateArgs { app, file }) => {
                let application = app.name;
                let certificate =
                    fs::read_to_string(file).map_err(|error| Error::system(&error))?;
                let body = NewCertificate { certificate };
                let answer = client.ask_with_body(&AddCertificate { application }, &body)?;
                output.show(&answer, |application| render(application, None))
            }
            Self::Federate(arguments) => {
                let read = |file| fs::read_to_string(file).map_err(|error| Error::system(&error));
                let application = arguments.app.name;
                let body = NewFederatedCredential {
                    name: arguments.credential,
                    issuer: arguments.issuer,
                    subject: arguments.subject,
                    audience: arguments.audience,
                    keys: arguments.keys.map(read).transpose()?,
                };
                let operation = AddFederatedCredential { application };
                let answer = client.ask_with_body(&operation, &body)?;
                output.show(&answer, |application| render(application, None))
            }
            Self::RemoveCredential(CredentialArgs { app, credential }) => {
                let application = app.name;
                let answer = client.ask(&RemoveCredential {
                    application,
                    credential,
                });
                let answer = answer.map_err(Error::without_creation_hints)?;
                output.show(&answer, |application| render(application, None))
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
    let credentials = application.credentials.iter().map(described);
    fields.extend(credentials);
    let record = record(format!("{TITLE}{}{TITLE:#}", application.name), fields);
    match secret {
        Some(_) => format!("{record}\nSave the secret now: it is not shown again."),
        None => record,
    }
}

/// Describes a credential in a record.
fn described(credential: &Credential) -> (&'static str, String) {
    let text = |field: &Option<String>| field.clone().unwrap_or_default();
    match credential.kind {
        CredentialKind::Certificate => ("certificate", credential.name.to_string()),
        CredentialKind::Federated => (
            "federated",
            format!(
                "{}: {} of {}",
                credential.name,
                text(&credential.subject),
                text(&credential.issuer)
            ),
        ),
    }
}

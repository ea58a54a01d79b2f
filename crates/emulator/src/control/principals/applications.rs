use sealock_api as api;
use sealock_core::ApplicationName;
use sealock_entra::{
    Application, Certificate, ClientSecret, Credential, Directory, FederatedCredential,
};
use zeroize::Zeroizing;

use crate::control::{
    Answer,
    call::{Call, Reply},
};

pub(in crate::control) async fn list(
    call: Call<api::ListApplications>,
) -> Answer<api::Applications> {
    let directory = &call.services.directory;
    let mut applications = Vec::new();
    for application in directory.applications().await? {
        applications.push(view(directory, application).await?);
    }
    Ok(api::Applications { applications })
}

pub(in crate::control) async fn show(call: Call<api::ShowApplication>) -> Answer<api::Application> {
    named(&call.services.directory, &call.path.application).await
}

pub(in crate::control) async fn create(
    call: Call<api::CreateApplication>,
) -> Answer<Reply<api::ApplicationWithSecret>> {
    let (directory, name) = (&call.services.directory, call.path.application);
    let (application, secret) = directory.create_application(name).await?;
    let shown = with_secret(directory, application, secret.as_ref()).await?;
    Ok(Reply::created_if(secret.is_some(), shown))
}

pub(in crate::control) async fn reset_secret(
    call: Call<api::ResetSecret>,
) -> Answer<api::ApplicationWithSecret> {
    let (directory, name) = (&call.services.directory, &call.path.application);
    let (application, secret) = directory.reset_secret(name).await?;
    with_secret(directory, application, Some(&secret)).await
}

pub(in crate::control) async fn delete(call: Call<api::DeleteApplication>) -> Answer<()> {
    let name = &call.path.application;
    Ok(call.services.directory.delete_application(name).await?)
}

pub(in crate::control) async fn add_certificate(
    call: Call<api::AddCertificate>,
) -> Answer<api::Application> {
    let (directory, name) = (&call.services.directory, &call.path.application);
    let certificate = Certificate::from_pem(&call.body.certificate)?;
    let credential = Credential::Certificate(certificate);
    directory.add_credential(name, &credential).await?;
    named(directory, name).await
}

pub(in crate::control) async fn add_federated_credential(
    call: Call<api::AddFederatedCredential>,
) -> Answer<api::Application> {
    let (directory, name) = (&call.services.directory, &call.path.application);
    let new = call.body;
    let keys = new.keys.as_deref();
    let federated =
        FederatedCredential::new(new.name.0, new.issuer, new.subject, new.audience, keys)?;
    let credential = Credential::Federated(federated);
    directory.add_credential(name, &credential).await?;
    named(directory, name).await
}

pub(in crate::control) async fn remove_credential(
    call: Call<api::RemoveCredential>,
) -> Answer<api::Application> {
    let (directory, name) = (&call.services.directory, &call.path.application);
    let credential = &call.path.credential.0;
    directory.remove_credential(name, credential).await?;
    named(directory, name).await
}

async fn named(directory: &Directory, name: &ApplicationName) -> Answer<api::Application> {
    view(directory, directory.application(name).await?).await
}

async fn with_secret(
    directory: &Directory,
    application: Application,
    secret: Option<&ClientSecret>,
) -> Answer<api::ApplicationWithSecret> {
    let secret = secret.map(|secret| api::Secret(Zeroizing::new(secret.as_str().to_owned())));
    Ok(api::ApplicationWithSecret {
        application: view(directory, application).await?,
        secret,
    })
}

async fn view(directory: &Directory, application: Application) -> Answer<api::Application> {
    let credentials = directory.credentials(application.client_id).await?;
    Ok(api::Application {
        name: application.name,
        client_id: application.client_id,
        principal_id: application.principal_id,
        tenant_id: application.tenant_id,
        created: application.created.into(),
        secret_expires: application.secret_expires.into(),
        credentials: credentials.into_iter().map(credential).collect(),
    })
}

fn credential(credential: Credential) -> api::Credential {
    let name = api::CredentialName(credential.name().to_owned());
    match credential {
        Credential::Certificate(certificate) => api::Credential {
            name,
            kind: api::CredentialKind::Certificate,
            issuer: None,
            subject: None,
            audience: None,
            expires: Some(certificate.expires.into()),
        },
        Credential::Federated(federated) => api::Credential {
            name,
            kind: api::CredentialKind::Federated,
            issuer: Some(federated.issuer),
            subject: Some(federated.subject),
            audience: Some(federated.audience),
            expires: None,
        },
    }
}

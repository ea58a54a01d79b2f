use sealock_api as api;
use sealock_entra::{Application, ClientSecret};
use zeroize::Zeroizing;

use crate::control::{
    Answer,
    call::{Call, Reply},
};

pub(in crate::control) async fn list(
    call: Call<api::ListApplications>,
) -> Answer<api::Applications> {
    let applications = call.services.directory.applications().await?;
    Ok(api::Applications {
        applications: applications.into_iter().map(view).collect(),
    })
}

pub(in crate::control) async fn show(call: Call<api::ShowApplication>) -> Answer<api::Application> {
    let found = call.services.directory.application(&call.path.application);
    Ok(view(found.await?))
}

pub(in crate::control) async fn create(
    call: Call<api::CreateApplication>,
) -> Answer<Reply<api::ApplicationWithSecret>> {
    let name = call.path.application;
    let (application, secret) = call.services.directory.create_application(name).await?;
    let shown = with_secret(application, secret.as_ref());
    Ok(Reply::created_if(secret.is_some(), shown))
}

pub(in crate::control) async fn reset_secret(
    call: Call<api::ResetSecret>,
) -> Answer<api::ApplicationWithSecret> {
    let name = &call.path.application;
    let (application, secret) = call.services.directory.reset_secret(name).await?;
    Ok(with_secret(application, Some(&secret)))
}

pub(in crate::control) async fn delete(call: Call<api::DeleteApplication>) -> Answer<()> {
    let name = &call.path.application;
    Ok(call.services.directory.delete_application(name).await?)
}

fn with_secret(
    application: Application,
    secret: Option<&ClientSecret>,
) -> api::ApplicationWithSecret {
    let secret = secret.map(|secret| api::Secret(Zeroizing::new(secret.as_str().to_owned())));
    api::ApplicationWithSecret {
        application: view(application),
        secret,
    }
}

fn view(application: Application) -> api::Application {
    api::Application {
        name: application.name,
        client_id: application.client_id,
        principal_id: application.principal_id,
        tenant_id: application.tenant_id,
        created: application.created.into(),
        secret_expires: application.secret_expires.into(),
    }
}

use axum::{Json, extract::State, http::StatusCode};
use sealock_entra::{Application, ClientSecret};
use serde::Serialize;

use super::{Answer, ControlError, extract::Path};
use crate::services::Services;

#[derive(Serialize)]
pub(super) struct List {
    applications: Vec<Application>,
}

/// An application with its client secret, which is shown this once.
#[derive(Serialize)]
pub(super) struct WithSecret {
    #[serde(flatten)]
    application: Application,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
}

impl WithSecret {
    fn new(application: Application, secret: Option<&ClientSecret>) -> Self {
        Self {
            application,
            secret: secret.map(|secret| secret.as_str().to_owned()),
        }
    }
}

pub(super) async fn list(State(services): State<Services>) -> Answer<List> {
    let applications = services.directory.applications().await?;
    Ok(Json(List { applications }))
}

pub(super) async fn show(
    State(services): State<Services>,
    Path(name): Path<String>,
) -> Answer<Application> {
    Ok(Json(services.directory.application(&name.parse()?).await?))
}

pub(super) async fn create(
    State(services): State<Services>,
    Path(name): Path<String>,
) -> Result<(StatusCode, Json<WithSecret>), ControlError> {
    let created = services.directory.create_application(name.parse()?);
    let (application, secret) = created.await?;
    let status = match secret {
        Some(_) => StatusCode::CREATED,
        None => StatusCode::OK,
    };
    let shown = WithSecret::new(application, secret.as_ref());
    Ok((status, Json(shown)))
}

pub(super) async fn reset_secret(
    State(services): State<Services>,
    Path(name): Path<String>,
) -> Answer<WithSecret> {
    let (application, secret) = services.directory.reset_secret(&name.parse()?).await?;
    Ok(Json(WithSecret::new(application, Some(&secret))))
}

pub(super) async fn delete(
    State(services): State<Services>,
    Path(name): Path<String>,
) -> Result<StatusCode, ControlError> {
    let name = name.parse()?;
    services.directory.delete_application(&name).await?;
    Ok(StatusCode::NO_CONTENT)
}

use std::path::PathBuf;

use axum::{
    Json, Router,
    extract::State,
    http::header,
    response::{IntoResponse, Response},
    routing::get,
};
use serde::Serialize;

use super::ControlError;
use crate::tls::Trust;

/// Certificates, which are no secret.
pub(super) fn open() -> Router<Trust> {
    Router::new()
        .route("/ca.pem", get(ca))
        .route("/bundle.pem", get(bundle))
        .route("/azure-ca.pem", get(azure_ca))
}

pub(super) fn guarded() -> Router<Trust> {
    Router::new().route("/trust", get(show))
}

async fn ca(State(trust): State<Trust>) -> Response {
    pem(&trust.ca_pem)
}

async fn bundle(State(trust): State<Trust>) -> Response {
    pem(&trust.bundle_pem)
}

async fn azure_ca(State(trust): State<Trust>) -> Result<Response, ControlError> {
    let absent = || ControlError::not_found("/_sealock/v1/azure-ca.pem");
    trust.azure_ca_pem.as_deref().map(pem).ok_or_else(absent)
}

fn pem(text: &str) -> Response {
    (
        [(header::CONTENT_TYPE, "application/x-pem-file")],
        text.to_owned(),
    )
        .into_response()
}

/// Where the files lie, unless everything is in memory.
#[derive(Serialize)]
pub(super) struct View {
    ca: Option<PathBuf>,
    bundle: Option<PathBuf>,
    azure_ca: Option<PathBuf>,
}

async fn show(State(trust): State<Trust>) -> Json<View> {
    let files = trust.files;
    Json(View {
        ca: files.as_ref().map(|files| files.ca.clone()),
        bundle: files.as_ref().map(|files| files.bundle.clone()),
        azure_ca: files.and_then(|files| files.azure_ca),
    })
}

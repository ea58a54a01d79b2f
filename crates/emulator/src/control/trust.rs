use axum::{
    http::header,
    response::{IntoResponse as _, Response},
};
use sealock_api as api;

use super::{Answer, ControlError, call::Call};

pub(super) async fn ca(call: Call<api::ShowCa>) -> Answer<Response> {
    Ok(pem(&call.trust.ca_pem))
}

pub(super) async fn bundle(call: Call<api::ShowBundle>) -> Answer<Response> {
    Ok(pem(&call.trust.bundle_pem))
}

pub(super) async fn azure_ca(call: Call<api::ShowAzureCa>) -> Answer<Response> {
    let absent = ControlError::azure_names_not_served;
    let ca = call.trust.azure_ca_pem.as_deref();
    ca.map(pem).ok_or_else(absent)
}

fn pem(text: &str) -> Response {
    ([(header::CONTENT_TYPE, api::PEM)], text.to_owned()).into_response()
}

/// Shows where the files lie, unless everything is in memory.
pub(super) async fn files(call: Call<api::ShowTrustFiles>) -> Answer<api::TrustFiles> {
    let files = call.trust.files;
    Ok(api::TrustFiles {
        ca: files.as_ref().map(|files| files.ca.clone()),
        bundle: files.as_ref().map(|files| files.bundle.clone()),
        azure_ca: files.and_then(|files| files.azure_ca),
    })
}

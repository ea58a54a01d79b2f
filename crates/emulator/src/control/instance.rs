use std::sync::{Arc, Weak};

use axum::http::StatusCode;
use sealock_api as api;
use sealock_core::{InvalidPublicName, PublicName};

use super::{Answer, ControlError, call::Call, hints::advice};
use crate::{
    Error,
    routing::host::{Hosts, Service},
    startup::instance::Instance,
};

/// Restores the state after the start.
pub(super) async fn reset(call: Call<api::ResetState>) -> Answer<()> {
    let instance = running(&call.instance)?;
    if instance.reset().await.map_err(|error| internal(&error))? {
        return Ok(());
    }
    let detail = "a reset needs an emulator that keeps everything in memory, but this one has a data directory";
    let hints = vec![
        advice("start it with --ephemeral"),
        advice("stop it, remove the data directory, and start it again"),
    ];
    Err(ControlError::new(
        StatusCode::CONFLICT,
        "NotEphemeral",
        detail,
        hints,
    ))
}

/// Changes the public name. Its host must be served already: certificates and routes are made at the start.
pub(super) async fn rename(call: Call<api::SetPublicName>) -> Answer<api::PublicName> {
    let instance = running(&call.instance)?;
    let given = &call.body.public_name;
    let hosts = instance.hosts();
    let port = hosts.names().port();
    let name = PublicName::parse(given, port);
    let name =
        name.map_err(|error: InvalidPublicName| ControlError::bad_request(error.to_string()))?;
    is_served(&hosts, &name)?;
    let public_name = name.to_string();
    instance
        .rename(name)
        .await
        .map_err(|error| internal(&error))?;
    Ok(api::PublicName { public_name })
}

fn is_served(hosts: &Hosts, name: &PublicName) -> Result<(), ControlError> {
    if hosts.service(name.host()) == Some(Service::Friendly) {
        return Ok(());
    }
    let detail = format!("the emulator does not serve the host '{}'", name.host());
    let hint = advice("name it in server.aliases, and start the emulator again");
    Err(ControlError::new(
        StatusCode::BAD_REQUEST,
        "HostNotServed",
        detail,
        vec![hint],
    ))
}

/// Returns the emulator, unless it is about to stop.
fn running(instance: &Weak<Instance>) -> Result<Arc<Instance>, ControlError> {
    instance.upgrade().ok_or_else(|| {
        let detail = "the emulator stops";
        ControlError::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "Stopping",
            detail,
            Vec::new(),
        )
    })
}

fn internal(error: &Error) -> ControlError {
    ControlError::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "InternalServerError",
        error.to_string(),
        Vec::new(),
    )
}

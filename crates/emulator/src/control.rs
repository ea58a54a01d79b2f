//! The control API under `/_sealock/v1`, which the command line uses.
//!
//! Each module handles one resource: it calls the services as the operator and renders their results.

mod audit;
mod call;
mod clock;
mod effect;
mod environment;
mod error;
mod guard;
mod hints;
mod instance;
mod operations;
mod principals;
mod quarantine;
mod registries;
mod report;
mod routes;
mod status;
mod translation;
mod trust;
mod vaults;
mod verify;

use std::sync::Weak;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::{Method, StatusCode, Uri, header},
    middleware,
    response::{IntoResponse as _, Response},
};
use sealock_api::{self as api, Operation as _};

use self::{
    call::{Answer, Call, ControlState},
    error::ControlError,
    principals::{applications, identities, role_assignments},
    registries::{
        checkup, garbage, identities as registry_identities, inspect, logins, repositories,
        scope_maps, tokens,
    },
    routes::Routes,
    vaults::{access, keys},
};
pub(crate) use self::{
    environment::environment,
    status::{default_registry, pending_purges, storage},
};
use crate::{
    routing::friendly_door::FriendlyDoor, services::Services, startup::instance::Instance,
    tls::Trust,
};

/// The limit of a body in bytes, except for a backup. The largest scope map fits.
const BODY_LIMIT: usize = 64 * 1024;

/// The paths of the operations without authentication.
const OPEN: [&str; 5] = [
    api::ShowHealth::PATH,
    api::ShowCa::PATH,
    api::ShowBundle::PATH,
    api::ShowAzureCa::PATH,
    api::ShowDocument::PATH,
];

/// The committed OpenAPI document.
const DOCUMENT: &str = include_str!("../../../docs/openapi.json");

/// Builds the router of the control API.
pub(crate) fn router(
    services: Services,
    trust: Trust,
    friendly_door: FriendlyDoor,
    instance: Weak<Instance>,
) -> Router {
    let guarded = guarded().router;
    let guarded = guarded.route_layer(middleware::from_fn_with_state(
        friendly_door.clone(),
        guard::check,
    ));
    Router::new()
        .nest(api::BASE, open().router.merge(guarded))
        .fallback(|uri: Uri| async move { ControlError::not_found(uri.path()) })
        .method_not_allowed_fallback(|method: Method| async move {
            ControlError::method_not_allowed(&method)
        })
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .with_state(ControlState {
            services,
            trust,
            friendly_door,
            instance,
        })
}

/// Builds the routes without authentication. Clients need them before they trust the CA or know the token.
fn open() -> Routes {
    Routes::default()
        .on(status::health)
        .on_raw(trust::ca)
        .on_raw(trust::bundle)
        .on_raw(trust::azure_ca)
        .on_raw(document)
}

/// Builds the routes behind the guard.
fn guarded() -> Routes {
    Routes::default()
        .on(status::status)
        .on(trust::hosts)
        .on(trust::files)
        .on(environment::show)
        .on_raw(audit::audit)
        .on(verify::verify)
        .on(quarantine::show)
        .on(quarantine::empty)
        .on(clock::show)
        .on(clock::set)
        .on(clock::advance)
        .on(clock::freeze)
        .on(clock::resume)
        .on(report::compliance)
        .on(instance::reset)
        .on(instance::rename)
        .on(operations::list)
        .on(operations::complete)
        .on(operations::fail)
        .on(vaults::list)
        .on(vaults::show)
        .on(vaults::create)
        .on(vaults::update)
        .on(vaults::delete)
        .on(vaults::recover)
        .on(vaults::purge)
        .on(access::list)
        .on(access::grant)
        .on(access::revoke)
        .on(keys::list)
        .on(keys::show)
        .on(keys::create)
        .on(keys::update)
        .on(keys::update_version)
        .on(keys::delete)
        .on(keys::rotate)
        .on(keys::back_up)
        .on_large(sealock_vault::BACKUP_BYTES, keys::restore)
        .on(keys::recover)
        .on(keys::purge)
        .on(keys::show_rotation_policy)
        .on(keys::set_rotation_policy)
        .on(identities::list)
        .on(identities::show)
        .on(identities::create)
        .on(identities::delete)
        .on(identities::header)
        .on(applications::list)
        .on(applications::show)
        .on(applications::create)
        .on(applications::delete)
        .on(applications::reset_secret)
        .on(applications::add_certificate)
        .on(applications::add_federated_credential)
        .on(applications::remove_credential)
        .on(role_assignments::list)
        .on(role_assignments::assign)
        .on(role_assignments::remove)
        .on(registries::list)
        .on(registries::show)
        .on(checkup::show)
        .on(registries::create)
        .on(registries::delete)
        .on(registries::rotate_key)
        .on(registry_identities::list)
        .on(registry_identities::assign)
        .on(registry_identities::remove)
        .on(repositories::list)
        .on(repositories::show)
        .on(repositories::delete)
        .on(garbage::usage)
        .on(garbage::show)
        .on(garbage::collect)
        .on(inspect::inspect)
        .on(logins::update)
        .on(logins::credentials)
        .on(logins::regenerate)
        .on(tokens::list)
        .on(tokens::show)
        .on(tokens::put)
        .on(tokens::delete)
        .on(tokens::generate)
        .on(scope_maps::list)
        .on(scope_maps::show)
        .on(scope_maps::put)
        .on(scope_maps::delete)
}

/// Shows the OpenAPI document.
async fn document(_: Call<api::ShowDocument>) -> Answer<Response> {
    Ok(([(header::CONTENT_TYPE, api::JSON)], DOCUMENT).into_response())
}

/// Returns true if a path belongs to the control API.
pub(crate) fn is_control_path(path: &str) -> bool {
    path.split('/').nth(1) == Some("_sealock")
}

/// Returns true if a path is that of an operation which needs no authentication, and no state either.
pub(crate) fn is_open(path: &str) -> bool {
    let path = path.strip_prefix(api::BASE).unwrap_or_default();
    OPEN.contains(&path)
}

/// Returns true if a path is that of the health check.
pub(crate) fn is_health(path: &str) -> bool {
    path.strip_prefix(api::BASE) == Some(api::ShowHealth::PATH)
}

/// Refuses a request before it reaches an operation.
pub(crate) fn refuse(status: StatusCode, code: &str, detail: &str) -> Response {
    ControlError::new(status, code, detail, Vec::new()).into_response()
}

/// Refuses a request from a web page outside `page`.
pub(crate) fn refuse_page(page: &str) -> Response {
    ControlError::not_for_pages(page).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn document_describes_exactly_the_served_routes() {
        let mut served = open().served;
        served.extend(guarded().served);
        let mut served: Vec<_> = served
            .iter()
            .map(|(method, path)| format!("{method} {path}"))
            .collect();
        served.sort();
        let document: serde_json::Value = serde_json::from_str(DOCUMENT).unwrap();
        let paths = document["paths"].as_object().unwrap().iter();
        let mut described: Vec<_> = paths
            .flat_map(|(path, item)| {
                let methods = item.as_object().unwrap().keys();
                methods.map(move |method| format!("{} {path}", method.to_uppercase()))
            })
            .collect();
        described.sort();
        assert_eq!(served, described);
    }

    #[test]
    fn document_marks_the_routes_without_authentication() {
        let document: serde_json::Value = serde_json::from_str(DOCUMENT).unwrap();
        for (routes, is_open) in [(open(), true), (guarded(), false)] {
            for (method, path) in routes.served {
                let method = method.as_str().to_lowercase();
                let security = &document["paths"][path][method]["security"];
                assert_eq!(security.is_array(), is_open, "{path}");
            }
        }
    }
}

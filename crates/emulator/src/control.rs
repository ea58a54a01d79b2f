//! The control API: what the command line speaks to, under `/_sealock/v1`.
//!
//! Each module is one resource; it parses, calls the domain as the operator, and renders.

mod access;
mod applications;
mod audit;
mod audit_query;
mod clock;
mod error;
mod extract;
mod garbage;
mod guard;
mod health;
mod hosts;
mod identities;
mod identity_header;
mod inspect;
mod keys;
mod logins;
mod principals;
mod quarantine;
mod registries;
mod role_assignments;
mod rotation_policy;
mod scope_maps;
mod status;
mod tokens;
mod trust;
mod vaults;
mod verify;

use axum::{
    Extension, Router,
    extract::DefaultBodyLimit,
    http::{Method, Uri},
    middleware,
    response::{IntoResponse as _, Response},
    routing::{delete, get, post},
};
use sealock_core::{KeyName, VaultName};

use self::error::ControlError;
use crate::{friendly_door::FriendlyDoor, services::Services, tls::Trust};

/// The largest body, but for a backup. A scope map with the most actions has room.
const BODY_LIMIT: usize = 64 * 1024;

type Answer<T> = Result<axum::Json<T>, ControlError>;

/// The control API, for whoever `door` lets in.
pub(crate) fn router(services: Services, trust: Trust, door: FriendlyDoor) -> Router {
    // What a client needs before it can be trusted, and what it may know without.
    let open = Router::new()
        .route("/health", get(health::health))
        .merge(trust::open().with_state(trust.clone()));
    let guarded = Router::new()
        .route("/status", get(status::status))
        .route("/vaults", get(vaults::list))
        .route(
            "/vaults/{vault}",
            get(vaults::show)
                .put(vaults::create)
                .patch(vaults::update)
                .delete(vaults::delete),
        )
        .route("/deleted-vaults/{vault}", delete(vaults::purge))
        .route("/deleted-vaults/{vault}/recover", post(vaults::recover))
        .route("/vaults/{vault}/keys", get(keys::list))
        .route(
            "/vaults/{vault}/keys/{key}",
            get(keys::show)
                .post(keys::create)
                .patch(keys::update)
                .delete(keys::delete),
        )
        .route("/vaults/{vault}/keys/{key}/rotate", post(keys::rotate))
        .route("/vaults/{vault}/keys/{key}/backup", post(keys::backup))
        .route(
            "/vaults/{vault}/keys/{key}/rotation-policy",
            get(rotation_policy::show).put(rotation_policy::set),
        )
        .route(
            "/vaults/{vault}/restore",
            post(keys::restore).layer(DefaultBodyLimit::max(sealock_vault::BACKUP_BYTES)),
        )
        .route(
            "/vaults/{vault}/keys/{key}/{version}",
            axum::routing::patch(keys::update_version),
        )
        .route("/vaults/{vault}/deleted-keys/{key}", delete(keys::purge))
        .route(
            "/vaults/{vault}/deleted-keys/{key}/recover",
            post(keys::recover),
        )
        .route("/vaults/{vault}/access", get(access::list))
        .route(
            "/vaults/{vault}/access/{principal}/grant",
            post(access::grant),
        )
        .route(
            "/vaults/{vault}/access/{principal}/revoke",
            post(access::revoke),
        )
        .merge(principals())
        .route("/registries", get(registries::list))
        .route(
            "/registries/{registry}",
            get(registries::show).put(registries::create),
        )
        .route(
            "/registries/{registry}/rotate-key",
            post(registries::rotate_key),
        )
        .merge(logins())
        .route("/registries/{registry}/usage", get(garbage::usage))
        .route(
            "/registries/{registry}/garbage",
            get(garbage::show).delete(garbage::collect),
        )
        .route("/registries/{registry}/inspect", get(inspect::inspect))
        .route("/audit", get(audit::audit))
        .route("/clock", get(clock::show).put(clock::set))
        .route("/clock/advance", post(clock::advance))
        .route("/clock/freeze", post(clock::freeze))
        .route("/clock/resume", post(clock::resume))
        .route("/hosts", get(hosts::hosts))
        .route(
            "/quarantine",
            get(quarantine::show).delete(quarantine::empty),
        )
        .route(
            "/verify",
            post(verify::verify).layer(Extension(trust.clone())),
        )
        .route(
            "/identity-header",
            get(identity_header::show).layer(Extension(door.clone())),
        )
        .merge(trust::guarded().with_state(trust))
        .route_layer(middleware::from_fn_with_state(door, guard::check));
    Router::new()
        .nest("/_sealock/v1", open.merge(guarded))
        .fallback(|uri: Uri| async move { ControlError::not_found(uri.path()) })
        .method_not_allowed_fallback(|method: Method| async move {
            ControlError::method_not_allowed(&method)
        })
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .with_state(services)
}

/// Returns true if a path is one of the control API's.
pub(crate) fn is_controls(path: &str) -> bool {
    path.split('/').nth(1) == Some("_sealock")
}

/// Refuses a request of a web page that is not at `page`.
pub(crate) fn refuse_page(page: &str) -> Response {
    ControlError::not_for_pages(page).into_response()
}

/// Who there is, and which roles they have.
fn principals() -> Router<Services> {
    Router::new()
        .route("/identities", get(identities::list))
        .route(
            "/identities/{identity}",
            axum::routing::put(identities::create).delete(identities::delete),
        )
        .route("/applications", get(applications::list))
        .route(
            "/applications/{application}",
            get(applications::show)
                .put(applications::create)
                .delete(applications::delete),
        )
        .route(
            "/applications/{application}/reset-secret",
            post(applications::reset_secret),
        )
        .route("/role-assignments", get(role_assignments::list))
        .route(
            "/role-assignments/{principal}/assign",
            post(role_assignments::assign),
        )
        .route(
            "/role-assignments/{principal}/remove",
            post(role_assignments::remove),
        )
}

/// Who may log in to a registry.
fn logins() -> Router<Services> {
    Router::new()
        .route(
            "/registries/{registry}/login",
            axum::routing::patch(logins::update),
        )
        .route(
            "/registries/{registry}/credentials",
            get(logins::credentials),
        )
        .route(
            "/registries/{registry}/credentials/{password}/regenerate",
            post(logins::regenerate),
        )
        .route("/registries/{registry}/tokens", get(tokens::list))
        .route(
            "/registries/{registry}/tokens/{token}",
            get(tokens::show).put(tokens::put).delete(tokens::delete),
        )
        .route(
            "/registries/{registry}/tokens/{token}/passwords/{password}",
            post(tokens::generate),
        )
        .route("/registries/{registry}/scope-maps", get(scope_maps::list))
        .route(
            "/registries/{registry}/scope-maps/{scope_map}",
            get(scope_maps::show)
                .put(scope_maps::put)
                .delete(scope_maps::delete),
        )
}

/// A vault and a key, as a path names them.
fn vault_and_key((vault, key): (String, String)) -> Result<(VaultName, KeyName), ControlError> {
    Ok((vault.parse()?, key.parse()?))
}

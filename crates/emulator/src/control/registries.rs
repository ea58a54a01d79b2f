use axum::{Json, extract::State, http::StatusCode};
use jiff::Timestamp;
use sealock_cmk::{Cause, Encryption, Identity, Sku, Standing, rules};
use sealock_core::{ClientId, IdentityName, KeyIdentifier, Kid, RegistryId, RegistryName};
use sealock_entra::Role;
use sealock_registry::{LoginSettings, Registry};
use serde::{Deserialize, Serialize};

use super::{
    Answer, ControlError,
    extract::{Body, Path},
};
use crate::services::Services;

/// What Azure's clients call a registry's own identity.
const SYSTEM_IDENTITY: [&str; 2] = ["system", "[system]"];

#[derive(Serialize)]
pub(super) struct RegistryView {
    name: RegistryName,
    id: RegistryId,
    login_server: String,
    sku: Sku,
    created: Timestamp,
    #[serde(flatten)]
    login: LoginSettings,
    encryption: EncryptionView,
    gate: GateView,
}

#[derive(Serialize)]
#[serde(tag = "status", rename_all = "lowercase")]
enum EncryptionView {
    Disabled,
    Enabled {
        key_identifier: String,
        versioned_key_identifier: String,
        identity: IdentityView,
        key_rotation_enabled: bool,
        last_key_rotation: Option<Timestamp>,
    },
}

#[derive(Serialize)]
struct IdentityView {
    /// `None` if the identity is gone.
    name: Option<IdentityName>,
    client_id: ClientId,
}

#[derive(Serialize)]
#[serde(tag = "state", rename_all = "lowercase")]
enum GateView {
    Available,
    Revoked {
        cause: Cause,
        message: &'static str,
        key: String,
        since: Timestamp,
        /// The command that restores the registry, if one does.
        restore: Option<String>,
    },
    /// The stored state could not be read.
    Unknown {
        message: String,
    },
}

#[derive(Serialize)]
pub(super) struct List {
    registries: Vec<RegistryView>,
}

pub(super) async fn list(State(services): State<Services>) -> Answer<List> {
    Ok(Json(all(&services).await?))
}

/// Lists every registry and evaluates its gate.
pub(super) async fn all(services: &Services) -> Result<List, ControlError> {
    let mut registries = Vec::new();
    for registry in services.registries.list().await? {
        registries.push(view(services, registry).await?);
    }
    Ok(List { registries })
}

pub(super) async fn show(
    State(services): State<Services>,
    Path(name): Path<String>,
) -> Answer<RegistryView> {
    let registry = named(&services, &name).await?;
    Ok(Json(view(&services, registry).await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Create {
    sku: Option<String>,
    key: Option<KeyIdentifier>,
    identity: Option<String>,
}

pub(super) async fn create(
    State(services): State<Services>,
    Path(name): Path<String>,
    Body(asked): Body<Create>,
) -> Result<(StatusCode, Json<RegistryView>), ControlError> {
    let sku: Result<Sku, _> = asked.sku.as_deref().unwrap_or("Premium").parse();
    let sku = sku.map_err(|error| ControlError::bad_request(error.to_string()))?;
    let identity = match &asked.identity {
        Some(name) => Some(identity(&services, name).await?),
        None => None,
    };
    let encryption = Encryption {
        key: asked.key,
        identity,
    };
    let name = name.parse()?;
    let created = services
        .registries
        .create_or_update(&name, sku, &encryption);
    let (_, is_new) = created.await?;
    let status = if is_new {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    let registry = services.registries.get(&name).await?;
    Ok((status, Json(view(&services, registry).await?)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RotateKey {
    key: Option<KeyIdentifier>,
    identity: Option<String>,
}

pub(super) async fn rotate_key(
    State(services): State<Services>,
    Path(name): Path<String>,
    Body(asked): Body<RotateKey>,
) -> Answer<RegistryView> {
    let registry = named(&services, &name).await?;
    let record = &registry.record;
    rules::encrypted_only(&record.name, record.encrypted).map_err(sealock_cmk::Error::from)?;
    let identity = match &asked.identity {
        Some(name) => Some(identity(&services, name).await?),
        None => None,
    };
    let identity = match identity {
        Some(Identity::UserAssigned(client_id)) => Some(client_id),
        Some(Identity::SystemAssigned) => {
            return Err(ControlError::bad_request(
                "the registry has no system-assigned identity yet; name a user-assigned one",
            ));
        }
        None => None,
    };
    services
        .custodian
        .rotate(record.id, &record.name, asked.key, identity)
        .await?;
    Ok(Json(view(&services, registry).await?))
}

pub(super) async fn named(services: &Services, name: &str) -> Result<Registry, ControlError> {
    Ok(services.registries.get(&name.parse()?).await?)
}

async fn identity(services: &Services, name: &str) -> Result<Identity, ControlError> {
    if SYSTEM_IDENTITY.contains(&name) {
        return Ok(Identity::SystemAssigned);
    }
    let identity = services.directory.identity(&name.parse()?).await?;
    Ok(Identity::UserAssigned(identity.client_id))
}

async fn view(services: &Services, registry: Registry) -> Result<RegistryView, ControlError> {
    let record = registry.record.clone();
    let (encryption, gate) = if record.encrypted {
        encrypted(services, record.id, &record.name).await?
    } else {
        (EncryptionView::Disabled, GateView::Available)
    };
    Ok(RegistryView {
        login_server: services.names.login_server(&record.name),
        name: record.name,
        id: record.id,
        sku: record.sku,
        created: record.created,
        login: registry.login_settings().await?,
        encryption,
        gate,
    })
}

async fn encrypted(
    services: &Services,
    id: RegistryId,
    registry: &RegistryName,
) -> Result<(EncryptionView, GateView), ControlError> {
    let (custody, standing) = services.custodian.status(id).await?;
    let identity = services
        .directory
        .identity_by_client_id(custody.identity)
        .await?;
    let identity_name = identity.map(|identity| identity.name);
    let encryption = EncryptionView::Enabled {
        key_identifier: services.names.key_uri(&custody.key),
        versioned_key_identifier: services.names.key_uri(&custody.kid.identifier()),
        identity: IdentityView {
            name: identity_name.clone(),
            client_id: custody.identity,
        },
        key_rotation_enabled: custody.key.version.is_none(),
        last_key_rotation: custody.rotated,
    };
    let gate = match standing {
        Standing::Available => GateView::Available,
        Standing::Unknown(error) => GateView::Unknown {
            message: error.to_string(),
        },
        Standing::Revoked(revocation) => GateView::Revoked {
            restore: restore(
                registry,
                revocation.cause,
                &revocation.key,
                identity_name.as_ref(),
            ),
            cause: revocation.cause,
            message: revocation.cause.message(),
            key: services.names.key_uri(&revocation.key.identifier()),
            since: revocation.since,
        },
    };
    Ok((encryption, gate))
}

/// The way back for a registry, if it is revoked and there is one.
pub(super) async fn way_back(
    services: &Services,
    id: RegistryId,
    registry: &RegistryName,
) -> Result<Option<String>, ControlError> {
    Ok(match encrypted(services, id, registry).await? {
        (_, GateView::Revoked { restore, .. }) => restore,
        (_, GateView::Available | GateView::Unknown { .. }) => None,
    })
}

/// The way back from a revocation.
fn restore(
    registry: &RegistryName,
    cause: Cause,
    kid: &Kid,
    identity: Option<&IdentityName>,
) -> Option<String> {
    let Kid {
        vault,
        key,
        version,
    } = kid;
    match cause {
        Cause::ForbiddenByPolicy => identity
            .map(|identity| format!("sealock access grant --vault {vault} --identity {identity}")),
        Cause::ForbiddenByConnection | Cause::ForbiddenByFirewall => Some(format!(
            "sealock vault network {vault} --bypass azure-services"
        )),
        Cause::ForbiddenByRbac => identity.map(|identity| {
            format!(
                "sealock role assign --role \"{}\" --identity {identity} --vault {vault}",
                Role::KeyVaultCryptoServiceEncryptionUser
            )
        }),
        Cause::IdentityNotFound => Some(format!(
            "sealock registry rotate-key {registry} --identity NAME, with an identity that may use the key"
        )),
        Cause::KeyDeleted => Some(format!("sealock key recover {key} --vault {vault}")),
        Cause::KeyDisabled => Some(format!(
            "sealock key enable {key} --vault {vault} --version {version}"
        )),
        Cause::KeyNotFound => Some(format!(
            "sealock key restore --vault {vault} --file BACKUP, with a backup of {key}"
        )),
        Cause::KeyOperationForbidden => Some(format!(
            "sealock key update {key} --vault {vault} --version {version} --ops wrapKey,unwrapKey"
        )),
        Cause::VaultDeleted => Some(format!("sealock vault recover {vault}")),
        Cause::VaultNotFound => Some(format!(
            "sealock vault create {vault}, and then with a backup of {key}: sealock key restore --vault {vault} --file BACKUP"
        )),
        _ => None,
    }
}

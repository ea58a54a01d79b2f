//! The checkup of a registry: the facts about its customer-managed key, which the documented practices judge.

mod judgement;
mod practices;

use axum::http::StatusCode;
use jiff::Timestamp;
use sealock_api as api;
use sealock_core::{ClientId, KeyIdentifier, RegistryName};
use sealock_entra::ManagedIdentity;
use sealock_registry::RegistryRecord;
use sealock_vault::{
    Action, Error, KeyAttributes, KeyUser, State, Vault,
    operation::{GetRotationPolicy, GetVault, GetWholeKey},
};

use super::view::view;
use crate::{
    control::{Answer, ControlError, call::Call, hints::advice},
    services::Services,
};

/// The facts about a registry with a customer-managed key.
struct Facts {
    registry: RegistryName,
    gate: api::Gate,
    /// The key as it was chosen, with or without a version.
    key: KeyIdentifier,
    /// The version that wraps the DEK.
    kid: KeyIdentifier,
    /// The obstacle between the registry and its key's current version.
    behind: Option<api::Behind>,
    /// The identity that uses the key. `None` if it is deleted.
    identity: Option<ManagedIdentity>,
    is_identity_assigned: bool,
    /// The key's vault. `None` if it is deleted.
    vault: Option<Vault>,
    /// The facts about the version that wraps the DEK. `None` if it is deleted.
    version: Option<VersionFacts>,
    /// The identity's permissions to the key, by what grants them.
    uses: Vec<KeyUser>,
    now: Timestamp,
}

/// The facts about a key version.
struct VersionFacts {
    attributes: KeyAttributes,
    /// The time at which the rotation policy makes the key's next version. `None` if it makes none.
    next_rotation: Option<Timestamp>,
}

pub(in crate::control) async fn show(call: Call<api::ShowCheckup>) -> Answer<api::Checkup> {
    let services = &call.services;
    let registry = services.registries.get(&call.path.registry).await?;
    let record = registry.record.clone();
    let shown = view(services, registry).await?;
    let facts = Facts::gather(services, &record, shown).await?;
    let checks = facts.check();
    let needs_attention =
        |check: &api::Check| matches!(check.outcome, api::Outcome::Advice | api::Outcome::Problem);
    Ok(api::Checkup {
        registry: record.name.clone(),
        sound: !checks.iter().any(needs_attention),
        checks,
    })
}

impl Facts {
    async fn gather(
        services: &Services,
        record: &RegistryRecord,
        shown: api::Registry,
    ) -> Answer<Self> {
        let api::Encryption::Enabled {
            key_identifier,
            versioned_key_identifier,
            identity,
            behind,
            ..
        } = shown.encryption
        else {
            return Err(not_encrypted(&record.name));
        };
        let kid = parse(&versioned_key_identifier)?;
        let is_identity_assigned = is_assigned(services, record, identity.client_id).await?;
        let directory = &services.directory;
        let identity = directory.identity_by_client_id(identity.client_id).await?;
        let vault = active_vault(services, &kid).await?;
        let uses = match (&identity, &vault) {
            (Some(identity), Some(vault)) => {
                let users = services.vault.users_of_key(&vault.name, &kid.key);
                let mut uses = users.await?;
                uses.retain(|user| user.principal == identity.principal_id);
                uses
            }
            _ => Vec::new(),
        };
        Ok(Self {
            registry: shown.name,
            gate: shown.gate,
            key: parse(&key_identifier)?,
            behind: behind.map(|behind| *behind),
            identity,
            is_identity_assigned,
            version: match &vault {
                Some(_) => active_version(services, &kid).await?,
                None => None,
            },
            vault,
            kid,
            uses,
            now: services.clock.now(),
        })
    }
}

fn not_encrypted(registry: &RegistryName) -> ControlError {
    let detail = format!(
        "the registry {registry} has no customer-managed key, so there is nothing to check"
    );
    let hint = advice("a registry gets its customer-managed key when it is created");
    ControlError::new(StatusCode::CONFLICT, "NotEncrypted", detail, vec![hint])
}

fn parse(key: &str) -> Answer<KeyIdentifier> {
    Ok(key.parse()?)
}

async fn is_assigned(
    services: &Services,
    registry: &RegistryRecord,
    identity: ClientId,
) -> Answer<bool> {
    let registries = &services.registries;
    let system = registries.system_assigned_identity(registry).await?;
    if system.is_some_and(|system| system.client_id == identity) {
        return Ok(true);
    }
    let assigned = registries.user_assigned_identities(registry.id).await?;
    Ok(assigned.iter().any(|it| it.client_id == identity))
}

async fn active_vault(services: &Services, key: &KeyIdentifier) -> Answer<Option<Vault>> {
    let shown = async {
        let permit = services.authorize(GetVault, key.vault.clone()).await?;
        permit.run().await
    };
    match shown.await {
        Ok(vault) => Ok((vault.state == State::Active).then_some(vault)),
        Err(Error::VaultNotFound { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

async fn active_version(services: &Services, kid: &KeyIdentifier) -> Answer<Option<VersionFacts>> {
    let current = KeyIdentifier::current(&kid.vault, &kid.key);
    let shown = async {
        let permit = services.authorize(GetWholeKey, current.clone()).await?;
        let key = permit.run().await?;
        let permit = services.authorize(GetRotationPolicy, current).await?;
        Ok((key, permit.run().await?.policy))
    };
    match shown.await {
        Ok((key, policy)) => {
            let (created, expires) = (
                key.current.attributes.created,
                key.current.attributes.expires,
            );
            let version = kid.version.as_ref().and_then(|id| key.version(id));
            Ok(version.map(|version| VersionFacts {
                attributes: version.attributes,
                next_rotation: policy.due_time(Action::Rotate, created, expires),
            }))
        }
        Err(
            Error::KeyNotFound { .. }
            | Error::KeyDeleted { .. }
            | Error::VaultNotFound { .. }
            | Error::VaultDeleted { .. },
        ) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

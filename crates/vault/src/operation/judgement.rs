//! The rules by which operations are judged: first the requester's access, then the target's state.

use std::future::{Ready, ready};

use sealock_core::{KeyIdentifier, Kid, VaultName};
use sealock_store::Record;

use super::{ManagedVault, Target, target::InVault};
use crate::{
    Error, KeyBundle, KeyOperation, KeyPermission, Requester, Result,
    lookup::{StoredVersion, check_changeable},
    records::{KeyRecord, VaultRecord},
    service::Service,
};

/// A vault, and the key to which a version can be added. Without one, the key's name is free.
#[derive(Clone)]
pub struct CreatableKey {
    pub(crate) vault: Record<VaultRecord>,
    pub(crate) key: Option<Record<KeyRecord>>,
}

/// A key and its vault.
#[derive(Clone)]
pub struct KeyInVault {
    pub(crate) vault: Record<VaultRecord>,
    pub(crate) key: Record<KeyRecord>,
}

/// A version of a key, and its vault.
#[derive(Clone)]
pub struct VersionInVault {
    pub(crate) vault: Record<VaultRecord>,
    pub(crate) key: Record<KeyRecord>,
    pub(crate) kid: Kid,
    pub(crate) version: StoredVersion,
}

pub(super) async fn check_manager(
    service: &Service,
    requester: &Requester,
    action: &'static str,
    target: &impl Target,
) -> Result<()> {
    service
        .check_manager(requester, action, target.vault())
        .await
}

pub(super) async fn permitted_vault(
    service: &Service,
    requester: &Requester,
    target: &impl InVault,
    permission: KeyPermission,
) -> Result<Record<VaultRecord>> {
    let key = target.key().map(|identifier| identifier.key);
    service
        .permitted_vault(requester, target.vault_name(), key.as_ref(), permission)
        .await
}

pub(super) async fn reached_vault(
    service: &Service,
    requester: &Requester,
    target: &impl InVault,
) -> Result<Record<VaultRecord>> {
    let vault = service
        .reachable_vault(requester, target.vault_name())
        .await?;
    requester.api_version_is_named()?;
    Ok(vault)
}

/// Judges by the access alone, and returns what it found.
pub(super) fn access_alone<A>(_: &Service, access: A, _: &impl Target) -> Ready<Result<A>> {
    ready(Ok(access))
}

pub(super) async fn free_vault_name(service: &Service, (): (), vault: &VaultName) -> Result<()> {
    let vault = vault.clone();
    match service.find_vault(&vault).await? {
        Some(record) if record.deletion.is_some() => Err(Error::VaultNameReserved { vault }),
        Some(_) => Err(Error::VaultNameTaken { vault }),
        None => Ok(()),
    }
}

/// Finds the vault to replace, or `None` if the name is free.
pub(super) async fn creatable_vault(
    service: &Service,
    (): (),
    target: &ManagedVault,
) -> Result<Option<Record<VaultRecord>>> {
    let vault = target.vault.clone();
    match service.find_vault(&vault).await? {
        Some(record) if record.deletion.is_some() => Err(Error::VaultNameReserved { vault }),
        Some(record) if !target.may_be_at(&record.resource) => Err(Error::VaultNameTaken { vault }),
        Some(record) if record.failed_over => Err(Error::FailedOver { vault }),
        found => Ok(found),
    }
}

pub(super) async fn existing_vault(
    service: &Service,
    (): (),
    target: &ManagedVault,
) -> Result<Record<VaultRecord>> {
    service
        .find_vault(&target.vault)
        .await?
        .filter(|record| target.may_be_at(&record.resource))
        .ok_or_else(|| not_found(target))
}

pub(super) async fn active_vault(
    service: &Service,
    (): (),
    target: &ManagedVault,
) -> Result<Record<VaultRecord>> {
    let record = service.active_vault(&target.vault).await?;
    check_place(target, record)
}

pub(super) async fn changeable_vault(
    service: &Service,
    (): (),
    target: &ManagedVault,
) -> Result<Record<VaultRecord>> {
    let record = service.active_vault(&target.vault).await?;
    let record = check_place(target, record)?;
    check_changeable(&target.vault, &record)?;
    Ok(record)
}

fn check_place(target: &ManagedVault, record: Record<VaultRecord>) -> Result<Record<VaultRecord>> {
    if target.may_be_at(&record.resource) {
        Ok(record)
    } else {
        Err(not_found(target))
    }
}

fn not_found(target: &ManagedVault) -> Error {
    let vault = target.vault.clone();
    Error::VaultNotFound { vault }
}

pub(super) async fn deleted_vault(
    service: &Service,
    (): (),
    target: &ManagedVault,
) -> Result<Record<VaultRecord>> {
    let found = service.find_vault(&target.vault).await?;
    let found = found.filter(|record| target.may_be_at(&record.resource));
    let is_active = found.is_some();
    found
        .filter(|record| record.deletion.is_some())
        .ok_or_else(|| Error::DeletedVaultNotFound {
            vault: target.vault.clone(),
            is_active,
        })
}

pub(super) async fn purgeable_vault(
    service: &Service,
    (): (),
    target: &ManagedVault,
) -> Result<Record<VaultRecord>> {
    let record = deleted_vault(service, (), target).await?;
    if record.purge_protection {
        return Err(Error::VaultPurgeProtected {
            vault: target.vault.clone(),
        });
    }
    Ok(record)
}

pub(super) async fn creatable_key(
    service: &Service,
    vault: Record<VaultRecord>,
    target: &KeyIdentifier,
) -> Result<CreatableKey> {
    let key = service.creatable_key(&target.vault, &target.key).await?;
    Ok(CreatableKey { vault, key })
}

pub(super) async fn existing_key(
    service: &Service,
    vault: Record<VaultRecord>,
    target: &KeyIdentifier,
) -> Result<KeyInVault> {
    let not_found = || Error::KeyNotFound {
        vault: target.vault.clone(),
        key: target.key.clone(),
        version: None,
    };
    let found = service.find_key(&target.vault, &target.key).await?;
    let key = found.ok_or_else(not_found)?;
    Ok(KeyInVault { vault, key })
}

pub(super) async fn active_key(
    service: &Service,
    vault: Record<VaultRecord>,
    target: &KeyIdentifier,
) -> Result<KeyInVault> {
    let key = service.active_key(&target.vault, &target.key, None).await?;
    Ok(KeyInVault { vault, key })
}

pub(super) async fn deleted_key(
    service: &Service,
    vault: Record<VaultRecord>,
    target: &KeyIdentifier,
) -> Result<KeyInVault> {
    let key = service.deleted_key(&target.vault, &target.key).await?;
    Ok(KeyInVault { vault, key })
}

pub(super) async fn recoverable_key(
    service: &Service,
    vault: Record<VaultRecord>,
    target: &KeyIdentifier,
) -> Result<KeyInVault> {
    let key = service.recoverable_key(&target.vault, &target.key).await?;
    Ok(KeyInVault { vault, key })
}

pub(super) async fn purgeable_key(
    service: &Service,
    vault: Record<VaultRecord>,
    target: &KeyIdentifier,
) -> Result<KeyInVault> {
    let found = recoverable_key(service, vault, target).await?;
    if found.vault.purge_protection {
        return Err(Error::PurgeProtected {
            vault: target.vault.clone(),
            location: found.vault.value.resource.location,
            key: target.key.clone(),
        });
    }
    Ok(found)
}

pub(super) async fn active_version(
    service: &Service,
    vault: Record<VaultRecord>,
    target: &KeyIdentifier,
) -> Result<VersionInVault> {
    let (key, kid) = service.active_kid(target).await?;
    let version = service.stored_version(&kid).await?;
    Ok(VersionInVault {
        vault,
        key,
        kid,
        version,
    })
}

pub(super) async fn usable_version(
    service: &Service,
    vault: Record<VaultRecord>,
    target: &KeyIdentifier,
    operation: KeyOperation,
) -> Result<VersionInVault> {
    let found = active_version(service, vault, target).await?;
    service.check_usable(&found.kid, &found.version.record, operation)?;
    Ok(found)
}

impl KeyInVault {
    /// Returns the current version.
    pub(crate) fn current(&self, vault: &VaultName) -> Kid {
        Kid::new(vault, &self.key.name, self.key.current.clone())
    }
}

impl VersionInVault {
    pub(crate) fn bundle(&self) -> KeyBundle {
        self.version.bundle(&self.vault, &self.key, &self.kid.vault)
    }
}

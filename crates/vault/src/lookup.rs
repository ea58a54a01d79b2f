//! What every operation begins with: the vault, the permission, the key, the version. In this order.

use std::ops::Bound;

use sealock_core::{KeyName, KeyVersion, Kid, VaultName};
use sealock_entra::{Caller, SUBSCRIPTION};
use sealock_store::Record;

use crate::{
    Decision, Error, KeyPermission, Policy, Result,
    access::decide,
    audit::resource_id,
    key_vault::Service,
    records::{KEYS, KeyRecord, POLICIES, VAULTS, VERSIONS, VaultRecord, VersionRecord},
};

/// A key's versions, newest first.
pub(crate) type Versions = Vec<(KeyVersion, VersionRecord)>;

impl Service {
    /// Vaults and access policies are the operator's to manage; no identity has been given a role.
    pub(crate) fn check_operator(
        caller: &Caller,
        action: &'static str,
        vault: Option<&VaultName>,
    ) -> Result<()> {
        match caller {
            Caller::Operator => Ok(()),
            Caller::Identity(identity) => Err(Error::AuthorizationFailed {
                identity: Box::new(identity.clone()),
                action,
                scope: vault.map_or_else(|| format!("/subscriptions/{SUBSCRIPTION}"), resource_id),
            }),
        }
    }

    /// The vault, deleted or not.
    pub(crate) fn find_vault(&self, vault: &VaultName) -> Result<Option<Record<VaultRecord>>> {
        let record = self.store.get(&VAULTS, &[vault.as_str()])?;
        Ok(record.filter(|record| !self.is_over(record.deletion)))
    }

    /// The vault, unless it is deleted.
    pub(crate) fn active_vault(&self, vault: &VaultName) -> Result<Record<VaultRecord>> {
        match self.find_vault(vault)? {
            Some(record) if record.deletion.is_none() => Ok(record),
            Some(_) => Err(Error::VaultDeleted {
                vault: vault.clone(),
            }),
            None => Err(Error::VaultNotFound {
                vault: vault.clone(),
            }),
        }
    }

    /// The vault, if it is active and its access policies let the caller do this.
    pub(crate) fn permitted_vault(
        &self,
        caller: &Caller,
        vault: &VaultName,
        permission: KeyPermission,
    ) -> Result<Record<VaultRecord>> {
        let record = self.active_vault(vault)?;
        match (
            decide(caller, &self.policies_of(vault)?, permission),
            caller,
        ) {
            (Decision::Denied, Caller::Identity(identity)) => Err(Error::AccessDenied {
                identity: Box::new(identity.clone()),
                tenant: self.tenant,
                permission,
                vault: vault.clone(),
            }),
            (Decision::Granted, _) | (_, Caller::Operator) => Ok(record),
        }
    }

    /// The key, deleted or not.
    pub(crate) fn find_key(
        &self,
        vault: &VaultName,
        key: &KeyName,
    ) -> Result<Option<Record<KeyRecord>>> {
        let record = self.store.get(&KEYS, &[vault.as_str(), key.as_str()])?;
        Ok(record.filter(|record| !self.is_over(record.deletion)))
    }

    /// The key, unless it is deleted. `version` is what the refusal names.
    pub(crate) fn active_key(
        &self,
        vault: &VaultName,
        key: &KeyName,
        version: Option<&KeyVersion>,
    ) -> Result<Record<KeyRecord>> {
        let (vault, key, version) = (vault.clone(), key.clone(), version.cloned());
        match self.find_key(&vault, &key)? {
            Some(record) if record.deletion.is_none() => Ok(record),
            Some(_) => Err(Error::KeyDeleted {
                vault,
                key,
                version,
            }),
            None => Err(Error::KeyNotFound {
                vault,
                key,
                version,
            }),
        }
    }

    /// The key, if it is deleted and can be recovered.
    pub(crate) fn deleted_key(
        &self,
        vault: &VaultName,
        key: &KeyName,
    ) -> Result<Record<KeyRecord>> {
        self.find_key(vault, key)?
            .filter(|record| record.deletion.is_some())
            .ok_or_else(|| Error::DeletedKeyNotFound {
                vault: vault.clone(),
                key: key.clone(),
            })
    }

    pub(crate) fn version(&self, kid: &Kid) -> Result<Record<VersionRecord>> {
        let parts = [kid.vault.as_str(), kid.key.as_str(), kid.version.as_str()];
        self.store
            .get(&VERSIONS, &parts)?
            .ok_or_else(|| Error::KeyNotFound {
                vault: kid.vault.clone(),
                key: kid.key.clone(),
                version: Some(kid.version.clone()),
            })
    }

    pub(crate) fn versions_of(&self, vault: &VaultName, key: &KeyName) -> Result<Versions> {
        let prefix = [vault.as_str(), key.as_str()];
        let mut versions: Versions = self
            .store
            .scan(&VERSIONS, &prefix, Bound::Unbounded)
            .map(|entry| {
                let entry = entry?;
                Ok((part(&entry.key, 0)?, entry.record.value))
            })
            .collect::<Result<_>>()?;
        versions.sort_by_key(|(_, version)| std::cmp::Reverse(version.number));
        Ok(versions)
    }

    pub(crate) fn policies_of(&self, vault: &VaultName) -> Result<Vec<Policy>> {
        self.store
            .scan(&POLICIES, &[vault.as_str()], Bound::Unbounded)
            .map(|entry| {
                let entry = entry?;
                Ok(Policy {
                    principal: part(&entry.key, 0)?,
                    permissions: entry.record.value,
                })
            })
            .collect()
    }
}

/// A part of a stored record's key.
pub(crate) fn part<T>(key: &[String], index: usize) -> Result<T>
where
    T: std::str::FromStr,
    T::Err: std::fmt::Display,
{
    let text = key.get(index).map_or("", String::as_str);
    text.parse().map_err(|error: T::Err| {
        Error::Storage(sealock_store::Error::Damaged {
            key: key.join("/"),
            why: error.to_string(),
        })
    })
}

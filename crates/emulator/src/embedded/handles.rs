//! Typed handles on the resources of an emulator.

use std::collections::BTreeSet;

use sealock_api::{self as api, Changed, Empty, Gate, KeyPermission};
use sealock_core::{IdentityName, KeyName, RegistryName, VaultName};

use super::{Emulator, Refused};

/// A registry.
#[derive(Clone, Debug)]
pub struct Registry<'a> {
    emulator: &'a Emulator,
    name: RegistryName,
}

/// A vault.
#[derive(Clone, Debug)]
pub struct Vault<'a> {
    emulator: &'a Emulator,
    name: VaultName,
}

/// A key in a vault.
#[derive(Clone, Debug)]
pub struct Key<'a> {
    emulator: &'a Emulator,
    vault: VaultName,
    name: KeyName,
}

/// A user-assigned managed identity.
#[derive(Clone, Debug)]
pub struct Identity<'a> {
    emulator: &'a Emulator,
    name: IdentityName,
}

/// The clock.
#[derive(Clone, Debug)]
pub struct Clock<'a> {
    emulator: &'a Emulator,
}

impl Emulator {
    /// Returns a handle on a registry, which need not exist.
    ///
    /// # Errors
    /// No registry can have this name.
    pub fn registry(&self, name: &str) -> Result<Registry<'_>, Refused> {
        Ok(Registry {
            emulator: self,
            name: name.parse()?,
        })
    }

    /// Returns a handle on a vault, which need not exist.
    ///
    /// # Errors
    /// No vault can have this name.
    pub fn vault(&self, name: &str) -> Result<Vault<'_>, Refused> {
        Ok(Vault {
            emulator: self,
            name: name.parse()?,
        })
    }

    /// Returns a handle on a key in a vault, neither of which need exist.
    ///
    /// # Errors
    /// No vault or no key can have this name.
    pub fn key(&self, vault: &str, name: &str) -> Result<Key<'_>, Refused> {
        Ok(Key {
            emulator: self,
            vault: vault.parse()?,
            name: name.parse()?,
        })
    }

    /// Returns a handle on a user-assigned managed identity, which need not exist.
    ///
    /// # Errors
    /// No identity can have this name.
    pub fn identity(&self, name: &str) -> Result<Identity<'_>, Refused> {
        Ok(Identity {
            emulator: self,
            name: name.parse()?,
        })
    }

    /// Returns a handle on the clock.
    pub fn clock(&self) -> Clock<'_> {
        Clock { emulator: self }
    }
}

impl Registry<'_> {
    /// Creates the registry. Without a key, only the service key encrypts its content.
    ///
    /// # Errors
    /// A rule refuses.
    pub async fn create(&self, registry: &api::NewRegistry) -> Result<api::Registry, Refused> {
        let registry_name = self.name.clone();
        let create = api::CreateRegistry {
            registry: registry_name,
        };
        self.emulator.ask(&create, registry).await
    }

    /// Shows the registry.
    ///
    /// # Errors
    /// It does not exist.
    pub async fn show(&self) -> Result<api::Registry, Refused> {
        let registry = self.name.clone();
        let show = api::ShowRegistry { registry };
        self.emulator.ask(&show, &Empty {}).await
    }

    /// Returns true while the vault refuses its key.
    ///
    /// # Errors
    /// It does not exist.
    pub async fn is_revoked(&self) -> Result<bool, Refused> {
        Ok(matches!(self.show().await?.gate, Gate::Revoked { .. }))
    }

    /// Wraps its DEK again: under the current version of its key, under another key, or as another identity.
    ///
    /// # Errors
    /// A rule refuses.
    pub async fn rotate_key(
        &self,
        rotation: &api::KeyRotation,
    ) -> Result<Changed<api::Registry>, Refused> {
        let registry = self.name.clone();
        let rotate = api::RotateRegistryKey { registry };
        self.emulator.ask(&rotate, rotation).await
    }

    /// Deletes the registry with its content.
    ///
    /// # Errors
    /// It does not exist.
    pub async fn delete(&self) -> Result<(), Refused> {
        let registry = self.name.clone();
        let delete = api::DeleteRegistry { registry };
        self.emulator.ask(&delete, &Empty {}).await
    }
}

impl Vault<'_> {
    /// Creates the vault.
    ///
    /// # Errors
    /// A rule refuses.
    pub async fn create(&self, vault: &api::NewVault) -> Result<api::Vault, Refused> {
        let name = self.name.clone();
        let create = api::CreateVault { vault: name };
        self.emulator.ask(&create, vault).await
    }

    /// Shows the vault.
    ///
    /// # Errors
    /// It does not exist.
    pub async fn show(&self) -> Result<api::Vault, Refused> {
        let vault = self.name.clone();
        self.emulator
            .ask(&api::ShowVault { vault }, &Empty {})
            .await
    }

    /// Deletes the vault, which can be recovered.
    ///
    /// # Errors
    /// It does not exist.
    pub async fn delete(&self) -> Result<Changed<api::Vault>, Refused> {
        let vault = self.name.clone();
        let delete = api::DeleteVault { vault };
        self.emulator.ask(&delete, &Empty {}).await
    }

    /// Recovers the deleted vault.
    ///
    /// # Errors
    /// It is not deleted.
    pub async fn recover(&self) -> Result<Changed<api::Vault>, Refused> {
        let vault = self.name.clone();
        let recover = api::RecoverVault { vault };
        self.emulator.ask(&recover, &Empty {}).await
    }
}

impl Key<'_> {
    /// Creates the key, or a new version of it.
    ///
    /// # Errors
    /// A rule refuses.
    pub async fn create(&self, key: &api::NewKey) -> Result<Changed<api::Key>, Refused> {
        let create = api::CreateKey {
            vault: self.vault.clone(),
            key: self.name.clone(),
        };
        self.emulator.ask(&create, key).await
    }

    /// Shows the key with its versions.
    ///
    /// # Errors
    /// It does not exist.
    pub async fn show(&self) -> Result<api::Key, Refused> {
        let show = api::ShowKey {
            vault: self.vault.clone(),
            key: self.name.clone(),
        };
        self.emulator.ask(&show, &Empty {}).await
    }

    /// Creates a new version, to which the registries that follow the key have moved when this returns.
    ///
    /// # Errors
    /// It does not exist, or is deleted.
    pub async fn rotate(&self) -> Result<Changed<api::Key>, Refused> {
        let rotate = api::RotateKey {
            vault: self.vault.clone(),
            key: self.name.clone(),
        };
        self.emulator.ask(&rotate, &Empty {}).await
    }

    /// Disables its current version, which revokes the registries that it wraps.
    ///
    /// # Errors
    /// It does not exist, or is deleted.
    pub async fn disable(&self) -> Result<Changed<api::Key>, Refused> {
        self.set_enabled(false).await
    }

    /// Enables its current version.
    ///
    /// # Errors
    /// It does not exist, or is deleted.
    pub async fn enable(&self) -> Result<Changed<api::Key>, Refused> {
        self.set_enabled(true).await
    }

    async fn set_enabled(&self, enabled: bool) -> Result<Changed<api::Key>, Refused> {
        let update = api::UpdateKey {
            vault: self.vault.clone(),
            key: self.name.clone(),
        };
        let change = api::KeyChange {
            enabled: Some(enabled),
            ..api::KeyChange::default()
        };
        self.emulator.ask(&update, &change).await
    }

    /// Deletes the key, which can be recovered.
    ///
    /// # Errors
    /// It does not exist, or is deleted.
    pub async fn delete(&self) -> Result<Changed<api::Key>, Refused> {
        let delete = api::DeleteKey {
            vault: self.vault.clone(),
            key: self.name.clone(),
        };
        self.emulator.ask(&delete, &Empty {}).await
    }

    /// Recovers the deleted key.
    ///
    /// # Errors
    /// It is not deleted.
    pub async fn recover(&self) -> Result<Changed<api::Key>, Refused> {
        let recover = api::RecoverKey {
            vault: self.vault.clone(),
            key: self.name.clone(),
        };
        self.emulator.ask(&recover, &Empty {}).await
    }

    /// Purges the deleted key. Content that only it can open is lost.
    ///
    /// # Errors
    /// It is not deleted, or its vault has purge protection.
    pub async fn purge(&self) -> Result<(), Refused> {
        let purge = api::PurgeKey {
            vault: self.vault.clone(),
            key: self.name.clone(),
        };
        self.emulator.ask(&purge, &Empty {}).await.map(drop)
    }
}

impl Identity<'_> {
    /// Creates the identity, or shows the existing one.
    ///
    /// # Errors
    /// The store fails.
    pub async fn create(&self) -> Result<api::Identity, Refused> {
        let identity = self.name.clone();
        let create = api::CreateIdentity { identity };
        self.emulator.ask(&create, &Empty {}).await
    }

    /// Grants it permissions to the keys of a vault.
    ///
    /// # Errors
    /// One of them does not exist.
    pub async fn grant(
        &self,
        vault: &str,
        permissions: impl IntoIterator<Item = KeyPermission>,
    ) -> Result<Changed<api::AccessPolicy>, Refused> {
        let grant = api::GrantAccess {
            vault: vault.parse()?,
            principal: api::PrincipalReference(self.name.to_string()),
        };
        let permissions: BTreeSet<_> = permissions.into_iter().collect();
        self.emulator
            .ask(&grant, &api::Permissions { permissions })
            .await
    }

    /// Revokes all its permissions to the keys of a vault.
    ///
    /// # Errors
    /// One of them does not exist.
    pub async fn revoke(&self, vault: &str) -> Result<Changed<api::AccessPolicy>, Refused> {
        let revoke = api::RevokeAccess {
            vault: vault.parse()?,
            principal: api::PrincipalReference(self.name.to_string()),
        };
        let permissions = BTreeSet::from([KeyPermission::All]);
        self.emulator
            .ask(&revoke, &api::Permissions { permissions })
            .await
    }

    /// Deletes the identity.
    ///
    /// # Errors
    /// It does not exist.
    pub async fn delete(&self) -> Result<(), Refused> {
        let identity = self.name.clone();
        let delete = api::DeleteIdentity { identity };
        self.emulator.ask(&delete, &Empty {}).await.map(drop)
    }
}

impl Clock<'_> {
    /// Shows the clock.
    ///
    /// # Errors
    /// The store fails.
    pub async fn show(&self) -> Result<api::Clock, Refused> {
        self.emulator.ask(&api::ShowClock {}, &Empty {}).await
    }

    /// Moves the clock by a duration such as `90s`, `1h` or `90d`, even if that purges vaults or keys.
    ///
    /// # Errors
    /// The text is no duration, or the time is out of range.
    pub async fn advance(&self, by: &str) -> Result<Changed<api::ClockMove>, Refused> {
        let step = api::ClockStep {
            by: by.to_owned(),
            allow_purge: true,
        };
        self.emulator.ask(&api::AdvanceClock {}, &step).await
    }
}

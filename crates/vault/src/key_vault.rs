use std::sync::Arc;

use sealock_core::{Clock, KeyName, Kid, PublicName, VaultName};
use sealock_entra::{Directory, TrackedResource};
use sealock_envelope::ServiceKey;
use sealock_store::Store;
use tokio::sync::Notify;

use crate::{
    Error, KeyFollowers, Result, Settings, Swept, audit::Quota, crypto::workload::Workload,
    keys::followers::Followers, service::Service, throttling::Throttling,
};

/// All vaults of the emulator. Clones share them.
///
/// Every operation starts with [`authorize`](Self::authorize).
#[derive(Clone)]
pub struct KeyVault {
    pub(crate) service: Arc<Service>,
}

impl KeyVault {
    /// Opens the vaults in `store`. `service_key` protects their private keys, `names` renders their URLs, and
    /// `directory` has the role assignments.
    pub fn open(
        store: Store,
        service_key: Arc<ServiceKey>,
        clock: Clock,
        names: PublicName,
        directory: Directory,
        settings: Settings,
    ) -> Self {
        let service = Service {
            store,
            service_key,
            clock,
            names,
            directory,
            settings,
            throttling: Throttling::default(),
            workload: Workload::new(),
            unauthenticated: Quota::default(),
            changed: Notify::new(),
            followers: Followers::default(),
        };
        Self {
            service: Arc::new(service),
        }
    }

    /// Sets the followers of new key versions. Later calls have no effect.
    pub fn set_followers(&self, followers: &Arc<dyn KeyFollowers>) {
        self.service.followers.set(followers);
    }

    /// Returns true if the vault has this key, deleted or not.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn has_key(&self, vault: &VaultName, key: &KeyName) -> Result<bool> {
        Ok(self.service.find_key(vault, key).await?.is_some())
    }

    /// Returns true if the vault has this version of a key, deleted or not.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn has_version(&self, kid: &Kid) -> Result<bool> {
        match self.service.version(kid).await {
            Ok(_) => Ok(true),
            Err(Error::KeyNotFound { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Returns true if no vault has this name, deleted or not.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn is_name_free(&self, vault: &VaultName) -> Result<bool> {
        Ok(self.service.find_vault(vault).await?.is_none())
    }

    /// Returns the place, tags and history of a vault that is not deleted.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn resource(&self, vault: &VaultName) -> Result<Option<TrackedResource>> {
        let found = self.service.find_vault(vault).await?;
        let active = found.filter(|record| record.deletion.is_none());
        Ok(active.map(|record| record.value.resource))
    }

    /// Returns the vaults that are not deleted, with their places, tags and history.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn resources(&self) -> Result<Vec<(VaultName, TrackedResource)>> {
        self.service.resources().await
    }

    /// Checks that the vault exists and is not deleted.
    ///
    /// # Errors
    /// [`Error::VaultNotFound`], [`Error::VaultDeleted`]
    pub async fn check_active(&self, vault: &VaultName) -> Result<()> {
        self.service.active_vault(vault).await.map(drop)
    }

    /// Returns the vault's ARM id. A vault that does not exist has one in the default resource group.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn resource_id(&self, vault: &VaultName) -> Result<String> {
        self.service.resource_id(vault).await
    }

    /// Returns true if roles grant permissions to the vault's keys, false if access policies do.
    ///
    /// # Errors
    /// [`Error::VaultNotFound`], [`Error::VaultDeleted`]
    pub async fn uses_rbac(&self, vault: &VaultName) -> Result<bool> {
        Ok(self.service.active_vault(vault).await?.uses_roles())
    }

    /// Removes vaults and keys whose retention has passed, and quarantines files that no key version refers to. Call it
    /// at start and from time to time.
    ///
    /// # Errors
    /// The store cannot be read or written.
    pub async fn sweep(&self) -> Result<Swept> {
        self.service.sweep().await
    }
}

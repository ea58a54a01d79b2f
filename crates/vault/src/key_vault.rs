mod keys;

use std::{collections::BTreeSet, sync::Arc};

use sealock_core::{Clock, KeyName, Kid, PrincipalId, PublicName, VaultName};
use sealock_entra::Directory;
use sealock_envelope::ServiceKey;
use sealock_store::Store;
use tokio::sync::Notify;

use crate::{
    Client, Error, KeyPermission, Policy, Requester, Result, Settings, Swept, Vault, VaultChange,
    VaultSettings,
    audit::{Answer, Request, Target},
    followers::Followers,
    operation::Operation,
    service::Service,
    throttling::Throttling,
};

/// All vaults of the emulator. Clones share them.
///
/// Each operation goes to its end, even if whoever asked for it has left, and leaves one record in the
/// audit log. What it is asked to do is judged last, after everything that Azure judges before: a request
/// that could not be read is therefore passed on as the [`Error`] that it is.
#[derive(Clone)]
pub struct KeyVault {
    pub(crate) service: Arc<Service>,
}

impl KeyVault {
    /// The vaults in `store`. `service_key` seals what seals their private keys; `names` is what
    /// their URLs are rendered with; `directory` knows whose roles count.
    ///
    /// # Errors
    ///
    /// The store cannot be read or written.
    pub async fn open(
        store: Store,
        service_key: Arc<ServiceKey>,
        clock: Clock,
        names: PublicName,
        directory: Directory,
        settings: Settings,
    ) -> Result<Self> {
        let service = Service {
            store,
            service_key,
            clock,
            names,
            directory,
            settings,
            throttling: Throttling::default(),
            changed: Notify::new(),
            followers: Followers::default(),
        };
        service.name_earlier_keys().await?;
        Ok(Self {
            service: Arc::new(service),
        })
    }

    /// Creates a vault.
    pub async fn create_vault(
        &self,
        requester: &Requester,
        vault: &VaultName,
        settings: VaultSettings,
    ) -> Result<Vault> {
        let request = Request::new(requester, Operation::VaultPut, Target::Vault(vault.clone()));
        let vault = vault.clone();
        self.audited(request, move |service, request| async move {
            service.create_vault(&request, &vault, settings).await
        })
        .await
    }

    /// All vaults by name, deleted ones included.
    pub async fn vaults(&self, requester: &Requester) -> Result<Vec<Vault>> {
        let request = Request::new(requester, Operation::VaultGet, Target::Vaults);
        self.audited(request, move |service, request| async move {
            service.vaults(&request.requester).await
        })
        .await
    }

    /// A vault, even if it is deleted.
    pub async fn vault(&self, requester: &Requester, vault: &VaultName) -> Result<Vault> {
        let request = Request::new(requester, Operation::VaultGet, Target::Vault(vault.clone()));
        let vault = vault.clone();
        self.audited(request, move |service, request| async move {
            service.vault(&request.requester, &vault).await
        })
        .await
    }

    /// Returns true if the vault has this key, deleted or not. Records nothing.
    pub async fn has_key(&self, vault: &VaultName, key: &KeyName) -> Result<bool> {
        Ok(self.service.find_key(vault, key).await?.is_some())
    }

    /// Returns true if the vault has this version of a key, deleted or not. Records nothing.
    pub async fn has_version(&self, kid: &Kid) -> Result<bool> {
        match self.service.version(kid).await {
            Ok(_) => Ok(true),
            Err(Error::KeyNotFound { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Changes what a vault is, and from where it can be reached.
    pub async fn update_vault(
        &self,
        requester: &Requester,
        vault: &VaultName,
        change: VaultChange,
    ) -> Result<Vault> {
        let request = Request::new(
            requester,
            Operation::VaultPatch,
            Target::Vault(vault.clone()),
        );
        let vault = vault.clone();
        self.audited(request, move |service, request| async move {
            service.update_vault(&request, &vault, change).await
        })
        .await
    }

    /// Deletes a vault, softly: nothing in it can be reached until it is recovered.
    pub async fn delete_vault(&self, requester: &Requester, vault: &VaultName) -> Result<Vault> {
        let request = Request::new(
            requester,
            Operation::VaultDelete,
            Target::Vault(vault.clone()),
        );
        let vault = vault.clone();
        self.audited(request, move |service, request| async move {
            service.delete_vault(&request, &vault).await
        })
        .await
    }

    /// Recovers a deleted vault, with all that was in it.
    pub async fn recover_vault(&self, requester: &Requester, vault: &VaultName) -> Result<Vault> {
        let request = Request::new(
            requester,
            Operation::VaultRecover,
            Target::Vault(vault.clone()),
        );
        let vault = vault.clone();
        self.audited(request, move |service, request| async move {
            service.recover_vault(&request, &vault).await
        })
        .await
    }

    /// Purges a deleted vault and all its keys. Their files are gone when this returns.
    pub async fn purge_vault(&self, requester: &Requester, vault: &VaultName) -> Result<()> {
        let request = Request::new(
            requester,
            Operation::VaultPurge,
            Target::Vault(vault.clone()),
        );
        let vault = vault.clone();
        self.audited(request, move |service, request| async move {
            service.purge_vault(&request, &vault).await
        })
        .await
    }

    /// Checks that a vault is there and not deleted. Nothing is asked of the vault, so nothing is recorded.
    pub async fn check_active(&self, vault: &VaultName) -> Result<()> {
        self.service.active_vault(vault).await.map(drop)
    }

    /// Whether roles decide who may do what with a vault's keys, instead of access policies. Nothing is recorded.
    pub async fn has_roles(&self, vault: &VaultName) -> Result<bool> {
        Ok(self.service.active_vault(vault).await?.rbac)
    }

    /// A vault's access policies.
    pub async fn policies(&self, requester: &Requester, vault: &VaultName) -> Result<Vec<Policy>> {
        let request = Request::new(requester, Operation::VaultGet, Target::Vault(vault.clone()));
        let vault = vault.clone();
        self.audited(request, move |service, request| async move {
            service.policies(&request.requester, &vault).await
        })
        .await
    }

    /// Gives a principal permissions, in addition to those that it has.
    pub async fn grant(
        &self,
        requester: &Requester,
        vault: &VaultName,
        principal: PrincipalId,
        permissions: BTreeSet<KeyPermission>,
    ) -> Result<Policy> {
        let request = Request::new(
            requester,
            Operation::PoliciesGrant,
            Target::Vault(vault.clone()),
        );
        let vault = vault.clone();
        self.audited(request, move |service, request| async move {
            service
                .grant(&request, &vault, principal, permissions)
                .await
        })
        .await
    }

    /// Takes permissions from a principal. Returns what remains.
    pub async fn revoke(
        &self,
        requester: &Requester,
        vault: &VaultName,
        principal: PrincipalId,
        permissions: BTreeSet<KeyPermission>,
    ) -> Result<Policy> {
        let request = Request::new(
            requester,
            Operation::PoliciesRevoke,
            Target::Vault(vault.clone()),
        );
        let vault = vault.clone();
        self.audited(request, move |service, request| async move {
            service
                .revoke(&request, &vault, principal, permissions)
                .await
        })
        .await
    }

    /// Records that a request's sender could not be told, and why.
    pub async fn record_unauthenticated(
        &self,
        client: &Client,
        vault: &VaultName,
        why: String,
    ) -> Result<()> {
        let request = Request::unauthenticated(client, vault.clone());
        let refused: Result<()> = Err(Error::Unauthorized(why));
        match self.audited(request, |_, _| async move { refused }).await {
            Err(Error::Unauthorized(_)) | Ok(()) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Removes what counts as purged because its retention has passed, and the files that no key
    /// version refers to. To be called at start and now and then; it disturbs nothing else.
    pub async fn sweep(&self) -> Result<Swept> {
        self.service.sweep().await
    }

    /// Carries out an operation, unless it is throttled, and records the outcome. It runs in a task of its own, which
    /// finishes even if the caller leaves. A change that took effect is recorded already: its record was in its commit.
    pub(crate) async fn audited<T, F>(
        &self,
        request: Request,
        work: impl FnOnce(Arc<Service>, Arc<Request>) -> F,
    ) -> Result<T>
    where
        T: Answer + Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        let (service, request) = (Arc::clone(&self.service), Arc::new(request));
        let work = work(Arc::clone(&service), Arc::clone(&request));
        let task = tokio::spawn(async move {
            let result = match service.throttle(&request).await {
                Ok(()) => work.await,
                Err(error) => Err(error),
            };
            if !request.is_recorded() {
                let ended = result.as_ref().map(Answer::subject);
                let event = service.event(&request, ended).await?;
                service.record(&request, &event).await?;
            }
            result
        });
        task.await?
    }
}

use std::{collections::BTreeSet, sync::Arc};

use sealock_core::{Clock, KeyIdentifier, KeyName, PrincipalId, PublicName, VaultName};
use sealock_entra::Directory;
use sealock_envelope::ServiceKey;
use sealock_store::Store;
use tokio::sync::{Mutex, Notify, RwLock};
use zeroize::Zeroizing;

use crate::{
    Client, Error, ImportedKey, Key, KeyBundle, KeyChange, KeyItem, KeyOperation, KeyPermission,
    KeySpec, KeyUse, Listing, Page, Policy, Requester, Result, RotationPolicy, RotationPolicyView,
    Settings, State, Swept, Used, Vault, VaultChange, VaultSettings,
    audit::{Operation, Request, Subject, Target},
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
            creations: RwLock::default(),
            overtaken: Mutex::default(),
            due: Mutex::default(),
            changed: Notify::new(),
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
        let (service, requester) = self.owned(requester);
        let vault = vault.clone();
        let work = async move { service.create_vault(&requester, &vault, settings).await };
        self.audited(request, nothing, work).await
    }

    /// All vaults by name, deleted ones included.
    pub async fn vaults(&self, requester: &Requester) -> Result<Vec<Vault>> {
        let request = Request::new(requester, Operation::VaultGet, Target::Vaults);
        let (service, requester) = self.owned(requester);
        let work = async move { service.vaults(&requester) };
        self.audited(request, nothing, work).await
    }

    /// A vault, even if it is deleted.
    pub async fn vault(&self, requester: &Requester, vault: &VaultName) -> Result<Vault> {
        let request = Request::new(requester, Operation::VaultGet, Target::Vault(vault.clone()));
        let (service, requester) = self.owned(requester);
        let vault = vault.clone();
        let work = async move { service.vault(&requester, &vault) };
        self.audited(request, nothing, work).await
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
        let (service, requester) = self.owned(requester);
        let vault = vault.clone();
        let work = async move { service.update_vault(&requester, &vault, change).await };
        self.audited(request, nothing, work).await
    }

    /// Deletes a vault, softly: nothing in it can be reached until it is recovered.
    pub async fn delete_vault(&self, requester: &Requester, vault: &VaultName) -> Result<Vault> {
        let request = Request::new(
            requester,
            Operation::VaultDelete,
            Target::Vault(vault.clone()),
        );
        let (service, requester) = self.owned(requester);
        let vault = vault.clone();
        let work = async move { service.delete_vault(&requester, &vault).await };
        self.audited(request, nothing, work).await
    }

    /// Recovers a deleted vault, with all that was in it.
    pub async fn recover_vault(&self, requester: &Requester, vault: &VaultName) -> Result<Vault> {
        let request = Request::new(
            requester,
            Operation::VaultRecover,
            Target::Vault(vault.clone()),
        );
        let (service, requester) = self.owned(requester);
        let vault = vault.clone();
        let work = async move { service.recover_vault(&requester, &vault).await };
        self.audited(request, nothing, work).await
    }

    /// Purges a deleted vault and all its keys. Their files are gone when this returns.
    pub async fn purge_vault(&self, requester: &Requester, vault: &VaultName) -> Result<()> {
        let request = Request::new(
            requester,
            Operation::VaultPurge,
            Target::Vault(vault.clone()),
        );
        let (service, requester) = self.owned(requester);
        let vault = vault.clone();
        let work = async move { service.purge_vault(&requester, &vault).await };
        self.audited(request, nothing, work).await
    }

    /// Checks that a vault is there and not deleted. Nothing is asked of the vault, so nothing is recorded.
    pub fn check_active(&self, vault: &VaultName) -> Result<()> {
        self.service.active_vault(vault).map(drop)
    }

    /// Whether roles decide who may do what with a vault's keys, instead of access policies. Nothing is recorded.
    pub fn has_roles(&self, vault: &VaultName) -> Result<bool> {
        Ok(self.service.active_vault(vault)?.rbac)
    }

    /// A vault's access policies.
    pub async fn policies(&self, requester: &Requester, vault: &VaultName) -> Result<Vec<Policy>> {
        let request = Request::new(requester, Operation::VaultGet, Target::Vault(vault.clone()));
        let (service, requester) = self.owned(requester);
        let vault = vault.clone();
        let work = async move { service.policies(&requester, &vault) };
        self.audited(request, nothing, work).await
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
        let (service, requester) = self.owned(requester);
        let vault = vault.clone();
        let work = async move {
            service
                .grant(&requester, &vault, principal, permissions)
                .await
        };
        self.audited(request, nothing, work).await
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
        let (service, requester) = self.owned(requester);
        let vault = vault.clone();
        let work = async move {
            service
                .revoke(&requester, &vault, principal, permissions)
                .await
        };
        self.audited(request, nothing, work).await
    }

    /// Creates a key, or a new version of one that is there.
    pub async fn create_key(
        &self,
        requester: &Requester,
        vault: &VaultName,
        key: &KeyName,
        asked: Result<(KeySpec, KeyChange)>,
    ) -> Result<Key> {
        let mut request = Request::new(requester, Operation::KeyCreate, Target::key(vault, key));
        if let Ok((spec, _)) = &asked {
            request = request.with_new_key(*spec);
        }
        let (service, requester) = self.owned(requester);
        let vault = vault.clone();
        let key = key.clone();
        let work = async move { service.create_key(&requester, &vault, &key, asked).await };
        self.audited(request, |key: &Key| Some(key.subject()), work)
            .await
    }

    /// Imports a key, or a new version of one that is there.
    pub async fn import_key(
        &self,
        requester: &Requester,
        vault: &VaultName,
        key: &KeyName,
        imported: Result<ImportedKey>,
    ) -> Result<Key> {
        let request = Request::new(requester, Operation::KeyImport, Target::key(vault, key));
        let (service, requester) = self.owned(requester);
        let vault = vault.clone();
        let key = key.clone();
        let work = async move { service.import_key(&requester, &vault, &key, imported).await };
        self.audited(request, |key: &Key| Some(key.subject()), work)
            .await
    }

    /// A vault's keys by name, deleted ones included.
    pub async fn keys(&self, requester: &Requester, vault: &VaultName) -> Result<Vec<Key>> {
        let request = Request::new(requester, Operation::KeyList, Target::Keys(vault.clone()));
        let (service, requester) = self.owned(requester);
        let vault = vault.clone();
        let work = async move { service.keys(&requester, &vault) };
        self.audited(request, nothing, work).await
    }

    /// A key with all its versions, even if it is deleted.
    pub async fn key(
        &self,
        requester: &Requester,
        vault: &VaultName,
        key: &KeyName,
    ) -> Result<Key> {
        let request = Request::new(requester, Operation::KeyGet, Target::key(vault, key));
        let (service, requester) = self.owned(requester);
        let vault = vault.clone();
        let key = key.clone();
        let work = async move { service.key(&requester, &vault, &key) };
        self.audited(request, |key: &Key| Some(key.subject()), work)
            .await
    }

    /// A page of a vault's keys.
    pub async fn list_keys(
        &self,
        requester: &Requester,
        vault: &VaultName,
        page: Result<Page>,
    ) -> Result<Listing<KeyItem>> {
        let request = Request::new(requester, Operation::KeyList, Target::Keys(vault.clone()));
        let (service, requester) = self.owned(requester);
        let vault = vault.clone();
        let work = async move { service.list_keys(&requester, &vault, State::Active, page) };
        self.audited(request, nothing, work).await
    }

    /// A page of a vault's deleted keys.
    pub async fn list_deleted_keys(
        &self,
        requester: &Requester,
        vault: &VaultName,
        page: Result<Page>,
    ) -> Result<Listing<KeyItem>> {
        let request = Request::new(
            requester,
            Operation::KeyListDeleted,
            Target::Keys(vault.clone()),
        );
        let (service, requester) = self.owned(requester);
        let vault = vault.clone();
        let work = async move { service.list_keys(&requester, &vault, State::Deleted, page) };
        self.audited(request, nothing, work).await
    }

    /// A page of a key's versions.
    pub async fn list_versions(
        &self,
        requester: &Requester,
        vault: &VaultName,
        key: &KeyName,
        page: Result<Page>,
    ) -> Result<Listing<KeyBundle>> {
        let request = Request::new(
            requester,
            Operation::KeyListVersions,
            Target::key(vault, key),
        );
        let (service, requester) = self.owned(requester);
        let vault = vault.clone();
        let key = key.clone();
        let work = async move { service.list_versions(&requester, &vault, &key, page) };
        self.audited(request, nothing, work).await
    }

    /// What is known of a key version; without one, of the current.
    pub async fn get_key(
        &self,
        requester: &Requester,
        identifier: &KeyIdentifier,
    ) -> Result<KeyBundle> {
        let request = Request::new(
            requester,
            Operation::KeyGet,
            Target::Key(identifier.clone()),
        );
        let (service, requester) = self.owned(requester);
        let identifier = identifier.clone();
        let work = async move { service.get_key(&requester, &identifier) };
        self.audited(request, |bundle: &KeyBundle| Some(bundle.subject()), work)
            .await
    }

    /// A deleted key.
    pub async fn deleted_key(
        &self,
        requester: &Requester,
        vault: &VaultName,
        key: &KeyName,
    ) -> Result<Key> {
        let request = Request::new(requester, Operation::KeyGetDeleted, Target::key(vault, key));
        let (service, requester) = self.owned(requester);
        let vault = vault.clone();
        let key = key.clone();
        let work = async move { service.deleted_key_of(&requester, &vault, &key) };
        self.audited(request, |key: &Key| Some(key.subject()), work)
            .await
    }

    /// Changes a version; without one, the current. Returns the key, and the version that was changed.
    pub async fn update_key(
        &self,
        requester: &Requester,
        identifier: &KeyIdentifier,
        change: Result<KeyChange>,
    ) -> Result<(Key, KeyBundle)> {
        let request = Request::new(
            requester,
            Operation::KeyUpdate,
            Target::Key(identifier.clone()),
        );
        let (service, requester) = self.owned(requester);
        let identifier = identifier.clone();
        let work = async move { service.update_key(&requester, &identifier, change).await };
        self.audited(
            request,
            |(_, changed): &(Key, KeyBundle)| Some(changed.subject()),
            work,
        )
        .await
    }

    /// Deletes a key with all its versions, softly.
    pub async fn delete_key(
        &self,
        requester: &Requester,
        vault: &VaultName,
        key: &KeyName,
    ) -> Result<Key> {
        let request = Request::new(requester, Operation::KeyDelete, Target::key(vault, key));
        let (service, requester) = self.owned(requester);
        let vault = vault.clone();
        let key = key.clone();
        let work = async move { service.delete_key(&requester, &vault, &key).await };
        self.audited(request, |key: &Key| Some(key.subject()), work)
            .await
    }

    /// Recovers a deleted key, each version as it was.
    pub async fn recover_key(
        &self,
        requester: &Requester,
        vault: &VaultName,
        key: &KeyName,
    ) -> Result<Key> {
        let request = Request::new(requester, Operation::KeyRecover, Target::key(vault, key));
        let (service, requester) = self.owned(requester);
        let vault = vault.clone();
        let key = key.clone();
        let work = async move { service.recover_key(&requester, &vault, &key).await };
        self.audited(request, |key: &Key| Some(key.subject()), work)
            .await
    }

    /// Purges a deleted key. Its files are gone when this returns.
    pub async fn purge_key(
        &self,
        requester: &Requester,
        vault: &VaultName,
        key: &KeyName,
    ) -> Result<()> {
        let request = Request::new(requester, Operation::KeyPurge, Target::key(vault, key));
        let (service, requester) = self.owned(requester);
        let vault = vault.clone();
        let key = key.clone();
        let work = async move { service.purge_key(&requester, &vault, &key).await };
        self.audited(request, nothing, work).await
    }

    /// A key with all its versions, sealed: it can be restored where the same service key is.
    pub async fn backup_key(
        &self,
        requester: &Requester,
        vault: &VaultName,
        key: &KeyName,
    ) -> Result<String> {
        let request = Request::new(requester, Operation::KeyBackup, Target::key(vault, key));
        let (service, requester) = self.owned(requester);
        let vault = vault.clone();
        let key = key.clone();
        let work = async move { service.backup_key(&requester, &vault, &key).await };
        self.audited(request, nothing, work).await
    }

    /// Restores a key from its backup, if its name is free.
    pub async fn restore_key(
        &self,
        requester: &Requester,
        vault: &VaultName,
        backup: Result<String>,
    ) -> Result<Key> {
        let request = Request::new(
            requester,
            Operation::KeyRestore,
            Target::Keys(vault.clone()),
        );
        let (service, requester) = self.owned(requester);
        let vault = vault.clone();
        let work = async move { service.restore_key(&requester, &vault, backup).await };
        self.audited(request, |key: &Key| Some(key.subject()), work)
            .await
    }

    /// Makes a new version of the same type and size. Older ones stay as they are.
    pub async fn rotate_key(
        &self,
        requester: &Requester,
        vault: &VaultName,
        key: &KeyName,
    ) -> Result<Key> {
        let request = Request::new(requester, Operation::KeyRotate, Target::key(vault, key));
        let (service, requester) = self.owned(requester);
        let vault = vault.clone();
        let key = key.clone();
        let work = async move { service.rotate_key(&requester, &vault, &key).await };
        self.audited(request, |key: &Key| Some(key.subject()), work)
            .await
    }

    /// What becomes of a key as time passes.
    pub async fn rotation_policy(
        &self,
        requester: &Requester,
        vault: &VaultName,
        key: &KeyName,
    ) -> Result<RotationPolicyView> {
        let request = Request::new(
            requester,
            Operation::KeyRotationPolicyGet,
            Target::key(vault, key),
        );
        let (service, requester) = self.owned(requester);
        let vault = vault.clone();
        let key = key.clone();
        let work = async move { service.rotation_policy(&requester, &vault, &key) };
        self.audited(request, nothing, work).await
    }

    /// Says what is to become of a key as time passes.
    pub async fn set_rotation_policy(
        &self,
        requester: &Requester,
        vault: &VaultName,
        key: &KeyName,
        policy: Result<RotationPolicy>,
    ) -> Result<RotationPolicyView> {
        let request = Request::new(
            requester,
            Operation::KeyRotationPolicySet,
            Target::key(vault, key),
        );
        let (service, requester) = self.owned(requester);
        let vault = vault.clone();
        let key = key.clone();
        let work = async move {
            service
                .set_rotation_policy(&requester, &vault, &key, policy)
                .await
        };
        self.audited(request, nothing, work).await
    }

    /// As many random bytes as are asked for, 1 to 128.
    pub async fn random_bytes(
        &self,
        requester: &Requester,
        vault: &VaultName,
        count: Result<usize>,
    ) -> Result<Zeroizing<Vec<u8>>> {
        let request = Request::new(
            requester,
            Operation::RandomBytesGet,
            Target::Vault(vault.clone()),
        );
        let (service, requester) = self.owned(requester);
        let vault = vault.clone();
        let work = async move { service.random_bytes(&requester, &vault, count) };
        self.audited(request, nothing, work).await
    }

    /// Uses a key version; without one, the current. `operation` is the one of `usage`.
    pub async fn use_key(
        &self,
        requester: &Requester,
        identifier: &KeyIdentifier,
        operation: KeyOperation,
        usage: Result<KeyUse>,
    ) -> Result<Used> {
        let target = Target::Key(identifier.clone());
        let mut request = Request::new(requester, Operation::using(operation), target);
        if let Ok(usage) = &usage {
            request = request.with_algorithm(usage.algorithm());
        }
        let (service, requester) = self.owned(requester);
        let identifier = identifier.clone();
        let work = async move {
            service
                .use_key(&requester, &identifier, operation, usage)
                .await
        };
        self.audited(request, |used: &Used| Some(used.key.subject()), work)
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
        match self.audited(request, nothing, async move { refused }).await {
            Err(Error::Unauthorized(_)) | Ok(()) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Removes what counts as purged because its retention has passed, and the files that no key
    /// version refers to. To be called at start and now and then; it disturbs nothing else.
    pub async fn sweep(&self) -> Result<Swept> {
        self.service.sweep().await
    }

    /// Carries an operation out, unless it is throttled, and records how it ended. It runs in a task of its own, which goes to
    /// its end even if the caller leaves: what takes effect is recorded, and nothing is half purged.
    /// Only a crash in between leaves a change without its record.
    pub(crate) async fn audited<T: Send + 'static>(
        &self,
        request: Request,
        about: fn(&T) -> Option<Subject>,
        work: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        let service = Arc::clone(&self.service);
        let task = tokio::spawn(async move {
            let result = match service.throttle(&request) {
                Ok(()) => work.await,
                Err(error) => Err(error),
            };
            let vault = match request.vault() {
                Some(vault) => service.find_vault(vault)?,
                None => None,
            };
            let rbac = vault.is_some_and(|vault| vault.rbac);
            let ended = result.as_ref().map(about);
            let event = request.ended(ended, rbac, &service.names, &service.clock);
            service.store.audit.append(&event).await?;
            result
        });
        task.await?
    }

    fn owned(&self, requester: &Requester) -> (Arc<Service>, Requester) {
        (Arc::clone(&self.service), requester.clone())
    }
}

/// For operations that are about no key version.
fn nothing<T>(_: &T) -> Option<Subject> {
    None
}

//! What is done with keys.

use sealock_core::{KeyIdentifier, KeyName, VaultName};
use zeroize::Zeroizing;

use super::KeyVault;
use crate::{
    ImportedKey, Key, KeyBundle, KeyChange, KeyItem, KeyOperation, KeySpec, KeyUse, Listing, Page,
    Requester, Result, RotationPolicy, RotationPolicyView, State, Used,
    audit::{Request, Target},
    operation::Operation,
};

impl KeyVault {
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
        let vault = vault.clone();
        let key = key.clone();
        self.audited(request, move |service, request| async move {
            service.create_key(&request, &vault, &key, asked).await
        })
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
        let vault = vault.clone();
        let key = key.clone();
        self.audited(request, move |service, request| async move {
            service.import_key(&request, &vault, &key, imported).await
        })
        .await
    }

    /// A vault's keys by name, deleted ones included.
    pub async fn keys(&self, requester: &Requester, vault: &VaultName) -> Result<Vec<Key>> {
        let request = Request::new(requester, Operation::KeyList, Target::Keys(vault.clone()));
        let vault = vault.clone();
        self.audited(request, move |service, request| async move {
            service.keys(&request.requester, &vault).await
        })
        .await
    }

    /// A key with all its versions, even if it is deleted.
    pub async fn key(
        &self,
        requester: &Requester,
        vault: &VaultName,
        key: &KeyName,
    ) -> Result<Key> {
        let request = Request::new(requester, Operation::KeyGet, Target::key(vault, key));
        let vault = vault.clone();
        let key = key.clone();
        self.audited(request, move |service, request| async move {
            service.key(&request.requester, &vault, &key).await
        })
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
        let vault = vault.clone();
        self.audited(request, move |service, request| async move {
            service
                .list_keys(&request.requester, &vault, State::Active, page)
                .await
        })
        .await
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
        let vault = vault.clone();
        self.audited(request, move |service, request| async move {
            service
                .list_keys(&request.requester, &vault, State::Deleted, page)
                .await
        })
        .await
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
        let vault = vault.clone();
        let key = key.clone();
        self.audited(request, move |service, request| async move {
            service
                .list_versions(&request.requester, &vault, &key, page)
                .await
        })
        .await
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
        let identifier = identifier.clone();
        self.audited(request, move |service, request| async move {
            service.get_key(&request.requester, &identifier).await
        })
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
        let vault = vault.clone();
        let key = key.clone();
        self.audited(request, move |service, request| async move {
            service
                .deleted_key_of(&request.requester, &vault, &key)
                .await
        })
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
        let identifier = identifier.clone();
        self.audited(request, move |service, request| async move {
            service.update_key(&request, &identifier, change).await
        })
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
        let vault = vault.clone();
        let key = key.clone();
        self.audited(request, move |service, request| async move {
            service.delete_key(&request, &vault, &key).await
        })
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
        let vault = vault.clone();
        let key = key.clone();
        self.audited(request, move |service, request| async move {
            service.recover_key(&request, &vault, &key).await
        })
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
        let vault = vault.clone();
        let key = key.clone();
        self.audited(request, move |service, request| async move {
            service.purge_key(&request, &vault, &key).await
        })
        .await
    }

    /// A key with all its versions, sealed: it can be restored where the same service key is.
    pub async fn backup_key(
        &self,
        requester: &Requester,
        vault: &VaultName,
        key: &KeyName,
    ) -> Result<String> {
        let request = Request::new(requester, Operation::KeyBackup, Target::key(vault, key));
        let vault = vault.clone();
        let key = key.clone();
        self.audited(request, move |service, request| async move {
            service.backup_key(&request.requester, &vault, &key).await
        })
        .await
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
        let vault = vault.clone();
        self.audited(request, move |service, request| async move {
            service.restore_key(&request, &vault, backup).await
        })
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
        let vault = vault.clone();
        let key = key.clone();
        self.audited(request, move |service, request| async move {
            service.rotate_key(&request, &vault, &key).await
        })
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
        let vault = vault.clone();
        let key = key.clone();
        self.audited(request, move |service, request| async move {
            service
                .rotation_policy(&request.requester, &vault, &key)
                .await
        })
        .await
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
        let vault = vault.clone();
        let key = key.clone();
        self.audited(request, move |service, request| async move {
            service
                .set_rotation_policy(&request, &vault, &key, policy)
                .await
        })
        .await
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
        let vault = vault.clone();
        self.audited(request, move |service, request| async move {
            service
                .random_bytes(&request.requester, &vault, count)
                .await
        })
        .await
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
        let identifier = identifier.clone();
        self.audited(request, move |service, request| async move {
            service
                .use_key(&request.requester, &identifier, operation, usage)
                .await
        })
        .await
    }

    /// Judges whether a requester may use a key version. Uses nothing, and records nothing.
    pub async fn judge_use(
        &self,
        requester: &Requester,
        identifier: &KeyIdentifier,
        operation: KeyOperation,
    ) -> Result<()> {
        let usable = self
            .service
            .usable_version(requester, identifier, operation);
        usable.await.map(drop)
    }
}

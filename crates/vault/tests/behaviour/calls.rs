//! Each operation as one call that authorizes and runs it.

use std::{collections::BTreeSet, ops::Deref};

use sealock_core::{KeyIdentifier, KeyName, PrincipalId, VaultName};
use sealock_vault::{
    AccessPolicy, CryptoResult, Encrypted, EncryptionAlgorithm, ImportedKey, Key, KeyBundle,
    KeyChange, KeyItem, KeyOperation, KeyPermission, KeySpec, KeyVault, Listing, Page, Requester,
    Result, RotationPolicy, RotationPolicyView, SignatureAlgorithm, Vault, VaultChange,
    VaultSettings,
    operation::{
        AllVaults, BackUpKey, CreateKey, CreateVault, Decrypt, DeleteKey, DeleteVault, Encrypt,
        GetDeletedKey, GetKey, GetRandomBytes, GetRotationPolicy, GetVault, GetWholeKey,
        GrantPermissions, ImportKey, ListDeletedKeys, ListKeys, ListPolicies, ListVaults,
        ListVersions, ListWholeKeys, PurgeKey, PurgeVault, RecoverKey, RecoverVault, ReleaseKey,
        RestoreKey, RevokePermissions, RotateKey, SetRotationPolicy, Sign, UnwrapKey, UpdateKey,
        UpdateVault, Verify, WrapKey,
    },
};
use zeroize::Zeroizing;

/// A `KeyVault` with a method for each operation. `Err` stands for parameters that cannot be parsed.
#[derive(Clone)]
pub(crate) struct Vaults(pub(crate) KeyVault);

/// The parameters for a use of a key version.
pub(crate) enum KeyUse {
    Encrypt {
        algorithm: EncryptionAlgorithm,
        plaintext: Zeroizing<Vec<u8>>,
        iv: Option<Vec<u8>>,
        aad: Option<Vec<u8>>,
    },
    Decrypt {
        algorithm: EncryptionAlgorithm,
        encrypted: Encrypted,
        aad: Option<Vec<u8>>,
    },
    WrapKey {
        algorithm: EncryptionAlgorithm,
        value: Zeroizing<Vec<u8>>,
    },
    UnwrapKey {
        algorithm: EncryptionAlgorithm,
        value: Vec<u8>,
    },
    Sign {
        algorithm: SignatureAlgorithm,
        digest: Vec<u8>,
    },
    Verify {
        algorithm: SignatureAlgorithm,
        digest: Vec<u8>,
        signature: Vec<u8>,
    },
}

/// The result of a use of a key version.
pub(crate) enum Outcome {
    Encrypted(Encrypted),
    Bytes(Zeroizing<Vec<u8>>),
    Verified(bool),
}

impl KeyUse {
    pub(crate) fn operation(&self) -> KeyOperation {
        match self {
            Self::Encrypt { .. } => KeyOperation::Encrypt,
            Self::Decrypt { .. } => KeyOperation::Decrypt,
            Self::WrapKey { .. } => KeyOperation::WrapKey,
            Self::UnwrapKey { .. } => KeyOperation::UnwrapKey,
            Self::Sign { .. } => KeyOperation::Sign,
            Self::Verify { .. } => KeyOperation::Verify,
        }
    }
}

impl Deref for Vaults {
    type Target = KeyVault;

    fn deref(&self) -> &KeyVault {
        &self.0
    }
}

/// Defines methods that authorize and run an operation without parameters.
macro_rules! calls {
    ($($name:ident($($argument:ident: $type:ty),*) = $operation:ident on $target:expr => $answer:ty;)*) => {
        impl Vaults {$(
            pub(crate) async fn $name(&self, requester: &Requester $(, $argument: $type)*) -> Result<$answer> {
                self.authorize(requester, $operation, $target).await?.run().await
            }
        )*}
    };
}

calls! {
    vaults() = ListVaults on AllVaults => Vec<Vault>;
    vault(vault: &VaultName) = GetVault on vault.clone() => Vault;
    delete_vault(vault: &VaultName) = DeleteVault on vault.clone() => Vault;
    recover_vault(vault: &VaultName) = RecoverVault on vault.clone() => Vault;
    purge_vault(vault: &VaultName) = PurgeVault on vault.clone() => ();
    policies(vault: &VaultName) = ListPolicies on vault.clone() => Vec<AccessPolicy>;
    keys(vault: &VaultName) = ListWholeKeys on vault.clone() => Vec<Key>;
    key(vault: &VaultName, key: &KeyName) = GetWholeKey on KeyIdentifier::current(vault, key) => Key;
    get_key(key: &KeyIdentifier) = GetKey on key.clone() => KeyBundle;
    deleted_key(vault: &VaultName, key: &KeyName)
        = GetDeletedKey on KeyIdentifier::current(vault, key) => Key;
    delete_key(vault: &VaultName, key: &KeyName) = DeleteKey on KeyIdentifier::current(vault, key) => Key;
    recover_key(vault: &VaultName, key: &KeyName) = RecoverKey on KeyIdentifier::current(vault, key) => Key;
    purge_key(vault: &VaultName, key: &KeyName) = PurgeKey on KeyIdentifier::current(vault, key) => ();
    backup_key(vault: &VaultName, key: &KeyName) = BackUpKey on KeyIdentifier::current(vault, key) => String;
    rotate_key(vault: &VaultName, key: &KeyName) = RotateKey on KeyIdentifier::current(vault, key) => Key;
    rotation_policy(vault: &VaultName, key: &KeyName)
        = GetRotationPolicy on KeyIdentifier::current(vault, key) => RotationPolicyView;
}

impl Vaults {
    pub(crate) async fn create_vault(
        &self,
        requester: &Requester,
        vault: &VaultName,
        settings: VaultSettings,
    ) -> Result<Vault> {
        let permit = self.authorize(requester, CreateVault, vault.clone());
        permit.await?.run(settings).await
    }

    pub(crate) async fn update_vault(
        &self,
        requester: &Requester,
        vault: &VaultName,
        change: VaultChange,
    ) -> Result<Vault> {
        let permit = self.authorize(requester, UpdateVault, vault.clone());
        permit.await?.run(change).await
    }

    pub(crate) async fn grant(
        &self,
        requester: &Requester,
        vault: &VaultName,
        principal: PrincipalId,
        permissions: BTreeSet<KeyPermission>,
    ) -> Result<AccessPolicy> {
        let permit = self.authorize(requester, GrantPermissions, vault.clone());
        permit.await?.run(principal, permissions).await
    }

    pub(crate) async fn revoke(
        &self,
        requester: &Requester,
        vault: &VaultName,
        principal: PrincipalId,
        permissions: BTreeSet<KeyPermission>,
    ) -> Result<AccessPolicy> {
        let permit = self.authorize(requester, RevokePermissions, vault.clone());
        permit.await?.run(principal, permissions).await
    }

    pub(crate) async fn create_key(
        &self,
        requester: &Requester,
        vault: &VaultName,
        key: &KeyName,
        asked: Result<(KeySpec, KeyChange)>,
    ) -> Result<Key> {
        let key = KeyIdentifier::current(vault, key);
        let permit = self.authorize(requester, CreateKey, key).await?;
        let (permit, (spec, change)) = permit.parse(async { asked }).await?;
        permit.run(spec, change).await
    }

    pub(crate) async fn import_key(
        &self,
        requester: &Requester,
        vault: &VaultName,
        key: &KeyName,
        imported: Result<ImportedKey>,
    ) -> Result<Key> {
        let key = KeyIdentifier::current(vault, key);
        let permit = self.authorize(requester, ImportKey, key).await?;
        let (permit, imported) = permit.parse(async { imported }).await?;
        permit.run(imported).await
    }

    pub(crate) async fn list_keys(
        &self,
        requester: &Requester,
        vault: &VaultName,
        page: Result<Page>,
    ) -> Result<Listing<KeyItem>> {
        let permit = self.authorize(requester, ListKeys, vault.clone()).await?;
        let (permit, page) = permit.parse(async { page }).await?;
        permit.run(page).await
    }

    pub(crate) async fn list_deleted_keys(
        &self,
        requester: &Requester,
        vault: &VaultName,
        page: Result<Page>,
    ) -> Result<Listing<KeyItem>> {
        let permit = self
            .authorize(requester, ListDeletedKeys, vault.clone())
            .await?;
        let (permit, page) = permit.parse(async { page }).await?;
        permit.run(page).await
    }

    pub(crate) async fn list_versions(
        &self,
        requester: &Requester,
        vault: &VaultName,
        key: &KeyName,
        page: Result<Page>,
    ) -> Result<Listing<KeyBundle>> {
        let key = KeyIdentifier::current(vault, key);
        let permit = self.authorize(requester, ListVersions, key).await?;
        let (permit, page) = permit.parse(async { page }).await?;
        permit.run(page).await
    }

    pub(crate) async fn update_key(
        &self,
        requester: &Requester,
        key: &KeyIdentifier,
        change: Result<KeyChange>,
    ) -> Result<(Key, KeyBundle)> {
        let permit = self.authorize(requester, UpdateKey, key.clone()).await?;
        let (permit, change) = permit.parse(async { change }).await?;
        permit.run(change).await
    }

    pub(crate) async fn restore_key(
        &self,
        requester: &Requester,
        vault: &VaultName,
        backup: Result<String>,
    ) -> Result<Key> {
        let permit = self.authorize(requester, RestoreKey, vault.clone()).await?;
        let (permit, backup) = permit.parse(async { backup }).await?;
        permit.run(backup).await
    }

    pub(crate) async fn set_rotation_policy(
        &self,
        requester: &Requester,
        vault: &VaultName,
        key: &KeyName,
        policy: Result<RotationPolicy>,
    ) -> Result<RotationPolicyView> {
        let key = KeyIdentifier::current(vault, key);
        let permit = self.authorize(requester, SetRotationPolicy, key).await?;
        let (permit, policy) = permit.parse(async { policy }).await?;
        permit.run(policy).await
    }

    pub(crate) async fn random_bytes(
        &self,
        requester: &Requester,
        vault: &VaultName,
        count: Result<usize>,
    ) -> Result<Zeroizing<Vec<u8>>> {
        let permit = self
            .authorize(requester, GetRandomBytes, vault.clone())
            .await?;
        let (permit, count) = permit.parse(async { count }).await?;
        permit.run(count).await
    }

    /// Uses a key version. `operation` must be that of `usage`.
    pub(crate) async fn use_key(
        &self,
        requester: &Requester,
        key: &KeyIdentifier,
        operation: KeyOperation,
        usage: Result<KeyUse>,
    ) -> Result<CryptoResult<Outcome>> {
        /// Authorizes the operation, and runs it with the usage.
        macro_rules! used {
            ($operation:ident, $usage:pat => ($($argument:expr),*), $outcome:expr) => {{
                let permit = self.authorize(requester, $operation, key.clone()).await?;
                let (permit, $usage) = permit.parse(async { usage }).await? else {
                    panic!("the usage is for another operation")
                };
                let CryptoResult { key, result } = permit.run($($argument),*).await?;
                Ok(CryptoResult { key, result: $outcome(result) })
            }};
        }
        let bytes = |bytes: Vec<u8>| Outcome::Bytes(bytes.into());
        match operation {
            KeyOperation::Encrypt => used!(
                Encrypt,
                KeyUse::Encrypt { algorithm, plaintext, iv, aad } => (algorithm, plaintext, iv, aad),
                Outcome::Encrypted
            ),
            KeyOperation::Decrypt => used!(
                Decrypt,
                KeyUse::Decrypt { algorithm, encrypted, aad } => (algorithm, encrypted, aad),
                Outcome::Bytes
            ),
            KeyOperation::WrapKey => used!(
                WrapKey,
                KeyUse::WrapKey { algorithm, value } => (algorithm, value),
                bytes
            ),
            KeyOperation::UnwrapKey => used!(
                UnwrapKey,
                KeyUse::UnwrapKey { algorithm, value } => (algorithm, value),
                Outcome::Bytes
            ),
            KeyOperation::Sign => used!(
                Sign,
                KeyUse::Sign { algorithm, digest } => (algorithm, digest),
                bytes
            ),
            KeyOperation::Verify => used!(
                Verify,
                KeyUse::Verify { algorithm, digest, signature } => (algorithm, digest, signature),
                Outcome::Verified
            ),
            KeyOperation::Export => {
                let permit = self.authorize(requester, ReleaseKey, key.clone()).await?;
                match permit.run().await? {}
            }
            KeyOperation::Import => panic!("import is not a use of a key"),
        }
    }
}

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

/// Defines methods that authorize an operation, parse its parameters if they can be unreadable, and run it.
macro_rules! calls {
    ($(
        $name:ident($($argument:ident: $type:ty),*) = $operation:ident on $target:expr
        $(, parsed as $pattern:pat = $parsed:expr)? $(, run with ($($parameter:expr),*))? => $answer:ty;
    )*) => {
        impl Vaults {$(
            pub(crate) async fn $name(&self, requester: &Requester $(, $argument: $type)*) -> Result<$answer> {
                let permit = self.authorize(requester, $operation, $target).await?;
                $(let (permit, $pattern) = permit.parse(async { $parsed }).await?;)?
                permit.run($($($parameter),*)?).await
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
    create_vault(vault: &VaultName, settings: VaultSettings)
        = CreateVault on vault.clone(), run with (settings) => Vault;
    update_vault(vault: &VaultName, change: VaultChange)
        = UpdateVault on vault.clone(), run with (change) => Vault;
    grant(vault: &VaultName, principal: PrincipalId, permissions: BTreeSet<KeyPermission>)
        = GrantPermissions on vault.clone(), run with (principal, permissions) => AccessPolicy;
    revoke(vault: &VaultName, principal: PrincipalId, permissions: BTreeSet<KeyPermission>)
        = RevokePermissions on vault.clone(), run with (principal, permissions) => AccessPolicy;

    create_key(vault: &VaultName, key: &KeyName, created: Result<(KeySpec, KeyChange)>)
        = CreateKey on KeyIdentifier::current(vault, key),
        parsed as (spec, change) = created, run with (spec, change) => Key;
    import_key(vault: &VaultName, key: &KeyName, imported: Result<ImportedKey>)
        = ImportKey on KeyIdentifier::current(vault, key),
        parsed as imported = imported, run with (imported) => Key;
    list_keys(vault: &VaultName, page: Result<Page>)
        = ListKeys on vault.clone(), parsed as page = page, run with (page) => Listing<KeyItem>;
    list_deleted_keys(vault: &VaultName, page: Result<Page>)
        = ListDeletedKeys on vault.clone(), parsed as page = page, run with (page) => Listing<KeyItem>;
    list_versions(vault: &VaultName, key: &KeyName, page: Result<Page>)
        = ListVersions on KeyIdentifier::current(vault, key),
        parsed as page = page, run with (page) => Listing<KeyBundle>;
    update_key(key: &KeyIdentifier, change: Result<KeyChange>)
        = UpdateKey on key.clone(), parsed as change = change, run with (change) => (Key, KeyBundle);
    restore_key(vault: &VaultName, backup: Result<String>)
        = RestoreKey on vault.clone(), parsed as backup = backup, run with (backup) => Key;
    set_rotation_policy(vault: &VaultName, key: &KeyName, policy: Result<RotationPolicy>)
        = SetRotationPolicy on KeyIdentifier::current(vault, key),
        parsed as policy = policy, run with (policy) => RotationPolicyView;
    random_bytes(vault: &VaultName, count: Result<usize>)
        = GetRandomBytes on vault.clone(), parsed as count = count, run with (count) => Zeroizing<Vec<u8>>;
}

impl Vaults {
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

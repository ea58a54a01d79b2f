use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use sealock_core::{Clock, KeyName, Kid, PublicName, VaultName};
use sealock_entra::{Directory, ManagedIdentity};
use sealock_envelope::ServiceKey;
use sealock_store::Store;
use sealock_vault::{
    AuditEvent, EncryptionAlgorithm, Error, Key, KeyAttributes, KeyChange, KeyPermission, KeySpec,
    KeyUse, KeyVault, KeyVaultFidelity, Outcome, Requester, Result, VaultSettings,
};
use zeroize::Zeroizing;

pub(crate) const SECRET: &[u8] = b"a data encryption key of 32 byte";

/// A vault `kv1`, an identity that may use its keys, and a clock that stands still.
pub(crate) struct World {
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    pub(crate) vaults: KeyVault,
    pub(crate) vault: VaultName,
    pub(crate) key: KeyName,
    pub(crate) identity: ManagedIdentity,
    /// That identity, as the registry's.
    pub(crate) caller: Requester,
    pub(crate) directory: Directory,
}

pub(crate) fn operator() -> Requester {
    Requester::operator()
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(VaultSettings::default()).await
    }

    pub(crate) async fn with(settings: VaultSettings) -> Self {
        let store = Store::ephemeral();
        let clock = Clock::frozen_at(Timestamp::from_second(1_800_000_000).unwrap());
        let directory = Directory::open(store.clone(), clock.clone()).await.unwrap();
        let name = "registry-identity".parse().unwrap();
        let (identity, _) = directory.create_identity(name).await.unwrap();
        let vaults = KeyVault::new(
            store.clone(),
            Arc::new(ServiceKey::random()),
            clock.clone(),
            PublicName::parse("localhost", 5000).unwrap(),
            directory.clone(),
            KeyVaultFidelity::default(),
        );
        let world = Self {
            store,
            clock,
            vaults,
            vault: "kv1".parse().unwrap(),
            key: "k1".parse().unwrap(),
            caller: Requester::registry(identity.clone()),
            identity,
            directory,
        };
        world
            .vaults
            .create_vault(&operator(), &world.vault, settings)
            .await
            .unwrap();
        let permissions = [
            KeyPermission::Get,
            KeyPermission::WrapKey,
            KeyPermission::UnwrapKey,
        ];
        world
            .vaults
            .grant(
                &operator(),
                &world.vault,
                world.identity.principal_id,
                permissions.into(),
            )
            .await
            .unwrap();
        world
    }

    pub(crate) async fn create_key(&self) -> Result<Key> {
        let asked = (KeySpec::default(), KeyChange::default());
        self.vaults
            .create_key(&operator(), &self.vault, &self.key, Ok(asked))
            .await
    }

    pub(crate) async fn wrap(&self, kid: &Kid) -> Result<Vec<u8>> {
        self.wrap_bytes(kid, SECRET).await
    }

    pub(crate) async fn wrap_bytes(&self, kid: &Kid, value: &[u8]) -> Result<Vec<u8>> {
        let usage = KeyUse::WrapKey {
            algorithm: EncryptionAlgorithm::RsaOaep256,
            value: Zeroizing::new(value.to_vec()),
        };
        Ok(self.use_key(kid, usage).await?.to_vec())
    }

    pub(crate) async fn unwrap(&self, kid: &Kid, wrapped: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
        let usage = KeyUse::UnwrapKey {
            algorithm: EncryptionAlgorithm::RsaOaep256,
            value: wrapped.to_vec(),
        };
        self.use_key(kid, usage).await
    }

    async fn use_key(&self, kid: &Kid, usage: KeyUse) -> Result<Zeroizing<Vec<u8>>> {
        let (kid, operation) = (kid.identifier(), usage.operation());
        let used = self
            .vaults
            .use_key(&self.caller, &kid, operation, Ok(usage))
            .await?;
        match used.outcome {
            Outcome::Bytes(bytes) => Ok(bytes),
            Outcome::Encrypted(_) | Outcome::Verified(_) => panic!("neither was asked for"),
        }
    }

    pub(crate) async fn set_enabled(&self, kid: &Kid, enabled: bool) -> Result<KeyAttributes> {
        let change = KeyChange {
            enabled: Some(enabled),
            ..KeyChange::default()
        };
        let identifier = kid.identifier();
        let changed = self
            .vaults
            .update_key(&operator(), &identifier, Ok(change))
            .await;
        changed.map(|(_, version)| version.attributes)
    }

    pub(crate) async fn delete_and_purge_key(&self) {
        let vaults = &self.vaults;
        vaults
            .delete_key(&operator(), &self.vault, &self.key)
            .await
            .unwrap();
        vaults
            .purge_key(&operator(), &self.vault, &self.key)
            .await
            .unwrap();
    }

    pub(crate) fn files(&self) -> usize {
        self.store.vault_keys.list().unwrap().len()
    }

    pub(crate) fn pass_days(&self, days: i64) {
        let by = SignedDuration::from_hours(24 * days);
        self.clock.advance(by).unwrap();
    }

    pub(crate) fn audit(&self) -> Vec<AuditEvent> {
        let (lines, _) = self.store.audit.read(0).unwrap();
        lines
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
            .map(|line| serde_json::from_slice(line).unwrap())
            .collect()
    }
}

/// What a client sees of a refusal.
pub(crate) fn wire<T>(result: Result<T>) -> (u16, &'static str, Option<&'static str>) {
    let error = refused(result);
    (error.status(), error.code(), error.inner_code())
}

pub(crate) fn refused<T>(result: Result<T>) -> Error {
    match result {
        Ok(_) => panic!("this should have been refused"),
        Err(error) => error,
    }
}

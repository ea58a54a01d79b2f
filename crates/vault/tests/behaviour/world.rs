use std::{net::Ipv4Addr, sync::Arc};

use jiff::{SignedDuration, Timestamp};
use sealock_core::{Clock, KeyIdentifier, KeyName, Kid, PublicName, VaultName};
use sealock_entra::{Caller, Directory, ManagedIdentity, Principal};
use sealock_envelope::ServiceKey;
use sealock_store::Store;
use sealock_vault::{
    AuditEvent, Client, EncryptionAlgorithm, Error, Key, KeyAttributes, KeyBundle, KeyChange,
    KeyPermission, KeySpec, KeyType, KeyVault, Origin, ReleasePolicy, ReleaseRules, Requester,
    Result, Settings, Vault, VaultChange, VaultSettings,
};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::calls::{KeyUse, Outcome, Vaults};

pub(crate) const SECRET: &[u8] = b"a data encryption key of 32 byte";

/// A vault `kv1`, an identity that may get its keys, wrap and unwrap, and a clock, frozen by default.
pub(crate) struct World {
    pub(crate) store: Store,
    service_key: Arc<ServiceKey>,
    pub(crate) clock: Clock,
    pub(crate) vaults: Vaults,
    pub(crate) vault: VaultName,
    pub(crate) key: KeyName,
    pub(crate) identity: ManagedIdentity,
    /// A registry that acts as `identity`.
    pub(crate) registry: Requester,
    pub(crate) directory: Directory,
}

pub(crate) fn operator() -> Requester {
    Requester::operator()
}

fn open_vaults(
    (store, directory, service_key): (Store, Directory, Arc<ServiceKey>),
    clock: &Clock,
    fidelity: Settings,
) -> Vaults {
    let names = PublicName::parse("localhost", 5000).unwrap();
    let clock = clock.clone();
    let vaults = KeyVault::open(store, service_key, clock, names, directory, fidelity);
    Vaults(vaults)
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(VaultSettings::default()).await
    }

    pub(crate) async fn with(settings: VaultSettings) -> Self {
        Self::with_settings(settings, Settings::default()).await
    }

    /// A world in which deletions and recoveries take a minute.
    pub(crate) async fn slow() -> Self {
        let slow = Settings {
            delete_delay: SignedDuration::from_mins(1),
            ..Settings::default()
        };
        Self::with_settings(VaultSettings::default(), slow).await
    }

    /// A world whose vaults are throttled as Azure's are.
    pub(crate) async fn throttled() -> Self {
        let throttled = Settings {
            throttling: true,
            ..Settings::default()
        };
        Self::with_settings(VaultSettings::default(), throttled).await
    }

    /// A world with this clock.
    pub(crate) async fn with_clock(clock: Clock) -> Self {
        let store = Store::ephemeral();
        Self::open(store, clock, VaultSettings::default(), Settings::default()).await
    }

    /// A world over `store`, with the system's clock.
    pub(crate) async fn with_store(store: Store) -> Self {
        let clock = Clock::system();
        Self::open(store, clock, VaultSettings::default(), Settings::default()).await
    }

    async fn with_settings(settings: VaultSettings, fidelity: Settings) -> Self {
        let clock = Clock::frozen_at(Timestamp::from_second(1_800_000_000).unwrap());
        Self::open(Store::ephemeral(), clock, settings, fidelity).await
    }

    async fn open(store: Store, clock: Clock, settings: VaultSettings, fidelity: Settings) -> Self {
        let directory = Directory::open(store.clone(), clock.clone()).await.unwrap();
        let name = "registry-identity".parse().unwrap();
        let (identity, _) = directory.create_identity(name).await.unwrap();
        let service_key = Arc::new(ServiceKey::random());
        let service = (store.clone(), directory.clone(), Arc::clone(&service_key));
        let world = Self {
            vaults: open_vaults(service, &clock, fidelity),
            store,
            service_key,
            clock,
            vault: "kv1".parse().unwrap(),
            key: "k1".parse().unwrap(),
            registry: Requester::registry(identity.clone()),
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
        world.grant(&permissions).await;
        world
    }

    /// Opens the vault again, as after a restart.
    pub(crate) fn reopen(&mut self) {
        let service_key = Arc::clone(&self.service_key);
        let service = (self.store.clone(), self.directory.clone(), service_key);
        self.vaults = open_vaults(service, &self.clock, Settings::default());
    }

    pub(crate) fn principal(&self) -> Principal {
        self.identity.clone().into()
    }

    /// A client that acts as `identity` from a machine on the internet.
    pub(crate) fn machine(&self) -> Requester {
        Requester {
            caller: Caller::Principal(self.principal()),
            client: Client {
                origin: Origin::Address(Ipv4Addr::new(203, 0, 113, 7).into()),
                user_agent: "azsdk-python-keyvault-keys/4.11.3".to_owned(),
                api_version: Some("7.6".to_owned()),
                correlation_id: Uuid::from_u128(7),
            },
        }
    }

    pub(crate) async fn grant(&self, permissions: &[KeyPermission]) {
        let permissions = permissions.iter().copied().collect();
        let principal = self.identity.principal_id;
        self.vaults
            .grant(&operator(), &self.vault, principal, permissions)
            .await
            .unwrap();
    }

    pub(crate) async fn revoke(&self, permission: KeyPermission) {
        let principal = self.identity.principal_id;
        self.vaults
            .revoke(&operator(), &self.vault, principal, [permission].into())
            .await
            .unwrap();
    }

    pub(crate) async fn change_vault(&self, change: VaultChange) -> Result<Vault> {
        self.vaults
            .update_vault(&operator(), &self.vault, change)
            .await
    }

    /// Creates an RSA key.
    pub(crate) async fn create_key(&self) -> Result<Key> {
        self.create(KeyType::Rsa, KeyChange::default()).await
    }

    /// Creates an EC key, which takes less time than an RSA key.
    pub(crate) async fn create_ec_key(&self) -> Result<Key> {
        self.create(KeyType::Ec, KeyChange::default()).await
    }

    pub(crate) async fn create(&self, kty: KeyType, change: KeyChange) -> Result<Key> {
        self.create_with(&operator(), kty, change).await
    }

    pub(crate) async fn create_as(&self, requester: &Requester, kty: KeyType) -> Result<Key> {
        self.create_with(requester, kty, KeyChange::default()).await
    }

    async fn create_with(
        &self,
        requester: &Requester,
        kty: KeyType,
        change: KeyChange,
    ) -> Result<Key> {
        let spec = KeySpec {
            kty,
            ..KeySpec::default()
        };
        self.vaults
            .create_key(requester, &self.vault, &self.key, Ok((spec, change)))
            .await
    }

    /// The identifier of the key without a version.
    pub(crate) fn identifier(&self) -> KeyIdentifier {
        KeyIdentifier {
            vault: self.vault.clone(),
            key: self.key.clone(),
            version: None,
        }
    }

    /// Gets the key as the operator.
    pub(crate) async fn whole_key(&self) -> Result<Key> {
        self.vaults.key(&operator(), &self.vault, &self.key).await
    }

    pub(crate) async fn update(&self, change: KeyChange) -> Result<(Key, KeyBundle)> {
        self.vaults
            .update_key(&operator(), &self.identifier(), Ok(change))
            .await
    }

    pub(crate) async fn rotate_key(&self) -> Result<Key> {
        self.vaults
            .rotate_key(&operator(), &self.vault, &self.key)
            .await
    }

    pub(crate) async fn delete_key(&self) -> Result<Key> {
        self.vaults
            .delete_key(&operator(), &self.vault, &self.key)
            .await
    }

    pub(crate) async fn recover_key(&self) -> Result<Key> {
        self.vaults
            .recover_key(&operator(), &self.vault, &self.key)
            .await
    }

    pub(crate) async fn purge_key(&self) -> Result<()> {
        self.vaults
            .purge_key(&operator(), &self.vault, &self.key)
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

    /// Wraps with the current version.
    pub(crate) async fn wrap_as(&self, requester: &Requester) -> Result<Zeroizing<Vec<u8>>> {
        let usage = KeyUse::WrapKey {
            algorithm: EncryptionAlgorithm::RsaOaep256,
            value: Zeroizing::new(SECRET.to_vec()),
        };
        self.use_as(requester, &self.identifier(), usage).await
    }

    pub(crate) async fn unwrap(&self, kid: &Kid, wrapped: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
        let usage = KeyUse::UnwrapKey {
            algorithm: EncryptionAlgorithm::RsaOaep256,
            value: wrapped.to_vec(),
        };
        self.use_key(kid, usage).await
    }

    pub(crate) async fn use_key(&self, kid: &Kid, usage: KeyUse) -> Result<Zeroizing<Vec<u8>>> {
        self.use_as(&self.registry, &kid.identifier(), usage).await
    }

    /// Uses a key version, and returns the result in bytes. A verification returns one byte: 1 if the signature is valid.
    pub(crate) async fn use_as(
        &self,
        requester: &Requester,
        identifier: &KeyIdentifier,
        usage: KeyUse,
    ) -> Result<Zeroizing<Vec<u8>>> {
        let operation = usage.operation();
        let used = self
            .vaults
            .use_key(requester, identifier, operation, Ok(usage))
            .await?;
        Ok(match used.result {
            Outcome::Bytes(bytes) => bytes,
            Outcome::Encrypted(encrypted) => encrypted.ciphertext.into(),
            Outcome::Verified(is_valid) => vec![u8::from(is_valid)].into(),
        })
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
        self.delete_key().await.unwrap();
        self.purge_key().await.unwrap();
    }

    pub(crate) fn file_count(&self) -> usize {
        self.store.vault_keys.list().unwrap().len()
    }

    pub(crate) fn advance_days(&self, days: i64) {
        self.advance(SignedDuration::from_hours(24 * days));
    }

    pub(crate) fn advance(&self, time: SignedDuration) {
        self.clock.advance(time).unwrap();
    }

    pub(crate) fn audit_events(&self) -> Vec<AuditEvent> {
        let lines = self.store.audit.read(0).unwrap().lines;
        lines
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
            .map(|line| serde_json::from_slice(line).unwrap())
            .collect()
    }

    /// The identity as Azure's texts name it.
    pub(crate) fn name_in_texts(&self) -> String {
        format!(
            "appid={};oid={};iss=https://sts.windows.net/{}/",
            self.identity.client_id, self.identity.principal_id, self.identity.tenant_id
        )
    }
}

/// A release policy with this authority.
pub(crate) fn release_policy(authority: &str, immutable: bool) -> ReleasePolicy {
    let rules = format!(
        r#"{{"version":"1.0.0","anyOf":[{{"authority":"{authority}","allOf":[{{"claim":"sdk-test","equals":true}}]}}]}}"#
    );
    ReleasePolicy {
        rules: ReleaseRules::from_json(rules.as_bytes()).unwrap(),
        immutable,
    }
}

/// A change that makes a key exportable under this policy.
pub(crate) fn exportable(policy: ReleasePolicy) -> KeyChange {
    KeyChange {
        exportable: Some(true),
        ..with_policy(policy)
    }
}

/// A change that sets this policy.
pub(crate) fn with_policy(policy: ReleasePolicy) -> KeyChange {
    KeyChange {
        release_policy: Some(policy),
        ..KeyChange::default()
    }
}

/// The status, code and inner code of a refusal.
pub(crate) fn wire<T>(result: Result<T>) -> (u16, &'static str, Option<&'static str>) {
    let error = refused(result);
    (error.status(), error.code(), error.inner_code())
}

pub(crate) fn refused<T>(result: Result<T>) -> Error {
    match result {
        Ok(_) => panic!("expected a refusal"),
        Err(error) => error,
    }
}

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use jiff::Timestamp;
use sealock_core::{
    Clock, KeyIdentifier, KeyName, KeyVersion, Kid, PrincipalId, PublicName, TenantId, VaultName,
};
use sealock_entra::Caller;
use sealock_envelope::ServiceKey;
use sealock_store::{Batch, Commit, Store};
use zeroize::Zeroizing;

use crate::{
    Error, Key, KeyPermission, KeySpec, KeyVersionFacts, Policy, Result, Swept, Vault,
    VaultSettings, WrapAlgorithm,
    audit::{Operation, Request, Subject, Target},
    records::Deletion,
};

/// How often a change is tried that others keep overtaking.
const ATTEMPTS: usize = 16;

/// All vaults of the emulator. Clones share them.
#[derive(Clone)]
pub struct KeyVault {
    service: Arc<Service>,
}

/// What the operations are carried out with. They are methods in the modules of their nouns.
#[expect(
    clippy::struct_field_names,
    reason = "the service key is called so everywhere"
)]
pub(crate) struct Service {
    pub(crate) store: Store,
    pub(crate) service_key: Arc<ServiceKey>,
    pub(crate) clock: Clock,
    pub(crate) names: PublicName,
    pub(crate) tenant: TenantId,
    /// Read while a private key is stored but its version not yet committed; see `sweep`.
    pub(crate) creations: tokio::sync::RwLock<()>,
}

impl KeyVault {
    /// The vaults in `store`. `service_key` seals what seals their private keys; `names` is what
    /// their URLs are rendered with; `tenant` is whose tokens they take.
    pub fn new(
        store: Store,
        service_key: Arc<ServiceKey>,
        clock: Clock,
        names: PublicName,
        tenant: TenantId,
    ) -> Self {
        let service = Service {
            store,
            service_key,
            clock,
            names,
            tenant,
            creations: tokio::sync::RwLock::default(),
        };
        Self {
            service: Arc::new(service),
        }
    }

    /// Creates a vault.
    pub async fn create_vault(
        &self,
        caller: &Caller,
        vault: VaultName,
        settings: VaultSettings,
    ) -> Result<Vault> {
        let request = Request::new(caller, Operation::VaultPut, Target::Vault(vault.clone()));
        let (service, caller) = self.owned(caller);
        let work = async move { service.create_vault(&caller, &vault, settings).await };
        self.audited(request, nothing, work).await
    }

    /// All vaults by name, deleted ones included.
    pub async fn vaults(&self, caller: &Caller) -> Result<Vec<Vault>> {
        let request = Request::new(caller, Operation::VaultGet, Target::Vaults);
        let (service, caller) = self.owned(caller);
        let work = async move { service.vaults(&caller) };
        self.audited(request, nothing, work).await
    }

    /// A vault, even if it is deleted.
    pub async fn vault(&self, caller: &Caller, vault: &VaultName) -> Result<Vault> {
        let request = Request::new(caller, Operation::VaultGet, Target::Vault(vault.clone()));
        let (service, caller, vault) = self.owned_with(caller, vault);
        let work = async move { service.vault(&caller, &vault) };
        self.audited(request, nothing, work).await
    }

    /// Deletes a vault, softly: nothing in it can be reached until it is recovered.
    pub async fn delete_vault(&self, caller: &Caller, vault: &VaultName) -> Result<Vault> {
        let request = Request::new(caller, Operation::VaultDelete, Target::Vault(vault.clone()));
        let (service, caller, vault) = self.owned_with(caller, vault);
        let work = async move { service.delete_vault(&caller, &vault).await };
        self.audited(request, nothing, work).await
    }

    /// Recovers a deleted vault, with all that was in it.
    pub async fn recover_vault(&self, caller: &Caller, vault: &VaultName) -> Result<Vault> {
        let request = Request::new(
            caller,
            Operation::VaultRecover,
            Target::Vault(vault.clone()),
        );
        let (service, caller, vault) = self.owned_with(caller, vault);
        let work = async move { service.recover_vault(&caller, &vault).await };
        self.audited(request, nothing, work).await
    }

    /// Purges a deleted vault and all its keys. Their files are gone when this returns.
    pub async fn purge_vault(&self, caller: &Caller, vault: &VaultName) -> Result<()> {
        let request = Request::new(caller, Operation::VaultPurge, Target::Vault(vault.clone()));
        let (service, caller, vault) = self.owned_with(caller, vault);
        let work = async move { service.purge_vault(&caller, &vault).await };
        self.audited(request, nothing, work).await
    }

    /// Creates a key, or a new version of one that is there.
    pub async fn create_key(
        &self,
        caller: &Caller,
        vault: &VaultName,
        key: &KeyName,
        spec: KeySpec,
    ) -> Result<Key> {
        let request = Request::new(caller, Operation::KeyCreate, Target::key(vault, key));
        let (service, caller, vault) = self.owned_with(caller, vault);
        let key = key.clone();
        let work = async move { service.create_key(&caller, &vault, &key, spec).await };
        self.audited(request, |key| Some(key.subject()), work).await
    }

    /// A vault's keys by name, deleted ones included.
    pub async fn keys(&self, caller: &Caller, vault: &VaultName) -> Result<Vec<Key>> {
        let request = Request::new(caller, Operation::KeyList, Target::Keys(vault.clone()));
        let (service, caller, vault) = self.owned_with(caller, vault);
        let work = async move { service.keys(&caller, &vault) };
        self.audited(request, nothing, work).await
    }

    /// A key with all its versions, even if it is deleted.
    pub async fn key(&self, caller: &Caller, vault: &VaultName, key: &KeyName) -> Result<Key> {
        let request = Request::new(caller, Operation::KeyGet, Target::key(vault, key));
        let (service, caller, vault) = self.owned_with(caller, vault);
        let key = key.clone();
        let work = async move { service.key(&caller, &vault, &key) };
        self.audited(request, |key| Some(key.subject()), work).await
    }

    /// Makes a new version of the same type and size. Older ones stay as they are.
    pub async fn rotate_key(
        &self,
        caller: &Caller,
        vault: &VaultName,
        key: &KeyName,
    ) -> Result<Key> {
        let request = Request::new(caller, Operation::KeyRotate, Target::key(vault, key));
        let (service, caller, vault) = self.owned_with(caller, vault);
        let key = key.clone();
        let work = async move { service.rotate_key(&caller, &vault, &key).await };
        self.audited(request, |key| Some(key.subject()), work).await
    }

    /// Enables or disables a version; without one, the current.
    pub async fn set_enabled(
        &self,
        caller: &Caller,
        vault: &VaultName,
        key: &KeyName,
        version: Option<&KeyVersion>,
        enabled: bool,
    ) -> Result<Key> {
        let target = Target::Key(KeyIdentifier {
            vault: vault.clone(),
            key: key.clone(),
            version: version.cloned(),
        });
        let request = Request::new(caller, Operation::KeyUpdate, target);
        let (service, caller, vault) = self.owned_with(caller, vault);
        let (key, version) = (key.clone(), version.cloned());
        let work = async move {
            let version = version.as_ref();
            service
                .set_enabled(&caller, &vault, &key, version, enabled)
                .await
        };
        let (key, _) = self
            .audited(request, |(_, changed)| Some(changed.subject()), work)
            .await?;
        Ok(key)
    }

    /// Deletes a key with all its versions, softly.
    pub async fn delete_key(
        &self,
        caller: &Caller,
        vault: &VaultName,
        key: &KeyName,
    ) -> Result<Key> {
        let request = Request::new(caller, Operation::KeyDelete, Target::key(vault, key));
        let (service, caller, vault) = self.owned_with(caller, vault);
        let key = key.clone();
        let work = async move { service.delete_key(&caller, &vault, &key).await };
        self.audited(request, |key| Some(key.subject()), work).await
    }

    /// Recovers a deleted key, each version as it was.
    pub async fn recover_key(
        &self,
        caller: &Caller,
        vault: &VaultName,
        key: &KeyName,
    ) -> Result<Key> {
        let request = Request::new(caller, Operation::KeyRecover, Target::key(vault, key));
        let (service, caller, vault) = self.owned_with(caller, vault);
        let key = key.clone();
        let work = async move { service.recover_key(&caller, &vault, &key).await };
        self.audited(request, |key| Some(key.subject()), work).await
    }

    /// Purges a deleted key. Its files are gone when this returns.
    pub async fn purge_key(&self, caller: &Caller, vault: &VaultName, key: &KeyName) -> Result<()> {
        let request = Request::new(caller, Operation::KeyPurge, Target::key(vault, key));
        let (service, caller, vault) = self.owned_with(caller, vault);
        let key = key.clone();
        let work = async move { service.purge_key(&caller, &vault, &key).await };
        self.audited(request, nothing, work).await
    }

    /// What is known of a key version; without one, of the current.
    pub async fn get_key(
        &self,
        caller: &Caller,
        identifier: &KeyIdentifier,
    ) -> Result<KeyVersionFacts> {
        let request = Request::new(caller, Operation::KeyGet, Target::Key(identifier.clone()));
        let (service, caller) = self.owned(caller);
        let identifier = identifier.clone();
        let work = async move { service.get_key(&caller, &identifier) };
        self.audited(request, |facts| Some(facts.subject()), work)
            .await
    }

    /// Wraps a key.
    pub async fn wrap_key(
        &self,
        caller: &Caller,
        kid: &Kid,
        algorithm: WrapAlgorithm,
        value: &[u8],
    ) -> Result<Vec<u8>> {
        let target = Target::Key(kid.identifier());
        let request = Request::new(caller, Operation::KeyWrap, target).with_algorithm(algorithm);
        let (service, caller) = self.owned(caller);
        let (kid, value) = (kid.clone(), Zeroizing::new(value.to_vec()));
        let work = async move { service.wrap_key(&caller, &kid, algorithm, value).await };
        let (wrapped, _) = self
            .audited(request, |(_, used)| Some(used.subject()), work)
            .await?;
        Ok(wrapped)
    }

    /// Unwraps a key that was wrapped with the same version.
    pub async fn unwrap_key(
        &self,
        caller: &Caller,
        kid: &Kid,
        algorithm: WrapAlgorithm,
        value: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>> {
        let target = Target::Key(kid.identifier());
        let request = Request::new(caller, Operation::KeyUnwrap, target).with_algorithm(algorithm);
        let (service, caller) = self.owned(caller);
        let (kid, value) = (kid.clone(), value.to_vec());
        let work = async move { service.unwrap_key(&caller, &kid, algorithm, value).await };
        let (unwrapped, _) = self
            .audited(request, |(_, used)| Some(used.subject()), work)
            .await?;
        Ok(unwrapped)
    }

    /// A vault's access policies.
    pub async fn policies(&self, caller: &Caller, vault: &VaultName) -> Result<Vec<Policy>> {
        let request = Request::new(caller, Operation::VaultGet, Target::Vault(vault.clone()));
        let (service, caller, vault) = self.owned_with(caller, vault);
        let work = async move { service.policies(&caller, &vault) };
        self.audited(request, nothing, work).await
    }

    /// Gives a principal permissions, in addition to those that it has.
    pub async fn grant(
        &self,
        caller: &Caller,
        vault: &VaultName,
        principal: PrincipalId,
        permissions: BTreeSet<KeyPermission>,
    ) -> Result<Policy> {
        let target = Target::Vault(vault.clone());
        let request = Request::new(caller, Operation::PoliciesGrant, target);
        let (service, caller, vault) = self.owned_with(caller, vault);
        let work = async move { service.grant(&caller, &vault, principal, permissions).await };
        self.audited(request, nothing, work).await
    }

    /// Takes permissions from a principal. Returns what remains.
    pub async fn revoke(
        &self,
        caller: &Caller,
        vault: &VaultName,
        principal: PrincipalId,
        permissions: BTreeSet<KeyPermission>,
    ) -> Result<Policy> {
        let target = Target::Vault(vault.clone());
        let request = Request::new(caller, Operation::PoliciesRevoke, target);
        let (service, caller, vault) = self.owned_with(caller, vault);
        let work = async move {
            service
                .revoke(&caller, &vault, principal, permissions)
                .await
        };
        self.audited(request, nothing, work).await
    }

    /// Removes what counts as purged because its retention has passed, and the files that no key
    /// version refers to. To be called at start and now and then; it disturbs nothing else.
    pub async fn sweep(&self) -> Result<Swept> {
        self.service.sweep().await
    }

    /// Carries an operation out and records how it ended. It runs in a task of its own, which goes to
    /// its end even if the caller leaves: what takes effect is recorded, and nothing is half purged.
    /// Only a crash in between leaves a change without its record.
    async fn audited<T: Send + 'static>(
        &self,
        request: Request,
        about: fn(&T) -> Option<Subject>,
        work: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        let service = Arc::clone(&self.service);
        let task = tokio::spawn(async move {
            let result = work.await;
            let ended = result.as_ref().map(about);
            let event = request.ended(ended, &service.names, &service.clock);
            service.store.audit.append(&event).await?;
            result
        });
        task.await?
    }

    fn owned(&self, caller: &Caller) -> (Arc<Service>, Caller) {
        (Arc::clone(&self.service), caller.clone())
    }

    fn owned_with(&self, caller: &Caller, vault: &VaultName) -> (Arc<Service>, Caller, VaultName) {
        (Arc::clone(&self.service), caller.clone(), vault.clone())
    }
}

/// For operations that are about no key version.
fn nothing<T>(_: &T) -> Option<Subject> {
    None
}

impl Service {
    /// Commits what `plan` reads and decides, anew if others changed it in between.
    pub(crate) async fn change<T>(
        &self,
        mut plan: impl FnMut() -> Result<(Batch, T)>,
    ) -> Result<T> {
        for _ in 0..ATTEMPTS {
            let (batch, answer) = plan()?;
            match self.store.commit(batch).await? {
                Commit::Done => return Ok(answer),
                Commit::Conflict => {}
            }
        }
        Err(Error::ConcurrentChange)
    }

    /// A soft deletion that begins now.
    pub(crate) fn deletion(&self, retention_days: u16) -> Deletion {
        let deleted = self.clock.now();
        let retention = Duration::from_secs(u64::from(retention_days) * 24 * 60 * 60);
        Deletion {
            deleted,
            scheduled_purge: deleted.saturating_add(retention).unwrap_or(Timestamp::MAX),
        }
    }

    pub(crate) fn is_over(&self, deletion: Option<Deletion>) -> bool {
        deletion.is_some_and(|deletion| deletion.is_over(self.clock.now()))
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::HashSet, fs, path::Path};

    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    use rsa::{PrivateKey, pkcs8::DecodePrivateKey as _, traits::PrivateKeyParts as _};

    use super::*;
    use crate::{KeyShape, KeyType, PublicKey, key_material::KeyMaterial, private_keys};

    const WINDOW: usize = 16;

    /// The stored bytes, file by file, whatever they are for.
    fn files(dir: &Path) -> Vec<Vec<u8>> {
        fs::read_dir(dir)
            .unwrap()
            .flat_map(|entry| {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    files(&path)
                } else {
                    vec![fs::read(path).unwrap()]
                }
            })
            .collect()
    }

    #[tokio::test]
    async fn no_window_of_a_private_key_is_stored_in_the_clear() {
        let dir = tempfile::tempdir().unwrap();
        let vault = KeyVault::new(
            Store::open(dir.path()).unwrap(),
            Arc::new(ServiceKey::random()),
            Clock::system(),
            PublicName::parse("localhost", 5000).unwrap(),
            TenantId::random(),
        );
        let (name, key): (VaultName, KeyName) = ("kv1".parse().unwrap(), "k1".parse().unwrap());
        let operator = Caller::Operator;
        let settings = VaultSettings::default();
        vault
            .create_vault(&operator, name.clone(), settings)
            .await
            .unwrap();
        let created = vault
            .create_key(&operator, &name, &key, KeySpec::default())
            .await
            .unwrap();
        let wrapped = vault
            .wrap_key(
                &operator,
                &created.current,
                WrapAlgorithm::RsaOaep256,
                b"a data encryption key",
            )
            .await
            .unwrap();
        vault
            .unwrap_key(
                &operator,
                &created.current,
                WrapAlgorithm::RsaOaep256,
                &wrapped,
            )
            .await
            .unwrap();

        let service = &vault.service;
        let version = service.version(&created.current).unwrap();
        let objects = &*service.store.vault_keys;
        let private_key = private_keys::open(
            objects,
            &service.service_key,
            &created.current,
            version.kty,
            version.private_key,
        )
        .unwrap()
        .unwrap();
        let der = private_key.to_secret().unwrap();
        let private_key = PrivateKey::from_pkcs8_der(&der).unwrap();
        let exponent = URL_SAFE_NO_PAD.encode(private_key.d().to_be_bytes());
        let secrets: HashSet<&[u8]> = der
            .windows(WINDOW)
            .chain(exponent.as_bytes().windows(WINDOW))
            .chain(service.service_key.expose().windows(WINDOW))
            .collect();

        let stored = files(dir.path());
        let PublicKey::Rsa { n, .. } = &version.public_key else {
            panic!("an RSA key is the default");
        };
        let public = n.as_bytes();
        assert!(
            stored
                .iter()
                .any(|file| file.windows(public.len()).any(|bytes| bytes == public)),
            "the search finds what is there in the clear"
        );
        for file in stored {
            assert!(file.windows(WINDOW).all(|bytes| !secrets.contains(bytes)));
        }
    }

    #[tokio::test]
    async fn a_private_key_opens_only_under_its_own_kid() {
        let store = Store::ephemeral();
        let service_key = ServiceKey::random();
        let kid: Kid = format!("kv1/k1/{}", KeyVersion::random()).parse().unwrap();
        let other: Kid = format!("kv1/k1/{}", KeyVersion::random()).parse().unwrap();
        let key = KeyMaterial::generate(KeyShape::Rsa { bits: 2048 }).unwrap();
        let objects = &*store.vault_keys;
        let sealed = private_keys::seal(objects, &service_key, &kid, &key).unwrap();
        let opened = private_keys::open(objects, &service_key, &kid, KeyType::Rsa, sealed).unwrap();
        assert!(opened.unwrap().to_secret().unwrap() == key.to_secret().unwrap());
        assert!(matches!(
            private_keys::open(objects, &service_key, &other, KeyType::Rsa, sealed),
            Err(Error::Damaged { .. })
        ));
        assert!(matches!(
            private_keys::open(objects, &ServiceKey::random(), &kid, KeyType::Rsa, sealed),
            Err(Error::Damaged { .. })
        ));
        objects.remove(sealed.record_key).unwrap();
        let gone = private_keys::open(objects, &service_key, &kid, KeyType::Rsa, sealed).unwrap();
        assert!(gone.is_none());
    }
}

use std::sync::Arc;

use sealock_core::{KeyIdentifier, Kid};
use sealock_entra::Caller;
use sealock_store::Record;
use zeroize::Zeroizing;

use crate::{
    EncryptionAlgorithm, Error, KeyPermission, KeyUse, KeyVersionFacts, Result, Unusable,
    VersionState, key_material::KeyMaterial, key_vault::Service, private_keys,
    records::VersionRecord, usage::may_use,
};

impl Service {
    pub(crate) fn get_key(
        &self,
        caller: &Caller,
        identifier: &KeyIdentifier,
    ) -> Result<KeyVersionFacts> {
        let KeyIdentifier {
            vault,
            key,
            version,
        } = identifier;
        self.permitted_vault(caller, vault, KeyPermission::Get)?;
        let record = self.active_key(vault, key, version.as_ref())?;
        let kid = Kid {
            vault: vault.clone(),
            key: key.clone(),
            version: version.clone().unwrap_or_else(|| record.current.clone()),
        };
        let version = self.version(&kid)?;
        check_usable(&kid, &version, KeyUse::Get)?;
        Ok(version.facts(kid))
    }

    /// Returns what was wrapped, and the version that wrapped it.
    pub(crate) async fn wrap_key(
        self: &Arc<Self>,
        caller: &Caller,
        kid: &Kid,
        algorithm: EncryptionAlgorithm,
        value: Zeroizing<Vec<u8>>,
    ) -> Result<(Vec<u8>, KeyVersionFacts)> {
        self.with_private_key(caller, kid, KeyUse::WrapKey, move |key| {
            key.wrap(algorithm, &value)
        })
        .await
    }

    /// Returns what was unwrapped, and the version that unwrapped it.
    pub(crate) async fn unwrap_key(
        self: &Arc<Self>,
        caller: &Caller,
        kid: &Kid,
        algorithm: EncryptionAlgorithm,
        value: Vec<u8>,
    ) -> Result<(Zeroizing<Vec<u8>>, KeyVersionFacts)> {
        self.with_private_key(caller, kid, KeyUse::UnwrapKey, move |key| {
            key.unwrap(algorithm, &value)
        })
        .await
    }

    /// Wrapping takes the public half out of the sealed private key, too: the one in the metadata is
    /// not authenticated, and what is wrapped must be possible to unwrap.
    async fn with_private_key<T: Send + 'static>(
        self: &Arc<Self>,
        caller: &Caller,
        kid: &Kid,
        usage: KeyUse,
        work: impl FnOnce(&KeyMaterial) -> Result<T> + Send + 'static,
    ) -> Result<(T, KeyVersionFacts)> {
        let version = self.usable_version(caller, kid, usage)?;
        let facts = version.facts(kid.clone());
        let done = tokio::task::spawn_blocking({
            let (service, kid) = (Arc::clone(self), kid.clone());
            move || service.open_and_work(&kid, &version, work)
        })
        .await??;
        match done {
            Some(done) => Ok((done, facts)),
            None => {
                // Purged since the version was looked up? Then this is what the refusal is.
                self.usable_version(caller, kid, usage)?;
                Err(Error::Damaged {
                    kid: kid.clone(),
                    why: "it is missing",
                })
            }
        }
    }

    fn open_and_work<T>(
        &self,
        kid: &Kid,
        version: &VersionRecord,
        work: impl FnOnce(&KeyMaterial) -> Result<T>,
    ) -> Result<Option<T>> {
        let objects = &*self.store.vault_keys;
        let opened = private_keys::open(
            objects,
            &self.service_key,
            kid,
            version.kty,
            version.private_key,
        )?;
        let Some(key) = opened else {
            return Ok(None);
        };
        if key.public_key() != version.public_key {
            return Err(Error::Damaged {
                kid: kid.clone(),
                why: "it does not belong to the public key",
            });
        }
        work(&key).map(Some)
    }

    fn usable_version(
        &self,
        caller: &Caller,
        kid: &Kid,
        usage: KeyUse,
    ) -> Result<Record<VersionRecord>> {
        let permission = match usage {
            KeyUse::Get => KeyPermission::Get,
            KeyUse::WrapKey => KeyPermission::WrapKey,
            KeyUse::UnwrapKey => KeyPermission::UnwrapKey,
        };
        self.permitted_vault(caller, &kid.vault, permission)?;
        self.active_key(&kid.vault, &kid.key, Some(&kid.version))?;
        let version = self.version(kid)?;
        check_usable(kid, &version, usage)?;
        Ok(version)
    }
}

fn check_usable(kid: &Kid, version: &VersionRecord, operation: KeyUse) -> Result<()> {
    let state = VersionState {
        enabled: version.enabled,
    };
    may_use(state, operation).map_err(|unusable| match unusable {
        Unusable::KeyDisabled => Error::KeyDisabled {
            kid: kid.clone(),
            operation,
        },
    })
}

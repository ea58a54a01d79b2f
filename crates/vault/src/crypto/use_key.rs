use std::{convert::Infallible, sync::Arc};

use jiff::Timestamp;
use sealock_core::{KeyIdentifier, Kid};
use zeroize::Zeroizing;

use crate::{
    Encrypted, EncryptionAlgorithm, Error, KeyBundle, KeyOperation, Result, SignatureAlgorithm,
    crypto::{key_material::KeyMaterial, private_keys},
    operation::{
        Decrypt, Encrypt, Operation, Permit, ReleaseKey, Sign, UnwrapKey, Verify, VersionInVault,
        WrapKey,
    },
    records::VersionRecord,
    service::Service,
};

/// The result of using a key version. There is no `Debug`: clients may keep it secret.
pub struct Used<T> {
    /// The version.
    pub key: KeyBundle,
    /// The result.
    pub result: T,
}

impl Permit<Encrypt> {
    /// Encrypts `plaintext`. The client may choose the initialisation vector of some algorithms; `aad` is authenticated,
    /// but not encrypted.
    pub async fn run(
        self,
        algorithm: EncryptionAlgorithm,
        plaintext: Zeroizing<Vec<u8>>,
        iv: Option<Vec<u8>>,
        aad: Option<Vec<u8>>,
    ) -> Result<Used<Encrypted>> {
        self.use_version(algorithm.to_string(), move |key, _| {
            key.encrypt(algorithm, &plaintext, iv.as_deref(), aad.as_deref())
        })
        .await
    }
}

impl Permit<Decrypt> {
    /// Decrypts `encrypted`, and verifies `aad`.
    pub async fn run(
        self,
        algorithm: EncryptionAlgorithm,
        encrypted: Encrypted,
        aad: Option<Vec<u8>>,
    ) -> Result<Used<Zeroizing<Vec<u8>>>> {
        self.use_version(algorithm.to_string(), move |key, _| {
            key.decrypt(algorithm, &encrypted, aad.as_deref())
        })
        .await
    }
}

impl Permit<WrapKey> {
    /// Wraps `value`, another key.
    pub async fn run(
        self,
        algorithm: EncryptionAlgorithm,
        value: Zeroizing<Vec<u8>>,
    ) -> Result<Used<Vec<u8>>> {
        self.use_version(algorithm.to_string(), move |key, _| {
            key.wrap(algorithm, &value)
        })
        .await
    }
}

impl Permit<UnwrapKey> {
    /// Unwraps `wrapped`.
    pub async fn run(
        self,
        algorithm: EncryptionAlgorithm,
        wrapped: Vec<u8>,
    ) -> Result<Used<Zeroizing<Vec<u8>>>> {
        self.use_version(algorithm.to_string(), move |key, _| {
            key.unwrap(algorithm, &wrapped)
        })
        .await
    }
}

impl Permit<Sign> {
    /// Signs `digest`.
    pub async fn run(
        self,
        algorithm: SignatureAlgorithm,
        digest: Vec<u8>,
    ) -> Result<Used<Vec<u8>>> {
        self.use_version(algorithm.to_string(), move |key, kid| {
            key.sign(kid, algorithm, &digest)
        })
        .await
    }
}

impl Permit<Verify> {
    /// Returns true if `signature` is one of `digest`.
    pub async fn run(
        self,
        algorithm: SignatureAlgorithm,
        digest: Vec<u8>,
        signature: Vec<u8>,
    ) -> Result<Used<bool>> {
        self.use_version(algorithm.to_string(), move |key, kid| {
            key.verify(kid, algorithm, &digest, &signature)
        })
        .await
    }
}

impl Permit<ReleaseKey> {
    /// Refuses to release the key.
    ///
    /// # Errors
    /// [`Error::NotSupported`]
    pub async fn run(self) -> Result<Infallible> {
        self.run_to_end(|_| async { Err(Error::NotSupported("releasing keys")) })
            .await
    }
}

impl<O: Operation<Target = KeyIdentifier, Records = VersionInVault>> Permit<O> {
    /// Opens the private key and does `work` with it, which also takes the version's URL.
    async fn use_version<T: Send + 'static>(
        self,
        algorithm: String,
        work: impl FnOnce(&KeyMaterial, &str) -> Result<T> + Send + 'static,
    ) -> Result<Used<T>> {
        self.request.set_algorithm(algorithm);
        self.run_to_end(|permit| async move {
            let VersionInVault { kid, version, .. } = &permit.records;
            let using = tokio::task::spawn_blocking({
                let (service, kid) = (Arc::clone(&permit.service), kid.clone());
                let record = version.record.clone();
                move || {
                    let Some(key) = service.open_private_key(&kid, &record)? else {
                        return Ok(None);
                    };
                    work(&key, &service.names.key_uri(&kid.identifier())).map(Some)
                }
            });
            let Some(result) = using.await?? else {
                // If the key was purged since the version was read, this is the refusal.
                permit.judge().await?;
                return Err(Error::Damaged {
                    kid: kid.clone(),
                    why: "it is missing",
                });
            };
            let key = permit.records.bundle();
            Ok(Used { key, result })
        })
        .await
    }
}

impl Service {
    fn open_private_key(&self, kid: &Kid, version: &VersionRecord) -> Result<Option<KeyMaterial>> {
        let objects = &*self.store.vault_keys;
        let sealed = version.private_key;
        let opened = private_keys::open(objects, &self.service_key, kid, version.kty, sealed)?;
        match opened {
            Some(key) if key.public_key() != version.public_key => Err(Error::Damaged {
                kid: kid.clone(),
                why: "it does not belong to the public key",
            }),
            opened => Ok(opened),
        }
    }

    pub(crate) fn check_usable(
        &self,
        kid: &Kid,
        version: &VersionRecord,
        operation: KeyOperation,
    ) -> Result<()> {
        let state = VersionState {
            enabled: version.enabled,
            not_before: version.not_before,
            expires: version.expires,
            key_ops: &version.key_ops,
        };
        may_use(state, operation, self.clock.now()).map_err(|unusable| {
            let kid = kid.clone();
            match unusable {
                Unusable::Disabled => Error::KeyDisabled { kid, operation },
                Unusable::OperationForbidden => Error::KeyOperationForbidden { kid, operation },
                Unusable::NotYetValid => Error::KeyNotYetValid { kid, operation },
                Unusable::Expired => Error::KeyExpired { kid, operation },
            }
        })
    }
}

/// What decides whether a key version may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VersionState<'a> {
    /// Whether it is enabled.
    pub enabled: bool,
    /// From when on it is valid, `nbf`.
    pub not_before: Option<Timestamp>,
    /// Until when it is valid, `exp`.
    pub expires: Option<Timestamp>,
    /// What it is for.
    pub key_ops: &'a [KeyOperation],
}

/// Why a key version may not be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unusable {
    /// It is disabled.
    Disabled,
    /// It is not for this.
    OperationForbidden,
    /// Its time has not come.
    NotYetValid,
    /// Its time is over.
    Expired,
}

/// Decides whether a key version may be used for `operation` at `now`.
///
/// Its time matters only to what makes something new: what it once encrypted or signed can be decrypted
/// and verified before and after it, too.
///
/// <https://learn.microsoft.com/azure/key-vault/keys/about-keys-details#date-time-controlled-operations>
pub fn may_use(
    state: VersionState<'_>,
    operation: KeyOperation,
    now: Timestamp,
) -> std::result::Result<(), Unusable> {
    if !state.enabled {
        return Err(Unusable::Disabled);
    }
    if !state.key_ops.contains(&operation) {
        return Err(Unusable::OperationForbidden);
    }
    let makes_something_new = matches!(
        operation,
        KeyOperation::Encrypt | KeyOperation::Sign | KeyOperation::WrapKey
    );
    if !makes_something_new {
        return Ok(());
    }
    if state.not_before.is_some_and(|start| now < start) {
        return Err(Unusable::NotYetValid);
    }
    if state.expires.is_some_and(|end| end <= now) {
        return Err(Unusable::Expired);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [KeyOperation; 6] = [
        KeyOperation::Encrypt,
        KeyOperation::Decrypt,
        KeyOperation::Sign,
        KeyOperation::Verify,
        KeyOperation::WrapKey,
        KeyOperation::UnwrapKey,
    ];

    /// Whether each of [`ALL`] is served, and why not.
    fn verdicts(state: VersionState<'_>) -> [std::result::Result<(), Unusable>; 6] {
        ALL.map(|operation| may_use(state, operation, Timestamp::UNIX_EPOCH))
    }

    #[test]
    fn a_version_is_used_as_its_state_says() {
        use Unusable::{Disabled, Expired, NotYetValid, OperationForbidden};
        let at = |second| Some(Timestamp::from_second(second).unwrap());
        let state = VersionState {
            enabled: true,
            not_before: None,
            expires: None,
            key_ops: &ALL,
        };
        let only_new = |why| [Err(why), Ok(()), Err(why), Ok(()), Err(why), Ok(())];
        for (changed, expected) in [
            (state, [Ok(()); 6]),
            (
                VersionState {
                    enabled: false,
                    ..state
                },
                [Err(Disabled); 6],
            ),
            (
                VersionState {
                    enabled: false,
                    key_ops: &[],
                    expires: at(0),
                    ..state
                },
                [Err(Disabled); 6],
            ),
            (
                VersionState {
                    key_ops: &[],
                    expires: at(0),
                    ..state
                },
                [Err(OperationForbidden); 6],
            ),
            (
                VersionState {
                    not_before: at(1),
                    ..state
                },
                only_new(NotYetValid),
            ),
            (
                VersionState {
                    not_before: at(0),
                    expires: at(1),
                    ..state
                },
                [Ok(()); 6],
            ),
            (
                VersionState {
                    expires: at(0),
                    ..state
                },
                only_new(Expired),
            ),
        ] {
            assert_eq!(verdicts(changed), expected, "{changed:?}");
        }
        let unwraps = VersionState {
            key_ops: &[KeyOperation::UnwrapKey],
            ..state
        };
        let refused = Err(OperationForbidden);
        assert_eq!(
            verdicts(unwraps),
            [refused, refused, refused, refused, refused, Ok(())]
        );
    }
}

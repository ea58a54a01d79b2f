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

/// The result of a cryptographic operation. It has no `Debug`, since it may be secret.
pub struct CryptoResult<T> {
    /// The key version.
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
    ) -> Result<CryptoResult<Encrypted>> {
        self.use_private_key(algorithm.to_string(), move |key, _| {
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
    ) -> Result<CryptoResult<Zeroizing<Vec<u8>>>> {
        self.use_private_key(algorithm.to_string(), move |key, _| {
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
    ) -> Result<CryptoResult<Vec<u8>>> {
        self.use_private_key(algorithm.to_string(), move |key, _| {
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
    ) -> Result<CryptoResult<Zeroizing<Vec<u8>>>> {
        self.use_private_key(algorithm.to_string(), move |key, _| {
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
    ) -> Result<CryptoResult<Vec<u8>>> {
        self.use_private_key(algorithm.to_string(), move |key, kid| {
            key.sign(kid, algorithm, &digest)
        })
        .await
    }
}

impl Permit<Verify> {
    /// Returns true if `signature` is valid for `digest`.
    pub async fn run(
        self,
        algorithm: SignatureAlgorithm,
        digest: Vec<u8>,
        signature: Vec<u8>,
    ) -> Result<CryptoResult<bool>> {
        self.use_private_key(algorithm.to_string(), move |key, kid| {
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
    /// Opens the private key and calls `work` with it and the version's URL.
    async fn use_private_key<T: Send + 'static>(
        self,
        algorithm: String,
        work: impl FnOnce(&KeyMaterial, &str) -> Result<T> + Send + 'static,
    ) -> Result<CryptoResult<T>> {
        self.request.set_algorithm(algorithm);
        self.run_to_end(|permit| async move {
            // The key may have been disabled while the client's body arrived.
            let found = permit.judge().await?;
            let VersionInVault { kid, version, .. } = &found;
            let using = permit
                .service
                .workload
                .operate(permit.request.is_from_client(), {
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
                // If the key was purged after the version was read, judging again refuses the operation.
                permit.judge().await?;
                return Err(Error::Damaged {
                    kid: kid.clone(),
                    why: "it is missing",
                });
            };
            let key = found.bundle();
            Ok(CryptoResult { key, result })
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
        let attributes = UsageAttributes {
            enabled: version.enabled,
            not_before: version.not_before,
            expires: version.expires,
            key_ops: &version.key_ops,
        };
        may_use(attributes, operation, self.clock.now()).map_err(|unusable| {
            let kid = kid.clone();
            match unusable {
                UnusableReason::Disabled => Error::KeyDisabled { kid, operation },
                UnusableReason::OperationForbidden => {
                    Error::KeyOperationForbidden { kid, operation }
                }
                UnusableReason::NotYetValid => Error::KeyNotYetValid { kid, operation },
                UnusableReason::Expired => Error::KeyExpired { kid, operation },
            }
        })
    }
}

/// The properties of a key version that permit or forbid its use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UsageAttributes<'a> {
    /// True if it is enabled.
    pub enabled: bool,
    /// The time from which it is valid, `nbf`.
    pub not_before: Option<Timestamp>,
    /// The time from which it is no longer valid, `exp`.
    pub expires: Option<Timestamp>,
    /// The operations that it permits.
    pub key_ops: &'a [KeyOperation],
}

/// The reason why a key version may not be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnusableReason {
    /// It is disabled.
    Disabled,
    /// It does not permit the operation.
    OperationForbidden,
    /// It is not valid yet.
    NotYetValid,
    /// It has expired.
    Expired,
}

/// Permits the use of a key version for `operation` at `now`, or refuses it.
///
/// Only encrypting, wrapping and signing are bound to the validity period. Decrypting, unwrapping and verifying are
/// possible at any time.
///
/// <https://learn.microsoft.com/azure/key-vault/keys/about-keys-details#date-time-controlled-operations>
pub fn may_use(
    attributes: UsageAttributes<'_>,
    operation: KeyOperation,
    now: Timestamp,
) -> std::result::Result<(), UnusableReason> {
    if !attributes.enabled {
        return Err(UnusableReason::Disabled);
    }
    if !attributes.key_ops.contains(&operation) {
        return Err(UnusableReason::OperationForbidden);
    }
    let is_bound_to_validity = matches!(
        operation,
        KeyOperation::Encrypt | KeyOperation::Sign | KeyOperation::WrapKey
    );
    if !is_bound_to_validity {
        return Ok(());
    }
    if attributes.not_before.is_some_and(|start| now < start) {
        return Err(UnusableReason::NotYetValid);
    }
    if attributes.expires.is_some_and(|end| end <= now) {
        return Err(UnusableReason::Expired);
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

    /// Judges each operation of [`ALL`] at the epoch.
    fn verdicts(attributes: UsageAttributes<'_>) -> [std::result::Result<(), UnusableReason>; 6] {
        ALL.map(|operation| may_use(attributes, operation, Timestamp::UNIX_EPOCH))
    }

    #[test]
    fn each_property_of_a_version_permits_and_refuses() {
        use UnusableReason::{Disabled, Expired, NotYetValid, OperationForbidden};
        let at = |second| Some(Timestamp::from_second(second).unwrap());
        let attributes = UsageAttributes {
            enabled: true,
            not_before: None,
            expires: None,
            key_ops: &ALL,
        };
        let bound_ones = |why| [Err(why), Ok(()), Err(why), Ok(()), Err(why), Ok(())];
        for (changed, expected) in [
            (attributes, [Ok(()); 6]),
            (
                UsageAttributes {
                    enabled: false,
                    ..attributes
                },
                [Err(Disabled); 6],
            ),
            (
                UsageAttributes {
                    enabled: false,
                    key_ops: &[],
                    expires: at(0),
                    ..attributes
                },
                [Err(Disabled); 6],
            ),
            (
                UsageAttributes {
                    key_ops: &[],
                    expires: at(0),
                    ..attributes
                },
                [Err(OperationForbidden); 6],
            ),
            (
                UsageAttributes {
                    not_before: at(1),
                    ..attributes
                },
                bound_ones(NotYetValid),
            ),
            (
                UsageAttributes {
                    not_before: at(0),
                    expires: at(1),
                    ..attributes
                },
                [Ok(()); 6],
            ),
            (
                UsageAttributes {
                    expires: at(0),
                    ..attributes
                },
                bound_ones(Expired),
            ),
        ] {
            assert_eq!(verdicts(changed), expected, "{changed:?}");
        }
        let unwraps = UsageAttributes {
            key_ops: &[KeyOperation::UnwrapKey],
            ..attributes
        };
        let refused = Err(OperationForbidden);
        assert_eq!(
            verdicts(unwraps),
            [refused, refused, refused, refused, refused, Ok(())]
        );
    }
}

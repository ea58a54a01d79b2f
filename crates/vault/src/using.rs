use std::sync::Arc;

use sealock_core::{KeyIdentifier, Kid};
use zeroize::Zeroizing;

use crate::{
    Encrypted, EncryptionAlgorithm, Error, KeyBundle, KeyOperation, KeyPermission, Requester,
    Result, SignatureAlgorithm, Unusable, VersionState, key_material::KeyMaterial, private_keys,
    records::VersionRecord, service::Service, usage::may_use,
};

/// What is to be done with a key version. There is no `Debug`: it holds what clients keep secret.
pub enum KeyUse {
    /// Encrypt something.
    Encrypt {
        /// How.
        algorithm: EncryptionAlgorithm,
        /// What.
        plaintext: Zeroizing<Vec<u8>>,
        /// The initialisation vector, where the client may choose it.
        iv: Option<Vec<u8>>,
        /// What is authenticated, but not encrypted.
        aad: Option<Vec<u8>>,
    },
    /// Decrypt what was encrypted.
    Decrypt {
        /// How.
        algorithm: EncryptionAlgorithm,
        /// What.
        encrypted: Encrypted,
        /// What was authenticated with it.
        aad: Option<Vec<u8>>,
    },
    /// Wrap another key.
    WrapKey {
        /// How.
        algorithm: EncryptionAlgorithm,
        /// The other key.
        value: Zeroizing<Vec<u8>>,
    },
    /// Unwrap what was wrapped.
    UnwrapKey {
        /// How.
        algorithm: EncryptionAlgorithm,
        /// What was wrapped.
        value: Vec<u8>,
    },
    /// Sign a digest.
    Sign {
        /// How.
        algorithm: SignatureAlgorithm,
        /// The digest.
        digest: Vec<u8>,
    },
    /// Verify the signature of a digest.
    Verify {
        /// How.
        algorithm: SignatureAlgorithm,
        /// The digest.
        digest: Vec<u8>,
        /// The signature.
        signature: Vec<u8>,
    },
}

/// A key version that was used.
pub struct Used {
    /// The version.
    pub key: KeyBundle,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of using a key. There is no `Debug`: it may be what clients keep secret.
pub enum Outcome {
    /// What was encrypted, with what is needed to decrypt it.
    Encrypted(Encrypted),
    /// A plaintext, a key or a signature.
    Bytes(Zeroizing<Vec<u8>>),
    /// Whether the signature is one.
    Verified(bool),
}

impl KeyUse {
    /// What the key must be for.
    pub fn operation(&self) -> KeyOperation {
        match self {
            Self::Encrypt { .. } => KeyOperation::Encrypt,
            Self::Decrypt { .. } => KeyOperation::Decrypt,
            Self::WrapKey { .. } => KeyOperation::WrapKey,
            Self::UnwrapKey { .. } => KeyOperation::UnwrapKey,
            Self::Sign { .. } => KeyOperation::Sign,
            Self::Verify { .. } => KeyOperation::Verify,
        }
    }

    pub(crate) fn algorithm(&self) -> String {
        match self {
            Self::Encrypt { algorithm, .. }
            | Self::Decrypt { algorithm, .. }
            | Self::WrapKey { algorithm, .. }
            | Self::UnwrapKey { algorithm, .. } => algorithm.to_string(),
            Self::Sign { algorithm, .. } | Self::Verify { algorithm, .. } => algorithm.to_string(),
        }
    }

    fn carry_out(self, key: &KeyMaterial, kid: &str) -> Result<Outcome> {
        Ok(match self {
            Self::Encrypt {
                algorithm,
                plaintext,
                iv,
                aad,
            } => Outcome::Encrypted(key.encrypt(
                algorithm,
                &plaintext,
                iv.as_deref(),
                aad.as_deref(),
            )?),
            Self::Decrypt {
                algorithm,
                encrypted,
                aad,
            } => Outcome::Bytes(key.decrypt(algorithm, &encrypted, aad.as_deref())?),
            Self::WrapKey { algorithm, value } => {
                Outcome::Bytes(key.wrap(algorithm, &value)?.into())
            }
            Self::UnwrapKey { algorithm, value } => Outcome::Bytes(key.unwrap(algorithm, &value)?),
            Self::Sign { algorithm, digest } => {
                Outcome::Bytes(key.sign(kid, algorithm, &digest)?.into())
            }
            Self::Verify {
                algorithm,
                digest,
                signature,
            } => Outcome::Verified(key.verify(kid, algorithm, &digest, &signature)?),
        })
    }
}

impl KeyOperation {
    /// What permits it. Nothing permits what no key can be used for.
    pub(crate) fn permission(self) -> Result<KeyPermission> {
        match self {
            Self::Encrypt => Ok(KeyPermission::Encrypt),
            Self::Decrypt => Ok(KeyPermission::Decrypt),
            Self::WrapKey => Ok(KeyPermission::WrapKey),
            Self::UnwrapKey => Ok(KeyPermission::UnwrapKey),
            Self::Sign => Ok(KeyPermission::Sign),
            Self::Verify => Ok(KeyPermission::Verify),
            Self::Export => Ok(KeyPermission::Release),
            Self::Import => Err(Error::NotSupported("using a key to import others")),
        }
    }
}

impl Service {
    pub(crate) async fn use_key(
        self: &Arc<Self>,
        requester: &Requester,
        identifier: &KeyIdentifier,
        operation: KeyOperation,
        usage: Result<KeyUse>,
    ) -> Result<Used> {
        let (kid, stored, bundle) = self
            .usable_version(requester, identifier, operation)
            .await?;
        let usage = usage?;
        let outcome = tokio::task::spawn_blocking({
            let (service, kid) = (Arc::clone(self), kid.clone());
            move || service.open_and_use(&kid, &stored, usage)
        })
        .await??;
        match outcome {
            Some(outcome) => Ok(Used {
                key: bundle,
                outcome,
            }),
            None => {
                // Purged since the version was looked up? Then this is what the refusal is.
                self.usable_version(requester, identifier, operation)
                    .await?;
                Err(Error::Damaged {
                    kid,
                    why: "it is missing",
                })
            }
        }
    }

    fn open_and_use(
        &self,
        kid: &Kid,
        version: &VersionRecord,
        usage: KeyUse,
    ) -> Result<Option<Outcome>> {
        let objects = &*self.store.vault_keys;
        let sealed = version.private_key;
        let opened = private_keys::open(objects, &self.service_key, kid, version.kty, sealed)?;
        let Some(key) = opened else {
            return Ok(None);
        };
        if key.public_key() != version.public_key {
            return Err(Error::Damaged {
                kid: kid.clone(),
                why: "it does not belong to the public key",
            });
        }
        let uri = self.names.key_uri(&kid.identifier());
        usage.carry_out(&key, &uri).map(Some)
    }

    pub(crate) async fn usable_version(
        &self,
        requester: &Requester,
        identifier: &KeyIdentifier,
        operation: KeyOperation,
    ) -> Result<(Kid, VersionRecord, KeyBundle)> {
        let KeyIdentifier { vault, key, .. } = identifier;
        let permission = operation.permission()?;
        let vault_record = self
            .permitted_vault(requester, vault, Some(key), permission)
            .await?;
        let (record, kid) = self.active_kid(identifier).await?;
        let stored = self.stored_version(&kid).await?;
        if operation != KeyOperation::Export {
            self.check_usable(&kid, &stored.record, operation)?;
        }
        let bundle = stored.bundle(&vault_record, &record, vault);
        Ok((kid, stored.record, bundle))
    }

    fn check_usable(
        &self,
        kid: &Kid,
        version: &VersionRecord,
        operation: KeyOperation,
    ) -> Result<()> {
        let state = VersionState {
            enabled: version.enabled,
            not_before: version.not_before,
            expires: version.expires,
            key_ops: &version.key_ops(),
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

use hmac::{Hmac, KeyInit as _, Mac as _};
use ring::aead::{Aad, LessSafeKey, Nonce};
use sealock_core::{Digest, RegistryId};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::{
    Error,
    header::{Header, Layers},
    record::RecordKey,
    secret::{KEY_LEN, TAG_LEN, aes_gcm_key, derive, secret},
};

/// The length of the binding: the last bytes of an object, which tie it to its length and its digest.
pub const BINDING_LEN: usize = 32;

const NONCE_LEN: usize = 12;

const LABEL_LAYER: &[u8] = b"sealock object key v1";
const LABEL_BINDING: &[u8] = b"sealock object binding v1";
const LABEL_CHECK: &[u8] = b"sealock dek check v1";
const LABEL_RECORD: &[u8] = b"sealock service record v1";
const LABEL_TOKEN: &[u8] = b"sealock registry token v1";
const LABEL_STORE: &[u8] = b"sealock store v1";
const LABEL_BACKUP: &[u8] = b"sealock key backup v1";
const LABEL_REGISTRY_RECORD: &[u8] = b"sealock registry record v1";

const LAYER_SERVICE: u8 = 1;
const LAYER_CMK: u8 = 2;

secret!(
    /// The platform's own key. It encrypts the inner layer of every object, and small records.
    ServiceKey
);
secret!(
    /// The data encryption key of a registry, which the customer-managed key wraps.
    Dek
);
secret!(
    /// The key that signs the tokens of a registry.
    TokenKey
);

impl ServiceKey {
    /// Returns the key that seals the platform's small records.
    pub fn record_key(&self) -> RecordKey {
        RecordKey::derived(&derive(&self.0, &[], &[LABEL_RECORD]))
    }

    /// Returns the key that seals the backups of the vault's keys.
    pub fn backup_key(&self) -> RecordKey {
        RecordKey::derived(&derive(&self.0, &[], &[LABEL_BACKUP]))
    }

    /// Returns the key that authenticates what the store writes.
    pub fn store_key(&self) -> Zeroizing<[u8; KEY_LEN]> {
        derive(&self.0, &[], &[LABEL_STORE])
    }

    /// Returns the key that signs the tokens of `registry`.
    pub fn token_key(&self, registry: RegistryId) -> TokenKey {
        TokenKey(derive(&self.0, &[], &[LABEL_TOKEN, registry.as_bytes()]))
    }
}

impl Dek {
    /// Returns a value that identifies this key and reveals nothing about it. It is needed because RSA-OAEP alone does
    /// not show who wrapped a key.
    pub fn check_value(&self) -> [u8; 32] {
        *derive(&self.0, &[], &[LABEL_CHECK])
    }

    /// Returns true if `check_value` is the check value of this key.
    pub fn has_check_value(&self, check_value: &[u8]) -> bool {
        self.check_value().ct_eq(check_value).into()
    }
}

/// The keys of one registry.
#[derive(Clone, Copy)]
pub struct RegistryKeys<'a> {
    /// The registry that owns the keys.
    pub registry: RegistryId,
    /// The key of the inner layer.
    pub service: &'a ServiceKey,
    /// The key of the outer layer, if the registry has a customer-managed key.
    pub dek: Option<&'a Dek>,
}

impl RegistryKeys<'_> {
    /// Returns the layers of this registry's objects.
    pub fn layers(&self) -> Layers {
        match self.dek {
            Some(_) => Layers::ServiceAndCmk,
            None => Layers::Service,
        }
    }

    /// Derives the keys of the object with this header.
    ///
    /// # Errors
    /// If the layers of the object differ from those of the registry.
    pub fn object(&self, header: &Header) -> Result<ObjectKeys, Error> {
        if header.layers != self.layers() {
            return Err(Error::LayersMismatch);
        }
        let bytes = header.to_bytes();
        let derived = |secret: &[u8; KEY_LEN], label: &[u8], layer: u8| {
            derive(
                secret,
                &header.salt,
                &[label, &[layer], self.registry.as_bytes(), &bytes],
            )
        };
        let (outermost, outermost_layer) = match self.dek {
            Some(dek) => (&dek.0, LAYER_CMK),
            None => (&self.service.0, LAYER_SERVICE),
        };
        Ok(ObjectKeys {
            service: aes_gcm_key(&derived(&self.service.0, LABEL_LAYER, LAYER_SERVICE)),
            cmk: self
                .dek
                .map(|dek| aes_gcm_key(&derived(&dek.0, LABEL_LAYER, LAYER_CMK))),
            binding: derived(outermost, LABEL_BINDING, outermost_layer),
            header: *header,
        })
    }

    /// Seals a small record of this registry in the layers of its objects. The record opens only with the same
    /// associated data.
    pub fn seal_record(&self, associated_data: &[u8], plaintext: &[u8]) -> Vec<u8> {
        let sealed = self
            .record_key(&self.service.0, LAYER_SERVICE)
            .seal(associated_data, plaintext);
        match self.dek {
            Some(dek) => self
                .record_key(&dek.0, LAYER_CMK)
                .seal(associated_data, &sealed),
            None => sealed,
        }
    }

    /// Opens a record that [`seal_record`](Self::seal_record) sealed.
    ///
    /// # Errors
    /// If the record was changed, or sealed for another registry or with other associated data.
    pub fn open_record(
        &self,
        associated_data: &[u8],
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Error> {
        let service = self.record_key(&self.service.0, LAYER_SERVICE);
        match self.dek {
            Some(dek) => {
                let outer = self.record_key(&dek.0, LAYER_CMK);
                service.open(associated_data, &outer.open(associated_data, sealed)?)
            }
            None => service.open(associated_data, sealed),
        }
    }

    fn record_key(&self, secret: &[u8; KEY_LEN], layer: u8) -> RecordKey {
        let info = [LABEL_REGISTRY_RECORD, &[layer], self.registry.as_bytes()];
        RecordKey::derived(&derive(secret, &[], &info))
    }
}

/// The keys of an object. They live no longer than one batch of segments.
pub struct ObjectKeys {
    service: LessSafeKey,
    cmk: Option<LessSafeKey>,
    binding: Zeroizing<[u8; KEY_LEN]>,
    header: Header,
}

impl ObjectKeys {
    /// Checks that these keys belong to the object with this header.
    pub(crate) fn check_header(&self, header: &Header) -> Result<(), Error> {
        if self.header == *header {
            Ok(())
        } else {
            Err(Error::KeysMismatch)
        }
    }

    /// Seals the plaintext from `start` of `buffer` on in place, and appends the tags.
    pub(crate) fn seal_segment(
        &self,
        index: u64,
        is_last: bool,
        buffer: &mut Vec<u8>,
        start: usize,
    ) -> Result<(), Error> {
        for key in [Some(&self.service), self.cmk.as_ref()]
            .into_iter()
            .flatten()
        {
            let tag = key
                .seal_in_place_separate_tag(
                    nonce(index, is_last),
                    Aad::empty(),
                    &mut buffer[start..],
                )
                .map_err(|_| Error::SegmentInvalid { index })?;
            buffer.extend_from_slice(tag.as_ref());
        }
        Ok(())
    }

    /// Opens a segment in place. The plaintext is at the start of `segment` and has the returned length.
    pub(crate) fn open_segment(
        &self,
        index: u64,
        is_last: bool,
        segment: &mut [u8],
    ) -> Result<usize, Error> {
        let mut length = segment.len();
        for key in [self.cmk.as_ref(), Some(&self.service)]
            .into_iter()
            .flatten()
        {
            length = key
                .open_in_place(nonce(index, is_last), Aad::empty(), &mut segment[..length])
                .map_err(|_| Error::SegmentRefused { index })?
                .len();
        }
        Ok(length)
    }

    /// Returns the binding of these keys' object to its length and digest.
    pub(crate) fn binding(&self, plaintext_len: u64, digest: &Digest) -> [u8; BINDING_LEN] {
        self.binding_mac(plaintext_len, digest)
            .finalize()
            .into_bytes()
            .into()
    }

    /// Checks, in constant time, that `binding` binds these keys' object to this length and digest.
    ///
    /// # Errors
    /// If it does not: the object was replaced, or sealed under another key.
    pub fn verify_binding(
        &self,
        binding: &[u8; BINDING_LEN],
        plaintext_len: u64,
        digest: &Digest,
    ) -> Result<(), Error> {
        self.binding_mac(plaintext_len, digest)
            .verify_slice(binding)
            .map_err(|_| Error::BindingMismatch)
    }

    #[expect(clippy::expect_used, reason = "HMAC accepts keys of any length")]
    fn binding_mac(&self, plaintext_len: u64, digest: &Digest) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&*self.binding).expect("any length is valid");
        mac.update(&self.header.to_bytes());
        mac.update(&plaintext_len.to_be_bytes());
        mac.update(digest.to_string().as_bytes());
        mac
    }
}

fn nonce(index: u64, is_last: bool) -> Nonce {
    let mut nonce = [0; NONCE_LEN];
    nonce[3..11].copy_from_slice(&index.to_be_bytes());
    nonce[11] = u8::from(is_last);
    Nonce::assume_unique_for_key(nonce)
}

const _: () = assert!(TAG_LEN == 16 && NONCE_LEN == 3 + 8 + 1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_hides_secrets() {
        let shown = format!(
            "{:?} {:?} {:?}",
            ServiceKey::random(),
            Dek::random(),
            RecordKey::random()
        );
        assert_eq!(shown, "ServiceKey(..) Dek(..) RecordKey(..)");
    }

    #[test]
    fn registry_record_opens_only_under_all_keys_of_the_registry() {
        let (service, dek) = (ServiceKey::random(), Dek::random());
        let (other_service, other_dek) = (ServiceKey::random(), Dek::random());
        let registry = RegistryId::random();
        let keys = |dek| RegistryKeys {
            registry,
            service: &service,
            dek,
        };
        let both = keys(Some(&dek));
        for sealer in [keys(None), both] {
            let sealed = sealer.seal_record(b"place", b"content");
            let opened = sealer.open_record(b"place", &sealed).unwrap();
            assert_eq!(opened.as_slice(), b"content");
            assert!(sealer.open_record(b"elsewhere", &sealed).is_err());
            let others = [
                RegistryKeys {
                    registry: RegistryId::random(),
                    ..sealer
                },
                RegistryKeys {
                    service: &other_service,
                    ..sealer
                },
                keys(Some(&other_dek)),
                keys(if sealer.dek.is_some() {
                    None
                } else {
                    Some(&dek)
                }),
            ];
            for other in others {
                assert!(other.open_record(b"place", &sealed).is_err());
            }
        }
    }

    #[test]
    fn check_value_matches_only_its_own_key() {
        let (one, other) = (Dek::random(), Dek::random());
        assert!(one.has_check_value(&one.check_value()));
        assert!(!one.has_check_value(&other.check_value()));
        assert!(!one.has_check_value(&[]));
    }
}

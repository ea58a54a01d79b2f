use std::fmt;

use aes_gcm::{
    Aes256Gcm, KeyInit as _,
    aead::{Aead as _, Payload},
};
use zeroize::Zeroizing;

use ring::aead::{Aad, Nonce};

use crate::{
    Error, TAG_LEN,
    keys::{aead, derive, secret},
};

const KEY_LEN: usize = 32;
const VERSION: u8 = 1;
const SALT_LEN: usize = 32;
const LABEL: &[u8] = b"sealock record v1";

/// The number of bytes that a record has in addition to its content.
pub const RECORD_OVERHEAD: usize = 1 + SALT_LEN + TAG_LEN;

secret!(
    /// A key that seals small records: `version u8 || salt 32 || ciphertext || tag 16`.
    ///
    /// Each record has its own salt and thus its own key, so the nonce can be zero.
    RecordKey
);

impl RecordKey {
    pub(crate) fn derived(key: &[u8; KEY_LEN]) -> Self {
        Self(Zeroizing::new(*key))
    }

    /// Seals `plaintext`; it opens only with the same associated data.
    pub fn seal(&self, associated_data: &[u8], plaintext: &[u8]) -> Vec<u8> {
        let salt: [u8; SALT_LEN] = rand::random();
        let mut sealed = Vec::with_capacity(1 + SALT_LEN + plaintext.len() + TAG_LEN);
        sealed.push(VERSION);
        sealed.extend_from_slice(&salt);
        sealed.extend_from_slice(plaintext);
        // What an unfinished upload keeps is large enough to tell the two implementations apart.
        #[expect(clippy::expect_used, reason = "GCM takes 64 GiB and a record is small")]
        let tag = aead(&derive(&self.0, &salt, &[LABEL]))
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key([0; 12]),
                Aad::from(associated_data),
                &mut sealed[1 + SALT_LEN..],
            )
            .expect("a record is small");
        sealed.extend_from_slice(tag.as_ref());
        sealed
    }

    /// Opens a sealed record.
    ///
    /// # Errors
    /// If it was changed, or sealed under another key or with other associated data.
    pub fn open(&self, associated_data: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
        let (version, rest) = sealed.split_first().ok_or(Error::RecordRefused)?;
        let (salt, ciphertext) = rest
            .split_at_checked(SALT_LEN)
            .ok_or(Error::RecordRefused)?;
        if *version != VERSION {
            return Err(Error::RecordRefused);
        }
        let payload = Payload {
            msg: ciphertext,
            aad: associated_data,
        };
        self.cipher(salt)
            .decrypt(&[0; 12].into(), payload)
            .map(Zeroizing::new)
            .map_err(|_| Error::RecordRefused)
    }

    #[expect(clippy::expect_used, reason = "the length is the type's")]
    fn cipher(&self, salt: &[u8]) -> Aes256Gcm {
        let key = derive(&self.0, salt, &[LABEL]);
        Aes256Gcm::new_from_slice(&*key).expect("AES-256 keys have 32 bytes")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_opens_only_as_it_was_sealed() {
        let key = RecordKey::random();
        let sealed = key.seal(b"where", b"what");
        assert_eq!(key.open(b"where", &sealed).unwrap().as_slice(), b"what");
        assert_ne!(
            key.seal(b"where", b"what"),
            sealed,
            "each seal has its own salt"
        );
        assert!(key.open(b"elsewhere", &sealed).is_err());
        assert!(RecordKey::random().open(b"where", &sealed).is_err());
        for index in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[index] ^= 1;
            assert!(key.open(b"where", &changed).is_err(), "byte {index}");
            assert!(
                key.open(b"where", &sealed[..index]).is_err(),
                "cut to {index}"
            );
        }
    }
}

use aes_gcm::{
    Aes256Gcm, KeyInit as _,
    aead::{Aead as _, Payload},
};
use ring::aead::{Aad, Nonce};
use zeroize::Zeroizing;

use crate::{
    Error,
    secret::{KEY_LEN, TAG_LEN, aes_gcm_key, derive, secret},
};

const VERSION: u8 = 1;
const SALT_LEN: usize = 32;
const LABEL: &[u8] = b"sealock record v1";

/// The number of bytes that sealing adds to a record.
pub const RECORD_OVERHEAD: usize = 1 + SALT_LEN + TAG_LEN;

secret!(
    /// A key that seals small records: `version u8 || salt 32 || ciphertext || tag 16`.
    ///
    /// Each record has its own salt and therefore its own key, so the nonce can be zero.
    RecordKey
);

impl RecordKey {
    pub(crate) fn derived(key: &[u8; KEY_LEN]) -> Self {
        Self(Zeroizing::new(*key))
    }

    /// Seals `plaintext`. The record opens only with the same associated data.
    pub fn seal(&self, associated_data: &[u8], plaintext: &[u8]) -> Vec<u8> {
        let salt: [u8; SALT_LEN] = rand::random();
        let mut sealed = Vec::with_capacity(1 + SALT_LEN + plaintext.len() + TAG_LEN);
        sealed.push(VERSION);
        sealed.extend_from_slice(&salt);
        sealed.extend_from_slice(plaintext);
        // The record of an unfinished upload is large enough for ring to be noticeably faster than aes-gcm.
        #[expect(
            clippy::expect_used,
            reason = "GCM accepts 64 GiB, and a record is small"
        )]
        let tag = aes_gcm_key(&derive(&self.0, &salt, &[LABEL]))
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
    /// If the record was changed, or sealed under another key or with other associated data.
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

    #[expect(clippy::expect_used, reason = "the type fixes the length")]
    fn cipher(&self, salt: &[u8]) -> Aes256Gcm {
        let key = derive(&self.0, salt, &[LABEL]);
        Aes256Gcm::new_from_slice(&*key).expect("AES-256 keys have 32 bytes")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn record_opens_only_unchanged_and_under_its_key_and_data() {
        let key = RecordKey::random();
        let sealed = key.seal(b"place", b"content");
        assert_eq!(key.open(b"place", &sealed).unwrap().as_slice(), b"content");
        assert_ne!(
            key.seal(b"place", b"content"),
            sealed,
            "each record has its own salt"
        );
        assert!(key.open(b"elsewhere", &sealed).is_err());
        assert!(RecordKey::random().open(b"place", &sealed).is_err());
        for index in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[index] ^= 1;
            assert!(key.open(b"place", &changed).is_err(), "byte {index}");
            assert!(
                key.open(b"place", &sealed[..index]).is_err(),
                "truncated to {index}"
            );
        }
    }
}

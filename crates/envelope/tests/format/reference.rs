//! A reference implementation, written from `docs/blob-format.md` without the crate's code: it uses `aes-gcm` instead
//! of `ring`. It can also break the rules, like an attacker with the keys.

use aes_gcm::{
    Aes256Gcm, KeyInit as _,
    aead::{Aead as _, Payload},
};
use hkdf::Hkdf;
use hmac::{Hmac, Mac as _};
use sha2::{Digest as _, Sha256};

use crate::sample::{Owner, Stored};

const NO_DATA: &[u8] = &[];

/// Seals an object with `salt` and segments of 2^`log2` bytes.
pub(crate) fn seal(owner: &Owner, log2: u8, salt: [u8; 32], plaintext: &[u8]) -> Stored {
    let segments = chunks(plaintext, 1 << log2);
    let last = segments.len() - 1;
    let segments = segments.iter().enumerate();
    seal_segments(
        owner,
        log2,
        salt,
        &segments
            .map(|(index, segment)| (*segment, index == last))
            .collect::<Vec<_>>(),
    )
}

/// Seals segments that need not follow the rules, each with its last flag.
pub(crate) fn seal_segments(
    owner: &Owner,
    log2: u8,
    salt: [u8; 32],
    segments: &[(&[u8], bool)],
) -> Stored {
    let header = header_of(owner, log2, salt);
    let plaintext: Vec<u8> = segments
        .iter()
        .flat_map(|(segment, _)| *segment)
        .copied()
        .collect();
    let hash: [u8; 32] = Sha256::digest(&plaintext).into();
    let length = plaintext.len() as u64;
    let mut bytes = header.to_vec();
    for (index, (segment, last)) in (0..).zip(segments) {
        let mut sealed = segment.to_vec();
        for key in layer_keys(owner, &header) {
            sealed = gcm(&key)
                .encrypt(&nonce(index, *last).into(), &*sealed)
                .unwrap();
        }
        bytes.extend(sealed);
    }
    bytes.extend(binding(owner, &header, length, &hash));
    Stored {
        bytes,
        digest: sealock_core::Digest::Sha256(hash),
        plaintext_len: length,
    }
}

/// Opens an object; returns `None` if it must be refused.
pub(crate) fn open(owner: &Owner, object: &Stored) -> Option<Vec<u8>> {
    let header: [u8; 48] = object.bytes.get(..48)?.try_into().unwrap();
    let (log2, salt) = (header[10], header[16..].try_into().unwrap());
    if !(12..=20).contains(&log2) || header != header_of(owner, log2, salt) {
        return None;
    }
    let layers = layer_keys(owner, &header);
    let count = object.plaintext_len.div_ceil(1 << log2).max(1);
    let tags = 16 * layers.len() as u64;
    if object.bytes.len() as u64 != 80 + object.plaintext_len + count * tags {
        return None;
    }
    let hash = hex::decode(object.digest.to_string().strip_prefix("sha256:")?).unwrap();
    let (segments, found) = object.bytes[48..].split_at(object.bytes.len() - 80);
    if found != binding(owner, &header, object.plaintext_len, &hash) {
        return None;
    }
    let mut plaintext = Vec::new();
    let stored = (1 << log2) + 16 * layers.len();
    for (index, segment) in (0..).zip(segments.chunks(stored)) {
        let mut segment = segment.to_vec();
        for key in layers.iter().rev() {
            let nonce = nonce(index, index + 1 == count);
            segment = gcm(key).decrypt(&nonce.into(), &*segment).ok()?;
        }
        plaintext.extend(segment);
    }
    Some(plaintext)
}

/// Seals a record under the key of the platform's own records.
pub(crate) fn seal_record(
    service_key: &[u8; 32],
    salt: [u8; 32],
    associated_data: &[u8],
    plaintext: &[u8],
) -> Vec<u8> {
    let record_key = hkdf(service_key, NO_DATA, b"sealock service record v1");
    seal_under(&record_key, salt, associated_data, plaintext)
}

/// Seals a record in the layers of a registry's objects. The salts are those of the layers, the inner one first.
pub(crate) fn seal_registry_record(
    owner: &Owner,
    salts: [[u8; 32]; 2],
    associated_data: &[u8],
    plaintext: &[u8],
) -> Vec<u8> {
    let secrets = [Some(owner.service), owner.dek];
    let mut sealed = plaintext.to_vec();
    for ((layer, secret), salt) in (1_u8..).zip(secrets.iter().flatten()).zip(salts) {
        let info = [
            b"sealock registry record v1",
            &[layer][..],
            owner.registry.as_bytes(),
        ]
        .concat();
        let record_key = hkdf(secret, NO_DATA, &info);
        sealed = seal_under(&record_key, salt, associated_data, &sealed);
    }
    sealed
}

fn seal_under(
    record_key: &[u8; 32],
    salt: [u8; 32],
    associated_data: &[u8],
    plaintext: &[u8],
) -> Vec<u8> {
    let payload = Payload {
        msg: plaintext,
        aad: associated_data,
    };
    let key = hkdf(record_key, &salt, b"sealock record v1");
    let sealed = gcm(&key).encrypt(&[0; 12].into(), payload).unwrap();
    [&[1], &salt[..], &sealed].concat()
}

/// Returns the check value of a DEK.
pub(crate) fn check_value(dek: &[u8; 32]) -> [u8; 32] {
    hkdf(dek, NO_DATA, b"sealock dek check v1")
}

fn header_of(owner: &Owner, log2: u8, salt: [u8; 32]) -> [u8; 48] {
    let layers = 1 + u8::from(owner.dek.is_some());
    let mut header = [0; 48];
    header[..11].copy_from_slice(&[b's', b'e', b'a', b'l', b'o', b'c', b'k', 0, 1, layers, log2]);
    header[16..].copy_from_slice(&salt);
    header
}

/// Returns the keys of the layers, the inner one first.
fn layer_keys(owner: &Owner, header: &[u8; 48]) -> Vec<[u8; 32]> {
    let secrets = [Some(owner.service), owner.dek];
    let layers = (1..).zip(secrets.iter().flatten());
    layers
        .map(|(layer, secret)| object_key(owner, secret, b"sealock object key v1", layer, header))
        .collect()
}

fn binding(owner: &Owner, header: &[u8; 48], length: u64, hash: &[u8]) -> [u8; 32] {
    let (secret, layer) = match &owner.dek {
        Some(dek) => (dek, 2),
        None => (&owner.service, 1),
    };
    let key = object_key(owner, secret, b"sealock object binding v1", layer, header);
    let mut mac = <Hmac<Sha256>>::new_from_slice(&key).unwrap();
    mac.update(header);
    mac.update(&length.to_be_bytes());
    mac.update(b"sha256:");
    mac.update(hex::encode(hash).as_bytes());
    mac.finalize().into_bytes().into()
}

fn object_key(
    owner: &Owner,
    secret: &[u8; 32],
    label: &[u8],
    layer: u8,
    header: &[u8; 48],
) -> [u8; 32] {
    let info = [label, &[layer], owner.registry.as_bytes(), header].concat();
    hkdf(secret, &header[16..], &info)
}

fn hkdf(secret: &[u8; 32], salt: &[u8], info: &[u8]) -> [u8; 32] {
    let mut key = [0; 32];
    Hkdf::<Sha256>::new(Some(salt), secret)
        .expand(info, &mut key)
        .unwrap();
    key
}

fn gcm(key: &[u8; 32]) -> Aes256Gcm {
    Aes256Gcm::new(&(*key).into())
}

fn nonce(index: u64, last: bool) -> [u8; 12] {
    let mut nonce = [0; 12];
    nonce[3..11].copy_from_slice(&index.to_be_bytes());
    nonce[11] = u8::from(last);
    nonce
}

/// Divides a plaintext into segments, at least one.
fn chunks(plaintext: &[u8], size: usize) -> Vec<&[u8]> {
    if plaintext.is_empty() {
        vec![plaintext]
    } else {
        plaintext.chunks(size).collect()
    }
}

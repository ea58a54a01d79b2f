//! The storage of private keys.
//!
//! Each private key is an object, sealed under a random record key. The record key is a second object, sealed under the
//! service key. Both have the kid as associated data, so that no key can stand in for another. A purge removes both:
//! without the second, not even the service key opens a copy of the first.

#[cfg(test)]
mod tests;

use sealock_core::{Kid, ObjectId};
use sealock_envelope::{RecordKey, ServiceKey};
use sealock_store::objects::{self, Objects};

use crate::{Error, KeyType, Result, crypto::key_material::KeyMaterial, records::SealedKey};

/// Seals a private key and stores it under new ids.
pub(crate) fn seal(
    objects: &dyn Objects,
    service_key: &ServiceKey,
    kid: &Kid,
    key: &KeyMaterial,
) -> Result<SealedKey> {
    let associated_data = kid.to_string();
    let secret = key.to_secret()?;
    let record_key = RecordKey::random();
    let publish = |key: &RecordKey, secret: &[u8]| {
        objects::publish(objects, &key.seal(associated_data.as_bytes(), secret))
    };
    let object = publish(&record_key, &secret)?;
    let record_key = publish(&service_key.record_key(), record_key.expose());
    Ok(SealedKey {
        object,
        // If the disk refuses the second object, the first one is of no use.
        record_key: record_key.inspect_err(|_| drop(objects.remove(object)))?,
    })
}

/// Opens a private key. Returns `None` if its objects have been removed.
pub(crate) fn open(
    objects: &dyn Objects,
    service_key: &ServiceKey,
    kid: &Kid,
    kty: KeyType,
    sealed: SealedKey,
) -> Result<Option<KeyMaterial>> {
    let associated_data = kid.to_string();
    let damaged = |why| Error::Damaged {
        kid: kid.clone(),
        why,
    };
    let read = |id: ObjectId, key: &RecordKey| {
        let Some(bytes) = objects::read(objects, id)? else {
            return Ok(None);
        };
        key.open(associated_data.as_bytes(), &bytes)
            .map(Some)
            .map_err(|_| damaged("it does not open"))
    };
    let Some(record_key) = read(sealed.record_key, &service_key.record_key())? else {
        return Ok(None);
    };
    let record_key = RecordKey::from_slice(&record_key)
        .ok_or_else(|| damaged("the key that seals it is malformed"))?;
    let Some(secret) = read(sealed.object, &record_key)? else {
        return Ok(None);
    };
    KeyMaterial::from_secret(kty, &secret)
        .map(Some)
        .ok_or_else(|| damaged("it is not a key of its type"))
}

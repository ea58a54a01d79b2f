//! Private keys: made, sealed, opened.
//!
//! Each lies (as PKCS#8 DER) in an object of its own, sealed under a random key of its own. That key
//! lies in a second object, sealed under the service key. Both are sealed with the kid as associated
//! data, so that no key is taken for another. Purging unlinks both: without the second, not even the
//! service key opens a copy of the first.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rsa::{
    PrivateKey,
    pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _},
    traits::PublicKeyParts as _,
};
use sealock_core::{Kid, ObjectId};
use sealock_envelope::{RecordKey, ServiceKey};
use sealock_store::objects::{self, Objects};
use serde::{Deserialize, Serialize};

use crate::{Error, Result, records::SealedKey};

/// The public half of an RSA key, as in a JSON Web Key (RFC 7518, 6.3.1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicKey {
    /// The modulus, big-endian, in base64url.
    pub n: String,
    /// The exponent, big-endian, in base64url.
    pub e: String,
}

impl PublicKey {
    pub(crate) fn of(key: &PrivateKey) -> Self {
        Self {
            n: URL_SAFE_NO_PAD.encode(key.n_bytes()),
            e: URL_SAFE_NO_PAD.encode(key.e_bytes()),
        }
    }
}

/// Makes an RSA key. This takes a while.
pub(crate) fn generate(bits: u32) -> Result<PrivateKey> {
    Ok(PrivateKey::new(&mut rand::rng(), bits as usize)?)
}

/// Stores a private key under new ids.
pub(crate) fn seal(
    objects: &dyn Objects,
    service_key: &ServiceKey,
    kid: &Kid,
    key: &PrivateKey,
) -> Result<SealedKey> {
    let associated_data = kid.to_string();
    let der = key.to_pkcs8_der().map_err(rsa::Error::from)?;
    let record_key = RecordKey::random();
    let publish = |key: &RecordKey, secret: &[u8]| {
        objects::publish(objects, &key.seal(associated_data.as_bytes(), secret))
    };
    Ok(SealedKey {
        object: publish(&record_key, der.as_bytes())?,
        record_key: publish(&service_key.record_key(), record_key.expose())?,
    })
}

/// The private key, or `None` if it is not there any more.
pub(crate) fn open(
    objects: &dyn Objects,
    service_key: &ServiceKey,
    kid: &Kid,
    sealed: SealedKey,
) -> Result<Option<PrivateKey>> {
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
    let record_key =
        RecordKey::from_slice(&record_key).ok_or_else(|| damaged("its seal is no key"))?;
    let Some(der) = read(sealed.object, &record_key)? else {
        return Ok(None);
    };
    PrivateKey::from_pkcs8_der(&der)
        .map(Some)
        .map_err(|_| damaged("it is no RSA key"))
}

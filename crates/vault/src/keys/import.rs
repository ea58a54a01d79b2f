use std::future::ready;

use crate::{
    JsonWebKey, Key, KeyChange, KeyType, Result,
    crypto::key_material::KeyMaterial,
    operation::{ImportKey, Permit},
};

/// A key to import. It has no `Debug`, since it contains the private key.
pub struct ImportedKey {
    /// The key.
    pub key: JsonWebKey,
    /// True if it becomes a key in hardware, whatever its type says.
    pub hsm: bool,
    /// Its attributes.
    pub change: KeyChange,
}

impl Permit<ImportKey> {
    /// Imports the key, or a new version of it.
    pub async fn run(self, imported: ImportedKey) -> Result<Key> {
        let ImportedKey {
            key: jwk,
            hsm,
            change,
        } = imported;
        self.run_to_end(move |permit| async move {
            // For RSA, this takes long: it tests the primes.
            let for_client = permit.request.is_from_client();
            let read = move || KeyMaterial::import(&jwk);
            let (given, material) = permit.service.workload.operate(for_client, read).await??;
            let kty = if hsm { given.in_hardware() } else { given };
            if kty == KeyType::Oct {
                return Err(kty.not_supported());
            }
            change.check(kty)?;
            permit
                .create_version(kty, &change, ready(Ok(material)))
                .await
        })
        .await
    }
}

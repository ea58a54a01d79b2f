use std::sync::Arc;

use sealock_core::{KeyName, VaultName};

use crate::{
    Error, JsonWebKey, Key, KeyChange, KeyPermission, KeyType, Result, audit::Request,
    key_material::KeyMaterial, keys::Addition, service::Service,
};

/// A key that a client brings along. There is no `Debug`: its secret half is in it.
pub struct ImportedKey {
    /// The key.
    pub key: JsonWebKey,
    /// Whether it is to be in hardware, whatever its type says.
    pub hsm: bool,
    /// What it is to be for, and when.
    pub change: KeyChange,
}

impl Service {
    pub(crate) async fn import_key(
        self: &Arc<Self>,
        request: &Request,
        vault: &VaultName,
        key: &KeyName,
        imported: Result<ImportedKey>,
    ) -> Result<Key> {
        let place = || async {
            let vault_record = self
                .permitted_vault(&request.requester, vault, Some(key), KeyPermission::Import)
                .await?;
            Ok::<_, Error>((vault_record, self.creatable_key(vault, key).await?))
        };
        place().await?;
        let ImportedKey {
            key: jwk,
            hsm,
            change,
        } = imported?;
        // With RSA, this takes a while: its primes are tried.
        let read = tokio::task::spawn_blocking(move || KeyMaterial::import(&jwk));
        let (given, material) = read.await??;
        let kty = if hsm { given.in_hardware() } else { given };
        if kty == KeyType::Oct {
            return Err(kty.not_supported());
        }
        change.check(kty)?;
        self.remove_expired_key(vault, key).await?;
        self.add_version(
            request,
            vault,
            key,
            move || Ok(material),
            |_| async {
                let (vault, key) = place().await?;
                Ok(Addition {
                    vault,
                    key,
                    kty,
                    change: change.clone(),
                })
            },
        )
        .await
    }
}

use std::{collections::HashMap, ops::Bound};

use sealock_core::{KeyName, KeyVersion, Kid, VaultName};

use crate::{
    Error, KeyVault, Result,
    lookup::part,
    private_keys,
    records::{KEYS, VERSIONS, VersionRecord},
    service::Service,
};

impl KeyVault {
    /// Opens every private key under the service key and compares it with its public key. Returned is what is wrong,
    /// with the kid. It is nobody's request, so the journal has nothing of it. Blocks.
    ///
    /// # Errors
    /// If the store fails.
    pub fn verify_private_keys(&self) -> Result<Vec<String>> {
        self.service.verify_private_keys()
    }
}

impl Service {
    fn verify_private_keys(&self) -> Result<Vec<String>> {
        let mut names: HashMap<(String, String), KeyName> = HashMap::new();
        for entry in self.store.scan(&KEYS, &[], Bound::Unbounded) {
            let entry = entry?;
            let key = (part(&entry.key, 0)?, part(&entry.key, 1)?);
            names.insert(key, entry.record.value.name);
        }
        let mut findings = Vec::new();
        for entry in self.store.scan(&VERSIONS, &[], Bound::Unbounded) {
            let entry = entry?;
            let vault: VaultName = part(&entry.key, 0)?;
            let folded: KeyName = part(&entry.key, 1)?;
            let version: KeyVersion = part(&entry.key, 2)?;
            // A kid is sealed as its key's name was written.
            let name = names.get(&(vault.to_string(), folded.to_string()));
            let kid = Kid::new(&vault, name.unwrap_or(&folded), version);
            if let Some(why) = self.damage_of_private_key(&kid, &entry.record)? {
                // Purged while it was read, perhaps.
                let parts = [kid.vault.as_str(), kid.key.folded(), kid.version.as_str()];
                if self.store.get(&VERSIONS, &parts)?.is_some() {
                    findings.push(format!("the private key of {kid}: {why}"));
                }
            }
        }
        Ok(findings)
    }

    /// What is wrong with a version's private key.
    fn damage_of_private_key(&self, kid: &Kid, version: &VersionRecord) -> Result<Option<String>> {
        let opened = private_keys::open(
            &*self.store.vault_keys,
            &self.service_key,
            kid,
            version.kty,
            version.private_key,
        );
        match opened {
            Ok(Some(key))
                if key.public_key() == version.public_key && key.shape() == version.shape() =>
            {
                Ok(None)
            }
            Ok(Some(_)) => Ok(Some("it belongs to another public key".to_owned())),
            Ok(None) => {
                let [object, record_key] = version.private_key.objects();
                Ok(Some(format!(
                    "vault-keys/{object} or vault-keys/{record_key} is missing"
                )))
            }
            Err(error @ Error::Damaged { .. }) => {
                let [object, record_key] = version.private_key.objects();
                Ok(Some(format!(
                    "{error} (vault-keys/{object} or vault-keys/{record_key})"
                )))
            }
            Err(error) => Err(error),
        }
    }
}

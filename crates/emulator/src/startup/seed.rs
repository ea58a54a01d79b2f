use sealock_cmk::{Encryption, Identity, Refusal, rules};
use sealock_core::{IdentityName, KeyIdentifier};
use sealock_entra::ManagedIdentity;
use sealock_store::{Batch, Table};
use sealock_vault::{
    KeyChange,
    operation::{AllVaults, CreateKey, CreateVault, GrantPermissions, ListVaults, ListWholeKeys},
};

use crate::{
    Config, Error, SeedError,
    config::{SeedRegistry, SeedVault},
    services::Services,
};

/// The marker of a completed seed.
const SEEDED: Table<bool> = Table::content("seeded");

/// Creates the resources in the configuration at the first start. After an interruption, the next start creates the rest and
/// leaves existing resources unchanged.
pub(crate) async fn seed(services: &Services, config: &Config) -> Result<(), Error> {
    if services
        .store
        .get(&SEEDED, &["configuration"])
        .await?
        .is_some()
    {
        return Ok(());
    }
    let seeding = Seeding { services, config };
    // Precedes all creation, because a key keeps its type when the user corrects the configuration.
    for seed in &config.registries {
        seeding.check_key_type(seed)?;
    }
    for identity in &config.identities {
        services
            .directory
            .create_identity(identity.name.clone())
            .await?;
    }
    for seed in &config.vaults {
        seeding.create_vault(seed).await?;
    }
    for seed in &config.registries {
        seeding.create_registry(seed).await?;
    }
    let batch = Batch::new().put(&SEEDED, &["configuration"], &true);
    let _unconditional = services.store.commit(batch).await?;
    Ok(())
}

/// The creation of the resources in the configuration.
struct Seeding<'a> {
    services: &'a Services,
    config: &'a Config,
}

impl Seeding<'_> {
    /// Checks that the type of a registry's key in the configuration supports encryption.
    fn check_key_type(&self, registry: &SeedRegistry) -> Result<(), Error> {
        let Some(key) = &registry.key else {
            return Ok(());
        };
        let vaults = self.config.vaults.iter();
        let mut keys = vaults.flat_map(|vault| vault.keys.iter().map(|key| (&vault.name, key)));
        let Some((_, found)) =
            keys.find(|(vault, found)| key.identifier.refers_to(vault, &found.name))
        else {
            return Ok(());
        };
        let kid = key.url(&self.services.names);
        rules::rsa_only(&kid, &found.kty.to_string())
            .map_err(|refusal| self.refused_registry(registry, refusal.into()))
    }

    async fn create_vault(&self, seed: &SeedVault) -> Result<(), Error> {
        let services = self.services;
        let of_vault = format!("[[vaults]] {}", seed.name);
        let refused = |field: &str, error: sealock_vault::Error| self.refused(field, error);
        let existing = async { services.authorize(ListVaults, AllVaults).await?.run().await };
        let existing = existing.await.map_err(|error| refused(&of_vault, error))?;
        if !existing.iter().any(|existing| existing.name == seed.name) {
            let created = async {
                let permit = services.authorize(CreateVault, seed.name.clone()).await?;
                permit.run(seed.settings()).await
            };
            created.await.map_err(|error| refused(&of_vault, error))?;
        }
        let existing = async {
            let permit = services.authorize(ListWholeKeys, seed.name.clone()).await?;
            permit.run().await
        };
        let existing = existing.await.map_err(|error| refused(&of_vault, error))?;
        for key in &seed.keys {
            if !existing.iter().any(|existing| existing.name == key.name) {
                let field = format!("{of_vault}, [[vaults.keys]] {}", key.name);
                let created = async {
                    let identifier = KeyIdentifier::current(&seed.name, &key.name);
                    let permit = services.authorize(CreateKey, identifier).await?;
                    permit.run(key.spec(), KeyChange::default()).await
                };
                created.await.map_err(|error| refused(&field, error))?;
            }
        }
        for access in &seed.access {
            let field = format!("{of_vault}, [[vaults.access]] identity");
            let identity = self.identity(&field, &access.identity).await?;
            let granted = async {
                let permit = services
                    .authorize(GrantPermissions, seed.name.clone())
                    .await?;
                let permissions = access.permissions.clone();
                permit.run(identity.principal_id, permissions).await
            };
            granted.await.map_err(|error| refused(&of_vault, error))?;
        }
        Ok(())
    }

    async fn create_registry(&self, seed: &SeedRegistry) -> Result<(), Error> {
        let identity = match &seed.identity {
            Some(name) => {
                let field = format!("[[registries]] {}, identity", seed.name);
                Some(self.identity(&field, name).await?.client_id)
            }
            None => None,
        };
        let encryption = Encryption {
            key: seed.key.clone(),
            identity: identity.map(Identity::UserAssigned),
        };
        let registries = &self.services.registries;
        let created = registries.create_or_update(&seed.name, seed.sku, &encryption);
        match created.await {
            Ok(_) => Ok(()),
            Err(error) => Err(self.refused_registry(seed, error)),
        }
    }

    async fn identity(&self, field: &str, name: &IdentityName) -> Result<ManagedIdentity, Error> {
        let identity = self.services.directory.identity(name).await;
        identity.map_err(|error| self.refused(field, error))
    }

    /// Adds the field of a registry to its error.
    fn refused_registry(&self, seed: &SeedRegistry, error: sealock_registry::Error) -> Error {
        let field = match &error {
            sealock_registry::Error::Custody(sealock_cmk::Error::Refused(refusal)) => match refusal
            {
                Refusal::KeyInaccessible(_)
                | Refusal::KeyTypeUnsupported { .. }
                | Refusal::PurgeProtectionMissing { .. } => ", key",
                Refusal::EncryptionNeedsPremium { .. } => ", sku",
                Refusal::PropertiesIncomplete(_) => ", key and identity",
                _ => "",
            },
            _ => "",
        };
        self.refused(&format!("[[registries]] {}{field}", seed.name), error)
    }

    fn refused(&self, field: &str, error: impl Into<SeedError>) -> Error {
        Error::Seed {
            origin: self.config.origin.clone(),
            field: field.to_owned(),
            error: Box::new(error.into()),
        }
    }
}

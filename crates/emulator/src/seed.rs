use sealock_cmk::{Encryption, Identity};
use sealock_store::{Batch, Table};
use sealock_vault::{KeyChange, Requester};

use crate::{Config, Error, services::Services};

/// Present once everything that the configuration names was created.
const SEEDED: Table<bool> = Table::content("seeded");

/// Creates what the configuration names, at the first start.
///
/// A start that was interrupted is taken up again: what is there already is left as it is.
pub(crate) async fn seed(services: &Services, config: &Config) -> Result<(), Error> {
    if services
        .store
        .get(&SEEDED, &["configuration"])
        .await?
        .is_some()
    {
        return Ok(());
    }
    for identity in &config.identities {
        services
            .directory
            .create_identity(identity.name.clone())
            .await?;
    }
    vaults(services, config).await?;
    registries(services, config).await?;
    let batch = Batch::new().put(&SEEDED, &["configuration"], &true);
    let _unconditional = services.store.commit(batch).await?;
    Ok(())
}

async fn vaults(services: &Services, config: &Config) -> Result<(), Error> {
    let (vault, operator) = (&services.vault, &Requester::operator());
    for seed in &config.vaults {
        let existing = vault.vaults(operator).await?;
        if !existing.iter().any(|existing| existing.name == seed.name) {
            vault
                .create_vault(operator, &seed.name, seed.settings())
                .await?;
        }
        let existing = vault.keys(operator, &seed.name).await?;
        for key in &seed.keys {
            if !existing.iter().any(|existing| existing.name == key.name) {
                let asked = (key.spec(), KeyChange::default());
                vault
                    .create_key(operator, &seed.name, &key.name, Ok(asked))
                    .await?;
            }
        }
        for access in &seed.access {
            let identity = services.directory.identity(&access.identity);
            let identity = identity.await.map_err(Error::SeedIdentity)?;
            let permissions = access.permissions.clone();
            vault
                .grant(operator, &seed.name, identity.principal_id, permissions)
                .await?;
        }
    }
    Ok(())
}

async fn registries(services: &Services, config: &Config) -> Result<(), Error> {
    for seed in &config.registries {
        let identity = match &seed.identity {
            Some(name) => {
                let identity = services.directory.identity(name);
                Some(identity.await.map_err(Error::SeedIdentity)?.client_id)
            }
            None => None,
        };
        let encryption = Encryption {
            key: seed.key.clone(),
            identity: identity.map(Identity::UserAssigned),
        };
        services
            .registries
            .create_or_update(&seed.name, seed.sku, &encryption)
            .await?;
    }
    Ok(())
}

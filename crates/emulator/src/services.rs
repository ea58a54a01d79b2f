use std::{net::IpAddr, sync::Arc};

use jiff::Timestamp;
use sealock_cmk::Custodian;
use sealock_core::{Clock, PublicName, RegistryName, VaultName};
use sealock_entra::{ClientSecret, Directory, TokenIssuer};
use sealock_envelope::ServiceKey;
use sealock_registry::Registries;
use sealock_resource_manager::ResourceManager;
use sealock_store::{LongWork, Store};
use sealock_vault::{KeyFollowers, KeyVault, Permit, Requester, operation::Operation};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::{
    Config, Error,
    chain::{Chain, FollowingRegistries},
};

const QUARANTINED: &str = "moved objects that no record mentions into quarantine";

/// The services of the emulator.
#[derive(Clone)]
pub(crate) struct Services {
    pub(crate) clock: Clock,
    pub(crate) store: Store,
    pub(crate) names: PublicName,
    /// The address at which this machine reaches the emulator.
    pub(crate) address: IpAddr,
    pub(crate) directory: Directory,
    pub(crate) tokens: TokenIssuer,
    pub(crate) vault: KeyVault,
    pub(crate) custodian: Custodian,
    pub(crate) registries: Registries,
    pub(crate) resource_manager: Arc<ResourceManager>,
    /// Keeps the followers alive, since the vault holds only a weak reference.
    #[expect(dead_code, reason = "the vault calls them")]
    followers: Arc<dyn KeyFollowers>,
    pub(crate) default_registry: RegistryName,
    pub(crate) default_vault: VaultName,
    pub(crate) started: Timestamp,
    /// The number of days that a file stays in quarantine.
    pub(crate) quarantine_days: u32,
    /// Reads of the whole audit log.
    pub(crate) long_work: LongWork,
    /// Ends streams and background work when the emulator stops, or when other services take the place of these.
    pub(crate) shutdown: CancellationToken,
}

impl Services {
    pub(crate) async fn open(
        store: Store,
        service_key: Arc<ServiceKey>,
        clock: Clock,
        names: PublicName,
        address: IpAddr,
        config: &Config,
        developer_secret: ClientSecret,
    ) -> Result<Self, Error> {
        let directory = Directory::open(store.clone(), clock.clone()).await?;
        let cmk = config.custodian();
        let directory = directory
            .with_developer_secret(developer_secret)
            .with_credential_lifetime(cmk.credential_lifetime());
        let tokens = TokenIssuer::new(directory.clone(), Arc::clone(&service_key));
        let vault = KeyVault::open(
            store.clone(),
            Arc::clone(&service_key),
            clock.clone(),
            names.clone(),
            directory.clone(),
            config.fidelity.key_vault(),
        );
        let chain = Chain::new(directory.clone(), vault.clone());
        let custodian = Custodian::new(
            store.clone(),
            Arc::clone(&service_key),
            Arc::new(chain),
            clock.clone(),
            names.clone(),
            &cmk,
        );
        let followers: Arc<dyn KeyFollowers> = Arc::new(FollowingRegistries(custodian.clone()));
        vault.set_followers(&followers);
        let registries = Registries::new(
            store.clone(),
            custodian.clone(),
            service_key,
            clock.clone(),
            config.fidelity.registry(),
            tokens.clone(),
        );
        let resource_manager = ResourceManager {
            store: store.clone(),
            clock: clock.clone(),
            names: names.clone(),
            directory: directory.clone(),
            tokens: tokens.clone(),
            vaults: vault.clone(),
            registries: registries.clone(),
            provisioning_delay: config.fidelity.provisioning_delay,
            identity_type_case: config.fidelity.identity_type_case,
            operation_begun: Notify::default(),
        };
        resource_manager.create_default_group().await?;
        Ok(Self {
            followers,
            registries,
            resource_manager: Arc::new(resource_manager),
            started: clock.now(),
            clock,
            store,
            names,
            address,
            directory,
            tokens,
            vault,
            custodian,
            default_registry: config.registry.default.clone(),
            default_vault: config.vault.default.clone(),
            quarantine_days: config.store.quarantine_days,
            long_work: LongWork::beside_requests(),
            shutdown: CancellationToken::new(),
        })
    }

    /// Authorizes an operation of a vault for the operator.
    pub(crate) async fn authorize<O: Operation>(
        &self,
        operation: O,
        target: impl Into<O::Target>,
    ) -> sealock_vault::Result<Permit<O>> {
        let operator = Requester::operator();
        self.vault.authorize(&operator, operation, target).await
    }

    /// Finishes the removals of an earlier process, removes expired vaults and keys, and moves files that no record
    /// mentions into quarantine. Works in the background. Must be called before requests are served.
    pub(crate) async fn sweep(&self) -> Result<(), Error> {
        let sweep = self.registries.sweep().await?;
        let (store, vault) = (self.store.clone(), self.vault.clone());
        let (custodian, registries) = (self.custodian.clone(), self.registries.clone());
        tokio::spawn(async move {
            if let Err(error) = store.finish_removals().await {
                tracing::warn!(%error, "cannot finish the pending removals yet");
            }
            if !store.is_sound().await {
                tracing::warn!(
                    "records are missing, so the sweep is skipped and no second copies are written"
                );
                return;
            }
            if let Err(error) = custodian.write_second_copies().await {
                tracing::warn!(%error, "cannot compare the second copies of the custody records");
            }
            if let Err(error) = registries.finish_deletions().await {
                tracing::warn!(%error, "cannot remove the deleted registries yet");
            }
            match sweep.run().await {
                Ok(0) => {}
                Ok(objects) => tracing::warn!(objects, "{QUARANTINED}"),
                Err(error) => tracing::warn!(%error, "the sweep of the registries failed"),
            }
            match vault.sweep().await {
                Ok(swept) if swept.files > 0 => {
                    tracing::warn!(objects = swept.files, "{QUARANTINED}");
                }
                Ok(_) => {}
                Err(error) => tracing::warn!(%error, "the sweep of the vaults failed"),
            }
        });
        Ok(())
    }
}

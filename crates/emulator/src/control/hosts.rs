use sealock_api as api;
use sealock_vault::Requester;

use super::{Answer, call::Call};
use crate::host::{AZURE_REGISTRIES, AZURE_SERVICES, AZURE_VAULTS};

/// The names under which Azure's clients look for what there is.
pub(super) async fn hosts(call: Call<api::ShowHosts>) -> Answer<api::Hosts> {
    let services = call.services;
    let names = &services.names;
    let (mut hosts, mut azure_hosts) = (Vec::new(), Vec::new());
    for registry in services.registries.list().await? {
        let name = &registry.record.name;
        hosts.push(names.registry_host(name));
        azure_hosts.push(format!("{name}.{AZURE_REGISTRIES}"));
    }
    for vault in services.vault.vaults(&Requester::operator()).await? {
        hosts.push(names.vault_host(&vault.name));
        azure_hosts.push(format!("{}.{AZURE_VAULTS}", vault.name));
    }
    hosts.extend(["management", "login", "graph"].map(|service| names.service_host(service)));
    azure_hosts.extend(AZURE_SERVICES.map(str::to_owned));
    Ok(api::Hosts {
        address: services.address,
        hosts,
        azure_hosts,
    })
}

use std::net::IpAddr;

use axum::{Json, extract::State};
use serde::Serialize;

use super::Answer;
use sealock_vault::Requester;

use crate::services::Services;

#[derive(Serialize)]
pub(super) struct View {
    /// Where this machine reaches the emulator.
    address: IpAddr,
    /// Without port.
    hosts: Vec<String>,
}

/// The names under which Azure's clients look for what there is.
pub(super) async fn hosts(State(services): State<Services>) -> Answer<View> {
    let names = &services.names;
    let mut hosts = Vec::new();
    for registry in services.registries.list().await? {
        hosts.push(names.registry_host(&registry.record.name));
    }
    for vault in services.vault.vaults(&Requester::operator()).await? {
        hosts.push(names.vault_host(&vault.name));
    }
    hosts.extend(["management", "login", "graph"].map(|service| names.service_host(service)));
    Ok(Json(View {
        address: services.address,
        hosts,
    }))
}

use axum::{
    http::header,
    response::{IntoResponse as _, Response},
};
use sealock_api as api;
use sealock_vault::operation::{AllVaults, ListVaults};

use super::{Answer, ControlError, call::Call};
use crate::routing::host::{AZURE_REGISTRIES, AZURE_SERVICES, AZURE_VAULTS};

/// The names of this machine at which clients reach the default registry.
const LOOPBACK: [&str; 2] = ["localhost", "127.0.0.1"];

pub(super) async fn ca(call: Call<api::ShowCa>) -> Answer<Response> {
    Ok(pem(&call.trust.ca_pem))
}

pub(super) async fn bundle(call: Call<api::ShowBundle>) -> Answer<Response> {
    Ok(pem(&call.trust.bundle_pem))
}

pub(super) async fn azure_ca(call: Call<api::ShowAzureCa>) -> Answer<Response> {
    let absent = ControlError::azure_names_not_served;
    let ca = call.trust.azure_ca_pem.as_deref();
    ca.map(pem).ok_or_else(absent)
}

fn pem(text: &str) -> Response {
    ([(header::CONTENT_TYPE, api::PEM)], text.to_owned()).into_response()
}

/// Shows the paths of the certificate files, and the hosts that need them.
pub(super) async fn files(call: Call<api::ShowTrustFiles>) -> Answer<api::TrustFiles> {
    let Call {
        services, trust, ..
    } = call;
    let mut hosts = LOOPBACK.map(str::to_owned).to_vec();
    let configured = trust.configured_names.iter();
    hosts.extend(
        configured
            .filter(|name| !LOOPBACK.contains(&name.as_str()))
            .cloned(),
    );
    for registry in services.registries.list().await? {
        hosts.push(services.names.registry_host(&registry.record.name));
    }
    let port = services.names.port();
    let files = trust.files;
    Ok(api::TrustFiles {
        registry_hosts: hosts.iter().map(|host| format!("{host}:{port}")).collect(),
        ca: files.as_ref().map(|files| files.ca.clone()),
        bundle: files.as_ref().map(|files| files.bundle.clone()),
        azure_ca: files.and_then(|files| files.azure_ca),
    })
}

/// Shows the host names of all services, here and in Azure.
pub(super) async fn hosts(call: Call<api::ShowHosts>) -> Answer<api::Hosts> {
    let services = call.services;
    let names = &services.names;
    let (mut hosts, mut azure_hosts) = (Vec::new(), Vec::new());
    for registry in services.registries.list().await? {
        let name = &registry.record.name;
        hosts.push(names.registry_host(name));
        azure_hosts.push(format!("{name}.{AZURE_REGISTRIES}"));
    }
    let permit = services.authorize(ListVaults, AllVaults).await?;
    for vault in permit.run().await? {
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

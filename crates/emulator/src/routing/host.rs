use std::collections::BTreeSet;

use axum::http::{Request, Version, header, uri::Authority};
use sealock_core::PublicName;

/// The service that a host names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Service {
    /// The page, and the control API for browsers.
    Page,
    /// The friendly door, with every service at its path.
    Friendly,
    /// A registry by its name, or a replica of it: `NAME.REGION.geo`, `NAME.REGION.data`.
    Registry(String),
    /// A vault by its name.
    Vault(String),
    /// Azure Resource Manager.
    ResourceManager,
    /// Entra ID.
    Entra,
    /// Microsoft Graph.
    Graph,
}

const FRIENDLY: [&str; 4] = ["localhost", "127.0.0.1", "[::1]", "host.docker.internal"];
const RESOURCE_MANAGER: &str = "management.azure.com";
const ENTRA: [&str; 2] = ["login.microsoftonline.com", "login.windows.net"];
const GRAPH: &str = "graph.microsoft.com";

/// The domains of Azure's registries and vaults.
pub(crate) const AZURE_DOMAINS: [&str; 2] = [AZURE_REGISTRIES, AZURE_VAULTS];
pub(crate) const AZURE_REGISTRIES: &str = "azurecr.io";
pub(crate) const AZURE_VAULTS: &str = "vault.azure.net";

/// The host names of Azure's global services.
pub(crate) const AZURE_SERVICES: [&str; 4] = [RESOURCE_MANAGER, ENTRA[0], ENTRA[1], GRAPH];

/// The host names that the emulator serves.
#[derive(Clone, Debug)]
pub(crate) struct Hosts {
    names: PublicName,
    aliases: BTreeSet<String>,
}

impl Hosts {
    pub(crate) fn new(names: PublicName, aliases: &BTreeSet<String>) -> Self {
        let aliases = aliases
            .iter()
            .map(|alias| alias.to_ascii_lowercase())
            .collect();
        Self { names, aliases }
    }

    /// Returns the public name.
    pub(crate) fn names(&self) -> &PublicName {
        &self.names
    }

    /// Returns the same hosts with another public name.
    pub(crate) fn renamed(self, names: PublicName) -> Self {
        Self { names, ..self }
    }

    /// Returns the aliases and the public name, which may be addresses.
    pub(crate) fn configured(&self) -> impl Iterator<Item = &str> {
        let aliases = self.aliases.iter().map(String::as_str);
        let names = aliases.chain([self.names.host()]);
        // Only URLs put an IPv6 address in brackets.
        names.map(|name| name.trim_start_matches('[').trim_end_matches(']'))
    }

    /// Returns true for a host of the page. Its origin serves no content of registries.
    pub(crate) fn is_page(&self, host: &str) -> bool {
        let base = host.strip_prefix("page.");
        base.is_some_and(|base| base == "localhost" || base == self.names.host())
    }

    /// Returns the service that a host names. `None` if the emulator does not serve the name.
    pub(crate) fn service(&self, host: &str) -> Option<Service> {
        let host = host.to_ascii_lowercase();
        if self.is_page(&host) {
            return Some(Service::Page);
        }
        if FRIENDLY.contains(&host.as_str())
            || host == self.names.host()
            || self.aliases.contains(&host)
        {
            return Some(Service::Friendly);
        }
        if let Some(service) = azure_service(&host) {
            return Some(service);
        }
        ["localhost", self.names.host()].iter().find_map(|base| {
            let name = host.strip_suffix(base)?.strip_suffix('.')?;
            match name {
                "management" => Some(Service::ResourceManager),
                "login" => Some(Service::Entra),
                "graph" => Some(Service::Graph),
                name => strip_domain(name, "azurecr")
                    .map(Service::Registry)
                    .or_else(|| strip_domain(name, "vault").map(Service::Vault)),
            }
        })
    }
}

/// Returns true for a host name of Azure's real services.
pub fn is_azure_host(host: &str) -> bool {
    azure_service(host).is_some()
}

/// Returns the service that Azure serves at a host.
fn azure_service(host: &str) -> Option<Service> {
    match host {
        RESOURCE_MANAGER => Some(Service::ResourceManager),
        GRAPH => Some(Service::Graph),
        name if ENTRA.contains(&name) => Some(Service::Entra),
        name => strip_domain(name, AZURE_REGISTRIES)
            .map(Service::Registry)
            .or_else(|| strip_domain(name, AZURE_VAULTS).map(Service::Vault)),
    }
}

/// Returns the labels of a host before `domain`, if there are any.
fn strip_domain(host: &str, domain: &str) -> Option<String> {
    let name = host.strip_suffix(domain)?.strip_suffix('.')?;
    (!name.is_empty()).then(|| name.to_owned())
}

/// Returns the host of a request: the authority of its target, or its only `Host` header. `None` if the host is missing,
/// ambiguous or malformed. In HTTP/1, an authority overrides `Host`. In HTTP/2, both must be the same.
///
/// <https://www.rfc-editor.org/rfc/rfc9112#section-3.2.2>,
/// <https://www.rfc-editor.org/rfc/rfc9113#section-8.3.1>
pub(crate) fn authority<B>(request: &Request<B>) -> Option<Authority> {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let (host, another) = (hosts.next(), hosts.next());
    let authority = match (request.uri().authority(), host) {
        (Some(authority), Some(host)) if request.version() == Version::HTTP_2 => {
            let host = host.as_bytes();
            let is_same = authority.as_str().as_bytes().eq_ignore_ascii_case(host);
            is_same.then(|| authority.clone())?
        }
        (Some(authority), _) => authority.clone(),
        (None, host) => host?.to_str().ok()?.parse().ok()?,
    };
    // User information in front of a host can disguise it.
    let is_valid = !authority.as_str().contains('@') && has_valid_port(&authority);
    (another.is_none() && is_valid).then_some(authority)
}

/// Returns true if the port is absent or a number. `Authority` accepts any text as the port.
fn has_valid_port(authority: &Authority) -> bool {
    let port = authority.as_str().strip_prefix(authority.host());
    let port = port.and_then(|port| port.strip_prefix(':'));
    port.is_none_or(|port| port.is_empty() || authority.port_u16().is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_names_its_service() {
        let names = PublicName::parse("registry.test", 5000).unwrap();
        let hosts = Hosts::new(names, &["Alias.test".to_owned()].into());
        let registry = |name: &str| Some(Service::Registry(name.to_owned()));
        for (host, service) in [
            ("localhost", Some(Service::Friendly)),
            ("LOCALHOST", Some(Service::Friendly)),
            ("127.0.0.1", Some(Service::Friendly)),
            ("[::1]", Some(Service::Friendly)),
            ("host.docker.internal", Some(Service::Friendly)),
            ("registry.test", Some(Service::Friendly)),
            ("alias.test", Some(Service::Friendly)),
            ("page.localhost", Some(Service::Page)),
            ("Page.LocalHost", Some(Service::Page)),
            ("page.registry.test", Some(Service::Page)),
            ("page.alias.test", None),
            ("page.page.localhost", None),
            ("sealock.azurecr.localhost", registry("sealock")),
            (
                "sealock.eastus.geo.azurecr.localhost",
                registry("sealock.eastus.geo"),
            ),
            ("sealock.azurecr.registry.test", registry("sealock")),
            ("sealock.azurecr.io", registry("sealock")),
            (
                "kv1.vault.localhost",
                Some(Service::Vault("kv1".to_owned())),
            ),
            (
                "kv1.vault.azure.net",
                Some(Service::Vault("kv1".to_owned())),
            ),
            ("management.localhost", Some(Service::ResourceManager)),
            ("management.azure.com", Some(Service::ResourceManager)),
            ("login.localhost", Some(Service::Entra)),
            ("graph.localhost", Some(Service::Graph)),
            ("azurecr.localhost", None),
            (".azurecr.io", None),
            ("evil.test", None),
            ("localhost.evil.test", None),
            ("evillocalhost", None),
            ("x.localhost", None),
            ("127.0.0.2", None),
            ("", None),
        ] {
            assert_eq!(hosts.service(host), service, "{host}");
        }
    }
}

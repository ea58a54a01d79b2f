use std::sync::Weak;

use axum::{
    Router,
    extract::Request,
    http::{HeaderName, HeaderValue, Method, StatusCode, header, uri::Authority},
    response::{IntoResponse as _, Response},
};
use sealock_core::{RegistryName, VaultName};
use sealock_entra::http as entra_http;
use sealock_http::BodyIds;
use sealock_registry::http as registry_http;
use sealock_resource_manager::http as resource_manager_http;
use sealock_vault::http as vault_http;
use tower::ServiceExt as _;
use uuid::Uuid;

use super::{
    access_log::LoggedRequest,
    error_format::ErrorFormat,
    friendly_door::FriendlyDoor,
    host::{self, Hosts, Service},
    origin,
    transfer_coding::{self, UnsupportedCoding},
};
use crate::{
    control,
    listener::{Peer, Slot},
    services::Services,
    startup::instance::Instance,
    tls::Trust,
};

/// The header by which a client recognizes the emulator. Its value is the version.
const SEALOCK: HeaderName = HeaderName::from_static("x-sealock");

/// The headers with the id of a request, which the services send.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-ms-request-id");
const CORRELATION_ID: HeaderName = HeaderName::from_static("x-ms-correlation-request-id");

/// Routes requests to their services, and refuses those that no service should see.
#[derive(Clone)]
pub(crate) struct RequestRouter {
    services: Services,
    hosts: Hosts,
    control: Router,
    friendly: FriendlyDoor,
}

/// Adds the emulator's version, and the id of the request, unless its service has added one: in a header, or in the body.
/// The log has the same id.
fn identify(response: &mut Response) {
    let in_body = response.extensions().get::<BodyIds>();
    let in_body = in_body.and_then(|ids| ids.request);
    let headers = response.headers_mut();
    headers.insert(SEALOCK, HeaderValue::from_static(env!("CARGO_PKG_VERSION")));
    if headers.contains_key(&REQUEST_ID) || headers.contains_key(&CORRELATION_ID) {
        return;
    }
    if let Ok(id) = HeaderValue::try_from(in_body.unwrap_or_else(Uuid::new_v4).to_string()) {
        headers.insert(REQUEST_ID, id);
    }
}

impl RequestRouter {
    pub(crate) fn new(
        services: Services,
        hosts: Hosts,
        trust: Trust,
        friendly_door: FriendlyDoor,
        instance: Weak<Instance>,
    ) -> Self {
        Self {
            control: control::router(services.clone(), trust, friendly_door.clone(), instance),
            services,
            hosts,
            friendly: friendly_door,
        }
    }

    pub(crate) async fn answer(self, request: Request) -> Response {
        let host = host::authority(&request);
        let logged = LoggedRequest::begin(request.method(), request.uri(), host.as_ref());
        let is_safe = request.method().is_safe();
        let slot = request.extensions().get::<Slot>().cloned();
        let answered = Box::pin(self.route(host, request));
        let mut response = if is_safe {
            answered.await
        } else {
            // A change must be completed even if its client leaves.
            let change = tokio::spawn(async move {
                let response = answered.await;
                drop(slot);
                response
            });
            change.await.unwrap_or_else(|error| failed(&error))
        };
        identify(&mut response);
        logged.end(&response);
        response
    }

    async fn route(self, host: Option<Authority>, request: Request) -> Response {
        let Some(host) = host else {
            return refuse(
                StatusCode::BAD_REQUEST,
                "the request must name exactly one valid host",
            );
        };
        if request.method() == Method::CONNECT {
            return not_allowed("the emulator is not a proxy");
        }
        let Some(service) = self.hosts.service(host.host()) else {
            return misdirected(&host);
        };
        let (headers, path) = (request.headers(), request.uri().path());
        let is_cross_origin = origin::is_cross_origin(headers, &host);
        let is_refused_page = match service {
            // Pushed content has this origin, too.
            Service::Friendly => origin::is_from_page(headers),
            _ => is_cross_origin,
        };
        if is_refused_page && control::is_control_path(path) {
            let page = format!("{}://page.{}", scheme(&request), self.services.names);
            return control::refuse_page(&page);
        }
        if is_cross_origin && !request.method().is_safe() {
            return refuse(
                StatusCode::FORBIDDEN,
                "web pages of another origin must not change anything here",
            );
        }
        if let Err(coding) = transfer_coding::check(request.headers()) {
            return unreadable(ErrorFormat::of(&service, request.uri().path()), &coding);
        }
        match service {
            Service::Page if control::is_control_path(path) => self.control(request).await,
            Service::Page if path == "/" => (StatusCode::NOT_FOUND, NO_PAGE).into_response(),
            Service::Page => no_service(),
            Service::Friendly => Box::pin(self.friendly(&host, request)).await,
            // A registry's name has no dot.
            Service::Registry(name) if name.contains('.') => {
                unsupported(ErrorFormat::Oci, "replicas of a registry")
            }
            Service::Registry(name) => match name.parse() {
                Ok(name) => self.registry(&name, &host, false, request).await,
                Err(error) => refuse(StatusCode::NOT_FOUND, &format!("{error}")),
            },
            Service::Vault(name) => match name.parse() {
                Ok(name) => {
                    let resource = format!("https://{}", parent_domain(&host));
                    self.vault(name, &host, resource, request).await
                }
                Err(error) => refuse(StatusCode::NOT_FOUND, &format!("{error}")),
            },
            Service::ResourceManager => self.resource_manager(&host, request).await,
            Service::Entra => self.authority(&host, request).await,
            Service::Graph => self.graph(request).await,
        }
    }

    /// Routes a request at the friendly door by its path.
    async fn friendly(self, host: &Authority, request: Request) -> Response {
        let path = request.uri().path();
        let mut segments = path.split('/').filter(|segment| !segment.is_empty());
        let first = segments.next().unwrap_or_default();
        if vault_http::is_vault_path(path) {
            let name = self.services.default_vault.clone();
            let resource = format!("https://vault.{}", self.services.names);
            return self.vault(name, host, resource, request).await;
        }
        if resource_manager_http::is_resource_manager_path(path) {
            return self.resource_manager(host, request).await;
        }
        if entra_http::is_managed_identity_path(path) {
            let connection = connection(host, &request);
            let header = self.friendly.identity_header();
            let header = header.map(|secret| entra_http::IdentityHeader::new(secret.text()));
            let tokens = &self.services.tokens;
            return entra_http::managed_identity(tokens, connection, header.as_ref(), request)
                .await;
        }
        if control::is_control_path(path) {
            return self.control(request).await;
        }
        match first {
            "v2" | "acr" | "oauth2" => {
                let name = self.services.default_registry.clone();
                let is_open = self.friendly.is_open();
                self.registry(&name, host, is_open, request).await
            }
            "" if path != "/" => no_service(),
            "" if !request.method().is_safe() => not_allowed("this path is read-only"),
            "" => (
                StatusCode::OK,
                [(header::CONTENT_TYPE, "text/plain; charset=utf-8")],
                INDEX,
            )
                .into_response(),
            _ if entra_http::is_graph_path(path) => self.graph(request).await,
            // Comes last, because a path of a repository may look like an endpoint of the authority.
            _ if entra_http::is_authority_path(path) => self.authority(host, request).await,
            _ => no_service(),
        }
    }

    async fn graph(self, request: Request) -> Response {
        let origin = format!("https://graph.{}", self.services.names);
        entra_http::graph(&self.services.tokens, &origin, request).await
    }

    async fn authority(self, host: &Authority, request: Request) -> Response {
        let connection = connection(host, &request);
        let sign_in = if self.friendly.is_open() && connection.is_local() {
            entra_http::SignIn::Click
        } else {
            entra_http::SignIn::Password
        };
        entra_http::authority(&self.services.tokens, connection, sign_in, request).await
    }

    async fn resource_manager(&self, host: &Authority, request: Request) -> Response {
        let connection = connection(host, &request);
        let manager = &self.services.resource_manager;
        resource_manager_http::answer(manager, connection, request).await
    }

    async fn control(self, request: Request) -> Response {
        match self.control.oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }

    async fn registry(
        self,
        name: &RegistryName,
        host: &Authority,
        is_open: bool,
        request: Request,
    ) -> Response {
        let names = &self.services.names;
        let connection = connection(host, &request);
        let registry_host = registry_http::RegistryHost {
            login_server: names.login_server(name),
            is_friendly: is_open,
        };
        match self.services.registries.get(name).await {
            Ok(registry) => {
                registry_http::answer(registry, names, connection, registry_host, request).await
            }
            Err(error) => registry_http::with_common_headers(registry_http::render(&error, names)),
        }
    }

    async fn vault(
        self,
        vault: VaultName,
        host: &Authority,
        resource: String,
        request: Request,
    ) -> Response {
        let services = &self.services;
        let connection = connection(host, &request);
        let vault_host = vault_http::VaultHost { vault, resource };
        let (vaults, tokens, names) = (&services.vault, &services.tokens, &services.names);
        vault_http::answer(vaults, tokens, names, connection, vault_host, request).await
    }
}

/// Returns the host without its first label and without the default port of HTTPS.
fn parent_domain(host: &Authority) -> String {
    let below = host.as_str().split_once('.').map_or("", |it| it.1);
    below.strip_suffix(":443").unwrap_or(below).to_owned()
}

/// Returns the connection of a request.
fn connection(host: &Authority, request: &Request) -> sealock_http::Connection {
    let peer = request.extensions().get::<Peer>();
    sealock_http::Connection {
        scheme: scheme(request),
        authority: host.to_string(),
        peer: peer.map(|peer| peer.address),
    }
}

fn scheme(request: &Request) -> &'static str {
    match request.extensions().get::<Peer>() {
        Some(peer) if peer.uses_tls => "https",
        _ => "http",
    }
}

const INDEX: &str = "\
Sealock: a local container registry whose content is encrypted with a customer-managed key.

/v2/            the registry: docker push localhost:5000/hello:v1
/acr/v1/        the registry's API in Azure; /oauth2/ issues its tokens
/keys           the keys of the vault, as in Azure; requests need a token
/metadata/      tokens for managed identities, as on a virtual machine; /msi/token as in App Service and Cloud Shell
/subscriptions  Resource Manager: resource groups and what is in them; requests need a token
/TENANT/oauth2/ the login of applications and people, as in Entra; /TENANT/discovery/ and /TENANT/v2.0/ show the keys
/v1.0/          principals, as in Microsoft Graph; requests need a token
/_sealock/v1/   the control API, described by /_sealock/v1/openapi.json; web pages must use page.localhost

All of them also serve TLS; /_sealock/v1/ca.pem is the CA to trust.
";

const NO_PAGE: &str = "\
This version of Sealock has no page yet. Browsers can use the control API, /_sealock/v1/, here.
";

fn unsupported(format: ErrorFormat, what: &str) -> Response {
    let message = format!("This version of the emulator does not support {what}.");
    format.refusal(StatusCode::NOT_IMPLEMENTED, &message)
}

/// Refuses a body with an unsupported transfer coding. Closes the connection, because the end of the body is unknown.
fn unreadable(format: ErrorFormat, coding: &UnsupportedCoding) -> Response {
    let mut response = format.refusal(coding.status, &coding.message);
    let close = HeaderValue::from_static("close");
    response.headers_mut().insert(header::CONNECTION, close);
    response
}

fn failed(error: &tokio::task::JoinError) -> Response {
    tracing::error!(%error, "the handler of a request failed");
    refuse(
        StatusCode::INTERNAL_SERVER_ERROR,
        "the emulator failed; its log says why",
    )
}

fn not_allowed(why: &str) -> Response {
    let mut response = refuse(StatusCode::METHOD_NOT_ALLOWED, why);
    let allowed = HeaderValue::from_static("GET, HEAD");
    response.headers_mut().insert(header::ALLOW, allowed);
    response
}

fn no_service() -> Response {
    refuse(
        StatusCode::NOT_FOUND,
        "no service has this path; / lists the services",
    )
}

/// Refuses a host that is not a name of the emulator, which prevents DNS rebinding.
fn misdirected(host: &Authority) -> Response {
    let message = format!(
        "'{}' is not a name of this emulator; to serve it, add it to server.aliases in the configuration",
        host.host()
    );
    refuse(StatusCode::MISDIRECTED_REQUEST, &message)
}

fn refuse(status: StatusCode, message: &str) -> Response {
    ErrorFormat::Azure.refusal(status, message)
}

//! The vault's HTTP: the endpoints of its keys.
//!
//! A request is judged in Azure's order. Whether the vault is there and whose token it is comes first. What
//! the request says is read before the domain is asked, its body only of a caller who has the permission; but
//! what is wrong with it is judged by the domain, and last. What asks for no operation is judged no further
//! than by the network.
//!
//! <https://learn.microsoft.com/rest/api/keyvault/keys/operation-groups>

mod authentication;
mod body;
mod bundle;
mod crypto;
mod deleted_keys;
mod error;
mod keys;
mod page;
mod path;
mod random;
mod release_policy;
mod rotation_policy;

use std::net::IpAddr;

use axum::{
    body::Body,
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue, Method, header},
    response::{IntoResponse, Response},
};
use sealock_core::{PublicName, VaultName, excerpt};
use sealock_entra::TokenIssuer;
use uuid::Uuid;

use self::{authentication::Authenticated, path::Endpoint};
pub use self::{path::is_vaults, rotation_policy::RotationPolicyBody};
use crate::{Client, Error, KeyVault, LOCATION, Origin, Requester, Result};

/// How long an id of a client's is at most that is sent back.
const HEADER_LIMIT: usize = 256;

/// The name under which Azure's vaults answer; the emulator's has no other.
const SERVICE_VERSION: &str = "1.9.1054.1";

/// How a request reached its vault.
#[derive(Clone, Debug)]
pub struct Door {
    /// Which vault it is for.
    pub vault: VaultName,
    /// `SCHEME://HOST:PORT`, as the client named it.
    pub origin: String,
    /// What a token for this vault is for: `https://` and the vault's host without its first label.
    pub resource: String,
    /// The client's address.
    pub address: IpAddr,
}

/// A request of somebody who was told, its path parsed.
struct Call<'a> {
    vaults: &'a KeyVault,
    names: &'a PublicName,
    door: Door,
    requester: Requester,
    method: Method,
    query: Vec<(String, String)>,
    body: Body,
}

type Answer = Result<Response>;

/// Answers a request to a vault.
pub async fn answer(
    vaults: &KeyVault,
    tokens: &TokenIssuer,
    names: &PublicName,
    door: Door,
    request: Request,
) -> Response {
    let headers = Headers::of(&door, request.headers());
    let answer = match route(vaults, tokens, names, door, &headers, request).await {
        Ok(response) => response,
        Err(error) => error::render(&error),
    };
    headers.add_to(answer)
}

async fn route(
    vaults: &KeyVault,
    tokens: &TokenIssuer,
    names: &PublicName,
    door: Door,
    headers: &Headers,
    request: Request,
) -> Answer {
    let (parts, body) = request.into_parts();
    let query: Vec<(String, String)> =
        url::form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes())
            .into_owned()
            .collect();
    vaults.service.active_vault(&door.vault).await?;
    let client = Client {
        origin: Origin::Address(door.address),
        info: noted(&parts.headers, &header::USER_AGENT),
        api_version: find(&query, "api-version").map(|version| excerpt(version).to_owned()),
        correlation_id: headers.request_id,
    };
    let requester =
        match authentication::authenticate(vaults, tokens, &door, client, &parts.headers).await? {
            Authenticated::As(requester) => *requester,
            Authenticated::Challenged(challenge) => {
                return Ok(challenge.render(tokens, names, &door));
            }
        };
    let mut call = Call {
        vaults,
        names,
        door,
        requester,
        method: parts.method,
        query,
        body,
    };
    let asked = overridden(&call.method, &parts.headers)
        .and_then(|method| Ok((Endpoint::parse(&method, parts.uri.path())?, method)));
    match asked {
        Ok((endpoint, method)) => {
            call.method = method;
            Box::pin(dispatch(call, endpoint)).await
        }
        Err(error) => call.refuse(error).await,
    }
}

/// Which function answers at which endpoint.
async fn dispatch(call: Call<'_>, endpoint: Endpoint) -> Answer {
    let method = call.method.clone();
    match (endpoint, method.as_str()) {
        (Endpoint::Keys, "GET") => keys::list(call).await,
        (Endpoint::Create(key), "POST") => keys::create(call, key).await,
        (Endpoint::Key(key, None), "PUT") => keys::import(call, key).await,
        (Endpoint::Key(key, version), "GET") => keys::get(call, key, version).await,
        (Endpoint::Key(key, version), "PATCH") => keys::update(call, key, version).await,
        (Endpoint::Key(key, None), "DELETE") => keys::delete(call, key).await,
        (Endpoint::Versions(key), "GET") => keys::versions(call, key).await,
        (Endpoint::Backup(key), "POST") => keys::backup(call, key).await,
        (Endpoint::Restore, "POST") => keys::restore(call).await,
        (Endpoint::Rotate(key), "POST") => keys::rotate(call, key).await,
        (Endpoint::RotationPolicy(key), "GET") => rotation_policy::get(call, key).await,
        (Endpoint::RotationPolicy(key), "PUT") => rotation_policy::put(call, key).await,
        (Endpoint::Use(key, version, operation), "POST") => {
            crypto::answer(call, key, version, operation).await
        }
        (Endpoint::DeletedKeys, "GET") => deleted_keys::list(call).await,
        (Endpoint::DeletedKey(key), "GET") => deleted_keys::get(call, key).await,
        (Endpoint::DeletedKey(key), "DELETE") => deleted_keys::purge(call, key).await,
        (Endpoint::Recover(key), "POST") => deleted_keys::recover(call, key).await,
        (Endpoint::Random, "POST") => random::answer(call).await,
        (Endpoint::CertificateContacts, _) => call.refuse(Error::ContactsNotFound).await,
        (Endpoint::Unsupported(what), _) => call.refuse(Error::NotSupported(what)).await,
        (endpoint, _) => call.refuse(endpoint.refuse(&method)).await,
    }
}

/// A client that cannot send the method sends it in a header.
///
/// <https://learn.microsoft.com/azure/key-vault/general/authentication-requests-and-responses>
fn overridden(method: &Method, headers: &HeaderMap) -> Result<Method> {
    let Some(wanted) = headers
        .get("x-http-method")
        .filter(|_| method == Method::POST)
    else {
        return Ok(method.clone());
    };
    match wanted.as_bytes() {
        b"GET" => Ok(Method::GET),
        b"PUT" => Ok(Method::PUT),
        b"PATCH" => Ok(Method::PATCH),
        b"DELETE" => Ok(Method::DELETE),
        b"POST" => Ok(Method::POST),
        _ => Err(Error::BadParameter(
            "The header X-HTTP-METHOD names no method; expected GET, PUT, PATCH or DELETE."
                .to_owned(),
        )),
    }
}

impl Call<'_> {
    /// Refuses what asks for no operation of the vault's.
    async fn refuse(self, error: Error) -> Answer {
        self.vaults
            .service
            .reachable_vault(&self.requester, &self.door.vault)
            .await?;
        Err(error)
    }

    /// The first query parameter of this name, in any case.
    fn query(&self, name: &str) -> Option<&str> {
        find(&self.query, name)
    }
}

/// Whether it is a number as a query has it: Rust would take a sign, too.
fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn find<'a>(query: &'a [(String, String)], name: &str) -> Option<&'a str> {
    query
        .iter()
        .find(|(key, _)| key.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.as_str())
}

fn noted(headers: &HeaderMap, name: &HeaderName) -> String {
    let value = headers.get(name).and_then(|value| value.to_str().ok());
    excerpt(value.unwrap_or_default()).to_owned()
}

/// What every answer carries.
///
/// Azure also sends `Strict-Transport-Security`. On a name that a browser trusts that would force TLS upon
/// whatever else it serves on other ports.
struct Headers {
    address: IpAddr,
    request_id: Uuid,
    client_request_id: Option<HeaderValue>,
}

impl Headers {
    fn of(door: &Door, headers: &HeaderMap) -> Self {
        Self {
            address: door.address,
            request_id: Uuid::new_v4(),
            client_request_id: headers
                .get("x-ms-client-request-id")
                .filter(|id| id.len() <= HEADER_LIMIT)
                .cloned(),
        }
    }

    fn add_to(self, answer: impl IntoResponse) -> Response {
        let mut response = answer.into_response();
        let headers = response.headers_mut();
        for (name, value) in [
            (header::CACHE_CONTROL, "no-cache"),
            (header::PRAGMA, "no-cache"),
            (header::EXPIRES, "-1"),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (HeaderName::from_static("x-ms-keyvault-region"), LOCATION),
            (
                HeaderName::from_static("x-ms-keyvault-service-version"),
                SERVICE_VERSION,
            ),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        if headers.contains_key(header::CONTENT_TYPE) {
            let json = HeaderValue::from_static("application/json; charset=utf-8");
            headers.insert(header::CONTENT_TYPE, json);
        }
        let (kind, family) = match self.address {
            IpAddr::V4(_) => ("Ipv4", "InterNetwork"),
            IpAddr::V6(_) => ("Ipv6", "InterNetworkV6"),
        };
        let address = self.address;
        let network = format!("conn_type={kind};addr={address};act_addr_fam={family};");
        for (name, value) in [
            ("x-ms-keyvault-network-info", network),
            ("x-ms-request-id", self.request_id.to_string()),
        ] {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(name, value);
            }
        }
        if let Some(id) = self.client_request_id {
            headers.insert("x-ms-client-request-id", id);
        }
        response
    }
}

//! Entra's HTTP: the managed identity endpoint, where workloads get their tokens, and the authority, where
//! applications get theirs, and which says how to verify them.

mod discovery;
mod error;
mod managed_identity;
mod token;

use axum::{
    body::Body,
    extract::Request,
    http::{HeaderMap, HeaderValue, Method, header},
    response::Response,
};
use sealock_core::excerpt;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use self::{
    discovery::Version,
    error::{Shape, render},
};
use crate::{Error, Result, TokenIssuer};

/// How a request came in.
#[derive(Clone, Debug)]
pub struct Door {
    /// `SCHEME://HOST:PORT`, as the client named it.
    pub origin: String,
    /// Whether the client is on this machine.
    pub is_local: bool,
}

/// The secret that App Service's form of the managed identity endpoint asks for. Where there is one, the Instance
/// Metadata Service answers nobody: it has no secret to ask for.
pub struct IdentityHeader(Zeroizing<String>);

impl IdentityHeader {
    /// Has `text` asked for.
    pub fn new(text: Zeroizing<String>) -> Self {
        Self(text)
    }

    fn is(&self, shown: &HeaderValue) -> bool {
        self.0.as_bytes().ct_eq(shown.as_bytes()).into()
    }
}

/// A request.
struct Call<'a> {
    issuer: &'a TokenIssuer,
    door: Door,
    method: Method,
    headers: HeaderMap,
    query: Vec<(String, String)>,
}

/// Whether a path is one of the managed identity endpoint's.
pub fn is_managed_identitys(path: &str) -> bool {
    matches!(segments(path).first(), Some(&("metadata" | "msi")))
}

/// Java's SDK doubles the slash before a path of the managed identity endpoint, and MSAL for JavaScript writes
/// one behind it.
fn segments(path: &str) -> Vec<&str> {
    path.split('/').filter(|part| !part.is_empty()).collect()
}

/// Answers a request to the managed identity endpoint: the Instance Metadata Service's, or App Service's. With a
/// `header`, it answers only whoever shows that.
///
/// <https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token>,
/// <https://learn.microsoft.com/azure/app-service/overview-managed-identity#rest-endpoint-reference>
pub async fn managed_identity(
    issuer: &TokenIssuer,
    door: Door,
    header: Option<&IdentityHeader>,
    request: Request,
) -> Response {
    let path = request.uri().path().to_owned();
    let endpoint = format!("{}/msi/token", door.origin);
    let (call, _) = Call::new(issuer, door, request);
    let (answer, shape) = match segments(&path)[..] {
        ["metadata", "identity", "oauth2", "token"] => {
            (managed_identity::imds(&call, header).await, Shape::OAuth)
        }
        ["msi", "token"] => (
            managed_identity::app_service(&call, header).await,
            Shape::AppService(&endpoint),
        ),
        _ => (Err(not_an_endpoint(&path)), Shape::OAuth),
    };
    finish(answer, shape)
}

/// Answers a request to the authority, `/{tenant}/...`.
pub async fn authority(issuer: &TokenIssuer, door: Door, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    let (call, body) = Call::new(issuer, door, request);
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    let answer = match segments[..] {
        [tenant, ".well-known", "openid-configuration"] => {
            discovery::configuration(&call, tenant, Version::V1)
        }
        [tenant, "v2.0", ".well-known", "openid-configuration"] => {
            discovery::configuration(&call, tenant, Version::V2)
        }
        [tenant, "discovery", "keys"] | [tenant, "discovery", "v2.0", "keys"] => {
            discovery::keys(&call, tenant).await
        }
        // Federation Services have one endpoint, which asks and answers as version 2.0 does.
        [tenant @ discovery::ADFS, "oauth2", "token"] | [tenant, "oauth2", "v2.0", "token"] => {
            token::answer(&call, tenant, Version::V2, body).await
        }
        [tenant, "oauth2", "token"] => token::answer(&call, tenant, Version::V1, body).await,
        _ => Err(not_an_endpoint(&path)),
    };
    finish(answer, Shape::Entra(issuer.directory().clock.now()))
}

impl<'a> Call<'a> {
    fn new(issuer: &'a TokenIssuer, door: Door, request: Request) -> (Self, Body) {
        let (parts, body) = request.into_parts();
        let query = parts.uri.query().unwrap_or_default();
        let query = url::form_urlencoded::parse(query.as_bytes())
            .into_owned()
            .collect();
        let call = Self {
            issuer,
            door,
            method: parts.method,
            headers: parts.headers,
            query,
        };
        (call, body)
    }

    /// The first query parameter of this name, if it has a value.
    fn query(&self, name: &str) -> Option<&str> {
        let mut parameters = self.query.iter();
        parameters
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }

    fn expect(&self, allowed: &'static str) -> Result<()> {
        if self.method.as_str() == allowed {
            return Ok(());
        }
        Err(Error::MethodNotAllowed {
            method: self.method.to_string(),
            allowed,
        })
    }
}

fn finish(answer: Result<Response>, shape: Shape<'_>) -> Response {
    let mut response = answer.unwrap_or_else(|error| render(&error, shape));
    // Tokens are nobody's to keep but their client's.
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn not_an_endpoint(path: &str) -> Error {
    Error::NotAnEndpoint(excerpt(path).to_owned())
}

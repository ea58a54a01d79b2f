//! The vault's data plane over HTTP.
//!
//! A request is judged in Azure's order: vault, token, operation, parameters. So a body is read only after the operation
//! is authorized. A request for an unknown operation must still pass the token and the network.
//!
//! <https://learn.microsoft.com/rest/api/keyvault/keys/operation-groups>

mod authentication;
mod body;
mod bundle;
mod crypto;
mod deleted_keys;
mod endpoint;
mod error;
mod keys;
mod page;
mod random;
mod release_policy;
mod rotation_policy;

use std::net::IpAddr;

use axum::{
    body::Body,
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue, header},
    response::{IntoResponse, Response},
};
use sealock_core::{KeyIdentifier, KeyName, KeyVersion, Location, PublicName, VaultName, excerpt};
use sealock_entra::{TokenIssuer, default_location};
use sealock_http::{Connection, Query};
use uuid::Uuid;

use self::{authentication::Authentication, endpoint::Endpoint};
pub use self::{endpoint::is_vault_path, rotation_policy::RotationPolicyBody};
use crate::{Client, Error, KeyVault, Origin, Permit, Requester, Result, operation::Operation};

/// The version that Azure's vaults report in their answers.
const SERVICE_VERSION: &str = "1.9.1054.1";

/// The vault that a request is for.
#[derive(Clone, Debug)]
pub struct VaultHost {
    /// The vault's name.
    pub vault: VaultName,
    /// The audience of a token for this vault: `https://` and the vault's host without its first label.
    pub resource: String,
}

/// A request from an authenticated caller.
struct Call<'a> {
    vaults: &'a KeyVault,
    names: &'a PublicName,
    connection: Connection,
    vault: VaultName,
    requester: Requester,
    body: Body,
}

type Answer = Result<Response>;

/// Answers a request to a vault.
pub async fn answer(
    vaults: &KeyVault,
    tokens: &TokenIssuer,
    names: &PublicName,
    connection: Connection,
    host: VaultHost,
    request: Request,
) -> Response {
    let vault = vaults.service.active_vault(&host.vault).await;
    let region = match &vault {
        Ok(vault) => vault.serving_region(),
        Err(_) => default_location(),
    };
    let headers = AnswerHeaders::of(&connection, request.headers(), region);
    let answer = match vault {
        Ok(_) => route(vaults, tokens, names, connection, host, &headers, request).await,
        Err(error) => Err(error),
    };
    headers.add_to(answer.unwrap_or_else(|error| error::render(&error)))
}

async fn route(
    vaults: &KeyVault,
    tokens: &TokenIssuer,
    names: &PublicName,
    connection: Connection,
    host: VaultHost,
    headers: &AnswerHeaders,
    request: Request,
) -> Answer {
    let (parts, body) = request.into_parts();
    let query = Query::from_uri(&parts.uri);
    let client = Client {
        origin: Origin::Address(connection.client_address()),
        user_agent: header_excerpt(&parts.headers, &header::USER_AGENT),
        api_version: query
            .first_ignoring_case("api-version")
            .map(|version| excerpt(version).to_owned()),
        correlation_id: headers.request_id,
    };
    let authentication =
        authentication::authenticate(vaults, tokens, &host, client, &parts.headers).await?;
    let requester = match authentication {
        Authentication::Accepted(requester) => *requester,
        Authentication::Challenged(challenge) => {
            return Ok(challenge.render(tokens, names, &host.resource));
        }
    };
    let call = Call {
        vaults,
        names,
        connection,
        vault: host.vault,
        requester,
        body,
    };
    match Endpoint::find(&parts.method, &parts.headers, parts.uri.path(), &query) {
        Ok(endpoint) => Box::pin(dispatch(call, endpoint)).await,
        Err(error) => call.refuse(error).await,
    }
}

/// Calls the function of an endpoint.
async fn dispatch(call: Call<'_>, endpoint: Endpoint) -> Answer {
    match endpoint {
        Endpoint::Attestation => call.refuse(Error::NotSupported("attestation")).await,
        Endpoint::BackUpKey { key } => keys::back_up(call, key).await,
        Endpoint::Certificates => call.refuse(Error::NotSupported("certificates")).await,
        Endpoint::CreateKey { key } => keys::create(call, key).await,
        Endpoint::Decrypt { key, version } => crypto::decrypt(call, key, version).await,
        Endpoint::DeleteKey { key } => keys::delete(call, key).await,
        Endpoint::Encrypt { key, version } => crypto::encrypt(call, key, version).await,
        Endpoint::GetCertificateContacts => call.refuse(Error::ContactsNotFound).await,
        Endpoint::GetDeletedKey { key } => deleted_keys::get(call, key).await,
        Endpoint::GetKey { key, version } => keys::get(call, key, version).await,
        Endpoint::GetRandomBytes => random::get(call).await,
        Endpoint::GetRotationPolicy { key } => rotation_policy::get(call, key).await,
        Endpoint::ImportKey { key } => keys::import(call, key).await,
        Endpoint::ListDeletedKeys { page } => deleted_keys::list(call, page).await,
        Endpoint::ListKeys { page } => keys::list(call, page).await,
        Endpoint::ListVersions { key, page } => keys::list_versions(call, key, page).await,
        Endpoint::PurgeKey { key } => deleted_keys::purge(call, key).await,
        Endpoint::RecoverKey { key } => deleted_keys::recover(call, key).await,
        Endpoint::Release { key, version } => crypto::release(call, key, version).await,
        Endpoint::RestoreKey => keys::restore(call).await,
        Endpoint::RotateKey { key } => keys::rotate(call, key).await,
        Endpoint::Secrets => call.refuse(Error::NotSupported("secrets")).await,
        Endpoint::SecureWrapping => call.refuse(Error::NotSupported("secure wrapping")).await,
        Endpoint::SetRotationPolicy { key } => rotation_policy::put(call, key).await,
        Endpoint::Sign { key, version } => crypto::sign(call, key, version).await,
        Endpoint::StorageAccounts => {
            call.refuse(Error::NotSupported("managed storage accounts"))
                .await
        }
        Endpoint::UnwrapKey { key, version } => crypto::unwrap_key(call, key, version).await,
        Endpoint::UpdateKey { key, version } => keys::update(call, key, version).await,
        Endpoint::Verify { key, version } => crypto::verify(call, key, version).await,
        Endpoint::WrapKey { key, version } => crypto::wrap_key(call, key, version).await,
    }
}

impl Call<'_> {
    /// Authorizes an operation for the requester. Not an `async fn`, because its future would borrow the body, which is not
    /// `Sync`.
    fn authorize<O: Operation>(
        &self,
        operation: O,
        target: O::Target,
    ) -> impl Future<Output = Result<Permit<O>>> {
        let (vaults, requester) = (self.vaults, &self.requester);
        vaults.authorize(requester, operation, target)
    }

    /// The identifier of a key in the vault. Without a version, it means the current one.
    fn key(&self, key: KeyName, version: Option<KeyVersion>) -> KeyIdentifier {
        KeyIdentifier {
            vault: self.vault.clone(),
            key,
            version,
        }
    }

    /// Refuses a request for an unknown or unsupported operation, after the check of the network.
    async fn refuse(self, error: Error) -> Answer {
        self.vaults
            .service
            .reachable_vault(&self.requester, &self.vault)
            .await?;
        Err(error)
    }
}

/// Returns true if `text` consists of digits. Rust's `parse` would also accept a sign.
fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Returns the beginning of a header's value; empty if it is absent or not text.
fn header_excerpt(headers: &HeaderMap, name: &HeaderName) -> String {
    let value = headers.get(name).and_then(|value| value.to_str().ok());
    excerpt(value.unwrap_or_default()).to_owned()
}

/// The headers of every answer.
///
/// Azure also sends `Strict-Transport-Security`. The emulator omits it, because a browser would then demand TLS on all
/// other ports of the same host, too.
struct AnswerHeaders {
    region: Location,
    address: IpAddr,
    request_id: Uuid,
    client_request_id: Option<HeaderValue>,
}

impl AnswerHeaders {
    fn of(connection: &Connection, headers: &HeaderMap, region: Location) -> Self {
        Self {
            region,
            address: connection.client_address(),
            request_id: Uuid::new_v4(),
            client_request_id: sealock_http::client_request_id(headers),
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
            ("x-ms-keyvault-region", self.region.to_string()),
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

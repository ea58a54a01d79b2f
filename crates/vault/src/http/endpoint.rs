use axum::http::{HeaderMap, Method};
use sealock_core::{KeyName, KeyVersion, excerpt};
use sealock_http::{MatchedRequest, MethodNotAllowed, Parameter, Query, Spelling};

use super::page::PageQuery;
use crate::{Error, Result};

/// The accepted variations in paths. Some clients leave a key's version empty, vary the case, and double slashes or add
/// them at the end.
const SPELLING: Spelling = Spelling {
    is_encoded: false,
    ignores_case: true,
    ignores_empty_segments: true,
};

// Operations precede versions, because either may follow a key.
sealock_http::endpoints! {
    /// An endpoint of the vault, with the parameters from path and query.
    #[derive(Debug)]
    pub(super) enum Endpoint or Error, spelled SPELLING;

    GET "/keys" => ListKeys { page: PageQuery },
    POST only "/keys/restore" => RestoreKey,
    POST "/keys/{key}/create" => CreateKey { key: KeyName },
    GET "/keys/{key}/versions" => ListVersions { key: KeyName, page: PageQuery },
    POST "/keys/{key}/backup" => BackUpKey { key: KeyName },
    POST "/keys/{key}/rotate" => RotateKey { key: KeyName },
    GET "/keys/{key}/rotationpolicy" => GetRotationPolicy { key: KeyName },
    PUT "/keys/{key}/rotationpolicy" => SetRotationPolicy { key: KeyName },
    POST "/keys/{key}/encrypt" | "/keys/{key}/{version}/encrypt"
        => Encrypt { key: KeyName, version: Option<KeyVersion> },
    POST "/keys/{key}/decrypt" | "/keys/{key}/{version}/decrypt"
        => Decrypt { key: KeyName, version: Option<KeyVersion> },
    POST "/keys/{key}/sign" | "/keys/{key}/{version}/sign"
        => Sign { key: KeyName, version: Option<KeyVersion> },
    POST "/keys/{key}/verify" | "/keys/{key}/{version}/verify"
        => Verify { key: KeyName, version: Option<KeyVersion> },
    POST "/keys/{key}/wrapKey" | "/keys/{key}/{version}/wrapKey"
        => WrapKey { key: KeyName, version: Option<KeyVersion> },
    POST "/keys/{key}/unwrapKey" | "/keys/{key}/{version}/unwrapKey"
        => UnwrapKey { key: KeyName, version: Option<KeyVersion> },
    POST "/keys/{key}/release" | "/keys/{key}/{version}/release"
        => Release { key: KeyName, version: Option<KeyVersion> },
    ANY "/keys/{key}/attestation" | "/keys/{key}/{version}/attestation" => Attestation,
    ANY "/keys/{key}/secureWrapKey" | "/keys/{key}/{version}/secureWrapKey"
        | "/keys/{key}/secureUnwrapKey" | "/keys/{key}/{version}/secureUnwrapKey" => SecureWrapping,
    GET "/keys/{key}" | "/keys/{key}/{version}" => GetKey { key: KeyName, version: Option<KeyVersion> },
    PUT "/keys/{key}" => ImportKey { key: KeyName },
    PATCH "/keys/{key}" | "/keys/{key}/{version}" => UpdateKey { key: KeyName, version: Option<KeyVersion> },
    DELETE "/keys/{key}" => DeleteKey { key: KeyName },
    GET "/deletedkeys" => ListDeletedKeys { page: PageQuery },
    GET "/deletedkeys/{key}" => GetDeletedKey { key: KeyName },
    DELETE "/deletedkeys/{key}" => PurgeKey { key: KeyName },
    POST "/deletedkeys/{key}/recover" => RecoverKey { key: KeyName },
    POST "/rng" => GetRandomBytes,
    ANY "/secrets/..." | "/deletedsecrets/..." => Secrets,
    // Terraform requests them whenever it reads a vault.
    GET only "/certificates/contacts" => GetCertificateContacts,
    ANY "/certificates/..." | "/deletedcertificates/..." => Certificates,
    ANY "/storage/..." | "/deletedstorage/..." => StorageAccounts,
}

/// Returns true if the path belongs to a vault, on a host that serves other services, too.
pub fn is_vault_path(path: &str) -> bool {
    Endpoint::TABLE.has_first_segment_of(path)
}

impl Endpoint {
    /// Finds the endpoint of a request.
    pub(super) fn find(
        method: &Method,
        headers: &HeaderMap,
        path: &str,
        query: &Query,
    ) -> Result<Self> {
        let method = effective_method(method, headers)?;
        let found = Self::TABLE.find(&method, path, query)?;
        found.allowed.map_err(method_refusal)?;
        Ok(found.endpoint)
    }
}

/// Returns the method, or the one in `X-HTTP-METHOD`, where clients send a method that they cannot use.
///
/// <https://learn.microsoft.com/azure/key-vault/general/authentication-requests-and-responses>
fn effective_method(method: &Method, headers: &HeaderMap) -> Result<Method> {
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
        unknown => Err(Error::BadParameter(format!(
            "The header X-HTTP-METHOD has the unknown method '{}'; expected GET, PUT, PATCH or DELETE.",
            excerpt(&String::from_utf8_lossy(unknown))
        ))),
    }
}

/// Converts the refusal of a method. The text for a `POST` without an operation after the key is Azure's, from a recording
/// of azure-sdk-for-java's `createKeyEmptyName`.
fn method_refusal(refused: MethodNotAllowed) -> Error {
    let after_key = refused.path.split_once("{key}").map(|it| it.1);
    let last = after_key.and_then(|path| path.rsplit('/').next());
    match last {
        Some("" | "{version}") if refused.method == "POST" => {
            Error::BadParameter("Operation not specified".to_owned())
        }
        None | Some("" | "{version}") => Error::MethodNotAllowed {
            method: refused.method,
            allowed: refused.allowed,
        },
        Some(operation) => operation_not_allowed(&refused.method, operation),
    }
}

/// The text is Azure's: <https://github.com/Azure/azure-sdk-for-java/issues/8675>
fn operation_not_allowed(method: &str, operation: &str) -> Error {
    Error::BadParameter(format!(
        "Method {method} does not allow operation '{operation}'"
    ))
}

/// The text is Azure's: <https://github.com/az-acme/az-acme-cli/issues/14>
impl Parameter<Error> for KeyName {
    fn read(request: &MatchedRequest<'_>, name: &'static str) -> Result<Self> {
        let segment = request.segment(name);
        segment.parse().map_err(|_| {
            Error::BadParameter(format!(
                "The request URI contains an invalid name: {}",
                excerpt(segment)
            ))
        })
    }
}

/// A segment that is not a version is an unknown operation.
impl Parameter<Error> for Option<KeyVersion> {
    fn read(request: &MatchedRequest<'_>, name: &'static str) -> Result<Self> {
        let Some(segment) = request.captured(name) else {
            return Ok(None);
        };
        let version = segment.to_ascii_lowercase().parse();
        version
            .map(Some)
            .map_err(|_| operation_not_allowed(request.method.as_str(), excerpt(segment)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(method: &str, path: &str) -> Result<String> {
        let method = method.parse().unwrap();
        let found = Endpoint::find(&method, &HeaderMap::new(), path, &Query::default());
        found.map(|endpoint| format!("{endpoint:?}"))
    }

    #[test]
    fn accepted_variations_of_a_path_are_found() {
        let version = "0123456789abcdef0123456789abcdef";
        let key = r#"key: KeyName("Key-1")"#;
        let unversioned = format!("{key}, version: None");
        let versioned = format!(r#"{key}, version: Some(KeyVersion("{version}"))"#);
        let page = "page: PageQuery { max_results: None, skip_token: None }";
        for (method, path, endpoint) in [
            ("GET", "/keys", format!("ListKeys {{ {page} }}")),
            ("GET", "/KEYS/", format!("ListKeys {{ {page} }}")),
            ("GET", "/keys/Key-1", format!("GetKey {{ {unversioned} }}")),
            (
                "GET",
                "//keys//Key-1/",
                format!("GetKey {{ {unversioned} }}"),
            ),
            (
                "PATCH",
                "/keys/Key-1",
                format!("UpdateKey {{ {unversioned} }}"),
            ),
            ("DELETE", "/keys/Key-1", format!("DeleteKey {{ {key} }}")),
            (
                "GET",
                &format!("/keys/Key-1/{version}"),
                format!("GetKey {{ {versioned} }}"),
            ),
            (
                "PATCH",
                &format!("/keys/Key-1/{}", version.to_uppercase()),
                format!("UpdateKey {{ {versioned} }}"),
            ),
            (
                "POST",
                "/keys/Key-1/create",
                format!("CreateKey {{ {key} }}"),
            ),
            (
                "GET",
                "/keys/Key-1/Versions",
                format!("ListVersions {{ {key}, {page} }}"),
            ),
            (
                "PUT",
                "/keys/Key-1/rotationPolicy",
                format!("SetRotationPolicy {{ {key} }}"),
            ),
            (
                "POST",
                "/keys/Key-1//encrypt",
                format!("Encrypt {{ {unversioned} }}"),
            ),
            (
                "POST",
                "/keys/Key-1/wrapkey",
                format!("WrapKey {{ {unversioned} }}"),
            ),
            (
                "POST",
                &format!("/keys/Key-1/{version}/WRAPKEY"),
                format!("WrapKey {{ {versioned} }}"),
            ),
            ("POST", "/keys/restore", "RestoreKey".to_owned()),
            (
                "GET",
                "/keys/restore",
                r#"GetKey { key: KeyName("restore"), version: None }"#.to_owned(),
            ),
            (
                "GET",
                "/deletedKeys",
                format!("ListDeletedKeys {{ {page} }}"),
            ),
            (
                "DELETE",
                "/deletedkeys/Key-1",
                format!("PurgeKey {{ {key} }}"),
            ),
            (
                "POST",
                "/deletedkeys/Key-1/recover",
                format!("RecoverKey {{ {key} }}"),
            ),
            ("POST", "/rng", "GetRandomBytes".to_owned()),
            ("LOCK", "/secrets/x/y", "Secrets".to_owned()),
            ("GET", "/certificates", "Certificates".to_owned()),
            (
                "GET",
                "/certificates/contacts",
                "GetCertificateContacts".to_owned(),
            ),
            ("PUT", "/certificates/contacts", "Certificates".to_owned()),
            ("HEAD", "/Storage/x", "StorageAccounts".to_owned()),
            ("GET", "/keys/a_b/attestation", "Attestation".to_owned()),
        ] {
            assert_eq!(find(method, path).unwrap(), endpoint, "{method} {path}");
            assert!(is_vault_path(path), "{path}");
        }
        for other in ["", "/", "//", "/v2/keys", "/keyss", "/%6Beys"] {
            assert!(!is_vault_path(other), "{other}");
        }
    }

    #[test]
    fn unknown_endpoint_is_refused_with_azures_text() {
        let version = "0123456789abcdef0123456789abcdef";
        let refused =
            |method, operation| format!("Method {method} does not allow operation '{operation}'");
        let no_endpoint = |path| format!("'{path}' is not an endpoint of the vault.");
        let allowed =
            |method, allowed| format!("The method {method} is not allowed here; use {allowed}.");
        let name = "The request URI contains an invalid name: a_b".to_owned();
        let unspecified = "Operation not specified".to_owned();
        let long = format!("/keys/Key-1/{version}/x");
        for (method, path, text) in [
            ("GET", "/", no_endpoint("/")),
            ("GET", "/x", no_endpoint("/x")),
            ("POST", "/rng/x", no_endpoint("/rng/x")),
            ("POST", &long, no_endpoint(&long)),
            (
                "POST",
                "/keys/k/x/y/encrypt",
                no_endpoint("/keys/k/x/y/encrypt"),
            ),
            ("POST", "/deletedkeys/k/x", no_endpoint("/deletedkeys/k/x")),
            ("GET", "/keys/a_b", name.clone()),
            // The name is checked before the method.
            ("GET", "/keys/a_b/create", name),
            ("GET", "/keys/k/CREATE", refused("GET", "create")),
            ("PUT", "/keys/k/wrapkey", refused("PUT", "wrapKey")),
            ("GET", "/keys/k/Xyz", refused("GET", "Xyz")),
            ("POST", "/keys/k/Xyz/encrypt", refused("POST", "Xyz")),
            ("GET", "/deletedkeys/k/recover", refused("GET", "recover")),
            ("POST", "/keys/k", unspecified.clone()),
            ("POST", &format!("/keys/k/{version}"), unspecified.clone()),
            ("POST", "/deletedkeys/k", unspecified),
            ("HEAD", "/keys", allowed("HEAD", "GET")),
            (
                "HEAD",
                "/keys/k",
                allowed("HEAD", "GET, PUT, PATCH, DELETE"),
            ),
            (
                "OPTIONS",
                "/keys/restore",
                allowed("OPTIONS", "GET, PUT, PATCH, DELETE"),
            ),
            (
                "PUT",
                &format!("/keys/k/{version}"),
                allowed("PUT", "GET, PATCH"),
            ),
            ("PUT", "/deletedkeys/k", allowed("PUT", "GET, DELETE")),
            ("GET", "/rng", allowed("GET", "POST")),
        ] {
            let error = find(method, path).unwrap_err().to_string();
            assert_eq!(error, text, "{method} {path}");
        }
    }
}

use axum::http::Method;
use sealock_core::{KeyName, KeyVersion, excerpt};

use crate::{Error, KeyOperation, Result};

/// What the path of every endpoint begins with, those of what the emulator has not included.
const FIRST: [&str; 9] = [
    "keys",
    "deletedkeys",
    "rng",
    "secrets",
    "deletedsecrets",
    "certificates",
    "deletedcertificates",
    "storage",
    "deletedstorage",
];

/// Whether a path is a vault's, where a host serves other services, too.
pub fn is_vaults(path: &str) -> bool {
    let first = path.split('/').find(|part| !part.is_empty());
    first.is_some_and(|first| FIRST.iter().any(|word| first.eq_ignore_ascii_case(word)))
}

/// What a path names.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Endpoint {
    Keys,
    Create(KeyName),
    Key(KeyName, Option<KeyVersion>),
    Versions(KeyName),
    Backup(KeyName),
    Restore,
    Rotate(KeyName),
    RotationPolicy(KeyName),
    Use(KeyName, Option<KeyVersion>, KeyOperation),
    DeletedKeys,
    DeletedKey(KeyName),
    Recover(KeyName),
    Random,
    /// The contacts for a vault's certificates. Terraform asks for them whenever it reads a vault.
    CertificateContacts,
    /// What Azure has and the emulator has not.
    Unsupported(&'static str),
}

impl Endpoint {
    /// Clients differ: some leave the version of a key empty, some leave it out; the case of words varies,
    /// and slashes are doubled or trail.
    pub(super) fn parse(method: &Method, path: &str) -> Result<Self> {
        let segments: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        let words: Vec<String> = segments
            .iter()
            .map(|part| part.to_ascii_lowercase())
            .collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let key = || name(segments[1]);
        Ok(match words[..] {
            ["keys"] => Self::Keys,
            ["keys", "restore"] if method == Method::POST => Self::Restore,
            ["keys", _] => Self::Key(key()?, None),
            ["keys", _, "create"] => Self::Create(key()?),
            ["keys", _, "versions"] => Self::Versions(key()?),
            ["keys", _, "backup"] => Self::Backup(key()?),
            ["keys", _, "rotate"] => Self::Rotate(key()?),
            ["keys", _, "rotationpolicy"] => Self::RotationPolicy(key()?),
            ["keys", _, word] => match operation(word) {
                Some(Use::Supported(operation)) => Self::Use(key()?, None, operation),
                Some(Use::Unsupported(what)) => Self::Unsupported(what),
                None => Self::Key(key()?, Some(version(method, segments[2])?)),
            },
            ["keys", _, _, word] => match operation(word) {
                Some(Use::Supported(operation)) => {
                    Self::Use(key()?, Some(version(method, segments[2])?), operation)
                }
                Some(Use::Unsupported(what)) => Self::Unsupported(what),
                None => return Err(not_an_endpoint(path)),
            },
            ["deletedkeys"] => Self::DeletedKeys,
            ["deletedkeys", _] => Self::DeletedKey(key()?),
            ["deletedkeys", _, "recover"] => Self::Recover(key()?),
            ["rng"] => Self::Random,
            ["secrets" | "deletedsecrets", ..] => Self::Unsupported("secrets"),
            ["certificates", "contacts"] if method == Method::GET => Self::CertificateContacts,
            ["certificates" | "deletedcertificates", ..] => Self::Unsupported("certificates"),
            ["storage" | "deletedstorage", ..] => Self::Unsupported("managed storage accounts"),
            _ => return Err(not_an_endpoint(path)),
        })
    }

    /// Refuses a method that this endpoint does not know. An operation is named behind the key, and a `POST` names one;
    /// that text is Azure's, in a recording of azure-sdk-for-java's `createKeyEmptyName`.
    pub(super) fn refuse(&self, method: &Method) -> Error {
        let allowed = match self {
            Self::Create(_) => return not_allowed(method, "create"),
            Self::Versions(_) => return not_allowed(method, "versions"),
            Self::Backup(_) => return not_allowed(method, "backup"),
            Self::Restore => return not_allowed(method, "restore"),
            Self::Rotate(_) => return not_allowed(method, "rotate"),
            Self::RotationPolicy(_) => return not_allowed(method, "rotationpolicy"),
            Self::Use(_, _, operation) => return not_allowed(method, operation.as_str()),
            Self::Recover(_) => return not_allowed(method, "recover"),
            Self::Key(..) | Self::DeletedKey(_) if method == Method::POST => {
                return Error::BadParameter("Operation not specified".to_owned());
            }
            Self::Keys | Self::DeletedKeys | Self::CertificateContacts => "GET",
            Self::Key(_, None) => "GET, PUT, PATCH, DELETE",
            Self::Key(_, Some(_)) => "GET, PATCH",
            Self::DeletedKey(_) => "GET, DELETE",
            Self::Random => "POST",
            Self::Unsupported(_) => "",
        };
        Error::MethodNotAllowed {
            method: method.to_string(),
            allowed,
        }
    }
}

enum Use {
    Supported(KeyOperation),
    Unsupported(&'static str),
}

fn operation(word: &str) -> Option<Use> {
    Some(match word {
        "encrypt" => Use::Supported(KeyOperation::Encrypt),
        "decrypt" => Use::Supported(KeyOperation::Decrypt),
        "sign" => Use::Supported(KeyOperation::Sign),
        "verify" => Use::Supported(KeyOperation::Verify),
        "wrapkey" => Use::Supported(KeyOperation::WrapKey),
        "unwrapkey" => Use::Supported(KeyOperation::UnwrapKey),
        "release" => Use::Supported(KeyOperation::Export),
        "attestation" => Use::Unsupported("attestation"),
        "securewrapkey" | "secureunwrapkey" => Use::Unsupported("secure wrapping"),
        _ => return None,
    })
}

/// The text is Azure's: <https://github.com/az-acme/az-acme-cli/issues/14>
fn name(segment: &str) -> Result<KeyName> {
    segment.parse().map_err(|_| {
        Error::BadParameter(format!(
            "The request URI contains an invalid name: {}",
            excerpt(segment)
        ))
    })
}

/// Takes a segment for a version; another one names an operation that there is not.
fn version(method: &Method, segment: &str) -> Result<KeyVersion> {
    let version = segment.to_ascii_lowercase().parse();
    version.map_err(|_| not_allowed(method, excerpt(segment)))
}

/// The text is Azure's: <https://github.com/Azure/azure-sdk-for-java/issues/8675>
fn not_allowed(method: &Method, operation: &str) -> Error {
    Error::BadParameter(format!(
        "Method {method} does not allow operation '{operation}'"
    ))
}

fn not_an_endpoint(path: &str) -> Error {
    Error::NotAnEndpoint(excerpt(path).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_taken_as_the_clients_write_it() {
        use Endpoint::{
            Backup, Create, DeletedKey, DeletedKeys, Key, Keys, Random, Recover, Restore, Rotate,
            RotationPolicy, Unsupported, Use, Versions,
        };
        use KeyOperation::{Encrypt, Export, WrapKey};

        let key = || "Key-1".parse::<KeyName>().unwrap();
        let version = "0123456789abcdef0123456789abcdef";
        let some = || Some(version.parse::<KeyVersion>().unwrap());
        let upper = version.to_uppercase();
        for (path, endpoint) in [
            ("/keys", Keys),
            ("/KEYS/", Keys),
            ("/keys/Key-1", Key(key(), None)),
            ("/keys/Key-1/", Key(key(), None)),
            ("//keys//Key-1", Key(key(), None)),
            (&format!("/keys/Key-1/{version}"), Key(key(), some())),
            (&format!("/keys/Key-1/{upper}"), Key(key(), some())),
            ("/keys/Key-1/create", Create(key())),
            ("/keys/Key-1/Versions", Versions(key())),
            ("/keys/Key-1/backup", Backup(key())),
            ("/keys/Key-1/rotate", Rotate(key())),
            ("/keys/Key-1/rotationPolicy", RotationPolicy(key())),
            ("/keys/Key-1//encrypt", Use(key(), None, Encrypt)),
            ("/keys/Key-1/wrapKey", Use(key(), None, WrapKey)),
            (
                &format!("/keys/Key-1/{version}/wrapkey"),
                Use(key(), some(), WrapKey),
            ),
            ("/keys/restore", Restore),
            ("/deletedkeys", DeletedKeys),
            ("/deletedKeys/Key-1", DeletedKey(key())),
            ("/deletedkeys/Key-1/recover", Recover(key())),
            ("/rng", Random),
            ("/secrets/x", Unsupported("secrets")),
            ("/certificates", Unsupported("certificates")),
            ("/Storage/x", Unsupported("managed storage accounts")),
            ("/keys/Key-1/release", Use(key(), None, Export)),
        ] {
            assert_eq!(Endpoint::parse(&Method::POST, path).unwrap(), endpoint);
            assert!(is_vaults(path), "{path}");
        }
        for bad in [
            "/",
            "/x",
            "/keys/a_b",
            "/keys/Key-1/x",
            "/keys/Key-1/x/encrypt",
            &format!("/keys/Key-1/{version}/x"),
            &format!("/keys/Key-1/{version}/encrypt/x"),
            "/deletedkeys/Key-1/x",
            "/rng/x",
        ] {
            assert!(Endpoint::parse(&Method::POST, bad).is_err(), "{bad}");
        }
        for other in ["", "/", "//", "/v2/keys", "/keyss", "/%6Beys"] {
            assert!(!is_vaults(other), "{other}");
        }
        let named_so = Endpoint::parse(&Method::GET, "/keys/restore").unwrap();
        assert_eq!(named_so, Key("restore".parse().unwrap(), None));
    }
}

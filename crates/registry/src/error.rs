use std::net::IpAddr;

use axum::http::StatusCode;
use sealock_cmk::Revocation;
use sealock_core::{Digest, InvalidDigest, RegistryName, excerpt};
use sealock_http::{MethodNotAllowed, UnknownEndpoint};
use sealock_store::Fault;
use uuid::Uuid;

use crate::{LoginRefusal, Reference, Refusal, RepositoryName, Scope, Tag, UploadId};

/// The reason why the registry refuses a request. Each variant has one of OCI's codes, or one that Docker added.
///
/// <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#error-codes>
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// `UNSUPPORTED`: a part of ACR's data plane that the emulator lacks. A client of Azure's does not repeat what is
    /// not found.
    #[error("this version of the emulator does not support {0}")]
    AcrUnsupported(&'static str),
    /// `UNSUPPORTED`: the change of attributes cannot be parsed.
    #[error(
        "the change of attributes is invalid: {0}; the attributes are deleteEnabled, writeEnabled, readEnabled and listEnabled"
    )]
    AttributesInvalid(String),
    /// `BLOB_UNKNOWN`
    #[error("blob unknown to registry")]
    BlobUnknown(Digest),
    /// `BLOB_UPLOAD_INVALID`: the session failed, and the client must start a new one.
    ///
    /// <https://github.com/Azure/azure-sdk-for-net/issues/34060>
    #[error("blob upload invalid")]
    BlobUploadInvalid,
    /// `BLOB_UPLOAD_UNKNOWN`: the session was completed or cancelled, has expired or was lost.
    ///
    /// <https://github.com/Azure/azure-sdk-for-net/issues/42293>
    #[error("blob upload unknown to registry")]
    BlobUploadUnknown,
    /// `SIZE_INVALID`: the client stopped sending.
    #[error("the request body did not arrive: {0}")]
    BodyIncomplete(String),
    /// `DENIED`: the firewall does not let the client in.
    ///
    /// <https://learn.microsoft.com/troubleshoot/azure/azure-container-registry/acr-authentication-errors>
    #[error(
        "client with IP '{0}' is not allowed access. Refer https://aka.ms/acr/firewall to grant access."
    )]
    ClientNotAllowed(IpAddr),
    /// `SIZE_INVALID`: the `Content-Range` of a chunk cannot be parsed.
    #[error("'{0}' is not a Content-Range; expected START-END, the end inclusive")]
    ContentRangeInvalid(String),
    /// `DENIED`: the vault refuses the registry its key.
    #[error(transparent)]
    Denied(#[from] Revocation),
    /// `DIGEST_INVALID`: the digest cannot be parsed.
    #[error(transparent)]
    DigestMalformed(#[from] InvalidDigest),
    /// `DIGEST_INVALID`: the request that completes an upload has no digest.
    #[error("the query parameter 'digest' is missing")]
    DigestMissing,
    /// `DIGEST_INVALID`: the content has another digest.
    #[error(transparent)]
    DigestMismatch(Box<DigestMismatch>),
    /// `REGISTRY_DISALLOWED_OPERATION`: an attribute of the repository, tag or manifest forbids it.
    #[error(
        "The operation is disallowed on this registry, repository or image. View troubleshooting steps at https://aka.ms/acr/faq/#why-does-my-pull-or-push-request-fail-with-disallowed-operation"
    )]
    DisallowedOperation,
    /// `UNSUPPORTED`: the registry does not issue tokens for such a request.
    #[error("{0}")]
    GrantUnsupported(String),
    /// `UNAUTHORIZED`: no token for these credentials.
    #[error("{}", .why.message(*.correlation_id))]
    LoginRefused {
        /// The reason.
        why: LoginRefusal,
        /// The id in the response's header.
        correlation_id: Uuid,
    },
    /// `MANIFEST_BLOB_UNKNOWN`: the manifest refers to content that the repository lacks. The response has one entry
    /// for each digest.
    ///
    /// <https://github.com/Azure/azure-sdk-for-net/issues/36076>
    #[error("blob unknown to registry")]
    ManifestBlobUnknown(Vec<Digest>),
    /// `MANIFEST_INVALID`
    #[error("the manifest is invalid: {0}")]
    ManifestInvalid(String),
    /// `MANIFEST_UNKNOWN`: the client does not accept the type of the manifest.
    #[error("{found} found, but accept header does not support {unsupported}")]
    ManifestNotAccepted {
        /// Its kind.
        found: &'static str,
        /// The plural of its kind.
        unsupported: &'static str,
    },
    /// `MANIFEST_INVALID`, with 413.
    #[error("the manifest has more than {limit} bytes")]
    ManifestTooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// `MANIFEST_UNKNOWN`
    ///
    /// <https://github.com/Azure/acr-cli/issues/459>
    #[error("manifest {} is not found", describe(.reference))]
    ManifestUnknown {
        /// The repository.
        repository: RepositoryName,
        /// The requested tag or digest.
        reference: Reference,
    },
    /// `MANIFEST_UNKNOWN`, in the words of ACR's own endpoints.
    ///
    /// <https://github.com/Azure/azure-sdk-for-net/issues/32295>
    #[error("manifest unknown")]
    AcrManifestUnknown,
    /// `UNSUPPORTED`: the marker of a list by time names an item that does not exist, so that its time is unknown.
    #[error(
        "the list cannot continue after '{0}', which does not exist; follow the link of the previous page, or start again"
    )]
    MarkerUnknown(String),
    /// `UNSUPPORTED`: the endpoint does not support the method.
    #[error("the method {method} is not allowed here; use {allowed}")]
    MethodNotAllowed {
        /// The request's method.
        method: String,
        /// The endpoint's methods.
        allowed: String,
    },
    /// `NAME_INVALID`
    #[error(
        "'{0}' is not a repository name; expected lower-case letters, digits and the separators . _ - /"
    )]
    NameInvalid(String),
    /// `NAME_INVALID`: the name is too long.
    #[error(
        "the repository name '{start}…' is too long: it has {length} characters of at most {limit}"
    )]
    NameTooLong {
        /// The first characters of the name.
        start: String,
        /// The length of the name in characters.
        length: usize,
        /// The limit in characters.
        limit: usize,
    },
    /// `NAME_UNKNOWN`
    ///
    /// <https://github.com/Azure/azure-sdk-for-net/issues/22826>
    #[error("repository \"{0}\" is not found")]
    NameUnknown(RepositoryName),
    /// `NAME_UNKNOWN`, in the words of the deletion of a repository.
    ///
    /// <https://github.com/Azure/azure-sdk-for-python/pull/18667>
    #[error("repository name not known to registry")]
    NameUnknownOnDeletion(RepositoryName),
    /// The path is not an endpoint of the registry.
    #[error("'{0}' is not an endpoint of the registry")]
    NotAnEndpoint(String),
    /// `UNSUPPORTED`: the order of a list is unknown.
    #[error("'{0}' is not an order; expected none, timeasc or timedesc")]
    OrderInvalid(String),
    /// `PAGINATION_NUMBER_INVALID`
    #[error("'{0}' is not a number of results; expected 0 or more")]
    PaginationNumberInvalid(String),
    /// `RANGE_INVALID`: a chunk does not start where the upload ends.
    #[error(
        "the chunk starts at byte {start}, but the upload has {received} bytes; continue from there"
    )]
    RangeOutOfOrder {
        /// The session.
        upload: UploadId,
        /// Its repository.
        repository: RepositoryName,
        /// The first byte of the chunk.
        start: u64,
        /// The number of bytes that the upload has.
        received: u64,
    },
    /// `RANGE_INVALID`: the range lies outside of the blob.
    #[error("the range '{range}' lies outside of the blob's {size} bytes")]
    RangeUnsatisfiable {
        /// The header's value.
        range: String,
        /// The blob's size.
        size: u64,
    },
    /// A change of settings or logins is refused.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The referrers API is not offered, so that clients fall back to the referrers tag schema.
    #[error("the referrers API is not supported; use the referrers tag schema")]
    ReferrersUnsupported,
    /// The registry does not exist.
    #[error("there is no registry {0}")]
    RegistryUnknown(RegistryName),
    /// `MANIFEST_INVALID`: the client accepts neither the list nor the image manifest that would replace it.
    #[error("Schema 2 manifest not supported by client")]
    Schema2NotAccepted,
    /// `UNSUPPORTED`: the scope cannot be parsed.
    #[error("'{0}' is not a scope; expected repository:NAME:ACTION,... or registry:catalog:*")]
    ScopeInvalid(String),
    /// `UNSUPPORTED`: the path has a doubled slash. A read is redirected to the path with single slashes, as by
    /// distribution. A write is not: a redirect would lose its body.
    #[error("the path has a doubled slash; request '{}'", excerpt(.single))]
    SlashDoubled {
        /// The path with single slashes, and the query.
        single: String,
        /// True for a read.
        redirects: bool,
    },
    /// `SIZE_INVALID`
    #[error("{0}")]
    SizeInvalid(String),
    /// `TAG_INVALID`
    #[error(
        "'{0}' is neither a tag nor a digest; a tag has 1 to 128 letters, digits, dots, hyphens and underscores"
    )]
    TagInvalid(String),
    /// `TAG_UNKNOWN`, in the words of ACR's own endpoints.
    #[error("the specified tag does not exist")]
    TagUnknown,
    /// `TAG_INVALID`: one push sets too many tags.
    #[error("the push sets {given} tags, and the limit is {limit}")]
    TooManyTags {
        /// The number of tags.
        given: usize,
        /// The limit of tags.
        limit: usize,
    },
    /// `TOOMANYREQUESTS`
    #[error("there are {0} unfinished uploads; complete or cancel some first")]
    TooManyUploads(usize),
    /// `UNAUTHORIZED`: credentials are missing, wrong, or allow too little.
    #[error(
        "authentication required, visit https://aka.ms/acr/authorization for more information."
    )]
    Unauthorized(Box<Challenge>),
    /// The stored content cannot be decrypted, or does not have its digest.
    #[error("the stored content of {digest} is damaged ({why})")]
    Damaged {
        /// The digest of the content.
        digest: Digest,
        /// The damage.
        why: String,
    },
    /// The custody of the key failed, other than by a revocation.
    #[error(transparent)]
    Custody(sealock_cmk::Error),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] sealock_store::Error),
    /// An internal error.
    #[error("internal: {0}")]
    Internal(String),
}

/// The error of content that does not have the digest that the client provided.
#[derive(Debug, thiserror::Error)]
#[error("the provided digest is {provided}, but the content has {actual}")]
pub struct DigestMismatch {
    provided: Digest,
    actual: Digest,
}

/// The challenge of a refused request. It tells the client which Bearer token to get.
///
/// <https://distribution.github.io/distribution/spec/auth/token/>
#[derive(Debug)]
pub struct Challenge {
    /// The URL that issues tokens.
    pub realm: String,
    /// The service that the token is for.
    pub service: String,
    /// The scope that the token needs.
    pub scope: Option<Scope>,
    /// The reason. The challenge shows the client only its error word.
    pub why: LoginRefusal,
}

impl Error {
    /// Checks that content has the digest that a client provided.
    pub(crate) fn check_digest(provided: &Digest, actual: Digest) -> Result<(), Self> {
        if actual == *provided {
            return Ok(());
        }
        Err(Self::DigestMismatch(Box::new(DigestMismatch {
            provided: *provided,
            actual,
        })))
    }

    /// Wraps an error that is never expected.
    #[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
    pub(crate) fn internal(error: impl ToString) -> Self {
        Self::Internal(error.to_string())
    }

    /// Returns the fault of the disk that caused the error.
    pub fn fault(&self) -> Option<Fault> {
        match self {
            Self::Store(error) | Self::Custody(sealock_cmk::Error::Store(error)) => error.fault(),
            _ => None,
        }
    }

    /// Returns the status and the code of the response.
    pub fn status_and_code(&self) -> (StatusCode, &'static str) {
        match self {
            error if let Some(fault) = error.fault() => status_and_code_of(fault),
            Self::BlobUnknown(_) => (StatusCode::NOT_FOUND, "BLOB_UNKNOWN"),
            Self::BlobUploadInvalid => (StatusCode::NOT_FOUND, "BLOB_UPLOAD_INVALID"),
            Self::BlobUploadUnknown => (StatusCode::NOT_FOUND, "BLOB_UPLOAD_UNKNOWN"),
            Self::ClientNotAllowed(_) | Self::Denied(_) => (StatusCode::FORBIDDEN, "DENIED"),
            Self::DigestMalformed(_) | Self::DigestMissing | Self::DigestMismatch(_) => {
                (StatusCode::BAD_REQUEST, "DIGEST_INVALID")
            }
            Self::ManifestBlobUnknown(_) => (StatusCode::BAD_REQUEST, "MANIFEST_BLOB_UNKNOWN"),
            Self::ManifestInvalid(_) | Self::Schema2NotAccepted => {
                (StatusCode::BAD_REQUEST, "MANIFEST_INVALID")
            }
            Self::ManifestTooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "MANIFEST_INVALID"),
            Self::ManifestNotAccepted { .. }
            | Self::ManifestUnknown { .. }
            | Self::AcrManifestUnknown => (StatusCode::NOT_FOUND, "MANIFEST_UNKNOWN"),
            Self::MethodNotAllowed { .. } => (StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED"),
            Self::NameInvalid(_) | Self::NameTooLong { .. } => {
                (StatusCode::BAD_REQUEST, "NAME_INVALID")
            }
            Self::NameUnknown(_) | Self::NameUnknownOnDeletion(_) | Self::RegistryUnknown(_) => {
                (StatusCode::NOT_FOUND, "NAME_UNKNOWN")
            }
            Self::AcrUnsupported(_) | Self::NotAnEndpoint(_) | Self::ReferrersUnsupported => {
                (StatusCode::NOT_FOUND, "UNSUPPORTED")
            }
            Self::SlashDoubled { redirects, .. } if *redirects => {
                (StatusCode::MOVED_PERMANENTLY, "UNSUPPORTED")
            }
            Self::SlashDoubled { .. } => (StatusCode::NOT_FOUND, "UNSUPPORTED"),
            Self::PaginationNumberInvalid(_) => {
                (StatusCode::BAD_REQUEST, "PAGINATION_NUMBER_INVALID")
            }
            Self::RangeOutOfOrder { .. } | Self::RangeUnsatisfiable { .. } => {
                (StatusCode::RANGE_NOT_SATISFIABLE, "RANGE_INVALID")
            }
            Self::BodyIncomplete(_) | Self::ContentRangeInvalid(_) | Self::SizeInvalid(_) => {
                (StatusCode::BAD_REQUEST, "SIZE_INVALID")
            }
            Self::TagInvalid(_) => (StatusCode::BAD_REQUEST, "TAG_INVALID"),
            Self::TooManyTags { .. } => (StatusCode::URI_TOO_LONG, "TAG_INVALID"),
            Self::TooManyUploads(_) => (StatusCode::TOO_MANY_REQUESTS, "TOOMANYREQUESTS"),
            Self::LoginRefused { .. } | Self::Unauthorized(_) => {
                (StatusCode::UNAUTHORIZED, "UNAUTHORIZED")
            }
            Self::DisallowedOperation => (
                StatusCode::METHOD_NOT_ALLOWED,
                "REGISTRY_DISALLOWED_OPERATION",
            ),
            Self::AttributesInvalid(_)
            | Self::GrantUnsupported(_)
            | Self::MarkerUnknown(_)
            | Self::OrderInvalid(_)
            | Self::ScopeInvalid(_) => (StatusCode::BAD_REQUEST, "UNSUPPORTED"),
            Self::TagUnknown => (StatusCode::NOT_FOUND, "TAG_UNKNOWN"),
            Self::Refused(refusal) => (refusal.status(), refusal.code()),
            Self::Store(sealock_store::Error::Overtaken) => {
                (StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE")
            }
            Self::Damaged { .. } | Self::Custody(_) | Self::Store(_) | Self::Internal(_) => {
                (StatusCode::INTERNAL_SERVER_ERROR, "UNKNOWN")
            }
        }
    }
}

impl From<MethodNotAllowed> for Error {
    fn from(refused: MethodNotAllowed) -> Self {
        Self::MethodNotAllowed {
            method: refused.method,
            allowed: refused.allowed,
        }
    }
}

impl From<UnknownEndpoint> for Error {
    fn from(UnknownEndpoint(path): UnknownEndpoint) -> Self {
        Self::NotAnEndpoint(path)
    }
}

impl From<sealock_cmk::Error> for Error {
    fn from(error: sealock_cmk::Error) -> Self {
        match error {
            sealock_cmk::Error::Revoked(revocation) => Self::Denied(revocation),
            sealock_cmk::Error::Store(error) => Self::Store(error),
            other => Self::Custody(other),
        }
    }
}

impl From<sealock_cmk::Refusal> for Error {
    fn from(refusal: sealock_cmk::Refusal) -> Self {
        Self::Custody(refusal.into())
    }
}

/// Converts every error but `TokenInvalid`, which a login turns into a refusal.
impl From<sealock_entra::Error> for Error {
    fn from(error: sealock_entra::Error) -> Self {
        match error {
            sealock_entra::Error::Store(error) => Self::Store(error),
            other => Self::Internal(other.to_string()),
        }
    }
}

impl From<tokio::task::JoinError> for Error {
    fn from(error: tokio::task::JoinError) -> Self {
        Self::Internal(error.to_string())
    }
}

/// Returns the status and the code of a fault of the disk. Docker's engine gives up on them at once instead of retrying
/// for most of a minute, and nobody can mistake them for a revocation (403).
fn status_and_code_of(fault: Fault) -> (StatusCode, &'static str) {
    match fault {
        Fault::Full | Fault::Failing => (StatusCode::INSUFFICIENT_STORAGE, "INSUFFICIENT_STORAGE"),
        Fault::ReadOnly => (StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED"),
        Fault::TooManyFiles => (StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE"),
    }
}

/// Describes a reference, a tag in Azure's words.
fn describe(reference: &Reference) -> String {
    match reference {
        Reference::Tag(Tag(tag)) => format!("tagged by \"{tag}\""),
        Reference::Digest(digest) => digest.to_string(),
    }
}

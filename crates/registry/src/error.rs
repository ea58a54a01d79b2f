use axum::http::StatusCode;
use sealock_cmk::Revocation;
use sealock_core::{Digest, InvalidDigest, RegistryName, excerpt};
use sealock_http::{MethodNotAllowed, UnknownEndpoint};
use sealock_store::Fault;
use uuid::Uuid;

use crate::{LoginRefusal, Reference, Refusal, RepositoryName, Scope, Tag, UploadId};

/// Why the registry refuses. Each variant is one of OCI's codes, or of those that Docker added.
///
/// <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#error-codes>
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// `UNSUPPORTED`: a change of attributes that cannot be read.
    #[error(
        "the attributes cannot be changed so: {0}; there are deleteEnabled, writeEnabled, readEnabled and listEnabled"
    )]
    AttributesInvalid(String),
    /// `BLOB_UNKNOWN`
    #[error("blob unknown to registry")]
    BlobUnknown(Digest),
    /// `BLOB_UPLOAD_INVALID`: the session broke, so it must be begun anew.
    ///
    /// <https://github.com/Azure/azure-sdk-for-net/issues/34060>
    #[error("blob upload invalid")]
    BlobUploadInvalid,
    /// `BLOB_UPLOAD_UNKNOWN`: the session was completed, cancelled, has expired or was lost.
    ///
    /// <https://github.com/Azure/azure-sdk-for-net/issues/42293>
    #[error("blob upload unknown to registry")]
    BlobUploadUnknown,
    /// `SIZE_INVALID`: the client stopped sending.
    #[error("the request body did not arrive: {0}")]
    BodyIncomplete(String),
    /// `SIZE_INVALID`: a chunk does not say where it belongs.
    #[error("'{0}' is not a Content-Range; expected START-END, the end inclusive")]
    ContentRangeInvalid(String),
    /// `DENIED`: the key is refused.
    #[error(transparent)]
    Denied(#[from] Revocation),
    /// `DIGEST_INVALID`: not a digest.
    #[error(transparent)]
    DigestMalformed(#[from] InvalidDigest),
    /// `DIGEST_INVALID`: a completed upload without one.
    #[error("the query parameter 'digest' is missing")]
    DigestMissing,
    /// `DIGEST_INVALID`: not this content's.
    #[error(transparent)]
    DigestMismatch(Box<DigestMismatch>),
    /// `REGISTRY_DISALLOWED_OPERATION`: an attribute of the repository, tag or manifest forbids it.
    #[error(
        "The operation is disallowed on this registry, repository or image. View troubleshooting steps at https://aka.ms/acr/faq/#why-does-my-pull-or-push-request-fail-with-disallowed-operation"
    )]
    DisallowedOperation,
    /// `UNSUPPORTED`: a way of asking for a token that there is not.
    #[error("{0}")]
    GrantUnsupported(String),
    /// `UNAUTHORIZED`: no token for these credentials.
    #[error("{}", .why.message(*.correlation_id))]
    LoginRefused {
        /// The reason.
        why: LoginRefusal,
        /// What the answer's header says, too.
        correlation_id: Uuid,
    },
    /// `MANIFEST_BLOB_UNKNOWN`, for each that the manifest refers to and the repository lacks.
    ///
    /// <https://github.com/Azure/azure-sdk-for-net/issues/36076>
    #[error("blob unknown to registry")]
    ManifestBlobUnknown(Vec<Digest>),
    /// `MANIFEST_INVALID`
    #[error("the manifest is invalid: {0}")]
    ManifestInvalid(String),
    /// `MANIFEST_UNKNOWN`: one of a type that the client does not say it can read.
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
        /// The most that it may have.
        limit: usize,
    },
    /// `MANIFEST_UNKNOWN`
    ///
    /// <https://github.com/Azure/acr-cli/issues/459>
    #[error("manifest {} is not found", describe(.reference))]
    ManifestUnknown {
        /// The repository that was asked.
        repository: RepositoryName,
        /// What was asked for.
        reference: Reference,
    },
    /// `MANIFEST_UNKNOWN`, as ACR's own endpoints say it.
    ///
    /// <https://github.com/Azure/azure-sdk-for-net/issues/32295>
    #[error("manifest unknown")]
    ManifestUnlisted,
    /// `UNSUPPORTED`: a list by time that is to go on behind something of which nobody knows when it was.
    #[error(
        "the list cannot go on behind '{0}', which is not there; follow the link of the page before, or begin anew"
    )]
    MarkerUnknown(String),
    /// `UNSUPPORTED`: an endpoint that does not know this method.
    #[error("the method {method} is not allowed here; allowed are {allowed}")]
    MethodNotAllowed {
        /// The request's.
        method: String,
        /// The endpoint's.
        allowed: String,
    },
    /// `NAME_INVALID`
    #[error(
        "'{0}' is not a repository name; expected lower-case letters, digits and the separators . _ - /"
    )]
    NameInvalid(String),
    /// `NAME_INVALID`: of the right characters, but too many.
    #[error(
        "the repository name '{begins}…' is too long: it has {length} characters of at most {limit}"
    )]
    NameTooLong {
        /// Its first characters.
        begins: String,
        /// Its number of characters.
        length: usize,
        /// The largest number of characters.
        limit: usize,
    },
    /// `NAME_UNKNOWN`
    ///
    /// <https://github.com/Azure/azure-sdk-for-net/issues/22826>
    #[error("repository \"{0}\" is not found")]
    NameUnknown(RepositoryName),
    /// `NAME_UNKNOWN`, as the deletion of a repository says it.
    ///
    /// <https://github.com/Azure/azure-sdk-for-python/pull/18667>
    #[error("repository name not known to registry")]
    NameUndeletable(RepositoryName),
    /// No endpoint of the registry.
    #[error("'{0}' is not an endpoint of the registry")]
    NotAnEndpoint(String),
    /// `UNSUPPORTED`: an order that lists do not come in.
    #[error("'{0}' is not an order; expected none, timeasc or timedesc")]
    OrderInvalid(String),
    /// `PAGINATION_NUMBER_INVALID`
    #[error("'{0}' is not a number of results; expected 0 or more")]
    PaginationNumberInvalid(String),
    /// `RANGE_INVALID`: an upload's chunk that does not continue it.
    #[error("the chunk begins at {begins}, but the upload has {received} bytes; go on from there")]
    RangeOutOfOrder {
        /// The session.
        upload: UploadId,
        /// Its repository.
        repository: RepositoryName,
        /// Where the chunk begins.
        begins: u64,
        /// How much there is.
        received: u64,
    },
    /// `RANGE_INVALID`: a range that the blob does not have.
    #[error("the range '{range}' is not one of the blob's {size} bytes")]
    RangeUnsatisfiable {
        /// The header's value.
        range: String,
        /// The blob's size.
        size: u64,
    },
    /// What a management request breaks.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The referrers API is not offered, so that clients fall back to the referrers tag schema.
    #[error("the referrers API is not supported; use the referrers tag schema")]
    ReferrersUnsupported,
    /// No such registry.
    #[error("there is no registry {0}")]
    RegistryUnknown(RegistryName),
    /// `MANIFEST_INVALID`: what stands for a list is a manifest of schema 2.
    #[error("Schema 2 manifest not supported by client")]
    Schema2NotAccepted,
    /// `UNSUPPORTED`: a scope that cannot be read.
    #[error("'{0}' is not a scope; expected repository:NAME:ACTION,... or registry:catalog:*")]
    ScopeInvalid(String),
    /// `UNSUPPORTED`: a path with a doubled slash. A client that only reads is sent to the path without, as by
    /// distribution; a body would not come along.
    #[error("the path has a doubled slash; ask for '{}'", excerpt(.single))]
    SlashDoubled {
        /// The path with single slashes, and the query.
        single: String,
        /// True for a client that only reads.
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
    /// `TAG_UNKNOWN`, which ACR's own endpoints say.
    #[error("the specified tag does not exist")]
    TagUnknown,
    /// More tags in one push than are taken.
    #[error("there are {given} tags; one push takes {limit} at most")]
    TooManyTags {
        /// How many there are.
        given: usize,
        /// How many there may be.
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
    /// Stored content that does not open or is not what its digest says.
    #[error("the stored content of {digest} is damaged ({why})")]
    Damaged {
        /// Which content.
        digest: Digest,
        /// What is wrong.
        why: String,
    },
    /// The keys, other than by revocation.
    #[error(transparent)]
    Custody(sealock_cmk::Error),
    /// The store.
    #[error(transparent)]
    Store(#[from] sealock_store::Error),
    /// A task of ours ended early.
    #[error("internal: {0}")]
    Internal(String),
}

/// Content that is not what a client said that it was.
#[derive(Debug, thiserror::Error)]
#[error("the provided digest {provided} is not that of the content, {actual}")]
pub struct DigestMismatch {
    provided: Digest,
    actual: Digest,
}

/// How to get at what was refused: the way that Bearer tokens take.
///
/// <https://distribution.github.io/distribution/spec/auth/token/>
#[derive(Debug)]
pub struct Challenge {
    /// Where tokens are issued.
    pub realm: String,
    /// For whom.
    pub service: String,
    /// What the token must be good for.
    pub scope: Option<Scope>,
    /// The reason, which the challenge tells no more of than a word.
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

    /// What should not have failed.
    #[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
    pub(crate) fn internal(error: impl ToString) -> Self {
        Self::Internal(error.to_string())
    }

    /// The fault of the disk, if that is the cause.
    pub fn fault(&self) -> Option<Fault> {
        match self {
            Self::Store(error) | Self::Custody(sealock_cmk::Error::Store(error)) => error.fault(),
            _ => None,
        }
    }

    /// The status and the code of the answer.
    pub fn status_and_code(&self) -> (StatusCode, &'static str) {
        match self {
            error if let Some(fault) = error.fault() => status_and_code_of(fault),
            Self::BlobUnknown(_) => (StatusCode::NOT_FOUND, "BLOB_UNKNOWN"),
            Self::BlobUploadInvalid => (StatusCode::NOT_FOUND, "BLOB_UPLOAD_INVALID"),
            Self::BlobUploadUnknown => (StatusCode::NOT_FOUND, "BLOB_UPLOAD_UNKNOWN"),
            Self::Denied(_) => (StatusCode::FORBIDDEN, "DENIED"),
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
            | Self::ManifestUnlisted => (StatusCode::NOT_FOUND, "MANIFEST_UNKNOWN"),
            Self::MethodNotAllowed { .. } => (StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED"),
            Self::NameInvalid(_) | Self::NameTooLong { .. } => {
                (StatusCode::BAD_REQUEST, "NAME_INVALID")
            }
            Self::NameUnknown(_) | Self::NameUndeletable(_) | Self::RegistryUnknown(_) => {
                (StatusCode::NOT_FOUND, "NAME_UNKNOWN")
            }
            Self::NotAnEndpoint(_) | Self::ReferrersUnsupported => {
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

/// For all but a token that is no good, which is told apart where tokens are taken.
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

/// The status and the code that tell a client about a fault of the disk. They make Docker's engine give up at once
/// instead of retrying for most of a minute, and nobody can mistake them for a revocation (403).
fn status_and_code_of(fault: Fault) -> (StatusCode, &'static str) {
    match fault {
        Fault::Full | Fault::Failing => (StatusCode::INSUFFICIENT_STORAGE, "INSUFFICIENT_STORAGE"),
        Fault::ReadOnly => (StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED"),
        Fault::TooManyFiles => (StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE"),
    }
}

/// In Azure's words, for a tag.
fn describe(reference: &Reference) -> String {
    match reference {
        Reference::Tag(Tag(tag)) => format!("tagged by \"{tag}\""),
        Reference::Digest(digest) => digest.to_string(),
    }
}

use axum::http::Method;
use sealock_core::Digest;
use sealock_http::{Asked, Parameter, Spelling};

use super::login::Need;
use crate::{Error, Reference, RepositoryName, Tag, UploadId, access::Action};

const SPELLING: Spelling = Spelling {
    is_encoded: true,
    ..Spelling::EXACT
};

// Repository names have slashes and may contain the endpoints' own words, so that the ends of paths tell them apart; what
// is asked for most comes first. No component of a name begins with an underscore: everything behind the first one that
// does is the tag or the digest.
sealock_http::endpoints! {
    /// An endpoint of the registry, and what the path names. The query is judged by who answers, behind the lease.
    #[derive(Debug, PartialEq, Eq)]
    pub(super) enum Endpoint or Error, spelled SPELLING;

    GET | HEAD "/v2/{repository...}/manifests/{reference}"
        => GetManifest { repository: RepositoryName, reference: Reference },
    PUT "/v2/{repository...}/manifests/{reference}"
        => PutManifest { repository: RepositoryName, reference: Reference },
    DELETE "/v2/{repository...}/manifests/{reference}"
        => DeleteManifest { repository: RepositoryName, reference: Reference },
    POST "/v2/{repository...}/blobs/uploads/" => BeginUpload { repository: RepositoryName },
    GET | HEAD "/v2/{repository...}/blobs/uploads/{id}" => GetUpload { repository: RepositoryName, id: UploadId },
    PATCH "/v2/{repository...}/blobs/uploads/{id}" => ContinueUpload { repository: RepositoryName, id: UploadId },
    PUT "/v2/{repository...}/blobs/uploads/{id}" => FinishUpload { repository: RepositoryName, id: UploadId },
    DELETE "/v2/{repository...}/blobs/uploads/{id}" => CancelUpload { repository: RepositoryName, id: UploadId },
    GET | HEAD "/v2/{repository...}/blobs/{digest}" => GetBlob { repository: RepositoryName, digest: Digest },
    DELETE "/v2/{repository...}/blobs/{digest}" => DeleteBlob { repository: RepositoryName, digest: Digest },
    GET | HEAD "/v2/" => Base,
    GET | HEAD "/v2/_catalog" => ListRepositories,
    GET | HEAD "/v2/{repository...}/tags/list" => ListTags { repository: RepositoryName },
    GET | HEAD "/v2/{repository...}/referrers/{subject}"
        => ListReferrers { repository: RepositoryName, subject: Digest },
    GET | HEAD "/acr/v1/_catalog" => AcrListRepositories,
    GET | HEAD "/acr/v1/{repository...}/_tags" => AcrListTags { repository: RepositoryName },
    GET | HEAD "/acr/v1/{repository...}/_tags/{tag...}" => AcrGetTag { repository: RepositoryName, tag: Tag },
    PATCH "/acr/v1/{repository...}/_tags/{tag...}" => AcrChangeTag { repository: RepositoryName, tag: Tag },
    DELETE "/acr/v1/{repository...}/_tags/{tag...}" => AcrDeleteTag { repository: RepositoryName, tag: Tag },
    GET | HEAD "/acr/v1/{repository...}/_manifests" => AcrListManifests { repository: RepositoryName },
    GET | HEAD "/acr/v1/{repository...}/_manifests/{digest...}"
        => AcrGetManifest { repository: RepositoryName, digest: Digest },
    PATCH "/acr/v1/{repository...}/_manifests/{digest...}"
        => AcrChangeManifest { repository: RepositoryName, digest: Digest },
    GET | HEAD "/acr/v1/{repository...}" => AcrGetRepository { repository: RepositoryName },
    PATCH "/acr/v1/{repository...}" => AcrChangeRepository { repository: RepositoryName },
    DELETE "/acr/v1/{repository...}" => AcrDeleteRepository { repository: RepositoryName },
    POST "/oauth2/exchange" => Exchange,
    GET "/oauth2/token" => GetToken,
    POST "/oauth2/token" => PostToken,
}

impl Endpoint {
    /// Returns what a caller must be allowed, whether the path has the method or not. None: nobody need log in.
    pub(super) fn need(&self, method: &Method) -> Option<Need<'_>> {
        use Action::{Delete, MetadataRead, MetadataWrite, Pull, Push};
        let (repository, actions): (_, &'static [Action]) = match self {
            Self::Exchange | Self::GetToken | Self::PostToken => return None,
            Self::Base => return Some(Need::Login),
            Self::AcrListRepositories | Self::ListRepositories => return Some(Need::Catalog),
            Self::AcrChangeManifest { repository, .. }
            | Self::AcrChangeRepository { repository }
            | Self::AcrChangeTag { repository, .. }
            | Self::AcrDeleteRepository { repository }
            | Self::AcrDeleteTag { repository, .. }
            | Self::AcrGetManifest { repository, .. }
            | Self::AcrGetRepository { repository }
            | Self::AcrGetTag { repository, .. }
            | Self::AcrListManifests { repository }
            | Self::AcrListTags { repository } => match *method {
                Method::PATCH => (repository, &[MetadataWrite]),
                Method::DELETE => (repository, &[Delete]),
                _ => (repository, &[MetadataRead]),
            },
            Self::DeleteBlob { repository, .. }
            | Self::DeleteManifest { repository, .. }
            | Self::GetBlob { repository, .. }
            | Self::GetManifest { repository, .. }
            | Self::PutManifest { repository, .. } => match *method {
                Method::DELETE => (repository, &[Delete]),
                Method::GET | Method::HEAD => (repository, &[Pull]),
                _ => (repository, &[Pull, Push]),
            },
            Self::ListReferrers { repository, .. } => (repository, &[Pull]),
            // Whoever has only asked to pull is told of it by the challenge, and asks again.
            Self::ListTags { repository } => (repository, &[MetadataRead]),
            Self::BeginUpload { repository }
            | Self::CancelUpload { repository, .. }
            | Self::ContinueUpload { repository, .. }
            | Self::FinishUpload { repository, .. }
            | Self::GetUpload { repository, .. } => (repository, &[Pull, Push]),
        };
        Some(Need::Repository {
            name: repository,
            actions,
        })
    }

    /// Returns true for what gives or takes content, or tells of it.
    pub(super) fn is_content(&self) -> bool {
        !matches!(
            self,
            Self::Base | Self::Exchange | Self::GetToken | Self::PostToken
        )
    }
}

impl Parameter<Error> for Digest {
    fn read(asked: &Asked<'_>, name: &'static str) -> Result<Self, Error> {
        Ok(asked.segment(name).parse()?)
    }
}

impl Parameter<Error> for Reference {
    fn read(asked: &Asked<'_>, name: &'static str) -> Result<Self, Error> {
        asked.segment(name).parse()
    }
}

impl Parameter<Error> for RepositoryName {
    fn read(asked: &Asked<'_>, name: &'static str) -> Result<Self, Error> {
        asked.segment(name).parse()
    }
}

impl Parameter<Error> for Tag {
    fn read(asked: &Asked<'_>, name: &'static str) -> Result<Self, Error> {
        asked.segment(name).parse()
    }
}

impl Parameter<Error> for UploadId {
    fn read(asked: &Asked<'_>, name: &'static str) -> Result<Self, Error> {
        asked.segment(name).parse()
    }
}

#[cfg(test)]
mod tests {
    use sealock_http::Query;

    use super::*;

    fn find(method: &str, path: &str) -> Result<Endpoint, Error> {
        let found = Endpoint::TABLE.find(&method.parse().unwrap(), path, &Query::default())?;
        found.allowed?;
        Ok(found.endpoint)
    }

    #[test]
    fn names_may_contain_reserved_words() {
        let digest = format!("sha256:{}", "0".repeat(64));
        for name in [
            "a",
            "a/b",
            "a/blobs/b",
            "x/manifests",
            "blobs/uploads",
            "v2",
            "tags/list/x",
        ] {
            let repository = || name.parse().unwrap();
            let found = find("GET", &format!("/v2/{name}/manifests/v1")).unwrap();
            let expected = Endpoint::GetManifest {
                repository: repository(),
                reference: "v1".parse().unwrap(),
            };
            assert_eq!(found, expected);
            let found = find("HEAD", &format!("/v2/{name}/blobs/{digest}")).unwrap();
            let expected = Endpoint::GetBlob {
                repository: repository(),
                digest: digest.parse().unwrap(),
            };
            assert_eq!(found, expected);
            let found = find("GET", &format!("/v2/{name}/tags/list")).unwrap();
            let expected = Endpoint::ListTags {
                repository: repository(),
            };
            assert_eq!(found, expected);
            for slash in ["", "/"] {
                let found = find("POST", &format!("/v2/{name}/blobs/uploads{slash}")).unwrap();
                let expected = Endpoint::BeginUpload {
                    repository: repository(),
                };
                assert_eq!(found, expected);
            }
        }
        let encoded = digest.replace(':', "%3A");
        assert!(matches!(
            find("DELETE", &format!("/v2/a/blobs/{encoded}")),
            Ok(Endpoint::DeleteBlob { .. })
        ));
        assert!(matches!(
            find("PATCH", "/acr/v1/a%2Fb/_tags/v1"),
            Ok(Endpoint::AcrChangeTag { repository, .. }) if repository.as_str() == "a/b"
        ));
        for base in ["/v2", "/v2/"] {
            assert_eq!(find("HEAD", base).unwrap(), Endpoint::Base);
        }
    }

    #[test]
    fn what_is_no_endpoint_is_said_to_be_none() {
        for path in [
            "/",
            "*",
            "/v1/",
            "/v2x",
            "/v2/a",
            "/v2/a/b",
            "/v2/a/b/c",
            "/v2//",
            "/v2/_catalog/",
            "/v2/tags/list",
            "/v2/manifests/v1",
            "/v2/%FF/manifests/a",
            "/acr/v1",
            "/oauth2/token/",
        ] {
            assert!(
                matches!(find("GET", path), Err(Error::NotAnEndpoint(_))),
                "{path}"
            );
        }
        for path in [
            "/v2/A/manifests/v1",
            "/v2/a/../b/manifests/v1",
            "/acr/v1/",
            "/acr/v1/a/_tagsx",
            "/acr/v1/_tags",
        ] {
            assert!(
                matches!(find("GET", path), Err(Error::NameInvalid(_))),
                "{path}"
            );
        }
        for path in [
            "/v2/a/manifests/+",
            "/v2/a/manifests/",
            "/acr/v1/a/_tags/",
            "/acr/v1/a/_tags/b/c",
        ] {
            assert!(
                matches!(find("GET", path), Err(Error::TagInvalid(_))),
                "{path}"
            );
        }
        for path in ["/v2/a/blobs/v1", "/acr/v1/a/_manifests/v1/_tags/b"] {
            assert!(
                matches!(
                    find("GET", path),
                    Err(Error::DigestMalformed(_) | Error::NameInvalid(_))
                ),
                "{path}"
            );
        }
        assert!(matches!(
            find("GET", "/v2/a/blobs/uploads/x"),
            Err(Error::BlobUploadUnknown)
        ));
    }

    #[test]
    fn the_methods_of_a_path_are_those_of_its_rows() {
        let digest = format!("sha256:{}", "0".repeat(64));
        let id = "00000000-0000-0000-0000-000000000000";
        for (path, methods) in [
            ("/v2/", "GET, HEAD"),
            ("/v2/a/tags/list", "GET, HEAD"),
            ("/v2/a/blobs/uploads", "POST"),
            (
                &format!("/v2/a/blobs/uploads/{id}"),
                "GET, HEAD, PATCH, PUT, DELETE",
            ),
            (&format!("/v2/a/blobs/{digest}"), "GET, HEAD, DELETE"),
            ("/v2/a/manifests/v1", "GET, HEAD, PUT, DELETE"),
            ("/acr/v1/_catalog", "GET, HEAD"),
            ("/acr/v1/a", "GET, HEAD, PATCH, DELETE"),
            ("/acr/v1/a/_tags", "GET, HEAD"),
            ("/acr/v1/a/_tags/v1", "GET, HEAD, PATCH, DELETE"),
            (
                &format!("/acr/v1/a/_manifests/{digest}"),
                "GET, HEAD, PATCH",
            ),
            ("/oauth2/exchange", "POST"),
            ("/oauth2/token", "GET, POST"),
        ] {
            match find("OPTIONS", path) {
                Err(Error::MethodNotAllowed { allowed, .. }) => assert_eq!(allowed, methods),
                other => panic!("{path}: {other:?}"),
            }
        }
    }
}

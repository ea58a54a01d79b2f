use std::borrow::Cow;

use axum::http::Method;
use percent_encoding::percent_decode_str;
use sealock_core::{Digest, excerpt};

use super::login::Need;
use crate::{Error, Reference, RepositoryName, Tag, UploadId, access::Action};

/// An endpoint of the registry, with what its path names.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Endpoint {
    AcrCatalog,
    AcrManifest(RepositoryName, Digest),
    AcrManifests(RepositoryName),
    AcrRepository(RepositoryName),
    AcrTag(RepositoryName, Tag),
    AcrTags(RepositoryName),
    Base,
    Blob(RepositoryName, Digest),
    Catalog,
    Exchange,
    Manifest(RepositoryName, Reference),
    Referrers(RepositoryName, Digest),
    Tags(RepositoryName),
    Token,
    Upload(RepositoryName, UploadId),
    Uploads(RepositoryName),
}

impl Endpoint {
    /// Reads a path. Repository names have slashes and may contain the endpoints' own words, so it is
    /// read from its end.
    pub(super) fn parse(path: &str) -> Result<Self, Error> {
        let not_an_endpoint = || Error::NotAnEndpoint(excerpt(path).to_owned());
        let decoded: Cow<'_, str> = percent_decode_str(path)
            .decode_utf8()
            .map_err(|_| not_an_endpoint())?;
        match &*decoded {
            "/oauth2/exchange" => return Ok(Self::Exchange),
            "/oauth2/token" => return Ok(Self::Token),
            _ => {}
        }
        if let Some(rest) = decoded.strip_prefix("/acr/v1/") {
            return Self::parse_acr(rest);
        }
        let rest = match decoded.strip_prefix("/v2") {
            Some("" | "/") => return Ok(Self::Base),
            Some(rest) => rest.strip_prefix('/').ok_or_else(not_an_endpoint)?,
            None => return Err(not_an_endpoint()),
        };
        if rest == "_catalog" {
            return Ok(Self::Catalog);
        }
        if let Some(name) = rest.strip_suffix("/tags/list") {
            return Ok(Self::Tags(name.parse()?));
        }
        if let Some(name) = rest
            .strip_suffix("/blobs/uploads")
            .or(rest.strip_suffix("/blobs/uploads/"))
        {
            return Ok(Self::Uploads(name.parse()?));
        }
        let (name, last) = rest.rsplit_once('/').ok_or_else(not_an_endpoint)?;
        if let Some(name) = name.strip_suffix("/blobs/uploads") {
            Ok(Self::Upload(name.parse()?, last.parse()?))
        } else if let Some(name) = name.strip_suffix("/blobs") {
            Ok(Self::Blob(name.parse()?, last.parse()?))
        } else if let Some(name) = name.strip_suffix("/manifests") {
            Ok(Self::Manifest(name.parse()?, last.parse()?))
        } else if let Some(name) = name.strip_suffix("/referrers") {
            Ok(Self::Referrers(name.parse()?, last.parse()?))
        } else {
            Err(not_an_endpoint())
        }
    }

    /// No component of a repository's name begins with an underscore.
    fn parse_acr(rest: &str) -> Result<Self, Error> {
        if rest == "_catalog" {
            return Ok(Self::AcrCatalog);
        }
        if let Some((name, rest)) = rest.split_once("/_tags") {
            let name = name.parse()?;
            return match rest.strip_prefix('/') {
                Some(tag) => Ok(Self::AcrTag(name, tag.parse()?)),
                None if rest.is_empty() => Ok(Self::AcrTags(name)),
                None => Err(Error::NameInvalid(excerpt(rest).to_owned())),
            };
        }
        if let Some((name, rest)) = rest.split_once("/_manifests") {
            let name = name.parse()?;
            return match rest.strip_prefix('/') {
                Some(digest) => Ok(Self::AcrManifest(name, digest.parse()?)),
                None if rest.is_empty() => Ok(Self::AcrManifests(name)),
                None => Err(Error::NameInvalid(excerpt(rest).to_owned())),
            };
        }
        Ok(Self::AcrRepository(rest.parse()?))
    }

    /// What a caller must be allowed. None: nobody need log in.
    pub(super) fn need(&self, method: &Method) -> Option<Need> {
        use Action::{Delete, MetadataRead, MetadataWrite, Pull, Push};
        let reads = matches!(*method, Method::GET | Method::HEAD);
        let (name, actions): (_, &'static [Action]) = match self {
            Self::Exchange | Self::Token => return None,
            Self::Base => return Some(Need::Login),
            Self::AcrCatalog | Self::Catalog => return Some(Need::Catalog),
            Self::AcrManifest(name, _)
            | Self::AcrManifests(name)
            | Self::AcrRepository(name)
            | Self::AcrTag(name, _)
            | Self::AcrTags(name) => match *method {
                Method::PATCH => (name, &[MetadataWrite]),
                Method::DELETE => (name, &[Delete]),
                _ => (name, &[MetadataRead]),
            },
            Self::Blob(name, _) | Self::Manifest(name, _) => match *method {
                Method::DELETE => (name, &[Delete]),
                _ if reads => (name, &[Pull]),
                _ => (name, &[Pull, Push]),
            },
            Self::Referrers(name, _) => (name, &[Pull]),
            // Whoever has only asked to pull is told of it by the challenge, and asks again.
            Self::Tags(name) => (name, &[MetadataRead]),
            Self::Upload(name, _) | Self::Uploads(name) => (name, &[Pull, Push]),
        };
        Some(Need::Repository {
            name: name.clone(),
            actions,
        })
    }

    /// Whether it gives or takes content, or tells of it.
    pub(super) fn is_content(&self) -> bool {
        !matches!(self, Self::Base | Self::Exchange | Self::Token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
            let found = Endpoint::parse(&format!("/v2/{name}/manifests/v1")).unwrap();
            assert_eq!(
                found,
                Endpoint::Manifest(name.parse().unwrap(), "v1".parse().unwrap())
            );
            let found = Endpoint::parse(&format!("/v2/{name}/blobs/{digest}")).unwrap();
            assert_eq!(
                found,
                Endpoint::Blob(name.parse().unwrap(), digest.parse().unwrap())
            );
            let found = Endpoint::parse(&format!("/v2/{name}/tags/list")).unwrap();
            assert_eq!(found, Endpoint::Tags(name.parse().unwrap()));
            for slash in ["", "/"] {
                let found = Endpoint::parse(&format!("/v2/{name}/blobs/uploads{slash}")).unwrap();
                assert_eq!(found, Endpoint::Uploads(name.parse().unwrap()));
            }
        }
        let encoded = digest.replace(':', "%3A");
        assert!(matches!(
            Endpoint::parse(&format!("/v2/a/blobs/{encoded}")),
            Ok(Endpoint::Blob(..))
        ));
    }

    #[test]
    fn what_is_no_endpoint_is_said_to_be_none() {
        for path in [
            "/",
            "/v1/",
            "/v2x",
            "/v2/a",
            "/v2/a/b",
            "/v2/a/b/c",
            "/v2//",
            "/v2/%FF/manifests/a",
        ] {
            assert!(
                matches!(Endpoint::parse(path), Err(Error::NotAnEndpoint(_))),
                "{path}"
            );
        }
        assert!(matches!(
            Endpoint::parse("/v2/A/manifests/v1"),
            Err(Error::NameInvalid(_))
        ));
        assert!(matches!(
            Endpoint::parse("/v2/a/../b/manifests/v1"),
            Err(Error::NameInvalid(_))
        ));
        assert!(matches!(
            Endpoint::parse("/v2/a/manifests/+"),
            Err(Error::TagInvalid(_))
        ));
        assert!(matches!(
            Endpoint::parse("/v2/a/blobs/v1"),
            Err(Error::DigestMalformed(_))
        ));
        assert!(matches!(
            Endpoint::parse("/v2/a/blobs/uploads/x"),
            Err(Error::BlobUploadUnknown)
        ));
    }
}

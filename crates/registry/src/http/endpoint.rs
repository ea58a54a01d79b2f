use axum::http::Method;
use sealock_core::{Algorithm, Digest};
use sealock_http::Spelling;

use super::{
    acr::tags::TagFilter,
    login::RequiredAccess,
    page::PageQuery,
    parameter::{ArtifactStreaming, SoftDeletedContent},
    referrers::ArtifactType,
    uploads::Mount,
};
use crate::{
    Error, Reference, RepositoryName, Tag, UploadId, access::permissions::Action,
    manifests::order::Order,
};

const SPELLING: Spelling = Spelling {
    is_encoded: true,
    ..Spelling::EXACT
};

// Repository names contain slashes and may contain the words of the endpoints, so only the end of a path identifies its
// endpoint. The most frequent endpoints come first. No component of a repository name starts with an underscore, so the
// first one that does ends the name.
sealock_http::endpoints! {
    /// An endpoint of the registry, with the parameters in a request's path and query.
    #[derive(Debug)]
    pub(super) enum Endpoint or Error, spelled SPELLING;

    GET | HEAD "/v2/{repository...}/manifests/{reference}"
        => GetManifest { repository: RepositoryName, reference: Reference },
    PUT "/v2/{repository...}/manifests/{reference}"
        => PutManifest { repository: RepositoryName, reference: Reference, tags: Result<Vec<Tag>, Error> },
    DELETE "/v2/{repository...}/manifests/{reference}"
        => DeleteManifest { repository: RepositoryName, reference: Reference },
    POST "/v2/{repository...}/blobs/uploads/" => BeginUpload {
        repository: RepositoryName,
        mount: Result<Option<Mount>, Error>,
        digest: Result<Option<Digest>, Error>,
        algorithm: Result<Algorithm, Error>,
    },
    GET | HEAD "/v2/{repository...}/blobs/uploads/{id}" => GetUpload { repository: RepositoryName, id: UploadId },
    PATCH "/v2/{repository...}/blobs/uploads/{id}" => ContinueUpload { repository: RepositoryName, id: UploadId },
    PUT "/v2/{repository...}/blobs/uploads/{id}"
        => FinishUpload { repository: RepositoryName, id: UploadId, digest: Result<Digest, Error> },
    DELETE "/v2/{repository...}/blobs/uploads/{id}" => CancelUpload { repository: RepositoryName, id: UploadId },
    GET | HEAD "/v2/{repository...}/blobs/{digest}" => GetBlob { repository: RepositoryName, digest: Digest },
    DELETE "/v2/{repository...}/blobs/{digest}" => DeleteBlob { repository: RepositoryName, digest: Digest },
    GET | HEAD "/v2/" => Base,
    GET | HEAD "/v2/_catalog" => ListRepositories { page: Result<PageQuery, Error> },
    GET | HEAD "/v2/{repository...}/tags/list"
        => ListTags { repository: RepositoryName, page: Result<PageQuery, Error> },
    GET | HEAD "/v2/{repository...}/referrers/{subject}" => ListReferrers {
        repository: RepositoryName,
        subject: Digest,
        artifact_type: ArtifactType,
        page: Result<PageQuery, Error>,
    },
    GET | HEAD "/acr/v1/_catalog" => AcrListRepositories { page: Result<PageQuery, Error> },
    GET | POST "/acr/v1/_deleted/{content...}" => AcrGetSoftDeleted { content: SoftDeletedContent },
    GET | POST | PUT | PATCH "/acr/v1/{repository...}/_streaming" | "/acr/v1/{repository...}/_streaming/{operation...}"
        => AcrGetStreaming { streaming: ArtifactStreaming },
    GET | HEAD "/acr/v1/{repository...}/_tags" => AcrListTags {
        repository: RepositoryName,
        order: Result<Order, Error>,
        filter: Result<TagFilter, Error>,
        page: Result<PageQuery, Error>,
    },
    GET | HEAD "/acr/v1/{repository...}/_tags/{tag...}" => AcrGetTag { repository: RepositoryName, tag: Tag },
    PATCH "/acr/v1/{repository...}/_tags/{tag...}" => AcrChangeTag { repository: RepositoryName, tag: Tag },
    DELETE "/acr/v1/{repository...}/_tags/{tag...}" => AcrDeleteTag { repository: RepositoryName, tag: Tag },
    GET | HEAD "/acr/v1/{repository...}/_manifests" => AcrListManifests {
        repository: RepositoryName,
        order: Result<Order, Error>,
        page: Result<PageQuery, Error>,
    },
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
    /// Returns the access that a request needs, even if the path does not support the method. `None` if it needs no
    /// login.
    pub(super) fn required_access(&self, method: &Method) -> Option<RequiredAccess<'_>> {
        use Action::{Delete, MetadataRead, MetadataWrite, Pull, Push};
        let (repository, actions): (_, &'static [Action]) = match self {
            Self::Exchange | Self::GetToken | Self::PostToken => return None,
            Self::Base => return Some(RequiredAccess::Login),
            Self::AcrGetSoftDeleted { content } => match *content {},
            Self::AcrGetStreaming { streaming } => match *streaming {},
            Self::AcrListRepositories { .. } | Self::ListRepositories { .. } => {
                return Some(RequiredAccess::Catalog);
            }
            Self::AcrChangeManifest { repository, .. }
            | Self::AcrChangeRepository { repository }
            | Self::AcrChangeTag { repository, .. }
            | Self::AcrDeleteRepository { repository }
            | Self::AcrDeleteTag { repository, .. }
            | Self::AcrGetManifest { repository, .. }
            | Self::AcrGetRepository { repository }
            | Self::AcrGetTag { repository, .. }
            | Self::AcrListManifests { repository, .. }
            | Self::AcrListTags { repository, .. } => match *method {
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
            // A client that only has a token to pull learns from the challenge which scope to request.
            Self::ListTags { repository, .. } => (repository, &[MetadataRead]),
            Self::BeginUpload { repository, .. }
            | Self::CancelUpload { repository, .. }
            | Self::ContinueUpload { repository, .. }
            | Self::FinishUpload { repository, .. }
            | Self::GetUpload { repository, .. } => (repository, &[Pull, Push]),
        };
        Some(RequiredAccess::Repository {
            name: repository,
            actions,
        })
    }

    /// Returns true for an endpoint that reads, writes or describes content.
    pub(super) fn is_content(&self) -> bool {
        !matches!(
            self,
            Self::Base | Self::Exchange | Self::GetToken | Self::PostToken
        )
    }
}

#[cfg(test)]
mod tests {
    use sealock_http::Query;

    use super::*;

    fn find(method: &str, path: &str) -> Result<Endpoint, Error> {
        find_with("", method, path)
    }

    fn find_with(query: &str, method: &str, path: &str) -> Result<Endpoint, Error> {
        let query = Query::from_form(query.as_bytes());
        let found = Endpoint::TABLE.find(&method.parse().unwrap(), path, &query)?;
        found.allowed?;
        Ok(found.endpoint)
    }

    fn assert_same(found: &Endpoint, expected: &Endpoint) {
        assert_eq!(format!("{found:?}"), format!("{expected:?}"));
    }

    #[test]
    fn repository_names_may_contain_the_words_of_endpoints() {
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
            assert_same(&found, &expected);
            let found = find("HEAD", &format!("/v2/{name}/blobs/{digest}")).unwrap();
            let expected = Endpoint::GetBlob {
                repository: repository(),
                digest: digest.parse().unwrap(),
            };
            assert_same(&found, &expected);
            let found = find("GET", &format!("/v2/{name}/tags/list")).unwrap();
            let expected = Endpoint::ListTags {
                repository: repository(),
                page: Ok(PageQuery::default()),
            };
            assert_same(&found, &expected);
            for slash in ["", "/"] {
                let found = find("POST", &format!("/v2/{name}/blobs/uploads{slash}")).unwrap();
                let expected = Endpoint::BeginUpload {
                    repository: repository(),
                    mount: Ok(None),
                    digest: Ok(None),
                    algorithm: Ok(Algorithm::Sha256),
                };
                assert_same(&found, &expected);
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
            assert_same(&find("HEAD", base).unwrap(), &Endpoint::Base);
        }
    }

    #[test]
    fn queries_are_parsed_into_parameters() {
        let digest = format!("sha256:{}", "0".repeat(64));
        let page = r#"page: Ok(PageQuery { limit: Some(2), last: Some("b") })"#;
        let no_page = "page: Ok(PageQuery { limit: None, last: None })";
        let id = "00000000-0000-0000-0000-000000000000";
        for (query, method, path, expected) in [
            ("n=2&last=b", "GET", "/v2/_catalog", page.to_owned()),
            ("n=2&last=b", "HEAD", "/v2/a/tags/list", page.to_owned()),
            ("n=2&last=b", "GET", "/acr/v1/_catalog", page.to_owned()),
            ("n=&last=", "GET", "/v2/_catalog", no_page.to_owned()),
            (
                "n=1001",
                "GET",
                "/v2/_catalog",
                "limit: Some(1000)".to_owned(),
            ),
            (
                "artifactType=a%2Fb&n=2&last=b",
                "GET",
                &format!("/v2/a/referrers/{digest}"),
                format!(r#"artifact_type: ArtifactType(Some("a/b")), {page}"#),
            ),
            (
                "artifactType=",
                "GET",
                &format!("/v2/a/referrers/{digest}"),
                format!("artifact_type: ArtifactType(None), {no_page}"),
            ),
            (
                &format!("digest={digest}&orderby=timeasc&n=2&last=b"),
                "GET",
                "/acr/v1/a/_tags",
                format!(
                    "order: Ok(OldestFirst), filter: Ok(TagFilter {{ digest: Some({digest}) }}), {page}"
                ),
            ),
            (
                "digest=&orderby=",
                "GET",
                "/acr/v1/a/_tags",
                format!("order: Ok(Name), filter: Ok(TagFilter {{ digest: None }}), {no_page}"),
            ),
            (
                "orderby=timedesc&n=2&last=b",
                "GET",
                "/acr/v1/a/_manifests",
                format!("order: Ok(NewestFirst), {page}"),
            ),
            (
                &format!("mount={digest}&from=b/c&digest={digest}&digest-algorithm=sha512"),
                "POST",
                "/v2/a/blobs/uploads/",
                format!(
                    "mount: Ok(Some(Mount {{ digest: {digest}, from: Some(RepositoryName(\"b/c\")) }})), \
                     digest: Ok(Some({digest})), algorithm: Ok(Sha512)"
                ),
            ),
            (
                &format!("digest={digest}"),
                "PUT",
                &format!("/v2/a/blobs/uploads/{id}"),
                format!("digest: Ok({digest})"),
            ),
            (
                "tag=v1&tag=v2",
                "PUT",
                &format!("/v2/a/manifests/{digest}"),
                r#"tags: Ok([Tag("v1"), Tag("v2")])"#.to_owned(),
            ),
        ] {
            let found = find_with(query, method, path).unwrap();
            let found = format!("{found:?}");
            assert!(
                found.contains(&expected),
                "{method} {path}?{query}: {found}"
            );
        }
    }

    #[test]
    fn invalid_query_is_refused_by_the_function_that_answers() {
        let digest = format!("sha256:{}", "0".repeat(64));
        let id = "00000000-0000-0000-0000-000000000000";
        for (query, method, path, expected) in [
            (
                "n=x",
                "GET",
                "/v2/_catalog",
                "page: Err(PaginationNumberInvalid",
            ),
            (
                "n=-1",
                "GET",
                "/acr/v1/a/_tags",
                "page: Err(PaginationNumberInvalid",
            ),
            (
                "orderby=size",
                "GET",
                "/acr/v1/a/_tags",
                "order: Err(OrderInvalid",
            ),
            (
                "digest=x",
                "GET",
                "/acr/v1/a/_tags",
                "filter: Err(DigestMalformed",
            ),
            (
                "mount=",
                "POST",
                "/v2/a/blobs/uploads/",
                "mount: Err(DigestMalformed",
            ),
            (
                &format!("mount={digest}&from="),
                "POST",
                "/v2/a/blobs/uploads/",
                "mount: Err(NameInvalid",
            ),
            // Without `mount`, `from` is ignored.
            ("from=A", "POST", "/v2/a/blobs/uploads/", "mount: Ok(None)"),
            (
                "digest=",
                "POST",
                "/v2/a/blobs/uploads/",
                "digest: Err(DigestMalformed",
            ),
            (
                "digest-algorithm=",
                "POST",
                "/v2/a/blobs/uploads/",
                "algorithm: Err(DigestMalformed",
            ),
            (
                "",
                "PUT",
                &format!("/v2/a/blobs/uploads/{id}"),
                "digest: Err(DigestMissing",
            ),
            (
                "digest=",
                "PUT",
                &format!("/v2/a/blobs/uploads/{id}"),
                "digest: Err(DigestMalformed",
            ),
            (
                "tag=v1&tag=",
                "PUT",
                &format!("/v2/a/manifests/{digest}"),
                "tags: Err(TagInvalid",
            ),
            (
                &vec!["tag=x"; 101].join("&"),
                "PUT",
                &format!("/v2/a/manifests/{digest}"),
                "tags: Err(TooManyTags",
            ),
        ] {
            let found = find_with(query, method, path).unwrap();
            let found = format!("{found:?}");
            assert!(found.contains(expected), "{method} {path}?{query}: {found}");
        }
    }

    #[test]
    fn invalid_paths_are_refused_with_the_reason() {
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
    fn methods_of_a_path_are_those_of_its_rows() {
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

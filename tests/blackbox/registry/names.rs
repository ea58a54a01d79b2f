use sealock_tests::{Client, Emulator, Image};

use super::{INDEX, index, names, put_manifest, send, status, tags};

/// Follows the links from `first` to the end, and returns the items of each page.
fn pages(client: &Client, first: &str, key: &str) -> Vec<Vec<String>> {
    let mut pages = Vec::new();
    let mut next = Some(first.to_owned());
    while let Some(path) = next {
        let page = client.get(&path);
        assert_eq!(page.status, 200, "{path}");
        pages.push(names(&page.json(), key));
        assert!(pages.len() <= 20, "the links lead nowhere: {pages:?}");
        next = page.headers.get("link").map(|link| {
            let link = link.to_str().unwrap().strip_prefix('<').unwrap();
            link.strip_suffix(">; rel=\"next\"").unwrap().to_owned()
        });
    }
    pages
}

#[test]
fn tags_and_catalog_are_sorted_and_paged() {
    let emulator = Emulator::start();
    let client = emulator.client();
    // Sorted as bytes: upper case before `_` before lower case.
    let tags = ["1.0", "B", "_x", "a", "a-b", "a.b", "b"];
    let repositories = ["0", "a", "a-b", "a.b", "a/b", "a__b", "z"];
    let manifest = index("any");
    for tag in tags.iter().rev() {
        assert_eq!(
            put_manifest(&client, "z", tag, INDEX, &manifest).status,
            201
        );
    }
    for repository in repositories {
        assert_eq!(
            put_manifest(&client, repository, "b", INDEX, &manifest).status,
            201
        );
    }

    for (path, key, all) in [
        ("/v2/z/tags/list", "tags", tags),
        ("/v2/_catalog", "repositories", repositories),
    ] {
        assert_eq!(pages(&client, path, key), [all]);
        for (query, expected) in [
            ("n=7", vec![&all[..]]),
            ("n=1000", vec![&all[..]]),
            ("n=99999", vec![&all[..]]),
            ("n=3", vec![&all[..3], &all[3..6], &all[6..]]),
            ("n=6", vec![&all[..6], &all[6..]]),
            ("n=0", vec![&[][..]]),
            // As from a form that was not filled in.
            ("n=&last=", vec![&all[..]]),
            (&format!("last={}", all[2]), vec![&all[3..]]),
            (&format!("n=2&last={}", all[3]), vec![&all[4..6], &all[6..]]),
            ("last=zz", vec![&[][..]]),
            ("last=.", vec![&all[..]]),
        ] {
            assert_eq!(
                pages(&client, &format!("{path}?{query}"), key),
                expected,
                "{path}?{query}"
            );
        }
    }
    assert_eq!(client.get("/v2/z/tags/list").json()["name"], "z");
}

#[test]
fn repositories_may_have_names_of_endpoints() {
    let emulator = Emulator::start();
    let client = emulator.client();
    let repositories = [
        "v2",
        "manifests",
        "blobs/uploads",
        "a/blobs/b",
        "x/manifests",
        "tags/list/tags",
        "uploads/list",
        "a/referrers",
    ];
    for repository in repositories {
        let image = Image::random(&[100]);
        assert_eq!(
            client.push(repository, "list", &image).status,
            201,
            "{repository}"
        );
        assert_eq!(
            client.pull(repository, "list", &image).status,
            200,
            "{repository}"
        );
        assert_eq!(
            client.pull(repository, &image.digest(), &image).status,
            200,
            "{repository}"
        );
        assert_eq!(tags(&client, repository), ["list"], "{repository}");
    }
    let mut sorted = repositories;
    sorted.sort_unstable();
    assert_eq!(
        names(&client.get("/v2/_catalog").json(), "repositories"),
        sorted
    );
}

#[test]
fn doubled_slash_in_a_path_is_redirected() {
    let emulator = Emulator::start();
    let client = emulator.client();
    let image = Image::random(&[10]);
    assert_eq!(client.push("app", "v1", &image).status, 201);
    let host = "sealock.azurecr.localhost";
    for (path, single) in [
        ("//v2/", "/v2/"),
        ("///v2//", "/v2/"),
        ("/v2//app/tags/list", "/v2/app/tags/list"),
        ("//v2/app//tags/list?n=1", "/v2/app/tags/list?n=1"),
        ("//acr/v1/_catalog", "/acr/v1/_catalog"),
        ("//oauth2/token?service=x", "/oauth2/token?service=x"),
    ] {
        for host in [emulator.address(), host] {
            let send = |method: &str| client.send(method, path, &[("host", host)], b"");
            for method in ["GET", "HEAD"] {
                let answer = send(method);
                assert_eq!(answer.status, 301, "{method} {path} at {host}");
                assert_eq!(answer.header("location"), single);
            }
            // A client that follows the redirect would drop its body.
            for method in ["POST", "PUT", "PATCH", "DELETE"] {
                let answer = send(method);
                assert_eq!(answer.status, 404, "{method} {path} at {host}");
                assert_eq!(answer.code(), "UNSUPPORTED");
                let message = answer.json()["errors"][0]["message"].to_string();
                assert!(message.contains(&format!("'{single}'")), "{message}");
                let version = answer.header("docker-distribution-api-version");
                assert_eq!(version, "registry/2.0");
            }
        }
    }
    assert_eq!(send(&client, "GET", "//nowhere").status, 404);
}

#[test]
fn longest_name_that_clients_allow_is_accepted_and_a_longer_one_is_refused() {
    let emulator = Emulator::start();
    let client = emulator.client();
    let image = Image::random(&[10]);
    let longest = format!("{}/{}", "a".repeat(127), "b".repeat(127));
    assert_eq!(client.push(&longest, "v1", &image).status, 201);
    assert_eq!(client.pull(&longest, "v1", &image).status, 200);
    assert_eq!(status(&client, "GET", &format!("/acr/v1/{longest}")), 200);
    let scope = format!("/oauth2/token?scope=repository:{longest}:pull");
    assert_eq!(status(&client, "GET", &scope), 200);
    for (name, said) in [
        (
            format!("{longest}c"),
            "is too long: it has 256 characters of at most 255",
        ),
        (format!("{longest}C"), "is not a repository name"),
        ("A".to_owned(), "is not a repository name"),
    ] {
        for path in [
            format!("/v2/{name}/manifests/v1"),
            format!("/v2/{name}/tags/list"),
            format!("/v2/{name}/blobs/uploads/"),
            format!("/acr/v1/{name}"),
            format!("/acr/v1/{name}/_tags"),
        ] {
            let refused = send(&client, "GET", &path);
            assert_eq!((refused.status, &*refused.code()), (400, "NAME_INVALID"));
            let message = refused.json()["errors"][0]["message"].to_string();
            assert!(message.contains(said), "{path}: {message}");
        }
    }
}

use sealock_tests::{Client, Emulator, Image, digest_of};
use serde_json::{Value, json};

use super::{get, names, next, pages};

#[test]
fn lists_are_paged_in_the_requested_order() {
    let emulator = Emulator::start();
    let client = emulator.client();
    emulator.cli(&["clock", "freeze"]);
    let images: Vec<Image> = (0..3).map(|_| Image::random(&[10])).collect();
    // Pushed against the alphabet, so that no two orders coincide.
    for (tag, image) in [("c", 0), ("a", 1), ("b", 2)] {
        emulator.cli(&["clock", "advance", "1s"]);
        assert_eq!(client.push("app", tag, &images[image]).status, 201);
    }
    assert_eq!(client.push("zoo", "v1", &images[0]).status, 201);
    assert_eq!(
        pages(&client, "/acr/v1/_catalog?n=1&orderby=", "repositories", ""),
        [["app"], ["zoo"]]
    );
    for (order, expected) in [
        ("", [&["a", "b"][..], &["c"]]),
        ("&orderby=none", [&["a", "b"], &["c"]]),
        ("&orderby=timeasc", [&["c", "a"], &["b"]]),
        ("&orderby=timedesc", [&["b", "a"], &["c"]]),
    ] {
        assert_eq!(
            pages(
                &client,
                &format!("/acr/v1/app/_tags?n=2{order}"),
                "tags",
                "name"
            ),
            expected,
            "{order}"
        );
    }
    let digests: Vec<String> = images.iter().map(Image::digest).collect();
    assert_eq!(
        pages(
            &client,
            "/acr/v1/app/_manifests?n=2&orderby=timedesc",
            "manifests",
            "digest"
        ),
        [
            &[digests[2].clone(), digests[1].clone()][..],
            &[digests[0].clone()]
        ]
    );
    // The next page continues after a deleted item, whether clients follow the link or build it.
    let first = client.get("/acr/v1/app/_tags?n=1&orderby=timeasc");
    assert_eq!(names(&first.json()["tags"], "name"), ["c"]);
    let made_up = "/acr/v1/app/_tags?last=c&orderby=timeasc";
    assert_eq!(names(&get(&client, made_up)["tags"], "name"), ["a", "b"]);
    client.send("DELETE", "/acr/v1/app/_tags/c", &[], b"");
    let rest = get(&client, next(&first).unwrap());
    assert_eq!(names(&rest["tags"], "name"), ["a"]);
    let unknown = client.get(made_up);
    assert_eq!((unknown.status, &*unknown.code()), (400, "UNSUPPORTED"));

    let filtered = get(&client, &format!("/acr/v1/app/_tags?digest={}", digests[1]));
    assert_eq!(names(&filtered["tags"], "name"), ["a"]);
    for (path, status, code) in [
        ("/acr/v1/app/_tags?orderby=size", 400, "UNSUPPORTED"),
        ("/acr/v1/app/_tags?n=x", 400, "PAGINATION_NUMBER_INVALID"),
        ("/acr/v1/app/_tags?digest=x", 400, "DIGEST_INVALID"),
        ("/acr/v1/none", 404, "NAME_UNKNOWN"),
        ("/acr/v1/none/_tags", 404, "NAME_UNKNOWN"),
        ("/acr/v1/none/_manifests", 404, "NAME_UNKNOWN"),
        ("/acr/v1/app/_tags/none", 404, "TAG_UNKNOWN"),
        (
            &format!("/acr/v1/app/_manifests/sha256:{}", "0".repeat(64)),
            404,
            "MANIFEST_UNKNOWN",
        ),
        ("/acr/v1/app/_tagsx", 400, "NAME_INVALID"),
        ("/acr/v1/App", 400, "NAME_INVALID"),
        ("/acr/v1/", 400, "NAME_INVALID"),
        ("/acr/v1/_deleted/_catalog", 404, "UNSUPPORTED"),
        ("/acr/v2/app", 404, "UNSUPPORTED"),
    ] {
        let answer = client.get(path);
        assert_eq!((answer.status, &*answer.code()), (status, code), "{path}");
    }
    let wrong = client.send("PATCH", "/acr/v1/app", &[], br#"{"teleportEnabled":true}"#);
    assert_eq!((wrong.status, &*wrong.code()), (400, "UNSUPPORTED"));
    assert_eq!(client.send("POST", "/acr/v1/app", &[], b"").status, 405);
    assert_eq!(
        client.send("DELETE", "/acr/v1/_catalog", &[], b"").status,
        405
    );
}

/// Returns the name and update time of every item of a list, page by page.
fn timed(client: &Client, path: &str, list: &str, name: &str) -> Vec<(String, String)> {
    let named = pages(client, path, list, name).concat();
    let times = pages(client, path, list, "lastUpdateTime").concat();
    named.into_iter().zip(times).collect()
}

#[test]
fn lists_by_time_start_with_the_newest_however_close_in_time() {
    let mut emulator = Emulator::start();
    let client = emulator.client();
    let mut pushed = Vec::new();
    let mut push = |client: &Client, tags: &[&str]| {
        for tag in tags {
            let image = Image::random(&[]);
            assert_eq!(client.push("app", tag, &image).status, 201);
            pushed.push(((*tag).to_owned(), image.digest()));
        }
    };
    // First within a second, then at the same time, even across a restart and when the clock returns to that time.
    push(&client, &["c", "a", "d"]);
    emulator.cli(&["clock", "advance", "1h"]);
    emulator.cli(&["clock", "freeze"]);
    push(&client, &["h", "f", "g"]);
    emulator.kill();
    emulator.start_again();
    let client = emulator.client();
    push(&client, &["b", "i", "e"]);
    emulator.cli(&["clock", "advance", "1h"]);
    emulator.cli(&["clock", "advance", "-1h"]);
    push(&client, &["k", "j"]);

    for at in [1, 4, 100] {
        for (list, field, which) in [("tags", "name", 0), ("manifests", "digest", 1)] {
            let mut expected: Vec<String> = pushed
                .iter()
                .map(|(tag, digest)| [tag, digest][which].clone())
                .collect();
            let path = |order: &str| format!("/acr/v1/app/_{list}?n={at}&orderby={order}");
            let oldest_first = timed(&client, &path("timeasc"), list, field);
            let names: Vec<_> = oldest_first.iter().map(|(name, _)| name.clone()).collect();
            assert_eq!(names, expected, "{list} by {at}");
            expected.reverse();
            let newest_first = timed(&client, &path("timedesc"), list, field);
            let names: Vec<_> = newest_first.iter().map(|(name, _)| name.clone()).collect();
            assert_eq!(names, expected, "{list} by {at}");
            // Some clients sort the list again.
            for ((_, one), (_, next)) in oldest_first.iter().zip(&oldest_first[1..]) {
                assert!(one < next, "{one} is before {next}");
            }
        }
    }
}

#[test]
fn tags_of_one_push_go_by_name_in_either_order() {
    let emulator = Emulator::start();
    let client = emulator.client();
    let image = Image::random(&[]);
    assert_eq!(client.push("app", "first", &image).status, 201);
    let path = format!(
        "/v2/app/manifests/{}?tag=c&tag=a&tag=d&tag=b",
        image.digest()
    );
    let headers = [("content-type", Image::MEDIA_TYPE)];
    let put = client.send("PUT", &path, &headers, image.manifest());
    assert_eq!(put.status, 201);
    assert_eq!(client.push("app", "last", &image).status, 201);
    for at in 1..=6 {
        for (order, expected) in [
            ("timeasc", ["first", "a", "b", "c", "d", "last"]),
            ("timedesc", ["last", "a", "b", "c", "d", "first"]),
        ] {
            let path = format!("/acr/v1/app/_tags?n={at}&orderby={order}");
            let paged = pages(&client, &path, "tags", "name").concat();
            assert_eq!(paged, expected, "{path}");
            let of_manifest = get(&client, &format!("{path}&digest={}", image.digest()));
            assert_eq!(names(&of_manifest["tags"], "name"), expected[..at]);
        }
    }
    // A tag that moves is the newest, and nowhere else.
    let other = Image::random(&[1]);
    assert_eq!(client.push("app", "b", &other).status, 201);
    for (path, expected) in [
        ("timeasc", "first a c d last b"),
        ("timedesc", "b last a c d first"),
    ] {
        let path = format!("/acr/v1/app/_tags?n=2&orderby={path}");
        let tags = pages(&client, &path, "tags", "name").concat();
        assert_eq!(tags.join(" "), expected);
    }
    emulator.verify();
}

#[test]
fn empty_page_omits_its_list() {
    let emulator = Emulator::start();
    let client = emulator.client();
    let image = Image::random(&[]);
    assert_eq!(client.push("app", "v1", &image).status, 201);
    let behind = format!("/acr/v1/app/_manifests?last={}", image.digest());
    for (path, list) in [
        ("/acr/v1/app/_tags?last=v1", "tags"),
        ("/acr/v1/app/_tags?n=0", "tags"),
        (behind.as_str(), "manifests"),
    ] {
        assert_eq!(get(&client, path)[list], Value::Null, "{path}");
    }
    client.send("DELETE", "/acr/v1/app/_tags/v1", &[], b"");
    assert_eq!(get(&client, "/acr/v1/app/_tags")["tags"], Value::Null);
    // An untagged manifest has an empty list.
    let manifests = get(&client, "/acr/v1/app/_manifests");
    assert_eq!(manifests["manifests"][0]["tags"], json!([]));
    assert_eq!(get(&client, "/v2/app/tags/list")["tags"], json!([]));
}

#[test]
fn page_links_to_the_next_as_in_acr_and_the_last_has_no_link() {
    let emulator = Emulator::start();
    let client = emulator.client();
    let image = Image::random(&[]);
    for repository in ["alpine", "contoso-marketing", "node"] {
        for tag in ["latest", "v1", "v2"] {
            assert_eq!(client.push(repository, tag, &image).status, 201);
        }
    }
    for (path, link) in [
        (
            "/v2/_catalog?n=2",
            "/v2/_catalog?last=contoso-marketing&n=2&orderby=",
        ),
        (
            "/v2/alpine/tags/list?n=2",
            "/v2/alpine/tags/list?last=v1&n=2&orderby=",
        ),
        (
            "/acr/v1/_catalog?n=2",
            "/acr/v1/_catalog?last=contoso-marketing&n=2&orderby=",
        ),
        (
            "/acr/v1/alpine/_tags?n=2&orderby=none",
            "/acr/v1/alpine/_tags?last=v1&n=2&orderby=",
        ),
    ] {
        let page = client.get(path);
        assert_eq!(next(&page), Some(link), "{path}");
        assert_eq!(next(&client.get(link)), None, "{link}");
    }
}

#[test]
fn page_of_large_manifests_ends_early() {
    let emulator = Emulator::start();
    let client = emulator.client();
    for tag in ["a", "b", "c"] {
        // Foreign layers need not be stored.
        let entry = |at: usize| {
            let digest = digest_of(format!("{tag}{at}").as_bytes());
            json!({"mediaType": "a/b", "digest": digest, "size": 1, "urls": ["http://elsewhere.test"]})
        };
        let entries: Vec<Value> = (0..7000).map(entry).collect();
        let media_type = "application/vnd.oci.image.index.v1+json";
        let index = json!({
            "schemaVersion": 2, "mediaType": media_type, "manifests": entries,
        });
        let path = format!("/v2/app/manifests/{tag}");
        let headers = [("content-type", media_type)];
        let put = client.send("PUT", &path, &headers, index.to_string().as_bytes());
        assert_eq!(put.status, 201, "{put:?}");
    }
    let pages = pages(&client, "/acr/v1/app/_manifests", "manifests", "digest");
    let sizes: Vec<usize> = pages.iter().map(Vec::len).collect();
    assert_eq!(sizes, [2, 1]);
}

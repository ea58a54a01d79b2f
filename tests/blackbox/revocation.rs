use std::io::Read as _;

use sealock_tests::{Answer, Client, Emulator, Image, digest_of};
use serde_json::Value;
use ureq::SendBody;

use crate::ways::{IDENTITY_INACTIVE, KEY_FORBIDDEN};

/// Requests of every kind that a revoked registry refuses. The repository `app` has `image`.
fn refused_requests(client: &Client, image: &Image, upload: &str) -> Vec<(&'static str, Answer)> {
    let blob = digest_of(image.blobs().next().unwrap());
    let digest = image.digest();
    let manifest = "/v2/app/manifests/v1";
    let content_type = ("content-type", Image::MEDIA_TYPE);
    let send = |method: &str, path: &str| client.send(method, path, &[], b"");
    vec![
        ("GET manifest", send("GET", manifest)),
        (
            "GET manifest by digest",
            send("GET", &format!("/v2/app/manifests/{digest}")),
        ),
        (
            "PUT manifest",
            client.send("PUT", manifest, &[content_type], image.manifest()),
        ),
        (
            "DELETE manifest",
            send("DELETE", &format!("/v2/app/manifests/{digest}")),
        ),
        ("GET blob", send("GET", &format!("/v2/app/blobs/{blob}"))),
        (
            "GET range",
            client.send(
                "GET",
                &format!("/v2/app/blobs/{blob}"),
                &[("range", "bytes=0-9")],
                b"",
            ),
        ),
        (
            "DELETE blob",
            send("DELETE", &format!("/v2/app/blobs/{blob}")),
        ),
        (
            "GET unknown blob",
            send(
                "GET",
                &format!("/v2/app/blobs/{}", digest_of(b"never pushed")),
            ),
        ),
        ("POST upload", send("POST", "/v2/app/blobs/uploads/")),
        ("PATCH upload", client.send("PATCH", upload, &[], b"more")),
        ("GET upload", send("GET", upload)),
        (
            "PUT upload",
            client.send(
                "PUT",
                &format!("{upload}?digest={}", digest_of(b"whole")),
                &[],
                b"",
            ),
        ),
        ("GET tags", send("GET", "/v2/app/tags/list")),
        ("GET catalog", send("GET", "/v2/_catalog")),
        ("GET no page", send("GET", "/v2/_catalog?n=x")),
        (
            "GET referrers",
            send("GET", &format!("/v2/app/referrers/{digest}")),
        ),
    ]
}

#[test]
fn registry_whose_key_is_refused_refuses_every_request_but_v2() {
    refuses_every_request(&["key", "disable"], KEY_FORBIDDEN, &["key", "enable"]);
}

#[test]
fn registry_whose_identity_is_inactive_refuses_every_request_but_v2() {
    refuses_every_request(
        &["registry", "identity", "remove", "registry-identity"],
        IDENTITY_INACTIVE,
        &["registry", "identity", "assign", "registry-identity"],
    );
}

fn refuses_every_request(revoke: &[&str], message: &str, restore: &[&str]) {
    let emulator = Emulator::start();
    let image = Image::random(&[100_000, 0]);
    let client = emulator.client();
    assert_eq!(client.push("app", "v1", &image).status, 201);
    let upload = client.send("POST", "/v2/app/blobs/uploads/", &[], b"");
    let upload = upload.header("location").to_owned();
    assert_eq!(client.send("PATCH", &upload, &[], b"whole").status, 202);

    emulator.cli(revoke);
    let gate = || emulator.json(&["status"])["registries"][0]["gate"].clone();
    let revoked = gate();
    assert_eq!(revoked["state"], "revoked");
    for (request, answer) in refused_requests(&client, &image, &upload) {
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (403, "DENIED"),
            "{request}"
        );
        let error = &answer.json()["errors"][0];
        assert_eq!(error["message"], message, "{request}");
        let detail = &error["detail"];
        assert_eq!(detail["cause"], revoked["cause"], "{request}");
        assert_eq!(detail["since"], revoked["since"], "{request}");
        let key = detail["key"].as_str().unwrap();
        assert!(key.contains("/keys/registry-key/"), "{request}");
    }
    let blob = digest_of(image.blobs().next().unwrap());
    for path in ["/v2/app/manifests/v1", &format!("/v2/app/blobs/{blob}")] {
        let head = client.send("HEAD", path, &[], b"");
        assert_eq!(head.status, 403, "HEAD {path}");
    }
    assert_eq!(
        client.get("/v2/").code(),
        "UNAUTHORIZED",
        "/v2/ goes on answering"
    );

    emulator.cli(restore);
    assert_eq!(client.pull("app", "v1", &image).status, 200);
    let pushed = client.push("app", "v2", &Image::random(&[10]));
    assert_eq!(pushed.status, 201);
    assert_eq!(gate()["state"], "available");
    emulator.verify();
}

#[test]
fn log_names_the_cause_of_a_revocation() {
    let emulator = Emulator::start_with(sealock_tests::Options {
        arguments: vec!["--log-format".into(), "json".into()],
        ..Default::default()
    });
    emulator.cli(&["key", "disable"]);
    emulator.client().get("/v2/app/manifests/v1");
    let logged = emulator.logged();
    let line = logged
        .lines()
        .find(|line| line.contains("/v2/app/manifests/v1"))
        .expect("a line");
    let line: Value = serde_json::from_str(line).unwrap();
    assert_eq!(
        (&line["status"], &line["cause"]),
        (&403.into(), &"KeyDisabled".into())
    );
}

#[test]
fn revocation_cuts_a_pull_short() {
    let emulator = Emulator::start();
    let client = emulator.client();
    let image = Image::random(&[48 << 20]);
    assert_eq!(client.push("app", "v1", &image).status, 201);
    let layer = digest_of(image.blobs().next().unwrap());
    let mut body = client.stream(&format!("/v2/app/blobs/{layer}"));
    let mut first = [0; 1024];
    body.read_exact(&mut first).unwrap();
    emulator.cli(&["key", "disable"]);
    let mut rest = Vec::new();
    let cut = body.read_to_end(&mut rest);
    assert!(
        cut.is_err(),
        "{} bytes came after the revocation, and then the end",
        rest.len()
    );
}

#[test]
fn revocation_refuses_a_push_in_flight_which_continues_after_the_restore() {
    let emulator = Emulator::start();
    let client = emulator.client();
    let content = Image::random(&[4 << 20]).blobs().next().unwrap().to_owned();
    let begun = client.send("POST", "/v2/app/blobs/uploads/", &[], b"");
    let location = begun.header("location").to_owned();

    // The body pauses half-way until the key is disabled.
    let disable = || drop(emulator.cli(&["key", "disable"]));
    let body = Interrupted {
        content: &content,
        at: 0,
        interruption: Some((content.len() / 2, &disable)),
    };
    let mut body = body;
    let sent = client.try_send(
        "PATCH",
        &location,
        &[],
        SendBody::from_reader(&mut body),
        Some(content.len()),
    );
    // Either 403, or a closed connection while the client is still sending.
    assert!(sent.is_err() || sent.is_ok_and(|answer| answer.status() == 403));

    let digest = digest_of(&content);
    let finish = format!("{location}?digest={digest}");
    assert_eq!(client.send("PUT", &finish, &[], b"").status, 403);
    emulator.cli(&["key", "enable"]);
    let status = client.get(&location);
    assert_eq!(status.status, 204, "the session is still there");
    let received: usize = status
        .header("range")
        .strip_prefix("0-")
        .unwrap()
        .parse::<usize>()
        .unwrap()
        + 1;
    assert!(received < content.len());
    let received = if status.header("range") == "0-0" {
        0
    } else {
        received
    };
    let rest = client.send("PATCH", &location, &[], &content[received..]);
    assert_eq!(rest.status, 202, "{rest:?}");
    assert_eq!(client.send("PUT", &finish, &[], b"").status, 201);
    let pulled = client.get(&format!("/v2/app/blobs/{digest}"));
    assert!(pulled.body == content);
}

#[test]
fn revocation_refuses_a_manifest_in_flight_and_moves_no_tag() {
    let emulator = Emulator::start();
    let client = emulator.client();
    let image = Image::random(&[1000]);
    assert_eq!(client.push("app", "v1", &image).status, 201);

    // The same manifest under another tag needs the key, although nothing has to be sealed.
    let disable = || drop(emulator.cli(&["key", "disable"]));
    let manifest = image.manifest();
    let mut body = Interrupted {
        content: manifest,
        at: 0,
        interruption: Some((manifest.len() / 2, &disable)),
    };
    let sent = client.try_send(
        "PUT",
        "/v2/app/manifests/v2",
        &[("content-type", Image::MEDIA_TYPE)],
        SendBody::from_reader(&mut body),
        Some(manifest.len()),
    );
    assert_eq!(sent.unwrap().status(), 403);
    emulator.cli(&["key", "enable"]);
    assert_eq!(client.get("/v2/app/manifests/v2").status, 404);
    assert_eq!(client.pull("app", "v1", &image).status, 200);
}

/// A body that runs a function when it has been read up to a point.
struct Interrupted<'a> {
    content: &'a [u8],
    at: usize,
    interruption: Option<(usize, &'a dyn Fn())>,
}

impl std::io::Read for Interrupted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if let Some((_, interrupt)) = self.interruption.take_if(|(at, _)| *at <= self.at) {
            interrupt();
        }
        let end = self.interruption.map_or(self.content.len(), |(at, _)| at);
        let count = buffer.len().min(end - self.at);
        buffer[..count].copy_from_slice(&self.content[self.at..self.at + count]);
        self.at += count;
        Ok(count)
    }
}

#[test]
fn losing_any_permission_but_unwrap_does_not_revoke() {
    let emulator = Emulator::start();
    let client = emulator.client();
    let image = Image::random(&[1000]);
    assert_eq!(client.push("app", "v1", &image).status, 201);
    emulator.cli(&["access", "revoke", "--permissions", "get,wrapKey"]);
    assert_eq!(
        client.pull("app", "v1", &image).status,
        200,
        "only unwrap decides"
    );
}

#[test]
fn network_rules_do_not_revoke_with_the_trusted_services_bypass() {
    let emulator = Emulator::start();
    let client = emulator.client();
    let image = Image::random(&[1000]);
    assert_eq!(client.push("app", "v1", &image).status, 201);
    for rules in [
        &["--default-action", "deny"][..],
        &["--public-access", "disabled"],
        &["--default-action", "allow"],
        &["--add-ip", "203.0.113.0/24", "--default-action", "deny"],
    ] {
        let shown = emulator.json(&[&["vault", "network", "update"], rules].concat());
        assert_eq!(shown["network"]["bypass"], "AzureServices", "{rules:?}");
        let pulled = client.pull("app", "v1", &image);
        assert_eq!(pulled.status, 200, "{rules:?}");
        assert_eq!(client.push("app", "v2", &image).status, 201, "{rules:?}");
    }
    let gate = &emulator.json(&["status"])["registries"][0]["gate"];
    assert_eq!(gate["state"], Value::from("available"));
}

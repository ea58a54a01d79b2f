use sealock_tests::Emulator;

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn control_api_refuses_with_problems() {
    let emulator = Emulator::start();
    let client = emulator.client();
    let shown = emulator.json(&["vault", "show"]);
    let large = vec![b' '; 100_000];
    for (method, path, body, status, code) in [
        ("GET", "nope", &b""[..], 404, "NotFound"),
        ("GET", "", b"", 404, "NotFound"),
        ("PUT", "health", b"", 405, "MethodNotAllowed"),
        ("POST", "registries/sealock", b"", 405, "MethodNotAllowed"),
        ("GET", "vaults/A", b"", 400, "BadRequest"),
        ("GET", "vaults/%00", b"", 400, "BadRequest"),
        ("GET", "vaults/%FF", b"", 400, "BadRequest"),
        ("GET", "vaults/unknown", b"", 404, "VaultNotFound"),
        ("PUT", "vaults/abc", b"no json", 400, "BadRequest"),
        ("PUT", "vaults/abc", b"{\"purge\": true}", 400, "BadRequest"),
        (
            "PUT",
            "vaults/abc",
            b"{\"soft_delete_retention_days\": 6}",
            400,
            "BadParameter",
        ),
        ("PUT", "vaults/abc", &large, 413, "BadRequest"),
        ("GET", "vaults/sealock/keys/a_b", b"", 400, "BadRequest"),
        (
            "POST",
            "vaults/sealock/keys/k",
            b"{\"kty\": \"oct\"}",
            400,
            "KeyTypeNotSupported",
        ),
        (
            "POST",
            "vaults/sealock/keys/k",
            b"{\"kty\": \"none\"}",
            400,
            "BadRequest",
        ),
        (
            "POST",
            "vaults/sealock/keys/k",
            b"{\"key_size\": 1024}",
            400,
            "KeySizeNotSupported",
        ),
        (
            "PATCH",
            "vaults/sealock/keys/registry-key",
            b"",
            400,
            "BadRequest",
        ),
        ("PATCH", "vaults/sealock", b"", 400, "BadRequest"),
        (
            "PATCH",
            "vaults/sealock",
            b"{\"soft_delete_retention_days\": 7}",
            400,
            "BadRequest",
        ),
        (
            "PUT",
            "vaults/sealock/keys/registry-key/rotation-policy",
            b"{\"lifetimeActions\": [{\"trigger\": {\"timeAfterCreate\": \"P15D\"}, \"action\": {\"type\": \"Burn\"}}]}",
            400,
            "BadParameter",
        ),
        (
            "PUT",
            "vaults/sealock/keys/registry-key/rotation-policy",
            b"{\"attributes\": {\"expiryTime\": \"P1D\"}}",
            400,
            "BadParameter",
        ),
        (
            "POST",
            "vaults/sealock/restore",
            b"{\"value\": \"bm8gYmFja3Vw\"}",
            400,
            "Malformed backup blob",
        ),
        // A backup may be larger than other bodies.
        ("POST", "vaults/sealock/restore", &large, 400, "BadRequest"),
        ("GET", "audit?color=red", b"", 400, "BadRequest"),
        (
            "PATCH",
            "vaults/sealock/keys/registry-key/v1",
            b"{\"enabled\": false}",
            400,
            "BadRequest",
        ),
        (
            "POST",
            "vaults/sealock/access/registry-identity/grant",
            b"{\"permissions\": [\"everything\"]}",
            400,
            "BadRequest",
        ),
        (
            "POST",
            "vaults/sealock/access/nobody/grant",
            b"{\"permissions\": []}",
            404,
            "IdentityNotFound",
        ),
        ("PUT", "registries/abc", b"", 400, "BadRequest"),
        (
            "PUT",
            "registries/abcde",
            b"{\"sku\": \"Gold\"}",
            400,
            "BadRequest",
        ),
        (
            "PUT",
            "registries/abcde",
            b"{\"key\": \"k\"}",
            400,
            "BadRequest",
        ),
        ("GET", "registries/unknown", b"", 404, "NAME_UNKNOWN"),
        ("GET", "registries/sealock/inspect", b"", 400, "BadRequest"),
        (
            "GET",
            "registries/sealock/inspect?name=A",
            b"",
            400,
            "NAME_INVALID",
        ),
        (
            "GET",
            "registries/sealock/inspect?name=app",
            b"",
            404,
            "NAME_UNKNOWN",
        ),
        ("GET", "audit?follow=maybe", b"", 400, "BadRequest"),
    ] {
        let answer = client.send(method, &format!("/_sealock/v1/{path}"), &[], body);
        let what = format!("{method} {path}: {}", String::from_utf8_lossy(&answer.body));
        assert_eq!(answer.status, status, "{what}");
        let problem_json = "application/problem+json";
        assert_eq!(answer.header("content-type"), problem_json, "{what}");
        let problem = answer.json();
        assert_eq!(problem["code"], code, "{what}");
        assert!(!problem["detail"].as_str().unwrap().is_empty(), "{what}");
        assert_eq!(
            answer.headers.contains_key("allow"),
            status == 405,
            "{what}"
        );
    }
    assert_eq!(emulator.json(&["vault", "show"]), shown);
    assert_eq!(
        emulator.json(&["vault", "list"])["vaults"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert_eq!(
        emulator.json(&["key", "list"])["keys"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert_eq!(
        emulator.json(&["registry", "list"])["registries"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[test]
fn vault_and_registry_names_ignore_case() {
    let emulator = Emulator::start();
    let made = emulator.cli(&["vault", "create", "KV9"]);
    assert!(
        made.starts_with("created vault kv9 at https://kv9."),
        "{made}"
    );
    assert_eq!(emulator.json(&["vault", "show", "kV9"])["name"], "kv9");
    let again = emulator.run(&["vault", "create", "kv9"]);
    assert_eq!(again.code, 1, "{again:?}");
    emulator.cli(&["key", "create", "k", "--vault", "KV9"]);
    let registry = emulator.json(&["registry", "show", "SEALOCK"]);
    assert_eq!(registry["name"], "sealock");
    emulator.cli(&[
        "role",
        "assign",
        "--role",
        "AcrPull",
        "--registry",
        "SeaLock",
    ]);
    let rotated = emulator.cli(&[
        "registry",
        "rotate-key",
        "SEALOCK",
        "--key",
        "SEALOCK/Registry-Key",
    ]);
    assert!(
        rotated.starts_with("rotated registry sealock to "),
        "{rotated}"
    );
    for (path, status) in [
        ("vaults/KV9", 200),
        ("vaults/K_9", 400),
        ("registries/SEALOCK", 200),
    ] {
        let answer = emulator.client().get(&format!("/_sealock/v1/{path}"));
        assert_eq!(answer.status, status, "{path}");
    }
}

use sealock_tests::{Answer, Client, Emulator, Options};

use crate::entra::token;

/// An emulator with a frozen clock, and an identity with all permissions in the default vault.
fn throttled() -> Emulator {
    let emulator = Emulator::start_with(Options {
        environment: vec![(
            "SEALOCK_FIDELITY__KEYVAULT_THROTTLING".into(),
            "true".into(),
        )],
        ..Options::default()
    });
    emulator.cli(&["clock", "freeze"]);
    emulator.cli(&["access", "grant", "--permissions", "all"]);
    emulator
}

fn authorization(emulator: &Emulator) -> String {
    let token = token(emulator, "&resource=https://vault.azure.net");
    format!("Bearer {token}")
}

/// Requests the creation of an EC key in the default vault.
fn create(client: &Client, vault: &str, authorization: &str) -> Answer {
    let host = format!("{vault}.vault.localhost");
    let headers = [("host", host.as_str()), ("authorization", authorization)];
    let path = "/keys/k1/create?api-version=7.4";
    client.send("POST", path, &headers, br#"{"kty":"EC"}"#)
}

#[test]
fn vault_is_throttled_at_azures_limits() {
    let emulator = throttled();
    emulator.cli(&["vault", "create", "kv1"]);
    emulator.cli(&["access", "grant", "--vault", "kv1", "--permissions", "all"]);
    let authorization = authorization(&emulator);
    let (unsigned, _) = authorization.rsplit_once('.').unwrap();
    let client = emulator.client();
    let create = |vault, authorization: &str| create(&client, vault, authorization);

    for _ in 0..21 {
        assert_eq!(create("sealock", &format!("{unsigned}.AAAA")).status, 401);
    }
    for _ in 0..20 {
        assert_eq!(create("sealock", &authorization).status, 200);
    }
    let refused = |seconds: &str| {
        let answer = create("sealock", &authorization);
        assert_eq!(answer.status, 429);
        assert_eq!(answer.header("retry-after"), seconds);
        assert_eq!(
            answer.header("content-type"),
            "application/json; charset=utf-8"
        );
        assert_eq!(
            str::from_utf8(&answer.body).unwrap(),
            r#"{"error":{"code":"Throttled","message":"Request was not processed because too many requests were received. Reason: VaultRequestTypeLimitReached"}}"#
        );
    };
    refused("10");
    let headers = [("authorization", authorization.as_str())];
    let shown = client.send("GET", "/keys/k1?api-version=7.4", &headers, b"");
    assert_eq!(shown.status, 200, "which is counted apart");
    assert_eq!(create("kv1", &authorization).status, 200);

    emulator.cli(&["key", "create", "k2", "--kty", "EC"]); // the operator is no client

    emulator.cli(&["clock", "advance", "4s"]);
    refused("6");
    emulator.cli(&["clock", "advance", "6s"]);
    for _ in 0..20 {
        assert_eq!(create("sealock", &authorization).status, 200);
    }
    refused("10");
}

#[test]
fn throttled_vault_does_not_revoke_registries() {
    let emulator = throttled();
    emulator.cli(&["key", "create", "hsm", "--kty", "EC-HSM"]);
    let (client, authorization) = (emulator.client(), authorization(&emulator));
    let headers = [("authorization", authorization.as_str())];
    let get = || {
        let got = client.send("GET", "/keys/hsm?api-version=7.4", &headers, b"");
        got.status
    };
    for _ in 0..2000 {
        assert_eq!(get(), 200);
    }
    assert_eq!(get(), 429);
    // The gate asks the vault again after each change.
    emulator.cli(&["key", "disable"]);
    assert_eq!(client.push_blob("app", b"content").status, 403);
    emulator.cli(&["key", "enable"]);
    assert_eq!(client.push_blob("app", b"content").status, 201);
    assert_eq!(get(), 429);
}

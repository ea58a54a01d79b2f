//! The rules for the key itself.

use serde_json::Value;

use super::{HELP, Refusal, Rules, WAYS, Way, Wish};

#[test]
fn key_must_be_rsa_and_permit_wrapping_and_unwrapping() {
    let rules = Rules::start();
    rules.create_in_both_ways();
    for (key, kty) in [("ec", "EC"), ("echsm", "EC-HSM"), ("octhsm", "oct-HSM")] {
        rules.cli(&format!("key create {key} --kty {kty} --vault kv1"));
        let key = rules.key_at("kv1", key);
        let text = format!(
            "The key '{key}' has the type {kty}; a registry takes RSA or RSA-HSM keys. {HELP}"
        );
        let expected = Refusal::new("KeyTypeUnsupported", text);
        let wish = Wish {
            key: Some(key.clone()),
            ..rules.wish("newone")
        };
        rules.refuses(&wish, &expected);
        for way in WAYS {
            let rotate = || rules.rotate(way, way.registry(), &key, "id1");
            assert_eq!(rules.refused(rotate), expected);
        }
    }
    rules.cli("key create limited --vault kv1");
    let limited = rules.key_at("kv1", "limited");
    for operations in ["unwrapKey", "wrapKey", "encrypt,decrypt,sign,verify"] {
        rules.cli(&format!(
            "key update limited --vault kv1 --ops {operations}"
        ));
        rules.refuses_key(&limited);
    }
    rules.cli("key update limited --vault kv1 --ops wrapKey,unwrapKey");
    rules.cli("key create rsahsm --kty RSA-HSM --size 3072 --vault kv1");
    let hsm = rules.key_at("kv1", "rsahsm");
    for way in WAYS {
        for (name, key) in [("limited", &limited), ("rsahsm", &hsm)] {
            let wish = Wish {
                key: Some(key.clone()),
                ..rules.wish(&format!("{name}{}", way.registry()))
            };
            rules.create(way, &wish);
            rules.move_to(way, way.registry(), key);
        }
    }
}

#[test]
fn key_must_exist_and_be_enabled() {
    let rules = Rules::start();
    rules.create_in_both_ways();
    let next = rules.create_vault("kv2", "next");
    let nought = "0".repeat(32);
    for missing in [
        rules.key_at("novault", "k1"),
        rules.key_at("kv1", "nokey"),
        format!("{}/{nought}", rules.key()),
    ] {
        rules.refuses_key(&missing);
    }
    // The refusal names the key as the client does.
    let elsewhere = "https://NoVault.vault.azure.net/keys/k1";
    let rotate = || rules.rotate(Way::ResourceManager, "regarm", elsewhere, "id1");
    let expected = Refusal::of_key(elsewhere, &rules.client_id("id1"));
    assert_eq!(rules.refused(rotate), expected);
    let key = "https://KV1.vault.azure.net/keys/key1";
    rules.move_to(Way::ResourceManager, "regarm", key);
    rules.cli("key disable key1 --vault kv1");
    let rotate = || rules.rotate(Way::ResourceManager, "regarm", &next, "id1");
    let current = format!("{key}/{}", rules.version_of("key1", "kv1"));
    let expected = Refusal::of_key(&current, &rules.client_id("id1"));
    assert_eq!(rules.refused(rotate), expected);
    rules.cli("key enable key1 --vault kv1");
    let version = rules.version_of("next", "kv2");
    for (revoke, restore) in [
        (
            "key disable next --vault kv2",
            "key enable next --vault kv2",
        ),
        (
            "key delete next --vault kv2",
            "key recover next --vault kv2",
        ),
        ("vault delete kv2", "vault recover kv2"),
    ] {
        rules.cli(revoke);
        rules.refuses_key(&next);
        rules.refuses_key(&format!("{next}/{version}"));
        rules.cli(restore);
    }
    for way in WAYS {
        rules.move_to(way, way.registry(), &next);
    }
}

#[test]
fn key_outside_its_validity_is_refused_but_does_not_revoke() {
    let rules = Rules::start();
    rules.create_in_both_ways();
    rules.cli("key create next --vault kv1");
    let next = rules.key_at("kv1", "next");
    for (option, outside, inside) in [
        (
            "--not-before",
            "2101-01-01T00:00:00Z",
            "2001-01-01T00:00:00Z",
        ),
        ("--expires", "2002-01-01T00:00:00Z", "2101-01-01T00:00:00Z"),
    ] {
        let update = |key: &str, time: &str| {
            rules.cli(&format!("key update {key} --vault kv1 {option} {time}"));
        };
        update("next", outside);
        rules.refuses_key(&next);
        update("next", inside);
        // The key in use still unwraps.
        update("key1", outside);
        for way in WAYS {
            let state = rules.gate(way.registry())["state"].clone();
            assert_eq!(state, "available", "{way:?} {option}");
            let path = super::path(way.registry());
            assert_eq!(rules.tutorial.arm.get(&path).status, 200);
        }
        update("key1", inside);
    }
    for way in WAYS {
        rules.move_to(way, way.registry(), &next);
    }
}

#[test]
fn vault_must_let_the_registry_through_its_firewall() {
    let rules = Rules::start();
    rules.create_in_both_ways();
    let next = rules.create_vault("kv2", "next");
    let network = |options: &str| rules.cli(&format!("vault network update kv2 {options}"));
    for (closed, open) in [
        ("--default-action deny", "--default-action allow"),
        ("--public-access disabled", "--public-access enabled"),
    ] {
        network(&format!("{closed} --bypass none"));
        rules.refuses_key(&next);
        network(&format!("{open} --bypass none"));
        rules.move_to(Way::ResourceManager, "regarm", &next);
        rules.move_to(Way::ResourceManager, "regarm", rules.key());
        network(&format!("{closed} --bypass azure-services"));
        for way in WAYS {
            rules.move_to(way, way.registry(), &next);
            rules.move_to(way, way.registry(), rules.key());
        }
        network(open);
    }
}

/// Covers <https://github.com/hashicorp/terraform-provider-azurerm/issues/11774> and
/// <https://github.com/Azure/bicep-registry-modules/issues/6139>.
#[test]
fn key_identifier_is_shown_as_sent_with_its_version_beside_it() {
    let rules = Rules::start();
    let (_, version) = rules.tutorial.kid.rsplit_once('/').unwrap();
    let shows = |registry: &str, key: &str, versioned: &str| {
        let shown = rules.shown_key(registry);
        assert_eq!(shown["keyIdentifier"], key);
        assert_eq!(shown["versionedKeyIdentifier"], versioned);
        let shown = &rules.control(registry)["encryption"];
        assert_eq!(shown["key_identifier"], key);
        assert_eq!(shown["versioned_key_identifier"], versioned);
    };
    for (place, url) in [
        "https://KV1.vault.azure.net/keys/key1",
        "https://kv1.vault.azure.net/keys/key1/",
        "https://KV1.managedhsm.azure.net/keys/key1",
        "http://kv1.vault.localhost/keys/key1",
    ]
    .into_iter()
    .enumerate()
    {
        let sent = format!("{}/{version}", url.trim_end_matches('/'));
        for way in WAYS {
            let wish = Wish {
                key: Some(url.to_owned()),
                ..rules.wish(&format!("{}a{place}", way.registry()))
            };
            rules.create(way, &wish);
            shows(&wish.registry, url, &sent);
            rules.move_to(way, &wish.registry, &sent);
            shows(&wish.registry, &sent, &sent);
            // What a client reads, it may send back.
            let whole = rules.show(&wish.registry);
            assert!(rules.send("PUT", &wish.registry, &whole).is_ok());
            shows(&wish.registry, &sent, &sent);
        }
    }
}

impl Rules {
    fn version_of(&self, key: &str, vault: &str) -> String {
        let shown = self
            .emulator()
            .json(&["key", "show", key, "--vault", vault]);
        let kid: &Value = &shown["kid"];
        kid.as_str().unwrap().rsplit_once('/').unwrap().1.to_owned()
    }
}

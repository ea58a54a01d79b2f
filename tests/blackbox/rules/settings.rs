//! The rules that a setting turns on.

use sealock_tests::{Emulator, Options, digest_of, random_bytes};
use serde_json::json;

use super::{HELP, Refusal, Rules, WAYS, Way, Wish};
use crate::tokens::{Guest, admin_of};

fn start_with(setting: &str, value: &str) -> Emulator {
    Emulator::start_with(Options {
        environment: vec![(setting.to_owned(), value.to_owned())],
        ..Options::default()
    })
}

/// A configuration whose only vault has purge protection.
const PROTECTED: &str = r#"
[fidelity]
require_purge_protection = true

[[vaults]]
name = "sealock"
purge_protection = true
"#;

#[test]
fn purge_protection_is_required_only_if_configured() {
    let rules = Rules::start();
    rules.create_in_both_ways();

    let emulator = Emulator::start_with(Options {
        config: Some(PROTECTED.to_owned()),
        ..Options::default()
    });
    let rules = Rules::start_on(emulator);
    let refusal = |registry: &str, vault: &str, key: &str| {
        let text = format!(
            "The vault {vault} of the key '{key}' has no purge protection, which the key of the registry {registry} needs. Enable it, or set fidelity.require_purge_protection = false. {HELP}"
        );
        Refusal::new("PurgeProtectionMissing", text)
    };
    rules.refuses(
        &rules.wish("newone"),
        &refusal("newone", "kv1", rules.key()),
    );
    rules.cli("vault update kv1 --purge-protection true");
    rules.create_in_both_ways();
    let next = rules.create_vault("kv2", "next");
    for way in WAYS {
        let rotate = || rules.rotate(way, way.registry(), &next, "id1");
        let expected = refusal(way.registry(), "kv2", &next);
        assert_eq!(rules.refused(rotate), expected, "{way:?}");
    }
    rules.cli("vault update kv2 --purge-protection true");
    for way in WAYS {
        rules.move_to(way, way.registry(), &next);
    }
}

/// Covers <https://github.com/MicrosoftDocs/azure-docs/issues/61064>,
/// <https://github.com/MicrosoftDocs/azure-docs/issues/75622> and
/// <https://github.com/MicrosoftDocs/azure-docs/issues/75970>.
#[test]
fn user_assigned_identity_is_trusted_unless_configured_otherwise() {
    const FIREWALL: &str = "vault network update kv2 --default-action deny --bypass azure-services";
    let rules = Rules::start();
    let next = rules.create_vault("kv2", "next");
    rules.cli(FIREWALL);
    for way in WAYS {
        let wish = Wish {
            key: Some(next.clone()),
            ..rules.wish(way.registry())
        };
        rules.create(way, &wish);
    }

    let emulator = start_with("SEALOCK_FIDELITY__TRUSTED_SERVICES", "system-assigned");
    let rules = Rules::start_on(emulator);
    let firewalled = rules.create_vault("kv2", "next");
    rules.cli(FIREWALL);
    let wish = Wish {
        key: Some(firewalled.clone()),
        ..rules.wish("newone")
    };
    let expected = Refusal::of_key(&firewalled, &rules.client_id("id1"));
    rules.refuses(&wish, &expected);
    let create = ["registry", "create", "newone", "--key", &firewalled];
    let refused = rules
        .emulator()
        .run(&[&create[..], &["--identity", "id1"]].concat());
    let hint = "hint: the vault's firewall lets registries in with their system-assigned identities only (fidelity.trusted_services)";
    assert!(refused.stderr.contains(hint), "{}", refused.stderr);

    // The documented way round: an open vault, the registry's own identity, the firewalled vault.
    for way in WAYS {
        let registry = way.registry();
        rules.create(way, &rules.wish(registry));
        let content = Content::push(&rules, registry);
        let rotate = || rules.rotate(way, registry, &firewalled, "id1");
        assert_eq!(rules.refused(rotate), expected, "{way:?}");
        content.is_readable("with the open vault");
        rules.assign(way, registry, "system");
        content.is_readable("with a second identity");
        let principal = rules.show(registry)["identity"]["principalId"].clone();
        let principal = principal.as_str().unwrap();
        for vault in ["kv1", "kv2"] {
            rules.grant(principal, vault);
        }
        content.is_readable("with its permissions");
        let rotated = rules.rotate(way, registry, &firewalled, "system");
        assert!(rotated.is_ok(), "{rotated:?}");
        content.is_readable("with the firewalled vault");
        let only = json!({"identity": {"type": "SystemAssigned"}});
        let removed = match way {
            Way::ResourceManager => rules.send("PATCH", registry, &only),
            Way::CommandLine => {
                let remove = ["registry", "identity", "remove", "id1"];
                rules.run(&[&remove[..], &["--registry", registry]].concat())
            }
        };
        assert!(removed.is_ok(), "{removed:?}");
        content.is_readable("without the first identity");
    }
    rules.cli("vault delete kv1");
    for way in WAYS {
        assert_eq!(rules.gate(way.registry())["state"], "available");
    }
}

/// Covers <https://github.com/Azure/azure-cli/issues/24687>.
#[test]
fn identity_type_is_shown_in_the_configured_case() {
    for (setting, types) in [
        (
            "service",
            [
                "userAssigned",
                "systemAssigned, userAssigned",
                "systemAssigned",
            ],
        ),
        (
            "specification",
            [
                "UserAssigned",
                "SystemAssigned, UserAssigned",
                "SystemAssigned",
            ],
        ),
    ] {
        let rules = Rules::start_on(start_with("SEALOCK_FIDELITY__IDENTITY_TYPE_CASE", setting));
        for way in WAYS {
            let registry = way.registry();
            rules.create(way, &rules.wish(registry));
            let kind = || rules.show(registry)["identity"]["type"].clone();
            assert_eq!(kind(), types[0]);
            rules.assign(way, registry, "system");
            assert_eq!(kind(), types[1]);
            let principal = rules.show(registry)["identity"]["principalId"].clone();
            rules.grant(principal.as_str().unwrap(), "kv1");
            rules.rotate(way, registry, rules.key(), "system").unwrap();
            // Any case is read.
            let only = json!({"identity": {"type": "systemassigned"}});
            rules.send("PATCH", registry, &only).unwrap();
            assert_eq!(kind(), types[2]);
        }
    }
}

/// Content that a client has pushed to a registry.
struct Content {
    client: Guest,
    bytes: Vec<u8>,
}

impl Content {
    fn push(rules: &Rules, registry: &str) -> Self {
        let (client, bytes) = (admin_of(rules.emulator(), registry), random_bytes(1000));
        let path = format!("/v2/app/blobs/uploads/?digest={}", digest_of(&bytes));
        let pushed = client.send("POST", &path, &bytes);
        assert_eq!(pushed.status, 201, "{pushed:?}");
        Self { client, bytes }
    }

    fn is_readable(&self, when: &str) {
        let digest = digest_of(&self.bytes);
        let pulled = self.client.get(&format!("/v2/app/blobs/{digest}"));
        assert_eq!(pulled.status, 200, "{when}: {pulled:?}");
        assert!(pulled.body == self.bytes, "{when}");
    }
}

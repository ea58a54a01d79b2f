//! The rules for the permissions of a registry's identity.

use super::{Refusal, Rules, WAYS, Wish};

#[test]
fn each_missing_permission_refuses_the_key() {
    let rules = Rules::start();
    let second = rules.create_vault("kv2", "k1");
    rules.cli("vault create kv3 --rbac");
    rules.cli("key create k1 --vault kv3");
    let third = rules.key_at("kv3", "k1");
    for (identity, permissions) in [
        ("noget", Some("wrapKey,unwrapKey,list,create")),
        ("nowrap", Some("get,unwrapKey,encrypt")),
        ("nounwrap", Some("get,wrapKey,decrypt")),
        ("nopolicy", None),
    ] {
        rules.tutorial.arm.create_identity("rg1", identity);
        if let Some(permissions) = permissions {
            rules.cli(&format!(
                "access grant --vault kv2 --identity {identity} --permissions {permissions}"
            ));
        }
        // A role decides nothing where access policies do.
        assign_role(&rules, identity, "Key Vault Crypto Officer", "kv2");
        refuses(&rules, &second, identity);
        rules.grant(identity, "kv2");
        creates(&rules, &second, identity);
    }
    for (identity, role) in [
        ("norole", None),
        ("reader", Some("Key Vault Reader")),
        ("releaser", Some("Key Vault Crypto Service Release User")),
        ("contributor", Some("Key Vault Contributor")),
    ] {
        rules.create_identity(identity, "kv2");
        if let Some(role) = role {
            assign_role(&rules, identity, role, "kv3");
        }
        refuses(&rules, &third, identity);
        let role = "Key Vault Crypto Service Encryption User";
        assign_role(&rules, identity, role, "kv3");
        creates(&rules, &third, identity);
    }
}

fn assign_role(rules: &Rules, identity: &str, role: &str, vault: &str) {
    let assign = ["role", "assign", "--identity", identity, "--role", role];
    rules
        .emulator()
        .cli(&[&assign[..], &["--vault", vault]].concat());
}

fn wish(rules: &Rules, registry: &str, key: &str, identity: &'static str) -> Wish {
    Wish {
        key: Some(key.to_owned()),
        identity: Some(identity),
        ..rules.wish(registry)
    }
}

fn refuses(rules: &Rules, key: &str, identity: &'static str) {
    let expected = Refusal::of_key(key, &rules.client_id(identity));
    rules.refuses(&wish(rules, "newone", key, identity), &expected);
}

fn creates(rules: &Rules, key: &str, identity: &'static str) {
    for way in WAYS {
        let registry = format!("{}{identity}", way.registry());
        rules.create(way, &wish(rules, &registry, key, identity));
    }
}

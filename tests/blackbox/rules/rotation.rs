//! The rules for the rotation of a registry's key.

use serde_json::{Value, json};

use super::{HELP, Refusal, Rules, WAYS, Way, Wish};

/// Covers <https://github.com/Azure/terraform-azurerm-avm-res-containerregistry-registry/issues/169>.
#[test]
fn registry_follows_a_key_without_a_version_and_stays_at_one_with_a_version() {
    let rules = Rules::start();
    let versioned = |way: Way| format!("{}pinned", way.registry());
    for way in WAYS {
        rules.create(way, &rules.wish(way.registry()));
        let pinned = Wish {
            key: Some(rules.tutorial.kid.clone()),
            ..rules.wish(&versioned(way))
        };
        rules.create(way, &pinned);
    }
    let shows = |registry: &str, is_automatic: bool, version: &str| {
        let shown = rules.shown_key(registry);
        assert_eq!(shown["keyRotationEnabled"], is_automatic, "{registry}");
        assert_eq!(shown["versionedKeyIdentifier"], version, "{registry}");
        let shown = &rules.control(registry)["encryption"];
        assert_eq!(shown["key_rotation_enabled"], is_automatic, "{registry}");
    };
    let old = &rules.tutorial.kid;
    for way in WAYS {
        shows(way.registry(), true, old);
        shows(&versioned(way), false, old);
    }
    rules.cli("key rotate key1 --vault kv1");
    let new = rules.newest();
    assert_ne!(new, *old);
    for way in WAYS {
        shows(way.registry(), true, &new);
        shows(&versioned(way), false, old);
    }
}

#[test]
fn registry_moves_between_a_key_and_its_version_in_place() {
    let rules = Rules::start();
    rules.create_in_both_ways();
    rules.cli("key rotate key1 --vault kv1");
    let (old, new) = (rules.tutorial.kid.as_str(), rules.newest());
    for way in WAYS {
        let created = rules.show(way.registry())["properties"]["creationDate"].clone();
        for (key, version) in [
            (old, old),
            (rules.key(), &new),
            (&new, &new),
            (rules.key(), &new),
            (old, old),
        ] {
            rules.move_to(way, way.registry(), key);
            let shown = rules.shown_key(way.registry());
            assert_eq!(shown["keyIdentifier"], key, "{way:?}");
            assert_eq!(shown["versionedKeyIdentifier"], version, "{way:?}");
            assert_eq!(shown["keyRotationEnabled"], key == rules.key(), "{way:?}");
            assert!(shown["lastKeyRotationTimestamp"].is_string(), "{way:?}");
        }
        let shown = &rules.show(way.registry())["properties"];
        assert_eq!(shown["creationDate"], created, "it is the same registry");
    }
}

#[test]
fn encryption_is_patched_with_or_without_an_identity_block() {
    let rules = Rules::start();
    rules.create_in_both_ways();
    for way in WAYS {
        let before = rules.show(way.registry());
        // The documented template writes `KeyIdentifier`.
        let key = json!({"KeyIdentifier": rules.tutorial.kid, "Identity": rules.client_id("id1")});
        let patched = rules.patch_encryption(way.registry(), &key);
        assert!(patched.is_ok(), "{patched:?}");
        let after = rules.show(way.registry());
        assert_eq!(after["identity"], before["identity"]);
        let shown = rules.shown_key(way.registry());
        assert_eq!(shown["keyIdentifier"], rules.tutorial.kid.as_str());
        assert_eq!(shown["identity"], rules.client_id("id1"));
        // `az acr encryption rotate-key` sends everything that it has read.
        let mut whole = after.clone();
        whole["properties"]["encryption"]["keyVaultProperties"]["keyIdentifier"] =
            rules.key().into();
        let patched = rules.send("PATCH", way.registry(), &whole);
        assert!(patched.is_ok(), "{patched:?}");
        assert_eq!(rules.show(way.registry())["identity"], after["identity"]);
        let shown = rules.shown_key(way.registry());
        assert_eq!(shown["keyIdentifier"], rules.key());
    }
}

#[test]
fn registry_rotates_to_another_key_vault_and_identity() {
    let rules = Rules::start();
    rules.create_in_both_ways();
    rules.cli("key create key2 --vault kv1");
    let other_vault = rules.create_vault("kv2", "key1");
    rules.create_identity("id2", "kv2");
    for way in WAYS {
        let registry = way.registry();
        rules.assign(way, registry, "id2");
        for (key, identity) in [
            (&rules.key_at("kv1", "key2"), "id1"),
            (&other_vault, "id1"),
            (&other_vault, "id2"),
        ] {
            let rotated = rules.rotate(way, registry, key, identity);
            assert!(rotated.is_ok(), "{rotated:?}");
            let shown = rules.shown_key(registry);
            assert_eq!(shown["keyIdentifier"], key.as_str(), "{way:?}");
            assert_eq!(shown["identity"], rules.client_id(identity), "{way:?}");
        }
        // The new identity may not use the first vault.
        let rotate = || rules.rotate(way, registry, rules.key(), "id2");
        let expected = Refusal::of_key(rules.key(), &rules.client_id("id2"));
        assert_eq!(rules.refused(rotate), expected, "{way:?}");
    }
    // The first vault and the first identity are not needed any more.
    rules.cli("vault delete kv1");
    rules.cli("identity delete id1");
    for way in WAYS {
        assert_eq!(rules.gate(way.registry())["state"], "available", "{way:?}");
    }
}

/// The same request in Resource Manager is a rotation.
#[test]
fn repeated_creation_by_the_command_line_changes_neither_key_nor_identity() {
    let rules = Rules::start();
    rules.create_in_both_ways();
    rules.cli("key create key2 --vault kv1");
    rules.create_identity("id2", "kv1");
    for registry in WAYS.map(Way::registry) {
        let text = format!(
            "The registry {registry} has another key or identity, and only a rotation changes them. {HELP}"
        );
        let expected = Refusal::new("EncryptionDiffers", text);
        let same = rules.wish(registry);
        let other_key = Wish {
            key: Some(rules.key_at("kv1", "key2")),
            ..same.clone()
        };
        let other_identity = Wish {
            identity: Some("id2"),
            ..same.clone()
        };
        for wish in [&other_key, &other_identity] {
            let create = || rules.put(Way::CommandLine, wish);
            assert_eq!(rules.refused(create), expected, "{wish:?}");
            let (key, identity) = (wish.key.as_deref().unwrap(), wish.identity.unwrap());
            let create = ["registry", "create", registry, "--key", key];
            let output = rules
                .emulator()
                .run(&[&create[..], &["--identity", identity]].concat());
            let hint = format!(
                "change it with: sealock registry rotate-key {registry} --key KEY --identity NAME\n"
            );
            assert!(output.stderr.ends_with(&hint), "{output:?}");
        }
        for way in WAYS {
            let before = rules.shown_key(registry);
            assert!(rules.put(way, &same).is_ok());
            assert_eq!(rules.shown_key(registry), before, "{way:?}");
        }
        assert!(rules.put(Way::ResourceManager, &other_key).is_ok());
        let shown = rules.shown_key(registry)["keyIdentifier"].clone();
        assert_eq!(shown, json!(other_key.key));
    }
}

#[test]
fn refused_rotation_leaves_the_identities_as_they_were() {
    let rules = Rules::start();
    rules.create_in_both_ways();
    rules.tutorial.arm.create_identity("rg1", "id2");
    let id = rules.identity("id2")["id"].clone();
    let of = |key: &str, identity: Value| {
        json!({
            "identity": {"type": "SystemAssigned, UserAssigned", "userAssignedIdentities": {id.as_str().unwrap(): {}}},
            "properties": {"encryption": {"status": "enabled", "keyVaultProperties":
                {"keyIdentifier": key, "identity": identity}}},
        })
    };
    let second = rules.client_id("id2");
    for registry in WAYS.map(Way::registry) {
        for body in [
            of("", second.clone()),
            of(rules.key(), Value::Null),
            of(rules.key(), second.clone()),
            of(rules.key(), json!("system")),
            of(&rules.key_at("kv1", "nokey"), rules.client_id("id1")),
        ] {
            rules.refused(|| rules.send("PATCH", registry, &body));
        }
        rules.grant("id2", "kv1");
        let patched = rules.send("PATCH", registry, &of(rules.key(), second.clone()));
        assert!(patched.is_ok(), "{patched:?}");
        let shown = rules.show(registry)["identity"].clone();
        assert_eq!(shown["type"], "systemAssigned, userAssigned");
        assert_eq!(
            shown["userAssignedIdentities"].as_object().unwrap().len(),
            2
        );
        rules.cli("access revoke --vault kv1 --identity id2");
    }
}

impl Rules {
    /// Returns the URL of the current version of the tutorial's key.
    fn newest(&self) -> String {
        let shown = self
            .emulator()
            .json(&["key", "show", "key1", "--vault", "kv1"]);
        shown["kid"].as_str().unwrap().to_owned()
    }
}

//! The rules for the creation of a registry with a key, and for the registry as long as it lives.

use serde_json::{Value, json};

use super::{HELP, HELP_BYOK, Refusal, Rules, SUBSCRIPTION, WAYS, Way, Wish, path};

#[test]
fn key_needs_the_premium_tier() {
    let rules = Rules::start();
    for sku in ["Basic", "Standard"] {
        let text = format!(
            "Encryption is not supported for the SKU {sku} of the registry newone; it needs the SKU Premium. {HELP}"
        );
        let wish = Wish {
            sku,
            ..rules.wish("newone")
        };
        rules.refuses(&wish, &Refusal::new("EncryptionNeedsPremium", text));
        rules.create_plain(&format!("plain{sku}"), sku);
    }
    rules.create_in_both_ways();
}

/// Covers <https://github.com/Azure/acr/issues/523>.
#[test]
fn key_is_refused_for_an_existing_registry() {
    let rules = Rules::start();
    rules.create_plain("plain", "Premium");
    let text = format!(
        "Encryption cannot be enabled for the existing registry plain: a customer-managed key is set when a registry is created. {HELP}"
    );
    let expected = Refusal::new("EncryptionOnlyAtCreation", text);
    let wish = rules.wish("plain");
    rules.refuses(&wish, &expected);
    let body = rules.body(&wish);
    let patch = || rules.send("PATCH", "plain", &body);
    assert_eq!(rules.refused(patch), expected);
    // The encryption alone, without the identity.
    let properties = json!({"properties": body["properties"]});
    let patch = || rules.send("PATCH", "plain", &properties);
    assert_eq!(rules.refused(patch), expected);

    // A client sends back that there is no encryption.
    let shown = rules.show("plain");
    assert!(rules.send("PUT", "plain", &shown).is_ok());
    rules.create_in_both_ways();
}

/// Covers <https://github.com/Azure/azure-cli/issues/14196>.
#[test]
fn rotation_needs_a_registry_with_a_key() {
    let rules = Rules::start();
    rules.create_plain("plain", "Premium");
    let refused = rules.refused(|| rules.rotate(Way::CommandLine, "plain", rules.key(), "id1"));
    let text = "usage error: key rotation is only applicable to registries with CMK enabled; plain has none";
    let expected = Refusal::new("RotationNeedsEncryption", text.to_owned());
    assert_eq!(refused, expected);
    // In Azure's API, a rotation is a change of the encryption.
    let refused = rules.refused(|| rules.rotate(Way::ResourceManager, "plain", rules.key(), "id1"));
    assert_eq!(refused.code, "EncryptionOnlyAtCreation");

    rules.create_in_both_ways();
    for way in WAYS {
        rules.move_to(way, way.registry(), &rules.tutorial.kid);
    }
}

#[test]
fn encryption_cannot_be_turned_off() {
    let rules = Rules::start();
    rules.create_in_both_ways();
    let disabled = json!({"encryption": {"status": "disabled"}});
    for registry in WAYS.map(Way::registry) {
        let text = format!(
            "Encryption cannot be disabled for the registry {registry}: a registry keeps its customer-managed key for good. {HELP}"
        );
        let expected = Refusal::new("EncryptionPermanent", text);
        let without = Wish {
            key: None,
            identity: None,
            ..rules.wish(registry)
        };
        let create = || rules.put(Way::CommandLine, &without);
        assert_eq!(rules.refused(create), expected);
        let mut body = rules.body(&rules.wish(registry));
        body["properties"] = disabled.clone();
        for (method, body) in [("PUT", body), ("PATCH", json!({"properties": disabled}))] {
            let send = || rules.send(method, registry, &body);
            assert_eq!(rules.refused(send), expected, "{method}");
        }
        // What does not name the encryption leaves it as it is.
        let tags = json!({"tags": {"a": "b"}});
        assert!(rules.send("PATCH", registry, &tags).is_ok());
        let encryption = &rules.show(registry)["properties"]["encryption"];
        assert_eq!(encryption["status"], "enabled");
    }
}

#[test]
fn encrypted_registry_cannot_leave_the_premium_tier() {
    let rules = Rules::start();
    rules.create_in_both_ways();
    for registry in WAYS.map(Way::registry) {
        for sku in ["Basic", "Standard"] {
            let text = format!(
                "The registry {registry} cannot be changed to the SKU {sku}: its customer-managed key needs Premium. {HELP}"
            );
            let expected = Refusal::new("SkuDowngrade", text);
            let wish = Wish {
                sku,
                ..rules.wish(registry)
            };
            rules.refuses(&wish, &expected);
            let alone = json!({"sku": {"name": sku}});
            let patch = || rules.send("PATCH", registry, &alone);
            assert_eq!(rules.refused(patch), expected);
        }
        let premium = json!({"sku": {"name": "Premium"}});
        assert!(rules.send("PATCH", registry, &premium).is_ok());
    }
    rules.create_plain("plain", "Premium");
    let basic = json!({"sku": {"name": "Basic"}});
    assert!(rules.send("PATCH", "plain", &basic).is_ok());
}

#[test]
fn key_and_identity_are_given_together() {
    let rules = Rules::start();
    let incomplete = |registry: &str| {
        let text = format!(
            "Invalid encryption key vault property specified for registry {registry}. Property Identity and KeyIdentifier must be set when encryption is enabled. {HELP}"
        );
        Refusal::new("InvalidEncryptionKeyVaultProperties", text)
    };
    let wish = rules.wish("newone");
    let no_key = Wish {
        key: None,
        ..wish.clone()
    };
    let no_identity = Wish {
        identity: None,
        ..wish.clone()
    };
    for wish in [no_key, no_identity] {
        rules.refuses(&wish, &incomplete("newone"));
    }
    let with = |properties: Value| json!({"properties": {"encryption": properties}});
    let (key, identity) = (rules.key(), rules.client_id("id1"));
    let cases = [
        json!({"status": "enabled"}),
        json!({"status": "enabled", "keyVaultProperties": {}}),
        json!({"status": "enabled", "keyVaultProperties": {"keyIdentifier": key}}),
        json!({"keyVaultProperties": {"identity": identity}}),
        json!({"status": "enabled", "keyVaultProperties": {"keyIdentifier": "", "identity": identity}}),
        json!({"status": "enabled", "keyVaultProperties": {"keyIdentifier": key, "identity": ""}}),
    ];
    let registry = Way::ResourceManager.registry();
    rules.create_in_both_ways();
    for encryption in cases {
        let mut body = rules.body(&wish);
        body["properties"] = with(encryption.clone())["properties"].clone();
        let put = || rules.send("PUT", "newone", &body);
        assert_eq!(rules.refused(put), incomplete("newone"), "{encryption}");
        for (method, body) in [("PUT", &body), ("PATCH", &with(encryption.clone()))] {
            let send = || rules.send(method, registry, body);
            assert_eq!(rules.refused(send), incomplete(registry), "{encryption}");
        }
    }
    // Neither of them makes a registry without a key.
    rules.create_plain("plain", "Premium");
}

/// Covers <https://github.com/MicrosoftDocs/azure-management-docs/pull/158>.
#[test]
fn body_without_key_and_identity_is_refused_as_a_policys_remediation_is() {
    let rules = Rules::start();
    rules.create_in_both_ways();
    let registry = Way::ResourceManager.registry();
    let text = format!(
        "Invalid encryption key vault property specified for registry {registry}. Property Identity and KeyIdentifier must be set when encryption is enabled. {HELP}"
    );
    let expected = Refusal::new("InvalidEncryptionKeyVaultProperties", text);
    let shown = rules.show(registry);
    let without = |members: &[&str]| {
        let mut body = shown.clone();
        body["properties"]["publicNetworkAccess"] = "Disabled".into();
        let key = &mut body["properties"]["encryption"]["keyVaultProperties"];
        for member in members {
            key.as_object_mut().unwrap().remove(*member);
        }
        body
    };
    for members in [
        &["keyIdentifier", "identity"][..],
        &["keyIdentifier"],
        &["identity"],
    ] {
        let put = || rules.send("PUT", registry, &without(members));
        assert_eq!(rules.refused(put), expected, "{members:?}");
    }
    // The documented way round is a change of the property alone.
    let alone = json!({"properties": {"publicNetworkAccess": "Disabled"}});
    assert!(rules.send("PATCH", registry, &alone).is_ok());
    assert!(rules.send("PUT", registry, &without(&[])).is_ok());
    let changed = rules.show(registry)["properties"].clone();
    assert_eq!(changed["publicNetworkAccess"], "Disabled");
    assert_eq!(changed["encryption"], shown["properties"]["encryption"]);
}

/// Covers <https://github.com/hashicorp/terraform-provider-azurerm/issues/13114>.
#[test]
fn system_assigned_identity_is_refused_at_creation_and_accepted_later() {
    let rules = Rules::start();
    let text = format!(
        "The system-assigned identity cannot be used to create the registry newone: it does not exist yet. Create the registry with a user-assigned identity, and rotate to the system-assigned one later. {HELP}"
    );
    let wish = Wish {
        identity: Some("system"),
        ..rules.wish("newone")
    };
    rules.refuses(&wish, &Refusal::new("IdentityNotUserAssigned", text));

    rules.create_in_both_ways();
    for way in WAYS {
        let registry = way.registry();
        rules.assign(way, registry, "system");
        let principal = rules.show(registry)["identity"]["principalId"].clone();
        rules.grant(principal.as_str().unwrap(), "kv1");
        let rotated = rules.rotate(way, registry, rules.key(), "system");
        assert!(rotated.is_ok(), "{rotated:?}");
        assert_eq!(rules.shown_key(registry)["identity"], "system");
        // Now the user-assigned one may go.
        let only = json!({"identity": {"type": "SystemAssigned"}});
        assert!(rules.send("PATCH", registry, &only).is_ok());
        assert_eq!(rules.show(registry)["identity"]["type"], "systemAssigned");
        // It may not. As in Azure, the request fails and removes it all the same.
        let none = json!({"identity": {"type": "None"}});
        let refused = rules.send("PATCH", registry, &none).unwrap_err();
        assert_eq!(refused.code, "IdentityNotAssigned");
        assert_eq!(rules.show(registry)["identity"], Value::Null);
    }
}

#[test]
fn identity_for_the_key_must_be_assigned_to_the_registry() {
    let rules = Rules::start();
    rules.create_identity("id2", "kv1");
    let unassigned = |registry: &str, identity: &Value| {
        let id = format!("{SUBSCRIPTION}{}", path(registry));
        let id = id.replace("/resourceGroups/", "/resourcegroups/");
        let identity = identity.as_str().unwrap();
        let text = format!(
            "Azure resource '{id}' does not have access to identity '{identity}' Try forcibly adding the identity to the registry {registry}. {HELP_BYOK}"
        );
        Refusal::new("IdentityNotAssigned", text)
    };
    let second = rules.client_id("id2");
    let mut body = rules.body(&rules.wish("newone"));
    body["properties"]["encryption"]["keyVaultProperties"]["identity"] = second.clone();
    let put = || rules.send("PUT", "newone", &body);
    assert_eq!(rules.refused(put), unassigned("newone", &second));
    body["identity"] = Value::Null;
    let put = || rules.send("PUT", "newone", &body);
    assert_eq!(rules.refused(put), unassigned("newone", &second));

    rules.create(Way::ResourceManager, &rules.wish("regarm"));
    for (way, identity) in [
        (Way::ResourceManager, "id2"),
        (Way::ResourceManager, "system"),
        (Way::CommandLine, "system"),
    ] {
        let rotate = || rules.rotate(way, "regarm", rules.key(), identity);
        let expected = unassigned("regarm", &rules.client_id(identity));
        assert_eq!(rules.refused(rotate), expected, "{way:?} {identity}");
    }
    rules.assign(Way::ResourceManager, "regarm", "id2");
    let rotated = rules.rotate(Way::ResourceManager, "regarm", rules.key(), "id2");
    assert!(rotated.is_ok(), "{rotated:?}");
    // The command line assigns what it names, if it exists.
    let create = ["registry", "create", "newone", "--key", rules.key()];
    let unknown = rules
        .emulator()
        .run(&[&create[..], &["--identity", "nobody"]].concat());
    let said = "error: The managed identity 'nobody' was not found";
    assert!(unknown.stderr.starts_with(said), "{unknown:?}");
    rules.create(Way::CommandLine, &rules.wish("regcli"));
    let rotated = rules.rotate(Way::CommandLine, "regcli", rules.key(), "id2");
    assert!(rotated.is_ok(), "{rotated:?}");
    assert_eq!(rules.shown_key("regcli")["identity"], second);
}

/// Covers <https://github.com/Azure/PSRule.Rules.Azure/issues/1810>. The command line has no Content Trust.
#[test]
fn content_trust_is_refused_with_azures_misspelled_text() {
    let rules = Rules::start();
    let trust = |status: &str| json!({"trustPolicy": {"type": "Notary", "status": status}});
    let blocked = |registry: &str| {
        let id = path(registry);
        let text = format!(
            "this feature 'ContenTrust' is currently not supported when encryption is enable for the resource {SUBSCRIPTION}{id}. {HELP}"
        );
        Refusal::new("BlockedForEncryptionEnabledRegistry", text)
    };
    let mut body = rules.body(&rules.wish("newone"));
    body["properties"]["policies"] = trust("enabled");
    let put = || rules.send("PUT", "newone", &body);
    assert_eq!(rules.refused(put), blocked("newone"));

    rules.create(Way::ResourceManager, &rules.wish("regarm"));
    let policies = |status: &str| json!({"properties": {"policies": trust(status)}});
    for (method, body) in [("PATCH", &policies("enabled")), ("PUT", &body)] {
        let send = || rules.send(method, "regarm", body);
        assert_eq!(rules.refused(send), blocked("regarm"), "{method}");
    }
    let off = rules.send("PATCH", "regarm", &policies("disabled"));
    assert!(off.is_ok(), "{off:?}");
    // No other registry of the emulator has it, but the reason is another.
    rules.create_plain("plain", "Premium");
    let patch = || rules.send("PATCH", "plain", &policies("enabled"));
    assert_eq!(rules.refused(patch).code, "NotSupportedByEmulator");
}

use std::collections::BTreeSet;

use sealock_vault::{Bypass, DefaultAction, IpRule, VaultChange};

use crate::world::{World, wire};

/// Tries the combinations of settings for a machine at 203.0.113.7 and for a registry.
#[tokio::test]
async fn ip_rules_decide_for_a_machine_and_the_bypass_for_a_registry() {
    const BY_FIREWALL: Option<&str> = Some("ForbiddenByFirewall");
    const BY_CONNECTION: Option<&str> = Some("ForbiddenByConnection");
    use Bypass::{AzureServices, None as Nobody};
    use DefaultAction::{Allow, Deny};

    let world = World::new().await;
    world.create_key().await.unwrap();
    let rules = |rules: &[&str]| -> BTreeSet<IpRule> {
        rules.iter().map(|rule| rule.parse().unwrap()).collect()
    };
    let mut known = BTreeSet::new();
    for (public, default, bypass, listed, machine, registry) in [
        (true, Allow, AzureServices, "", None, None),
        (true, Allow, Nobody, "", None, None),
        (true, Deny, AzureServices, "", BY_FIREWALL, None),
        (true, Deny, AzureServices, "203.0.113.0/24", None, None),
        (true, Deny, AzureServices, "198.51.100.7", BY_FIREWALL, None),
        (true, Deny, Nobody, "", BY_FIREWALL, BY_FIREWALL),
        (true, Deny, Nobody, "203.0.113.7", None, BY_FIREWALL),
        (
            false,
            Allow,
            AzureServices,
            "203.0.113.7",
            BY_CONNECTION,
            None,
        ),
        (false, Deny, AzureServices, "", BY_CONNECTION, None),
        (
            false,
            Allow,
            Nobody,
            "203.0.113.7",
            BY_CONNECTION,
            BY_CONNECTION,
        ),
    ] {
        let listed: Vec<&str> = [listed]
            .into_iter()
            .filter(|rule| !rule.is_empty())
            .collect();
        let change = VaultChange {
            public_network_access: Some(public),
            default_action: Some(default),
            bypass: Some(bypass),
            add_ip_rules: rules(&listed),
            remove_ip_rules: &known - &rules(&listed),
            ..VaultChange::default()
        };
        let changed = world.change_vault(change).await.unwrap();
        assert_eq!(changed.ip_rules.len(), listed.len());
        known = rules(&listed);
        for (requester, refused) in [
            (world.machine(), machine),
            (world.registry.clone(), registry),
        ] {
            let wrapped = world.wrap_as(&requester).await;
            match refused {
                None => assert!(wrapped.is_ok(), "{changed:?}: {requester:?}"),
                inner => assert_eq!(wire(wrapped), (403, "Forbidden", inner), "{changed:?}"),
            }
        }
        // The firewall does not apply to the operator.
        assert!(world.whole_key().await.is_ok());
    }
}

#[tokio::test]
async fn firewall_applies_to_random_bytes() {
    let world = World::new().await;
    let ask = async || {
        let vaults = &world.vaults;
        vaults
            .random_bytes(&world.machine(), &world.vault, Ok(128))
            .await
    };
    let (one, other) = (ask().await.unwrap(), ask().await.unwrap());
    assert!(one.len() == 128 && one != other);
    let change = VaultChange {
        default_action: Some(DefaultAction::Deny),
        ..VaultChange::default()
    };
    world.change_vault(change).await.unwrap();
    assert_eq!(
        wire(ask().await),
        (403, "Forbidden", Some("ForbiddenByFirewall"))
    );
}

#[tokio::test]
async fn ip_rule_beyond_a_thousand_is_refused() {
    let world = World::new().await;
    let rule = |n: u32| {
        let [_, _, high, low] = n.to_be_bytes();
        format!("203.0.{high}.{low}").parse().unwrap()
    };
    let add = async |range: std::ops::Range<u32>| {
        let change = VaultChange {
            add_ip_rules: range.map(rule).collect(),
            ..VaultChange::default()
        };
        world.change_vault(change).await
    };
    assert_eq!(add(0..1000).await.unwrap().ip_rules.len(), 1000);
    assert!(add(0..1000).await.is_ok(), "existing rules count once");
    assert_eq!(wire(add(1000..1001).await), (400, "BadParameter", None));
    let vaults = &world.vaults;
    let kept = vaults.vault(&crate::world::operator(), &world.vault).await;
    assert_eq!(kept.unwrap().ip_rules.len(), 1000);
}

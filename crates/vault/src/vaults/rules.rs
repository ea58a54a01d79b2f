//! Azure's rules for the properties of a vault.

use sealock_core::{Location, TenantId};

use crate::{Error, Result, authorization::IP_RULE_LIMIT};

/// The retention of a vault for which none is given.
pub(super) const DEFAULT_RETENTION_DAYS: u16 = 90;

/// The maximum number of subnets in a vault's firewall.
///
/// <https://learn.microsoft.com/azure/key-vault/general/network-security#key-vault-firewall-enabled-virtual-networks---dynamic-ips>
const VIRTUAL_NETWORK_RULE_LIMIT: usize = 200;

/// The limit of a subnet's id in bytes, which is ours.
const SUBNET_ID_LIMIT: usize = 1024;

/// The first API version in which roles decide in a new vault by default.
const ROLES_BY_DEFAULT: &str = "2026-02-01";

/// Purge protection can be turned on, but never off.
///
/// <https://learn.microsoft.com/azure/key-vault/general/soft-delete-overview#purge-protection>
pub(super) fn purge_protection_is_irreversible(
    is_on: bool,
    requested: Option<bool>,
) -> Result<bool> {
    if is_on && requested == Some(false) {
        return Err(purge_protection_refusal());
    }
    Ok(is_on || requested == Some(true))
}

/// Resource Manager takes `true` or nothing, even for a vault without purge protection.
///
/// <https://github.com/Azure/azure-rest-api-specs/issues/18106>
pub(super) fn purge_protection_cannot_be_false(requested: Option<bool>) -> Result<()> {
    match requested {
        Some(false) => Err(purge_protection_refusal()),
        Some(true) | None => Ok(()),
    }
}

fn purge_protection_refusal() -> Error {
    Error::VaultPropertyInvalid("The property \"enablePurgeProtection\" cannot be set to false. Enabling the purge protection for a vault is an irreversible action.".to_owned())
}

/// Every vault has soft delete.
///
/// <https://learn.microsoft.com/azure/key-vault/general/soft-delete-change>
pub(super) fn soft_delete_cannot_be_disabled(requested: Option<bool>) -> Result<()> {
    if requested == Some(false) {
        return Err(Error::VaultPropertyInvalid("The property \"enableSoftDelete\" can be set to false only for creating new vault. Enabling the 'soft delete' functionality is an irreversible action.".to_owned()));
    }
    Ok(())
}

/// A deleted vault or key is kept for 7 to 90 days.
///
/// <https://learn.microsoft.com/azure/key-vault/general/soft-delete-overview>
pub(super) fn retention_is_7_to_90_days(days: u32) -> Result<u16> {
    match u16::try_from(days) {
        Ok(days @ 7..=90) => Ok(days),
        _ => Err(Error::BadParameter(format!(
            "The soft delete retention of {days} days is not valid; it can be 7 to 90 days."
        ))),
    }
}

/// The retention is chosen at the creation of the vault.
///
/// <https://learn.microsoft.com/azure/key-vault/general/soft-delete-overview#soft-delete-behavior>
pub(super) fn retention_cannot_change(days: u16, requested: Option<u32>) -> Result<u16> {
    match requested {
        Some(requested) if requested != u32::from(days) => Err(Error::VaultPropertyInvalid(
            "The property \"softDeleteRetentionInDays\" has been set already and it can't be modified."
                .to_owned(),
        )),
        _ => Ok(days),
    }
}

/// A vault belongs to the tenant of its subscription.
///
/// <https://learn.microsoft.com/azure/key-vault/general/move-subscription>
pub(super) fn tenant_is_the_subscriptions(ours: TenantId, given: Option<TenantId>) -> Result<()> {
    if given == Some(ours) {
        return Ok(());
    }
    Err(Error::invalid_vault_property("tenantId"))
}

/// Returns true if roles decide in a new vault for which the request does not say so. Before version 2026-02-01, access
/// policies do.
///
/// <https://learn.microsoft.com/azure/key-vault/general/access-control-default>
pub(super) fn roles_decide_by_default(api_version: Option<&str>) -> bool {
    api_version.is_some_and(|version| version >= ROLES_BY_DEFAULT)
}

/// Checks the number of addresses and ranges in a firewall.
///
/// <https://learn.microsoft.com/azure/key-vault/general/network-security#key-vault-firewall-enabled-ipv4-addresses-and-ranges---static-ips>
pub(super) fn at_most_1000_ip_rules(count: usize) -> Result<()> {
    if count <= IP_RULE_LIMIT {
        return Ok(());
    }
    Err(Error::BadParameter(format!(
        "A vault's firewall takes at most {IP_RULE_LIMIT} addresses and ranges."
    )))
}

/// Checks the number of subnets in a firewall, and their ids' lengths.
///
/// <https://learn.microsoft.com/azure/key-vault/general/network-security#key-vault-firewall-enabled-virtual-networks---dynamic-ips>
pub(super) fn at_most_200_virtual_network_rules<'a>(
    ids: impl ExactSizeIterator<Item = &'a str>,
) -> Result<()> {
    let is_many = ids.len() > VIRTUAL_NETWORK_RULE_LIMIT;
    if is_many || ids.into_iter().any(|id| id.len() > SUBNET_ID_LIMIT) {
        return Err(Error::VaultPropertyInvalid(format!(
            "A vault's firewall takes at most {VIRTUAL_NETWORK_RULE_LIMIT} subnets, whose ids have at most {SUBNET_ID_LIMIT} characters."
        )));
    }
    Ok(())
}

/// Returns the region to which a vault is replicated: the paired one, if it is in the same geography. West US 3 has a pair
/// and no replicas.
///
/// <https://learn.microsoft.com/azure/key-vault/general/disaster-recovery-guidance#data-replication>
pub(crate) fn replica_region(location: &Location) -> Option<Location> {
    let pair = location.pair()?;
    let is_replicated = pair.geography() == location.geography() && location.as_str() != "westus3";
    is_replicated.then_some(pair)
}

/// A vault fails over to the region to which it is replicated.
///
/// <https://learn.microsoft.com/azure/key-vault/general/disaster-recovery-guidance#failover-across-regions>
pub(super) fn failover_needs_a_replica(location: &Location) -> Result<()> {
    if replica_region(location).is_some() {
        return Ok(());
    }
    Err(Error::NoReplica {
        location: location.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vault_is_replicated_to_its_pair_in_the_same_geography() {
        for (location, replica) in [
            ("eastus", Some("westus")),
            ("westeurope", Some("northeurope")),
            ("brazilsoutheast", Some("brazilsouth")),
            ("brazilsouth", None),
            ("westus3", None),
            ("italynorth", None),
            ("moonbase1", None),
        ] {
            let location: Location = location.parse().unwrap();
            let found = replica_region(&location);
            assert_eq!(found.as_ref().map(Location::as_str), replica, "{location}");
            assert_eq!(
                failover_needs_a_replica(&location).is_ok(),
                replica.is_some()
            );
        }
    }

    #[test]
    fn roles_decide_by_default_from_the_version_of_february_2026_on() {
        for (version, roles_decide) in [
            (None, false),
            (Some("2023-07-01"), false),
            (Some("2025-05-01"), false),
            (Some("2026-02-01"), true),
            (Some("2026-03-01-preview"), true),
        ] {
            assert_eq!(
                roles_decide_by_default(version),
                roles_decide,
                "{version:?}"
            );
        }
    }

    #[test]
    fn each_rule_permits_and_refuses() {
        let tenant = TenantId::random();
        assert!(tenant_is_the_subscriptions(tenant, Some(tenant)).is_ok());
        assert!(tenant_is_the_subscriptions(tenant, Some(TenantId::random())).is_err());
        assert!(tenant_is_the_subscriptions(tenant, None).is_err());
        assert!(purge_protection_cannot_be_false(None).is_ok());
        assert!(purge_protection_cannot_be_false(Some(true)).is_ok());
        assert!(purge_protection_cannot_be_false(Some(false)).is_err());
        assert!(purge_protection_is_irreversible(false, Some(false)).is_ok_and(|is_on| !is_on));
        assert!(purge_protection_is_irreversible(true, None).is_ok_and(|is_on| is_on));
        assert!(purge_protection_is_irreversible(true, Some(false)).is_err());
        assert!(soft_delete_cannot_be_disabled(Some(true)).is_ok());
        assert!(soft_delete_cannot_be_disabled(Some(false)).is_err());
        for (days, is_valid) in [
            (6, false),
            (7, true),
            (90, true),
            (91, false),
            (65_600, false),
        ] {
            assert_eq!(retention_is_7_to_90_days(days).is_ok(), is_valid, "{days}");
        }
        assert!(retention_cannot_change(90, None).is_ok_and(|days| days == 90));
        assert!(retention_cannot_change(90, Some(90)).is_ok());
        assert!(retention_cannot_change(90, Some(7)).is_err());
        let ids = |count: usize, length: usize| {
            let ids: Vec<_> = (0..count).map(|_| "x".repeat(length)).collect();
            at_most_200_virtual_network_rules(ids.iter().map(String::as_str))
        };
        assert!(ids(200, 1024).is_ok() && ids(201, 1).is_err() && ids(1, 1025).is_err());
        assert!(at_most_1000_ip_rules(1000).is_ok() && at_most_1000_ip_rules(1001).is_err());
    }
}

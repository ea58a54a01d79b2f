//! The lists of a vault: access policies, and the rules of its firewall. Each item has a record of its own with its
//! position, since a whole list does not fit into the vault's record.

use std::ops::Bound;

use futures_util::{StreamExt as _, TryStreamExt as _};
use sealock_core::{PrincipalId, VaultName};
use sealock_store::{Batch, Entry};

use crate::{
    AccessPolicy, IpRule, Result, VirtualNetworkRule,
    lookup::parse_segment,
    records::{
        ANY_APPLICATION, IP_RULES, IpRuleRecord, POLICIES, PolicyRecord, VIRTUAL_NETWORK_RULES,
        VaultRecord,
    },
    service::Service,
};

/// The lists of a vault.
#[derive(Clone, Debug, Default)]
pub(crate) struct VaultLists {
    pub(crate) policies: Vec<AccessPolicy>,
    pub(crate) ip_rules: Vec<IpRule>,
    pub(crate) virtual_network_rules: Vec<VirtualNetworkRule>,
}

impl VaultLists {
    /// Adds to `batch` what makes these lists of the stored ones, `held`. The commit must expect the vault's record
    /// unchanged.
    pub(crate) fn replace(&self, held: &Self, vault: &VaultName, batch: Batch) -> Batch {
        let batch = replace_policies(batch, vault, &held.policies, &self.policies);
        let batch = replace_ip_rules(batch, vault, &held.ip_rules, &self.ip_rules);
        let rule_key = |position: usize| format!("{position:04}");
        let (held, new) = (&held.virtual_network_rules, &self.virtual_network_rules);
        let batch = (new.len()..held.len()).fold(batch, |batch, position| {
            batch.delete(
                &VIRTUAL_NETWORK_RULES,
                &[vault.as_str(), &rule_key(position)],
            )
        });
        changed_items(held, new).fold(batch, |batch, (position, rule)| {
            let key = rule_key(position);
            batch.put(&VIRTUAL_NETWORK_RULES, &[vault.as_str(), &key], rule)
        })
    }
}

/// Adds to `batch` the replacement of a vault's access policies.
pub(crate) fn replace_policies(
    mut batch: Batch,
    vault: &VaultName,
    held: &[AccessPolicy],
    new: &[AccessPolicy],
) -> Batch {
    let key = |policy: &AccessPolicy| {
        let application = policy.application.map(|id| id.to_string());
        let application = application.unwrap_or_else(|| ANY_APPLICATION.to_owned());
        [vault.to_string(), policy.principal.to_string(), application]
    };
    for policy in held {
        if !new.iter().any(|new| new.is_for_same(policy)) {
            batch = batch.delete(&POLICIES, &key(policy).each_ref().map(String::as_str));
        }
    }
    for (position, policy) in changed_items(held, new) {
        let record = PolicyRecord {
            position: stored_position(position),
            permissions: policy.permissions.clone(),
        };
        batch = batch.put(
            &POLICIES,
            &key(policy).each_ref().map(String::as_str),
            &record,
        );
    }
    batch
}

/// Adds to `batch` the replacement of the addresses that a vault's firewall lets in.
pub(crate) fn replace_ip_rules(
    mut batch: Batch,
    vault: &VaultName,
    held: &[IpRule],
    new: &[IpRule],
) -> Batch {
    for rule in held {
        if !new.contains(rule) {
            batch = batch.delete(&IP_RULES, &[vault.as_str(), &rule.to_string()]);
        }
    }
    for (position, rule) in changed_items(held, new) {
        let record = IpRuleRecord {
            position: stored_position(position),
            rule: *rule,
        };
        batch = batch.put(&IP_RULES, &[vault.as_str(), &rule.to_string()], &record);
    }
    batch
}

/// Returns the items of `new` that are not at the same position in `held`.
fn changed_items<'a, T: PartialEq>(
    held: &'a [T],
    new: &'a [T],
) -> impl Iterator<Item = (usize, &'a T)> {
    let items = new.iter().enumerate();
    items.filter(|(position, item)| held.get(*position) != Some(*item))
}

/// Every list has a limit far below that of the type.
fn stored_position(position: usize) -> u32 {
    u32::try_from(position).unwrap_or(u32::MAX)
}

impl Service {
    /// Reads a vault's lists, and the record to which they belong: the given one, or a newer one if the vault has changed
    /// in between.
    pub(crate) async fn whole_vault(
        &self,
        vault: &VaultName,
        record: &VaultRecord,
    ) -> Result<(VaultRecord, VaultLists)> {
        let mut record = record.clone();
        loop {
            let lists = self.lists_of(vault).await?;
            match self.find_vault(vault).await? {
                Some(newer) if newer.revision != record.revision => record = newer.value,
                _ => return Ok((record, lists)),
            }
        }
    }

    pub(crate) async fn lists_of(&self, vault: &VaultName) -> Result<VaultLists> {
        let rules = self
            .store
            .scan(&VIRTUAL_NETWORK_RULES, &[vault.as_str()], Bound::Unbounded)
            .map(|entry| Ok::<_, crate::Error>(entry?.record.value));
        Ok(VaultLists {
            virtual_network_rules: rules.try_collect().await?,
            policies: self.policies_of(vault).await?,
            ip_rules: self.ip_rules_of(vault).await?,
        })
    }

    /// Returns the access policies of a vault, in the order of their author.
    pub(crate) async fn policies_of(&self, vault: &VaultName) -> Result<Vec<AccessPolicy>> {
        let entries = self
            .store
            .scan(&POLICIES, &[vault.as_str()], Bound::Unbounded);
        let policies = entries.map(|entry| {
            let entry = entry?;
            let principal = parse_segment(&entry.key, 0)?;
            policy_from_entry(principal, entry, 1)
        });
        let mut policies: Vec<_> = policies.try_collect().await?;
        policies.sort_by_key(|(position, _)| *position);
        Ok(policies.into_iter().map(|(_, policy)| policy).collect())
    }

    /// Returns the access policies of one principal.
    pub(crate) async fn policies_of_principal(
        &self,
        vault: &VaultName,
        principal: PrincipalId,
    ) -> Result<Vec<AccessPolicy>> {
        let id = principal.to_string();
        let prefix = [vault.as_str(), id.as_str()];
        self.store
            .scan(&POLICIES, &prefix, Bound::Unbounded)
            .map(|entry| Ok(policy_from_entry(principal, entry?, 0)?.1))
            .try_collect()
            .await
    }

    /// Returns the addresses that a vault's firewall lets in, in the order of their author.
    pub(crate) async fn ip_rules_of(&self, vault: &VaultName) -> Result<Vec<IpRule>> {
        let entries = self
            .store
            .scan(&IP_RULES, &[vault.as_str()], Bound::Unbounded);
        let rules = entries.map_ok(|entry| entry.record.value);
        let mut rules: Vec<_> = rules.try_collect().await?;
        rules.sort_by_key(|record| record.position);
        Ok(rules.into_iter().map(|record| record.rule).collect())
    }
}

/// Reads a policy and its position from an entry whose key has the application at `index`.
fn policy_from_entry(
    principal: PrincipalId,
    entry: Entry<PolicyRecord>,
    index: usize,
) -> Result<(u32, AccessPolicy)> {
    let is_any = entry.key.get(index).is_some_and(|it| it == ANY_APPLICATION);
    let application = if is_any {
        None
    } else {
        Some(parse_segment(&entry.key, index)?)
    };
    let record = entry.record.value;
    let policy = AccessPolicy {
        principal,
        application,
        permissions: record.permissions,
    };
    Ok((record.position, policy))
}

pub(super) mod access;
pub(super) mod keys;

use std::collections::BTreeSet;

use sealock_api as api;
use sealock_vault::{
    IpRule, Vault, VaultChange, VaultSettings,
    operation::{
        AllVaults, CreateVault, DeleteVault, GetVault, ListVaults, PurgeVault, RecoverVault,
        UpdateVault,
    },
};

use super::{
    Answer, ControlError, call::Call, effect::report_effect_of, translation::Translate as _,
};

pub(super) async fn list(call: Call<api::ListVaults>) -> Answer<api::Vaults> {
    let vaults = call.services.authorize(ListVaults, AllVaults).await?;
    Ok(api::Vaults {
        vaults: vaults.run().await?.into_iter().map(view).collect(),
    })
}

pub(super) async fn show(call: Call<api::ShowVault>) -> Answer<api::Vault> {
    let permit = call.services.authorize(GetVault, call.path.vault).await?;
    Ok(view(permit.run().await?))
}

pub(super) async fn create(call: Call<api::CreateVault>) -> Answer<api::Vault> {
    let (asked, default) = (call.body, VaultSettings::default());
    let settings = VaultSettings {
        location: asked.location.unwrap_or(default.location),
        sku: asked.sku.translate().unwrap_or(default.sku),
        rbac: asked.rbac.unwrap_or(default.rbac),
        purge_protection: asked.purge_protection.unwrap_or(default.purge_protection),
        soft_delete_retention_days: asked
            .soft_delete_retention_days
            .unwrap_or(default.soft_delete_retention_days),
    };
    let permit = call
        .services
        .authorize(CreateVault, call.path.vault)
        .await?;
    Ok(view(permit.run(settings).await?))
}

pub(super) async fn update(call: Call<api::UpdateVault>) -> Answer<api::Changed<api::Vault>> {
    let (services, asked) = (call.services, call.body);
    if asked == api::VaultChange::default() {
        return Err(ControlError::nothing_to_change());
    }
    let change = VaultChange {
        purge_protection: asked.purge_protection,
        rbac: asked.rbac,
        failed_over: asked.failed_over,
        public_network_access: asked.public_network_access,
        default_action: asked.default_action.translate(),
        bypass: asked.bypass.translate(),
        add_ip_rules: ip_rules(asked.add_ip_rules)?,
        remove_ip_rules: ip_rules(asked.remove_ip_rules)?,
    };
    report_effect_of(&services, async {
        let permit = services.authorize(UpdateVault, call.path.vault).await?;
        Ok(view(permit.run(change).await?))
    })
    .await
}

pub(super) async fn delete(call: Call<api::DeleteVault>) -> Answer<api::Changed<api::Vault>> {
    let services = call.services;
    report_effect_of(&services, async {
        let permit = services.authorize(DeleteVault, call.path.vault).await?;
        Ok(view(permit.run().await?))
    })
    .await
}

pub(super) async fn recover(call: Call<api::RecoverVault>) -> Answer<api::Changed<api::Vault>> {
    let services = call.services;
    report_effect_of(&services, async {
        let permit = services.authorize(RecoverVault, call.path.vault).await?;
        Ok(view(permit.run().await?))
    })
    .await
}

pub(super) async fn purge(call: Call<api::PurgeVault>) -> Answer<api::Changed<api::Empty>> {
    let services = call.services;
    report_effect_of(&services, async {
        let permit = services.authorize(PurgeVault, call.path.vault).await?;
        permit.run().await?;
        Ok(api::Empty {})
    })
    .await
}

fn ip_rules(texts: BTreeSet<String>) -> Answer<BTreeSet<IpRule>> {
    let rules = texts.into_iter().map(IpRule::try_from);
    let rules: Result<_, _> = rules.collect();
    rules.map_err(|error| ControlError::bad_request(error.to_string()))
}

fn view(vault: Vault) -> api::Vault {
    let (network, location) = (vault.network, vault.resource.location);
    api::Vault {
        name: vault.name,
        id: vault.id,
        vault_uri: vault.vault_uri,
        geography: location.geography().to_owned(),
        location,
        replica_region: vault.replica_region,
        state: vault.state.translate(),
        sku: vault.sku.translate(),
        rbac: vault.rbac == Some(true),
        purge_protection: vault.purge_protection,
        soft_delete_retention_days: vault.soft_delete_retention_days,
        network: api::NetworkRules {
            public_network_access: network.public_network_access,
            default_action: network.default_action.translate(),
            bypass: network.bypass.translate(),
        },
        ip_rules: vault.ip_rules.iter().map(ToString::to_string).collect(),
        failed_over: vault.failed_over,
        serving_region: vault.serving_region,
        created: vault.resource.system_data.created_at.into(),
        deleted: vault.deleted.map(Into::into),
        scheduled_purge: vault.scheduled_purge.map(Into::into),
    }
}

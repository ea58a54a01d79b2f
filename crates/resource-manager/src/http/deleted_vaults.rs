//! Deleted vaults, which have a region but no resource group.

use axum::{Json, response::IntoResponse as _};
use jiff::Timestamp;
use sealock_core::{Location, VaultName};
use sealock_entra::{SUBSCRIPTION, Tags};
use sealock_vault::{
    State, Vault,
    operation::{AllVaults, GetDeletedVault, ListVaults, ManagedVault, PurgeVault},
};
use serde::Serialize;
use serde_json::json;

use super::{Answer, Call, body::List, endpoint::Word, operations};
use crate::{Action, Operation};

const LIST: &str = "Microsoft.KeyVault/deletedVaults/read";
const PURGE: &str = "Microsoft.KeyVault/locations/deletedVaults/purge/action";
const READ: &str = "Microsoft.KeyVault/locations/deletedVaults/read";
const READ_RESULT: &str = "Microsoft.KeyVault/locations/operationResults/read";

/// A deleted vault in an answer.
///
/// <https://learn.microsoft.com/rest/api/keyvault/keyvault/vaults/get-deleted#deletedvault>
#[derive(Serialize)]
struct DeletedVaultBody {
    id: String,
    name: VaultName,
    #[serde(rename = "type")]
    resource_type: &'static str,
    properties: PropertiesBody,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PropertiesBody {
    vault_id: String,
    location: String,
    tags: Tags,
    #[serde(skip_serializing_if = "Option::is_none")]
    deletion_date: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scheduled_purge_date: Option<String>,
    /// Never false: Azure omits it without purge protection.
    #[serde(skip_serializing_if = "Option::is_none")]
    purge_protection_enabled: Option<bool>,
}

pub(super) async fn list(call: Call) -> Answer {
    call.authorize(LIST, &subscription()).await?;
    let permit = call.permit(ListVaults, AllVaults).await?;
    let mut vaults = permit.run().await?;
    vaults.retain(|vault| vault.state == State::Deleted);
    let value = vaults.into_iter().map(body).collect();
    Ok(Json(List { value }).into_response())
}

pub(super) async fn show(call: Call, location: Location, name: VaultName) -> Answer {
    call.authorize(READ, &id(&location, &name)).await?;
    let target = ManagedVault::in_location(name, location);
    let vault = call.permit(GetDeletedVault, target).await?.run().await?;
    Ok(Json(body(vault)).into_response())
}

/// Purges the vault. The answer is as in Azure that of an asynchronous operation.
pub(super) async fn purge(call: Call, location: Location, name: VaultName) -> Answer {
    let vault = id(&location, &name);
    call.authorize(PURGE, &vault).await?;
    let target = ManagedVault::in_location(name, location.clone());
    call.permit(PurgeVault, target).await?.run().await?;
    let operation = Operation::new(Action::Purge, &vault, call.manager.clock.now());
    let operation = call.manager.record_success(operation).await?;
    let provider = format!("{}/providers/Microsoft.KeyVault", subscription());
    let results = format!("{provider}/locations/{location}/operationResults");
    Ok(operations::accepted_in(&call, &operation, &results))
}

/// Shows the result of a purge.
pub(super) async fn show_result(call: Call, operation: Word) -> Answer {
    call.authorize(READ_RESULT, &subscription()).await?;
    let operation = call.manager.operation(&operation.0).await?;
    let time = operation.started.strftime("%Y-%m-%d %H:%M:%SZ").to_string();
    let body = json!({
        "createdDateTime": time,
        "lastActionDateTime": time,
        "status": "Succeeded",
    });
    Ok(Json(body).into_response())
}

fn subscription() -> String {
    format!("/subscriptions/{SUBSCRIPTION}")
}

fn id(location: &Location, name: &VaultName) -> String {
    let provider = format!("{}/providers/Microsoft.KeyVault", subscription());
    format!("{provider}/locations/{location}/deletedVaults/{name}")
}

fn body(vault: Vault) -> DeletedVaultBody {
    let date = |time: Timestamp| format!("{time:.0}");
    DeletedVaultBody {
        id: id(&vault.resource.location, &vault.name),
        name: vault.name,
        resource_type: "Microsoft.KeyVault/deletedVaults",
        properties: PropertiesBody {
            vault_id: vault.id,
            location: vault.resource.location.to_string(),
            tags: vault.resource.tags,
            deletion_date: vault.deleted.map(date),
            scheduled_purge_date: vault.scheduled_purge.map(date),
            purge_protection_enabled: vault.purge_protection.then_some(true),
        },
    }
}

//! Vaults: the translation of `Microsoft.KeyVault/vaults` into operations of the vault.

mod answer;
pub(super) mod keys;
mod request;

use axum::{
    Json,
    body::Body,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use sealock_core::{ResourceGroupName, VaultName};
use sealock_entra::SUBSCRIPTION;
use sealock_vault::{
    AccessPolicy, State, Vault,
    operation::{
        AddPolicies, AllVaults, DeleteVault, GetVault, ListVaults, ManagedVault, Operation,
        PatchVault, PutVault, RecoverVault, RemovePolicies, ReplacePolicies,
    },
};
use serde_json::json;

pub(super) use self::answer::VaultBody;
use self::{
    answer::PoliciesBody,
    request::{NameCheck, NewPolicies, NewVault},
};
use super::{
    Answer, Call,
    body::{List, read, read_location},
    operations,
};
use crate::{
    Action, Error, Result,
    resources::{VAULT, is_in},
};

const CHECK_NAME: &str = "Microsoft.KeyVault/checkNameAvailability/read";
const DELETE: &str = "Microsoft.KeyVault/vaults/delete";
const READ: &str = "Microsoft.KeyVault/vaults/read";
const WRITE: &str = "Microsoft.KeyVault/vaults/write";
const WRITE_POLICIES: &str = "Microsoft.KeyVault/vaults/accessPolicies/write";

/// A change of the list of access policies.
///
/// <https://learn.microsoft.com/rest/api/keyvault/keyvault/vaults/update-access-policy#accesspolicyupdatekind>
#[derive(Clone, Copy, Debug)]
pub(super) enum PolicyUpdate {
    Add,
    Replace,
    Remove,
}

pub(super) async fn list(call: Call, group: Option<ResourceGroupName>) -> Answer {
    if let Some(group) = &group {
        call.manager.group(group).await?;
    }
    let permit = call.permit(ListVaults, AllVaults).await?;
    let mut vaults = permit.run().await?;
    vaults.retain(|vault| {
        let is_listed = |group| is_in(&vault.resource, group);
        vault.state == State::Active && group.as_ref().is_none_or(is_listed)
    });
    let readable = call.permitted(READ, vaults, |vault| vault.id.clone());
    let tenant = call.manager.directory.tenant();
    let mut value = Vec::new();
    for vault in readable.await? {
        let state = call.manager.provisioning_state(&vault.id).await?;
        value.push(VaultBody::of(vault, tenant, state));
    }
    Ok(Json(List { value }).into_response())
}

pub(super) async fn show(call: Call, group: ResourceGroupName, name: VaultName) -> Answer {
    call.authorize(READ, &id(&group, &name)).await?;
    let group = call.manager.group(&group).await?.name;
    let vault = find(&call, &group, &name).await?;
    shown(&call, vault).await
}

pub(super) async fn put(
    call: Call,
    content: Body,
    group: ResourceGroupName,
    name: VaultName,
) -> Answer {
    call.authorize(WRITE, &id(&group, &name)).await?;
    let new: NewVault = read(content).await?;
    let location = read_location(new.location.as_deref())?;
    let (group, _guard) = call.manager.hold_group(&group).await?;
    let is_new = call.manager.vaults.resource(&name).await?.is_none();
    call.precondition.check(!is_new)?;
    let target = ManagedVault::in_group(name, group.name);
    let vault = if new.is_recovery()? {
        call.permit(RecoverVault, target).await?.run().await?
    } else {
        let properties = new.properties(Some(location))?;
        let permit = call.permit(PutVault, target).await?;
        permit.run(properties).await?
    };
    if is_new {
        call.manager.begin(Action::Create, &vault.id).await?;
    }
    shown(&call, vault).await
}

pub(super) async fn patch(
    call: Call,
    content: Body,
    group: ResourceGroupName,
    name: VaultName,
) -> Answer {
    call.authorize(WRITE, &id(&group, &name)).await?;
    call.precondition.check(true)?;
    let change: NewVault = read(content).await?;
    let (group, _guard) = call.manager.hold_group(&group).await?;
    let location = change.location.as_deref().map(|it| read_location(Some(it)));
    let properties = change.properties(location.transpose()?)?;
    let target = ManagedVault::in_group(name.clone(), group.name.clone());
    let patched = async {
        let permit = call.permit(PatchVault, target).await?;
        Ok(permit.run(properties).await?)
    };
    let vault = patched.await.map_err(not_found(&group.name, &name))?;
    shown(&call, vault).await
}

/// Deletes the vault. Answers 204 if there is none.
pub(super) async fn delete(call: Call, group: ResourceGroupName, name: VaultName) -> Answer {
    call.authorize(DELETE, &id(&group, &name)).await?;
    let target = ManagedVault::in_group(name, group);
    let deleted = async { call.permit(DeleteVault, target).await?.run().await };
    match deleted.await {
        Ok(vault) => {
            call.manager.forget_operation(&vault.id).await?;
            Ok(StatusCode::OK.into_response())
        }
        Err(error) if is_missing(&error) => Ok(StatusCode::NO_CONTENT.into_response()),
        Err(error) => Err(error.into()),
    }
}

pub(super) async fn update_policies(
    call: Call,
    content: Body,
    (group, name): (ResourceGroupName, VaultName),
    update: PolicyUpdate,
) -> Answer {
    call.authorize(WRITE_POLICIES, &id(&group, &name)).await?;
    let given: NewPolicies = read(content).await?;
    let given = given.policies(call.manager.directory.tenant())?;
    let target = ManagedVault::in_group(name.clone(), group.clone());
    let changed = async {
        Ok::<Vec<AccessPolicy>, Error>(match update {
            PolicyUpdate::Add => call.permit(AddPolicies, target).await?.run(given).await?,
            PolicyUpdate::Replace => {
                let permit = call.permit(ReplacePolicies, target).await?;
                permit.run(given).await?
            }
            PolicyUpdate::Remove => {
                call.permit(RemovePolicies, target)
                    .await?
                    .run(given)
                    .await?
            }
        })
    };
    let policies = changed.await.map_err(not_found(&group, &name))?;
    let id = format!("{}/accessPolicies/", id(&group, &name));
    let tenant = call.manager.directory.tenant();
    Ok(Json(PoliciesBody::of(id, tenant, policies)).into_response())
}

/// Tells whether a name is valid and free.
///
/// <https://learn.microsoft.com/rest/api/keyvault/keyvault/vaults/check-name-availability>
pub(super) async fn check_name(call: Call, content: Body) -> Answer {
    let subscription = format!("/subscriptions/{SUBSCRIPTION}");
    call.authorize(CHECK_NAME, &subscription).await?;
    let check: NameCheck = read(content).await?;
    let unavailable = |reason: &str, error: String| {
        let body = json!({"nameAvailable": false, "reason": reason, "message": error});
        Json(body).into_response()
    };
    let name = check.name.unwrap_or_default();
    let Ok(vault) = name.parse::<VaultName>() else {
        let error = Error::VaultNameInvalid(name);
        return Ok(unavailable("AccountNameInvalid", error.to_string()));
    };
    if call.manager.vaults.is_name_free(&vault).await? {
        return Ok(Json(json!({"nameAvailable": true})).into_response());
    }
    let error = sealock_vault::Error::VaultNameTaken { vault };
    Ok(unavailable("AlreadyExists", error.to_string()))
}

/// Lists none. The emulator has no managed HSMs, but az lists them along with the vaults.
pub(super) fn list_managed_hsms() -> Response {
    Json(json!({"value": []})).into_response()
}

impl Call {
    /// Authorizes an operation of a vault for the caller, whose roles are checked already.
    pub(super) async fn permit<O: Operation>(
        &self,
        operation: O,
        target: O::Target,
    ) -> sealock_vault::Result<sealock_vault::Permit<O>> {
        let vaults = &self.manager.vaults;
        vaults.authorize(&self.requester(), operation, target).await
    }
}

/// Shows a vault. Clients poll the vault itself while it is created.
async fn shown(call: &Call, vault: Vault) -> Answer {
    let state = call.manager.provisioning_state(&vault.id).await?;
    let body = VaultBody::of(vault, call.manager.directory.tenant(), state);
    let mut response = Json(body).into_response();
    if state.is_transient() {
        operations::insert_retry_after(&mut response);
    }
    Ok(response)
}

async fn find(call: &Call, group: &ResourceGroupName, name: &VaultName) -> Result<Vault> {
    let target = ManagedVault::in_group(name.clone(), group.clone());
    let found = async { call.permit(GetVault, target).await?.run().await };
    match found.await {
        Ok(vault) if vault.state == State::Active => Ok(vault),
        Ok(_) => Err(missing(group, name)),
        Err(error) => Err(not_found(group, name)(error.into())),
    }
}

/// Returns Resource Manager's error in the place of the vault's for a missing vault.
pub(super) fn not_found(
    group: &ResourceGroupName,
    name: &VaultName,
) -> impl FnOnce(Error) -> Error {
    let missing = missing(group, name);
    |error| match error {
        Error::Vault(error) if is_missing(&error) => missing,
        error => error,
    }
}

fn missing(group: &ResourceGroupName, name: &VaultName) -> Error {
    Error::ResourceNotFound {
        resource_type: VAULT,
        name: name.to_string(),
        group: group.clone(),
    }
}

fn is_missing(error: &sealock_vault::Error) -> bool {
    use sealock_vault::Error::{VaultDeleted, VaultNotFound};
    matches!(error, VaultDeleted { .. } | VaultNotFound { .. })
}

pub(super) fn id(group: &ResourceGroupName, name: &VaultName) -> String {
    format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/{group}/providers/{VAULT}/{name}")
}

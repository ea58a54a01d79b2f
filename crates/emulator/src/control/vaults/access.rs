use sealock_api as api;
use sealock_core::VaultName;
use sealock_vault::{
    AccessPolicy, KeyPermission,
    operation::{GrantPermissions, ListPolicies, RevokePermissions},
};

use crate::{
    control::{
        Answer, ControlError,
        call::Call,
        effect::report_effect_of,
        principals::{find, find_id, view as principal},
        translation::Translate,
    },
    services::Services,
};

pub(in crate::control) async fn list(call: Call<api::ListAccess>) -> Answer<api::AccessPolicies> {
    let Call { services, path, .. } = call;
    let permit = services.authorize(ListPolicies, path.vault.clone()).await?;
    let mut policies = Vec::new();
    for policy in permit.run().await? {
        policies.push(view(&services, &path.vault, policy).await?);
    }
    Ok(api::AccessPolicies { policies })
}

pub(in crate::control) async fn grant(
    call: Call<api::GrantAccess>,
) -> Answer<api::Changed<api::AccessPolicy>> {
    let Call { services, path, .. } = call;
    let principal = find(&services.directory, &path.principal).await?;
    let permissions = permissions(call.body);
    report_effect_of(&services, async {
        let permit = services
            .authorize(GrantPermissions, path.vault.clone())
            .await?;
        let granted = permit.run(principal.principal_id(), permissions).await?;
        view(&services, &path.vault, granted).await
    })
    .await
}

pub(in crate::control) async fn revoke(
    call: Call<api::RevokeAccess>,
) -> Answer<api::Changed<api::AccessPolicy>> {
    let Call { services, path, .. } = call;
    let principal = find_id(&services.directory, &path.principal).await?;
    let permissions = permissions(call.body);
    report_effect_of(&services, async {
        let permit = services
            .authorize(RevokePermissions, path.vault.clone())
            .await?;
        let remaining = permit.run(principal, permissions).await?;
        view(&services, &path.vault, remaining).await
    })
    .await
}

fn permissions(asked: api::Permissions) -> std::collections::BTreeSet<KeyPermission> {
    let asked = asked.permissions.into_iter();
    asked.map(Translate::translate).collect()
}

async fn view(
    services: &Services,
    vault: &VaultName,
    policy: AccessPolicy,
) -> Result<api::AccessPolicy, ControlError> {
    Ok(api::AccessPolicy {
        vault: vault.clone(),
        principal: principal(&services.directory, policy.principal).await?,
        permissions: policy
            .permissions
            .key_permissions()
            .into_iter()
            .map(Translate::translate)
            .collect(),
        in_effect: !services.vault.uses_rbac(vault).await?,
    })
}

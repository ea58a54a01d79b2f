use axum::{
    Json,
    response::{IntoResponse as _, Response},
};
use sealock_entra::SUBSCRIPTION;
use serde_json::{Value, json};

use super::{Answer, Call};
use crate::{Error, Result};

/// The display name of the subscription.
pub(super) const SUBSCRIPTION_NAME: &str = "Sealock";

/// The regions that `az account list-locations` shows, with their display names. Others are accepted, too.
const LOCATIONS: [(&str, &str); 10] = [
    ("eastus", "East US"),
    ("eastus2", "East US 2"),
    ("westus", "West US"),
    ("westus2", "West US 2"),
    ("centralus", "Central US"),
    ("northeurope", "North Europe"),
    ("westeurope", "West Europe"),
    ("uksouth", "UK South"),
    ("southeastasia", "Southeast Asia"),
    ("japaneast", "Japan East"),
];

pub(super) fn tenants(call: &Call) -> Response {
    let tenant = call.manager.directory.tenant();
    Json(json!({"value": [{
        "id": format!("/tenants/{tenant}"),
        "tenantId": tenant,
        "countryCode": "US",
        "displayName": "Sealock",
        "domains": ["sealock.localhost"],
        "tenantCategory": "Home",
        "defaultDomain": "sealock.localhost",
        "tenantType": "AAD",
    }]}))
    .into_response()
}

/// Lists the subscription, if the caller has a role in it.
pub(super) async fn list(call: Call) -> Answer {
    let visible = if is_visible(&call).await? {
        vec![subscription(&call)]
    } else {
        Vec::new()
    };
    let count = json!({"type": "Total", "value": visible.len()});
    Ok(Json(json!({"value": visible, "count": count})).into_response())
}

pub(super) async fn show(call: Call) -> Answer {
    if !is_visible(&call).await? {
        return Err(Error::SubscriptionNotFound(SUBSCRIPTION.to_owned()));
    }
    Ok(Json(subscription(&call)).into_response())
}

pub(super) async fn locations(call: Call) -> Answer {
    call.authorize(
        "Microsoft.Resources/subscriptions/locations/read",
        &format!("/subscriptions/{SUBSCRIPTION}"),
    )
    .await?;
    let locations = LOCATIONS.map(|(name, display_name)| {
        json!({
            "id": format!("/subscriptions/{SUBSCRIPTION}/locations/{name}"),
            "name": name,
            "type": "Region",
            "displayName": display_name,
            "regionalDisplayName": display_name,
            "metadata": {"regionType": "Physical", "regionCategory": "Recommended"},
        })
    });
    Ok(Json(json!({"value": locations})).into_response())
}

/// Returns true if the caller has a role at any scope.
async fn is_visible(call: &Call) -> Result<bool> {
    let assignments = call.manager.directory.role_assignments().await?;
    let principal = call.principal.principal_id();
    Ok(assignments.iter().any(|it| it.principal_id == principal))
}

/// <https://learn.microsoft.com/rest/api/resources/subscriptions/get>
fn subscription(call: &Call) -> Value {
    json!({
        "id": format!("/subscriptions/{SUBSCRIPTION}"),
        "authorizationSource": "RoleBased",
        "managedByTenants": [],
        "subscriptionId": SUBSCRIPTION,
        "tenantId": call.manager.directory.tenant(),
        "displayName": SUBSCRIPTION_NAME,
        "state": "Enabled",
        "subscriptionPolicies": {
            "locationPlacementId": "Public_2014-09-01",
            "quotaId": "PayAsYouGo_2014-09-01",
            "spendingLimit": "Off",
        },
    })
}

use axum::{
    Json,
    response::{IntoResponse as _, Response},
};
use sealock_core::Region;
use sealock_entra::SUBSCRIPTION;
use serde_json::{Value, json};

use super::{Answer, Call};
use crate::{Error, Result};

/// The display name of the subscription.
pub(super) const SUBSCRIPTION_NAME: &str = "Sealock";

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

/// Lists the regions of Azure. A resource may be in another location, too.
pub(super) async fn locations(call: Call) -> Answer {
    call.authorize(
        "Microsoft.Resources/subscriptions/locations/read",
        &format!("/subscriptions/{SUBSCRIPTION}"),
    )
    .await?;
    let locations: Vec<_> = Region::all().iter().map(location).collect();
    Ok(Json(json!({"value": locations})).into_response())
}

/// <https://learn.microsoft.com/rest/api/resources/subscriptions/list-locations#locationmetadata>
fn location(region: &Region) -> Value {
    let id = |name: &str| format!("/subscriptions/{SUBSCRIPTION}/locations/{name}");
    let pairs: Vec<_> = region
        .pair
        .iter()
        .map(|pair| json!({"name": pair, "id": id(pair)}))
        .collect();
    json!({
        "id": id(region.name),
        "name": region.name,
        "type": "Region",
        "displayName": region.display_name,
        "regionalDisplayName": format!("({}) {}", region.geography_group, region.display_name),
        "metadata": {
            "regionType": "Physical",
            "regionCategory": if region.is_recommended { "Recommended" } else { "Other" },
            "geography": region.geography,
            "geographyGroup": region.geography_group,
            "pairedRegion": pairs,
        },
    })
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

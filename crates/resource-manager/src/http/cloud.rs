use axum::{
    Json,
    response::{IntoResponse as _, Response},
};
use sealock_http::Query;
use serde_json::{Value, json};

use crate::ResourceManager;

/// The first version that answers with one cloud rather than with a list.
const SINGLE_SINCE: &str = "2022-09-01";

/// Shows the endpoints and suffixes of this cloud. Clients ask without a token, before they log in.
///
/// <https://learn.microsoft.com/azure/azure-resource-manager/management/azure-services-resource-providers>,
/// <https://github.com/Azure/go-autorest/blob/main/autorest/azure/metadata_environment.go>
pub(super) fn show(manager: &ResourceManager, query: &Query) -> Response {
    let version = query.first_ignoring_case("api-version").unwrap_or_default();
    let cloud = cloud(manager);
    if version < SINGLE_SINCE {
        return Json(json!([cloud])).into_response();
    }
    Json(cloud).into_response()
}

fn cloud(manager: &ResourceManager) -> Value {
    let names = &manager.names;
    json!({
        "name": "Sealock",
        "portal": format!("https://page.{names}/"),
        "authentication": {
            "loginEndpoint": format!("https://login.{names}"),
            "audiences": [
                format!("https://management.{names}/"),
                "https://management.core.windows.net/",
                "https://management.azure.com/",
            ],
            "tenant": "common",
            "identityProvider": "AAD",
        },
        "graphAudience": format!("https://graph.{names}/"),
        "graph": format!("https://graph.{names}/"),
        "microsoftGraphResourceId": format!("https://graph.{names}/"),
        "resourceManager": format!("https://management.{names}/"),
        "suffixes": {
            "acrLoginServer": format!("azurecr.{names}"),
            "keyVaultDns": format!("vault.{names}"),
            "mhsmDns": format!("managedhsm.{names}"),
            "storage": format!("core.{names}"),
        },
    })
}

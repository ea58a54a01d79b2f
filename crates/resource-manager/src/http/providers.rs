use std::collections::BTreeSet;

use axum::{
    Json,
    response::{IntoResponse as _, Response},
};
use sealock_core::excerpt;
use sealock_entra::SUBSCRIPTION;
use serde_json::{Value, json};

use super::{Answer, endpoint::Word};
use crate::{
    Error,
    resource_type::{RESOURCE_TYPES, ResourceType},
};

/// Lists the providers, of which each is registered. Everybody with a token may read them, as in Azure.
///
/// <https://learn.microsoft.com/rest/api/resources/providers/list>
pub(super) fn list() -> Response {
    let namespaces: BTreeSet<_> = RESOURCE_TYPES.iter().map(|it| it.namespace).collect();
    let providers: Vec<_> = namespaces.into_iter().map(provider).collect();
    Json(json!({"value": providers})).into_response()
}

pub(super) fn show(namespace: &Word) -> Answer {
    let Word(given) = namespace;
    let mut known = RESOURCE_TYPES.iter();
    let found = known.find(|it| it.namespace.eq_ignore_ascii_case(given));
    let found = found.ok_or_else(|| Error::ProviderUnknown(excerpt(given).to_owned()))?;
    Ok(Json(provider(found.namespace)).into_response())
}

fn provider(namespace: &str) -> Value {
    let types = RESOURCE_TYPES.iter().filter(|it| it.namespace == namespace);
    let types: Vec<_> = types
        .map(
            |ResourceType {
                 name, api_versions, ..
             }| {
                json!({"resourceType": name, "locations": [], "apiVersions": api_versions})
            },
        )
        .collect();
    json!({
        "id": format!("/subscriptions/{SUBSCRIPTION}/providers/{namespace}"),
        "namespace": namespace,
        "resourceTypes": types,
        "registrationState": "Registered",
        "registrationPolicy": "RegistrationRequired",
    })
}

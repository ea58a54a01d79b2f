//! `GET /metadata/instance`: the virtual machine on which workloads seem to run.
//!
//! <https://learn.microsoft.com/azure/virtual-machines/instance-metadata-service>

use axum::{
    Json,
    response::{IntoResponse as _, Response},
};
use sealock_core::excerpt;
use serde_json::{Value, json};

use super::call::Call;
use crate::{Error, LOCATION, RESOURCE_GROUP, Result, SUBSCRIPTION};

/// Some of the versions of the service.
pub(super) const VERSIONS: [&str; 6] = [
    "2017-04-02",
    "2018-02-01",
    "2019-08-01",
    "2020-09-01",
    "2021-02-01",
    "2021-12-13",
];

/// The name of the machine.
const NAME: &str = "sealock";

/// The id of the machine.
const ID: &str = "5ea10c00-0000-4000-8000-000000000004";

/// Shows the metadata at a path such as `compute/location`, or all of it. A single value needs `format=text`.
pub(super) fn show(call: &Call<'_>, path: &str) -> Result<Response> {
    let missing = || Error::NotAnEndpoint(excerpt(path).to_owned());
    let all = metadata();
    let mut found = &all;
    for segment in path.split('/').filter(|segment| !segment.is_empty()) {
        let inner = match segment.parse::<usize>() {
            Ok(index) => found.get(index),
            Err(_) => found.get(segment),
        };
        found = inner.ok_or_else(missing)?;
    }
    match (found, call.query.first("format")) {
        (Value::String(text), Some("text")) => Ok(text.clone().into_response()),
        (found, _) => Ok(Json(found).into_response()),
    }
}

fn metadata() -> Value {
    json!({
        "compute": {
            "azEnvironment": "AzurePublicCloud",
            "isHostCompatibilityLayerVm": "false",
            "location": LOCATION,
            "name": NAME,
            "offer": "",
            "osType": "Linux",
            "plan": {"name": "", "product": "", "publisher": ""},
            "platformFaultDomain": "0",
            "platformUpdateDomain": "0",
            "provider": "Microsoft.Compute",
            "publisher": "",
            "resourceGroupName": RESOURCE_GROUP,
            "resourceId": format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/{RESOURCE_GROUP}/providers/Microsoft.Compute/virtualMachines/{NAME}"),
            "sku": "",
            "subscriptionId": SUBSCRIPTION,
            "tags": "",
            "tagsList": [],
            "version": "",
            "vmId": ID,
            "vmScaleSetName": "",
            "vmSize": "",
            "zone": "",
        },
        "network": {
            "interface": [{
                "ipv4": {
                    "ipAddress": [{"privateIpAddress": "127.0.0.1", "publicIpAddress": ""}],
                    "subnet": [{"address": "127.0.0.0", "prefix": "8"}],
                },
                "ipv6": {"ipAddress": []},
                "macAddress": "000000000000",
            }],
        },
    })
}

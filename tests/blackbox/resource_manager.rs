//! Azure Resource Manager, as its clients see it.

mod access;
mod groups;
mod network;
mod operations;
pub(crate) mod registries;

use sealock_tests::{Answer, Client, Emulator};
use serde_json::{Value, json};

const TENANT: &str = "5ea10c00-0000-4000-8000-000000000000";
const DEVELOPER: &str = "5ea10c00-0000-4000-8000-000000000001";
pub(crate) const SUBSCRIPTION: &str = "/subscriptions/00000000-0000-0000-0000-000000000000";

/// A client of Resource Manager, logged in as an application.
pub(crate) struct Arm {
    client: Client,
    authorization: String,
    /// The version in every request.
    api_version: &'static str,
}

impl Arm {
    /// Logs in as the developer, who owns the subscription.
    pub(crate) fn developer(emulator: &Emulator) -> Self {
        Self::log_in(emulator, DEVELOPER, "sealock-developer")
    }

    pub(crate) fn log_in(emulator: &Emulator, client_id: &str, secret: &str) -> Self {
        let client = emulator.client();
        let form = format!(
            "grant_type=client_credentials&client_id={client_id}&client_secret={secret}&scope=https://management.azure.com//.default"
        );
        let path = format!("/{TENANT}/oauth2/v2.0/token");
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        let answer = client.send("POST", &path, &headers, form.as_bytes());
        assert_eq!(answer.status, 200, "{answer:?}");
        let token = answer.json()["access_token"].as_str().unwrap().to_owned();
        Self {
            client,
            authorization: format!("Bearer {token}"),
            api_version: "2023-11-01-preview",
        }
    }

    pub(crate) fn with_version(self, api_version: &'static str) -> Self {
        Self {
            api_version,
            ..self
        }
    }

    /// Sends a request for a path below the subscription.
    pub(crate) fn send(&self, method: &str, path: &str, body: &Value) -> Answer {
        let separator = if path.contains('?') { '&' } else { '?' };
        let version = self.api_version;
        let path = format!("{SUBSCRIPTION}{path}{separator}api-version={version}");
        self.send_whole(method, &path, body)
    }

    /// Sends a request for a whole path with its query.
    pub(crate) fn send_whole(&self, method: &str, path: &str, body: &Value) -> Answer {
        let headers = [
            ("host", "management.localhost"),
            ("authorization", self.authorization.as_str()),
            ("content-type", "application/json"),
        ];
        let body = if body.is_null() {
            Vec::new()
        } else {
            body.to_string().into_bytes()
        };
        self.client.send(method, path, &headers, &body)
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &Value::Null)
    }

    pub(crate) fn delete(&self, path: &str) -> Answer {
        self.send("DELETE", path, &Value::Null)
    }

    /// Creates a resource group.
    pub(crate) fn create_group(&self, name: &str) {
        let body = json!({"location": "westus"});
        let created = self.send("PUT", &format!("/resourcegroups/{name}"), &body);
        assert_eq!(created.status, 201, "{created:?}");
    }

    /// Creates a managed identity in a group, and returns it.
    pub(crate) fn create_identity(&self, group: &str, name: &str) -> Value {
        let path = identity_path(group, name);
        let created = self.send("PUT", &path, &json!({"location": "westus"}));
        assert_eq!(created.status, 201, "{created:?}");
        created.json()
    }
}

pub(crate) fn identity_path(group: &str, name: &str) -> String {
    format!(
        "/resourceGroups/{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{name}"
    )
}

pub(crate) fn registry_path(group: &str, name: &str) -> String {
    format!("/resourceGroups/{group}/providers/Microsoft.ContainerRegistry/registries/{name}")
}

/// Returns the code of an error.
pub(crate) fn code(answer: &Answer) -> String {
    answer.json()["error"]["code"].as_str().unwrap().to_owned()
}

/// Follows the URL of an operation, and returns its path and query.
fn path_of(url: &str) -> &str {
    let (_, rest) = url.split_once("://").unwrap();
    &rest[rest.find('/').unwrap()..]
}

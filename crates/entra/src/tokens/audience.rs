use sealock_core::PublicName;

/// The audiences of tokens for Azure's own Resource Manager.
const AZURE: [&str; 4] = [
    "https://management.azure.com",
    "https://management.azure.com/",
    "https://management.core.windows.net",
    "https://management.core.windows.net/",
];

/// Returns the audiences of the tokens for Resource Manager: Azure's, and the emulator's own with and without the port.
pub fn resource_manager_audiences(names: &PublicName) -> Vec<String> {
    let own = format!("https://management.{names}");
    let host = format!("https://{}", names.service_host("management"));
    let with_slash = |name: &String| format!("{name}/");
    let mut audiences = vec![with_slash(&own), with_slash(&host), own, host];
    audiences.extend(AZURE.map(str::to_owned));
    audiences
}

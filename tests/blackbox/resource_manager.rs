//! The answers for Azure Resource Manager, which is not emulated: they name the resource and the equivalent command.

use sealock_tests::Emulator;

const SUBSCRIPTION: &str = "/subscriptions/00000000-0000-0000-0000-000000000000";

/// Requests, the emulator's refusal, and the commands that it suggests, which run one after the other.
const DONE_BY_COMMANDS: &str = "
PUT    G/Microsoft.ContainerRegistry/registries/MyReg     | create the registry 'MyReg'. Create it | registry create myreg
GET    G/microsoft.containerregistry/REGISTRIES/myreg/    | show the registry 'myreg'. Show it | registry show myreg
PATCH  G/Microsoft.ContainerRegistry/registries/myreg     | update the registry 'myreg'. Update it | registry update myreg --help
GET    S/Microsoft.ContainerRegistry/registries           | list registries. List them | registry list
GET    G/Microsoft.ContainerRegistry/registries           | list registries. List them | registry list
POST   S/Microsoft.ContainerRegistry/checkNameAvailability | check names of registries. Check them | registry list
GET    G/Microsoft.ContainerRegistry/registries/myreg/listUsages | show the usage of the registry 'myreg'. Show it | registry show-usage myreg
POST   G/Microsoft.ContainerRegistry/registries/sealock/listCredentials | show the credentials of the registry 'sealock'. Show them | registry credential show sealock
GET    G/Microsoft.ContainerRegistry/registries/myreg/tokens | list the tokens of the registry 'myreg'. List them | registry token list --registry myreg
GET    G/Microsoft.ContainerRegistry/registries/sealock/tokens/reader | show the token 'reader' of the registry 'sealock'. Show it | registry token show reader --registry sealock
PATCH  G/Microsoft.ContainerRegistry/registries/sealock/tokens/reader | update the token 'reader' of the registry 'sealock'. Update it | registry token update reader --registry sealock --help
DELETE G/Microsoft.ContainerRegistry/registries/sealock/tokens/reader | delete the token 'reader' of the registry 'sealock'. Delete it | registry token delete reader --registry sealock
GET    G/Microsoft.ContainerRegistry/registries/myreg/scopeMaps | list the scope maps of the registry 'myreg'. List them | registry scope-map list --registry myreg
GET    G/Microsoft.ContainerRegistry/registries/sealock/scopeMaps/readers | show the scope map 'readers' of the registry 'sealock'. Show it | registry scope-map show readers --registry sealock
DELETE G/Microsoft.ContainerRegistry/registries/sealock/scopeMaps/readers | delete the scope map 'readers' of the registry 'sealock'. Delete it | registry scope-map delete readers --registry sealock
PUT    G/Microsoft.KeyVault/vaults/kv1                    | create the vault 'kv1'. Create it | vault create kv1
GET    G/Microsoft.KeyVault/vaults/kv1                    | show the vault 'kv1'. Show it | vault show kv1
GET    R?$filter=resourceType%20eq%20'Microsoft.KeyVault/vaults'%20and%20name%20eq%20'kv1' | show the vault 'kv1'. Show it | vault show kv1
PATCH  G/Microsoft.KeyVault/vaults/kv1                    | update the vault 'kv1'. Update it | vault update kv1 --help
GET    S/Microsoft.KeyVault/vaults                        | list vaults. List them | vault list
GET    R?api-version=1&%24filter=resourceType+eq+'Microsoft.KeyVault/vaults' | list vaults. List them | vault list
POST   S/Microsoft.KeyVault/checkNameAvailability         | check names of vaults. Check them | vault list
PUT    G/Microsoft.KeyVault/vaults/kv1/accessPolicies/add | grant access to the vault 'kv1'. Grant it | access grant --vault kv1 --help
PUT    G/Microsoft.KeyVault/vaults/kv1/accessPolicies/remove | revoke access to the vault 'kv1'. Revoke it | access revoke --vault kv1 --help
PUT    G/Microsoft.KeyVault/vaults/kv1/keys/k1            | create the key 'k1' of the vault 'kv1'. Create it | key create k1 --vault kv1
GET    G/Microsoft.KeyVault/vaults/kv1/keys/k1            | show the key 'k1' of the vault 'kv1'. Show it | key show k1 --vault kv1
GET    G/Microsoft.KeyVault/vaults/kv1/keys/k1/versions   | list the versions of the key 'k1' of the vault 'kv1'. List them | key show k1 --vault kv1
GET    G/Microsoft.KeyVault/vaults/kv1/keys               | list the keys of the vault 'kv1'. List them | key list --vault kv1
DELETE G/Microsoft.KeyVault/vaults/kv1                    | delete the vault 'kv1'. Delete it | vault delete kv1
GET    S/Microsoft.KeyVault/deletedVaults                 | list deleted vaults. List them | vault list
GET    S/Microsoft.KeyVault/locations/eastus/deletedVaults/kv1 | show the deleted vault 'kv1'. Show it | vault show kv1
POST   S/Microsoft.KeyVault/locations/eastus/deletedVaults/kv1/purge | purge the vault 'kv1'. Purge it | vault purge kv1 --yes
PUT    G/Microsoft.ManagedIdentity/userAssignedIdentities/id1 | create the managed identity 'id1'. Create it | identity create id1
GET    G/Microsoft.ManagedIdentity/userAssignedIdentities/id1 | show the managed identity 'id1'. Show it | identity show id1
GET    S/Microsoft.ManagedIdentity/userAssignedIdentities | list managed identities. List them | identity list
DELETE G/Microsoft.ManagedIdentity/userAssignedIdentities/id1 | delete the managed identity 'id1'. Delete it | identity delete id1
GET    S/Microsoft.Authorization/roleAssignments          | list role assignments. List them | role list
PUT    G/Microsoft.ContainerRegistry/registries/sealock/providers/Microsoft.Authorization/roleAssignments/a1 | create the role assignment 'a1'. Create it | role assign --help
DELETE G/Microsoft.ContainerRegistry/registries/sealock/providers/Microsoft.Authorization/roleAssignments/a1 | delete the role assignment 'a1'. Delete it | role remove --help
GET    S/Microsoft.Authorization/roleDefinitions          | list role definitions. List them | role assign --help
";

/// The same, with commands that contain placeholders in capitals.
const LEFT_TO_THE_USER: &str = "
POST   G/Microsoft.ContainerRegistry/registries/sealock/regenerateCredential | renew a password of the registry 'sealock'. Renew it | registry credential renew sealock --password-name NAME
POST   G/Microsoft.ContainerRegistry/registries/sealock/generateCredentials | renew the passwords of a token of the registry 'sealock'. Renew them | registry token renew TOKEN --registry sealock --password-name NAME
PUT    G/Microsoft.ContainerRegistry/registries/sealock/tokens/reader | create the token 'reader' of the registry 'sealock'. Create it | registry token create reader --registry sealock --repository REPOSITORY ACTION
PUT    G/Microsoft.ContainerRegistry/registries/sealock/scopeMaps/readers | create the scope map 'readers' of the registry 'sealock'. Create it | registry scope-map create readers --registry sealock --repository REPOSITORY ACTION
DELETE G/Microsoft.ContainerRegistry/registries/sealock   | delete the registry 'sealock'. Delete it | registry delete sealock --yes
";

/// Requests without an equivalent command.
const WITHOUT_A_COMMAND: &str = "
PUT    /subscriptions/s/resourcegroups/rg1         | create the resource group 'rg1'. The only resource group is 'sealock', which always exists.
GET    /subscriptions                              | list subscriptions. The only subscription is '00000000-0000-0000-0000-000000000000'.
PUT    G/Microsoft.Resources/deployments/d1        | create the deployment 'd1'.
PUT    G/Microsoft.Network/virtualNetworks/n1      | answer PUT for Microsoft.Network/virtualNetworks.
POST   G/Microsoft.ContainerRegistry/registries/sealock/importImage | answer POST for Microsoft.ContainerRegistry/registries/importImage.
";

/// Splits a table into rows and columns.
fn rows(table: &str) -> impl Iterator<Item = Vec<&str>> {
    let lines = table.lines().filter(|line| !line.is_empty());
    lines.map(|line| line.split('|').map(str::trim).collect())
}

/// Returns the emulator's answer to a request, given as `METHOD PATH`.
fn told(emulator: &Emulator, request: &str) -> String {
    let (method, path) = request.split_once(' ').unwrap();
    let path = path.trim_start();
    let path = match path.split_at(1) {
        ("G", rest) => format!("{SUBSCRIPTION}/resourceGroups/rg1/providers{rest}"),
        ("S", rest) => format!("{SUBSCRIPTION}/providers{rest}"),
        ("R", rest) => format!("{SUBSCRIPTION}/resources{rest}"),
        _ => path.to_owned(),
    };
    let answer = emulator.client().send(method, &path, &[], b"{}");
    assert_eq!(answer.status, 501, "{request}");
    let error = &answer.json()["error"];
    assert_eq!(error["code"], "NotSupportedByEmulator", "{request}");
    let message = error["message"].as_str().unwrap();
    let begin = "This version of the emulator does not support Azure Resource Manager";
    message.strip_prefix(begin).expect(message).to_owned()
}

/// Returns the option that names the emulator.
fn option(emulator: &Emulator) -> String {
    let (_, port) = emulator.address().rsplit_once(':').unwrap();
    format!("--emulator http://localhost:{port}")
}

#[test]
fn suggested_command_does_what_the_request_asked_for() {
    let emulator = Emulator::start();
    emulator.cli(&["registry", "update", "--admin-enabled", "true"]);
    let repository = ["--repository", "hello", "content/read"];
    emulator.cli(&[&["registry", "token", "create", "reader"], &repository[..]].concat());
    emulator.cli(
        &[
            &["registry", "scope-map", "create", "readers"],
            &repository[..],
        ]
        .concat(),
    );
    for row in rows(DONE_BY_COMMANDS) {
        let [request, deed, command] = row[..] else {
            panic!("{row:?}")
        };
        assert_eq!(
            told(&emulator, request),
            format!(
                ", so it does not {deed} with: sealock {command} {}",
                option(&emulator)
            )
        );
        emulator.cli(&command.split(' ').collect::<Vec<_>>());
    }
}

#[test]
fn suggested_command_has_placeholders_for_missing_values() {
    let emulator = Emulator::start();
    for row in rows(LEFT_TO_THE_USER) {
        let [request, deed, command] = row[..] else {
            panic!("{row:?}")
        };
        assert_eq!(
            told(&emulator, request),
            format!(
                ", so it does not {deed} with: sealock {command} {}",
                option(&emulator)
            )
        );
    }
}

#[test]
fn request_without_an_equivalent_command_is_refused_naming_its_resource() {
    let emulator = Emulator::start();
    for row in rows(WITHOUT_A_COMMAND) {
        let [request, said] = row[..] else {
            panic!("{row:?}")
        };
        assert_eq!(told(&emulator, request), format!(", so it does not {said}"));
    }
    for path in ["/providers", "/subscriptions/s/locations"] {
        assert_eq!(told(&emulator, &format!("GET {path}")), ".");
    }
}

#[test]
fn invalid_names_are_quoted_and_kept_out_of_commands() {
    let emulator = Emulator::start();
    let vaults = "PUT G/Microsoft.KeyVault/vaults";
    for name in ["a", "$(reboot)", "a'b", "{0}", "%24%28reboot%29", "-rf"] {
        assert_eq!(
            told(&emulator, &format!("{vaults}/{name}")),
            format!(", so it does not create the vault '{name}'.")
        );
    }
    let long = "x".repeat(3000);
    assert_eq!(
        told(&emulator, &format!("{vaults}/{long}")),
        format!(", so it does not create the vault '{}'.", &long[..200])
    );
}

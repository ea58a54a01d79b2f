#!/usr/bin/env bash
# Every command of an unmodified az that docs/parity.md lists, with its exit status and the values that matter. The last
# check compares the list.
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"
# shellcheck source=images.sh
source "$(dirname "$0")/images.sh"

parity=$(dirname "$0")/../../docs/parity.md
readonly SUBSCRIPTION=/subscriptions/00000000-0000-0000-0000-000000000000
readonly GROUP=$SUBSCRIPTION/resourceGroups/rg1
readonly LACKING='This version of the emulator does not support it'
readonly LOCKED='The operation is disallowed on this registry, repository or image'

# lacks COMMAND...: passes if az shows that the emulator does not have this type of resource or action.
lacks() {
    local command=$*
    refused "lacks: ${command%% -*}" "$LACKING" az "$@"
}

# push REGISTRY IMAGE: as the registry's admin user.
push() {
    local password
    password=$(get 'passwords[0].value' acr credential show --name "$1")
    skopeo copy --all --dest-tls-verify=false --dest-creds "$1:$password" "oci:$STATE/layout:v1" \
        "docker://$1.azurecr.$REGISTRY/$2"
}

digest_of() { get digest acr manifest show-metadata --registry regone --name "$1"; }

# describes_assignment TEXT: gives the group's role assignment a description, through a file as in az's own help.
describes_assignment() {
    az role assignment list --scope "$GROUP" | jq --arg text "$1" '.[0] + {description: $text}' >"$STATE/assignment.json"
    says "\"$1\"" description role assignment update --role-assignment "@$STATE/assignment.json"
}

make_rsa() { openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$STATE/rsa.pem"; }

# downloads KEY: succeeds if the downloaded key is the public key of the imported one.
downloads() {
    az keyvault key download --vault-name kvone --name "$1" --file "$STATE/public.pem"
    openssl pkey -in "$STATE/rsa.pem" -pubout | cmp - "$STATE/public.pem"
}

# decrypts KEY: the vault decrypts what az encrypted locally.
decrypts() {
    local names=(--vault-name kvone --name "$1" --algorithm RSA-OAEP-256) result
    result=$(get result keyvault key encrypt "${names[@]}" --value YSBkYXRhIGtleQ==)
    says '"YSBkYXRhIGtleQ=="' result keyvault key decrypt "${names[@]}" --value "$result"
}

# signs KEY: az verifies the vault's signature locally.
signs() {
    local names=(--vault-name kvone --name "$1" --algorithm RS256 --digest "$(openssl dgst -sha256 -binary <<<x | base64)")
    local signature
    signature=$(get signature keyvault key sign "${names[@]}")
    says true isValid keyvault key verify "${names[@]}" --signature "$signature"
}

key() {
    local command=$1
    shift
    az keyvault key "$command" --vault-name kvone "$@"
}

start_emulator
echo 127.0.0.1 {management,login,graph}.localhost {sealock,kvone,kvtwo}.vault.localhost \
    {sealock,regone,regtwo}.azurecr.localhost >>/etc/hosts
share_az

# --- Login, cloud, account ------------------------------------------------------------------------------------------

check "az login" az_logs_in
check "version" says '"2.91.0"' '"azure-cli"' version
check "cloud show" says "\"https://management.$REGISTRY\"" endpoints.resourceManager cloud show
check "cloud list" says '["sealock"]' '[?isActive].name' cloud list
check "account show" says "[\"Sealock\",\"$TENANT\"]" '[name,tenantId]' account show
check "account list" says 1 'length(@)' account list
check "account set" az account set --subscription Sealock
check "account list-locations" says '"East US"' "[?name=='eastus'].displayName|[0]" account list-locations
check "account get-access-token" says "[\"Bearer\",\"$TENANT\"]" '[tokenType,tenant]' account get-access-token
lacks account lock list

# --- Groups and providers -------------------------------------------------------------------------------------------

check "group create" says '["westus",{"a":"b"}]' '[location,tags]' group create --name rg1 --location westus --tags a=b
check "group exists" says true '@' group exists --name rg1
check "group exists: missing" says false '@' group exists --name none
check "group wait" az group wait --name rg1 --exists --timeout 10
check "group show" says '["westus",{"a":"b"}]' '[location,tags]' group show --name rg1
check "group update" says '{"c":"d"}' tags group update --name rg1 --tags c=d
check "group list" says '["rg1","sealock"]' 'sort([].name)' group list
refused "group show: missing" ResourceGroupNotFound az group show --name none
lacks group export --name rg1
lacks group lock list --resource-group rg1
lacks deployment group list --resource-group rg1
lacks policy assignment list
lacks tag list --resource-id "$GROUP"
lacks tag create --resource-id "$GROUP" --tags a=b
check "provider list" says true "contains([].namespace, 'Microsoft.KeyVault')" provider list
check "provider show" says '"Registered"' registrationState provider show --namespace Microsoft.ContainerRegistry
check "provider register" az provider register --namespace Microsoft.ContainerRegistry
lacks provider unregister --namespace Microsoft.ContainerRegistry
lacks provider operation show --namespace Microsoft.ContainerRegistry
check "rest" says '"rg1"' name rest --url "$GROUP?api-version=2024-11-01"
check "rest: a change" says '{"e":"f"}' tags rest --method patch --url "$GROUP?api-version=2024-11-01" \
    --body '{"tags": {"e": "f"}}'

# --- Identities -----------------------------------------------------------------------------------------------------

check "identity create" says '"westus"' location identity create --name id1 --resource-group rg1 --tags a=b
check "identity show" says '"id1"' name identity show --name id1 --resource-group rg1
check "identity update" says '{"a":"b","c":"d"}' tags identity update --name id1 --resource-group rg1 --tags c=d
check "identity list" says '["id1"]' '[].name' identity list --resource-group rg1
check "identity list-resources: none" says '[]' '@' identity list-resources --name id1 --resource-group rg1
lacks identity list-operations
lacks identity federated-credential list --identity-name id1 --resource-group rg1
lacks identity federated-credential create --identity-name id1 --resource-group rg1 --name credential1 \
    --issuer https://issuer.example --subject subject --audiences api://AzureADTokenExchange
id=$(get id identity show --name id1 --resource-group rg1) || true
principal=$(get principalId identity show --name id1 --resource-group rg1) || true

# --- The directory --------------------------------------------------------------------------------------------------

check "ad sp show" says '"developer"' displayName ad sp show --id "$DEVELOPER"
check "ad sp list" says "[\"$DEVELOPER\"]" '[].appId' ad sp list --display-name developer
check "ad app show" says '"developer"' displayName ad app show --id "$DEVELOPER"
check "ad app list" says "[\"$DEVELOPER\"]" '[].appId' ad app list --all
check "ad app credential list" says 1 'length(@)' ad app credential list --id "$DEVELOPER"
check "ad user show" says '"Developer"' displayName ad user show --id developer@sealock.localhost
check "ad user list" says '["developer@sealock.localhost"]' '[].userPrincipalName' ad user list
check "ad group list" says '[]' '@' ad group list
refused "ad signed-in-user show: an application" 'only valid with delegated authentication' az ad signed-in-user show
refused "ad app create" 'This version of the emulator answers GET' az ad app create --display-name new
refused "ad sp create-for-rbac" 'This version of the emulator answers GET' az ad sp create-for-rbac --name new

# --- Roles ----------------------------------------------------------------------------------------------------------

check "role definition list" says "[\"Reader\"]" '[].roleName' role definition list --name Reader
check "role definition show" says '"Reader"' roleName role definition show --scope "$SUBSCRIPTION" \
    --name acdd72a7-3385-48ef-bd42-f606fba81ae7
refused "role definition create" 'This version of the emulator supports GET' az role definition create \
    --role-definition "{\"Name\": \"mine\", \"Actions\": [\"*/read\"], \"AssignableScopes\": [\"$SUBSCRIPTION\"]}"
refused "role definition delete" 'This version of the emulator supports GET' az role definition delete --name Reader
check "role assignment create" says "[\"$principal\",\"$GROUP\"]" '[principalId,scope]' role assignment create \
    --role Reader --assignee-object-id "$principal" --assignee-principal-type ServicePrincipal --scope "$GROUP"
check "role assignment list" says '["Reader"]' '[].roleDefinitionName' role assignment list --scope "$GROUP"
check "role assignment list: of a principal" says "[\"$GROUP\"]" '[].scope' role assignment list \
    --assignee "$principal" --all
check "role assignment update" describes_assignment "for the tests"
check "role assignment delete" az role assignment delete --assignee "$principal" --role Reader --scope "$GROUP"
check "role assignment list: none" says '[]' '@' role assignment list --scope "$GROUP"
lacks role assignment list-changelogs
lacks role deny-assignment list

# --- Registries -----------------------------------------------------------------------------------------------------

check "acr check-name" says '[true,null]' '[nameAvailable,reason]' acr check-name --name regone
check "acr create" says '["Basic","disabled"]' '[sku.name,encryption.status]' acr create --name regone \
    --resource-group rg1 --sku Basic
check "acr check-name: taken" says '[false,"AlreadyExists"]' '[nameAvailable,reason]' acr check-name --name regone
refused "acr create: taken" RegistryNameAlreadyInUse az acr create --name regone --resource-group sealock --sku Basic
check "acr show" says "[\"regone.azurecr.$REGISTRY\",\"Succeeded\"]" '[loginServer,provisioningState]' acr show --name regone
check "acr list" says '["regone","sealock"]' 'sort([].name)' acr list
check "acr update: the tier" says '"Premium"' sku.name acr update --name regone --sku Premium
check "acr update: tags" says '{"a":"b"}' tags acr update --name regone --tags a=b
check "acr update: the admin user" says true adminUserEnabled acr update --name regone --admin-enabled true
refused "acr update: not supported" NotSupportedByEmulator az acr update --name regone --data-endpoint-enabled true
check "acr credential show" says '"regone"' username acr credential show --name regone
check "acr credential renew" says 2 'length(passwords)' acr credential renew --name regone --password-name password2
check "acr show-usage" says 536870912000 "value[?name=='Size'].limit|[0]" acr show-usage --name regone
check "acr show-endpoints" says "\"regone.azurecr.$REGISTRY\"" loginServer acr show-endpoints --name regone
check "acr network-rule list" says '[]' ipRules acr network-rule list --name regone
check "acr update: the firewall denies" says '"Deny"' networkRuleSet.defaultAction acr update --name regone \
    --default-action Deny
refused "acr repository list: denied by the firewall" "don't have access to registry" az acr repository list --name regone
check "acr network-rule add" says '["127.0.0.1"]' 'networkRuleSet.ipRules[].ipAddressOrRange' \
    acr network-rule add --name regone --ip-address 127.0.0.1
check "acr repository list: let in" az acr repository list --name regone
check "acr network-rule remove" says '[]' networkRuleSet.ipRules \
    acr network-rule remove --name regone --ip-address 127.0.0.1
check "acr update: no public access" says '"Disabled"' publicNetworkAccess acr update --name regone \
    --public-network-enabled false
check "acr update: public access" says '"Enabled"' publicNetworkAccess acr update --name regone \
    --public-network-enabled true
check "acr update: the firewall allows" says '"Allow"' networkRuleSet.defaultAction acr update --name regone \
    --default-action Allow
check "acr config authentication-as-arm show" says '"enabled"' status \
    acr config authentication-as-arm show --registry regone
check "acr config authentication-as-arm update" says '"disabled"' status \
    acr config authentication-as-arm update --registry regone --status disabled
check "acr identity show: none" az acr identity show --name regone
check "acr identity assign" says '"userAssigned"' identity.type acr identity assign --name regone --identities "$id"
check "identity list-resources" says '["regone"]' '[].name' identity list-resources --name id1 --resource-group rg1
check "acr identity show" says '"userAssigned"' type acr identity show --name regone
check "acr identity remove" says '[null]' '[identity]' acr identity remove --name regone --identities "$id"
check "acr encryption show: none" says '"disabled"' status acr encryption show --name regone
refused "acr encryption rotate-key: no encryption" 'only applicable to registries with CMK' az acr encryption rotate-key \
    --name regone --key-encryption-key "https://sealock.vault.$REGISTRY/keys/registry-key" --identity '[system]'
check "acr encryption rotate-key" says true encryption.keyVaultProperties.keyRotationEnabled acr encryption rotate-key \
    --name sealock --key-encryption-key "https://sealock.vault.$REGISTRY/keys/registry-key" --identity registry-identity
check "acr login" az acr login --name regone
check "acr login: a token" says '"00000000-0000-0000-0000-000000000000"' username acr login --name regone --expose-token
check "acr check-health" az acr check-health --name regone --ignore-errors --yes
check "acr config content-trust show" says '"disabled"' status acr config content-trust show --registry regone
check "acr config content-trust update" says '"disabled"' status acr config content-trust update --registry regone \
    --status disabled --yes
check "acr config retention show" says '"disabled"' status acr config retention show --registry regone
refused "acr config retention update" NotSupportedByEmulator az acr config retention update --registry regone \
    --status enabled --days 3 --type UntaggedManifests
check "acr config soft-delete show" says '"disabled"' status acr config soft-delete show --registry regone
refused "acr config soft-delete update" NotSupportedByEmulator az acr config soft-delete update --registry regone \
    --status enabled --days 3 --yes
check "acr replication list" says '[]' '@' acr replication list --registry regone
check "acr webhook list" says '[]' '@' acr webhook list --registry regone
check "acr private-endpoint-connection list" says '[]' '@' acr private-endpoint-connection list --registry regone
lacks acr replication create --registry regone --location eastus
lacks acr webhook create --registry regone --name hook1 --uri http://hook.example --actions push
lacks acr private-link-resource list --name regone
lacks acr import --name regone --source docker.io/library/hello-world:latest
lacks acr build --registry regone --image app:v1 https://git.example/app.git
lacks acr run --registry regone --cmd 'echo hello' /dev/null
lacks acr task list --registry regone
lacks acr task create --registry regone --name task1 --cmd app:v1 --context /dev/null
lacks acr taskrun list --registry regone
lacks acr agentpool list --registry regone
lacks acr cache list --registry regone
lacks acr credential-set list --registry regone
lacks acr connected-registry list --registry regone
refused "acr helm list" 'is not an endpoint of the registry' az acr helm list --name regone

# --- Scope maps and tokens ------------------------------------------------------------------------------------------

check "acr scope-map create" az acr scope-map create --registry regone --name readers --repository app content/read
check "acr scope-map show" says '["repositories/app/content/read"]' actions acr scope-map show --registry regone --name readers
check "acr scope-map update" says 2 'length(actions)' acr scope-map update --registry regone --name readers \
    --add-repository app content/write
check "acr scope-map list" says true "contains([].name, 'readers')" acr scope-map list --registry regone
check "acr token create" says '["token1","enabled"]' '[name,status]' acr token create --registry regone --name token1 \
    --scope-map readers
check "acr token show" says '"token1"' name acr token show --registry regone --name token1
check "acr token credential generate" says '"token1"' username acr token credential generate --registry regone \
    --name token1 --password1
check "acr token credential delete" says '["password2"]' 'credentials.passwords[].name' acr token credential delete \
    --registry regone --name token1 --password1
check "acr token update" says '"disabled"' status acr token update --registry regone --name token1 --status disabled
check "acr token list" says '["token1"]' '[].name' acr token list --registry regone
check "acr token delete" az acr token delete --registry regone --name token1 --yes
check "acr scope-map delete" az acr scope-map delete --registry regone --name readers --yes

# --- Content --------------------------------------------------------------------------------------------------------

check "make an image" build_index "$STATE/layout" v1
for image in app:v1 app:v2 other:v1; do
    check "push $image" push regone "$image"
done
check "acr repository list" says '["app","other"]' '@' acr repository list --name regone
check "acr repository show" says '["app",3,2]' '[imageName,manifestCount,tagCount]' acr repository show --name regone \
    --repository app
check "acr repository show: an image" says '"v1"' name acr repository show --name regone --image app:v1
check "acr repository show-tags" says '["v2","v1"]' '@' acr repository show-tags --name regone --repository app \
    --orderby time_desc
check "acr repository show-manifests" says 3 'length(@)' acr repository show-manifests --name regone --repository app
check "acr repository update" says false changeableAttributes.writeEnabled acr repository update --name regone \
    --image app:v1 --write-enabled false
refused "acr repository untag: locked" "$LOCKED" az acr repository untag --name regone --image app:v1
check "acr repository update: back" az acr repository update --name regone --image app:v1 --write-enabled true
check "acr manifest list" says 3 'length(@)' acr manifest list --registry regone --name app
check "acr manifest list-metadata" says '["v1","v2"]' 'sort([].tags[])' acr manifest list-metadata --registry regone \
    --name app
check "acr manifest show" says '["amd64","arm64"]' 'manifests[].platform.architecture' acr manifest show \
    --registry regone --name app:v2
check "acr manifest show-metadata" says true changeableAttributes.deleteEnabled acr manifest show-metadata \
    --registry regone --name app:v2
check "acr manifest update-metadata" says false changeableAttributes.deleteEnabled acr manifest update-metadata \
    --registry regone --name "app@$(digest_of app:v2)" --delete-enabled false
refused "acr manifest delete: locked" "$LOCKED" az acr manifest delete --registry regone --name app:v2 --yes
check "acr manifest update-metadata: back" az acr manifest update-metadata --registry regone \
    --name "app@$(digest_of app:v2)" --delete-enabled true
check "acr manifest list-referrers" says '[]' manifests acr manifest list-referrers --registry regone --name app:v2
check "acr repository untag" az acr repository untag --name regone --image app:v1
check "acr repository show-tags: untagged" says '["v2"]' '@' acr repository show-tags --name regone --repository app
check "acr manifest delete" az acr manifest delete --registry regone --name app:v2 --yes
refused "acr repository show: deleted" 'does not exist|is not found|not found' az acr repository show --name regone \
    --image app:v2
check "acr repository delete" az acr repository delete --name regone --repository other --yes
check "acr repository list: deleted" says '["app"]' '@' acr repository list --name regone
refused "acr repository list-deleted" 'does not support soft-deleted content' az acr repository list-deleted --name regone
refused "acr manifest list-deleted" 'does not support soft-deleted content' az acr manifest list-deleted \
    --registry regone --name app
refused "acr manifest list-deleted-tags" 'does not support soft-deleted content' az acr manifest list-deleted-tags \
    --registry regone --name app
refused "acr manifest restore" 'does not support soft-deleted content' az acr manifest restore --registry regone \
    --name app:v2 --yes
refused "acr artifact-streaming show" 'does not support artifact streaming' az acr artifact-streaming show \
    --name regone --repository app

# --- Resources of any type ------------------------------------------------------------------------------------------

one=(--resource-group rg1 --resource-type Microsoft.ContainerRegistry/registries --name regone)
two=(--resource-group rg1 --resource-type Microsoft.ContainerRegistry/registries --name regtwo)
check "resource list" says '["id1","regone"]' 'sort([].name)' resource list --resource-group rg1
check "resource show" says '"Premium"' sku.name resource show "${one[@]}"
check "resource tag" says '{"c":"d"}' tags resource tag "${one[@]}" --tags c=d
check "resource update" says '{"c":"d","e":"f"}' tags resource update "${one[@]}" --set tags.e=f
check "resource patch" says '{"g":"h"}' tags resource patch "${one[@]}" --is-full-object --properties '{"tags": {"g": "h"}}'
check "resource wait" az resource wait "${one[@]}" --exists --timeout 10
check "resource invoke-action" az resource invoke-action "${one[@]}" --action listCredentials
check "resource create" says '"Basic"' sku.name resource create "${two[@]}" --is-full-object \
    --properties '{"location": "eastus", "sku": {"name": "Basic"}, "properties": {}}'
check "resource delete" az resource delete "${two[@]}"
lacks resource move --destination-group sealock --ids "$id"

# --- Vaults ---------------------------------------------------------------------------------------------------------

check "keyvault create" says '[false,"Succeeded"]' 'properties.[enableRbacAuthorization,provisioningState]' \
    keyvault create --name kvone --resource-group rg1 --enable-rbac-authorization false
check "keyvault create: to purge" az keyvault create --name kvtwo --resource-group rg1
check "keyvault show" says '"kvone"' name keyvault show --name kvone
check "keyvault list" says '["kvone","kvtwo","sealock"]' 'sort([].name)' keyvault list
check "keyvault wait" az keyvault wait --name kvone --created --timeout 10
check "keyvault update" says true properties.enabledForDeployment keyvault update --name kvone --enabled-for-deployment
check "keyvault set-policy" says '["get"]' "properties.accessPolicies[?objectId=='$principal'].permissions.keys|[0]" \
    keyvault set-policy --name kvone --object-id "$principal" --key-permissions get
check "keyvault delete-policy" says '[]' "properties.accessPolicies[?objectId=='$principal']" keyvault delete-policy \
    --name kvone --object-id "$principal"
check "keyvault network-rule add" says '["203.0.113.7/32"]' 'properties.networkAcls.ipRules[].value' \
    keyvault network-rule add --name kvone --ip-address 203.0.113.7
check "keyvault network-rule list" says '["203.0.113.7/32"]' 'ipRules[].value' keyvault network-rule list --name kvone
check "keyvault network-rule wait" az keyvault network-rule wait --name kvone --created --timeout 10
check "keyvault network-rule remove" says '[null]' '[properties.networkAcls.ipRules[0]]' \
    keyvault network-rule remove --name kvone --ip-address 203.0.113.7
check "keyvault delete" az keyvault delete --name kvtwo
check "keyvault list-deleted" says '["kvtwo"]' '[].name' keyvault list-deleted
check "keyvault show-deleted" says '"kvtwo"' name keyvault show-deleted --name kvtwo
check "keyvault recover" says '"kvtwo"' name keyvault recover --name kvtwo
check "keyvault delete: again" az keyvault delete --name kvtwo
check "keyvault purge" az keyvault purge --name kvtwo
check "keyvault list-deleted: none" says '[]' '@' keyvault list-deleted
lacks keyvault check-name --name kvone
lacks keyvault private-link-resource list --vault-name kvone
refused "keyvault secret list" 'emulator does not support secrets' az keyvault secret list --vault-name kvone
refused "keyvault secret set" 'emulator does not support secrets' az keyvault secret set --vault-name kvone --name s1 --value x
refused "keyvault secret show" 'emulator does not support secrets' az keyvault secret show --vault-name kvone --name s1
refused "keyvault certificate list" 'emulator does not support certificates' az keyvault certificate list --vault-name kvone

# --- Keys -----------------------------------------------------------------------------------------------------------

named=(--vault-name kvone --name key1)
check "keyvault key create" says '["RSA",true]' '[key.kty,attributes.enabled]' keyvault key create "${named[@]}"
check "keyvault key list" says '["key1"]' '[].name' keyvault key list --vault-name kvone
check "keyvault key show" says '"RSA"' key.kty keyvault key show "${named[@]}"
check "keyvault key set-attributes" says '{"a":"b"}' tags keyvault key set-attributes "${named[@]}" --tags a=b
check "keyvault key rotate" says '"RSA"' key.kty keyvault key rotate "${named[@]}"
check "keyvault key list-versions" says 2 'length(@)' keyvault key list-versions "${named[@]}"
check "keyvault key rotation-policy update" says '"P2Y"' expiresIn keyvault key rotation-policy update "${named[@]}" \
    --value '{"lifetimeActions": [{"trigger": {"timeAfterCreate": "P1Y"}, "action": {"type": "Rotate"}}],
        "attributes": {"expiryTime": "P2Y"}}'
check "keyvault key rotation-policy show" says '"P2Y"' expiresIn keyvault key rotation-policy show "${named[@]}"
check "keyvault key get-policy-template" says '"1.0.0"' version keyvault key get-policy-template
check "keyvault key random" says true 'value!=null' keyvault key random --count 6 \
    --id "https://kvone.vault.$REGISTRY/"
check "keyvault key encrypt, decrypt" decrypts key1
check "keyvault key sign, verify" signs key1
check "make a key" make_rsa
check "keyvault key import" says '"RSA"' key.kty keyvault key import --vault-name kvone --name imported \
    --pem-file "$STATE/rsa.pem"
check "keyvault key download" downloads imported
check "keyvault key backup" key backup --name key1 --file "$STATE/backup"
check "keyvault key delete" key delete --name key1
check "keyvault key list-deleted" says 1 'length(@)' keyvault key list-deleted --vault-name kvone
check "keyvault key show-deleted" says '"RSA"' key.kty keyvault key show-deleted "${named[@]}"
check "keyvault key recover" says '"RSA"' key.kty keyvault key recover "${named[@]}"
check "keyvault key delete: again" key delete --name key1
check "keyvault key purge" key purge --name key1
check "keyvault key restore" says '"RSA"' key.kty keyvault key restore --vault-name kvone --file "$STATE/backup"
refused "keyvault key show: missing" KeyNotFound key show --name none

# --- The end --------------------------------------------------------------------------------------------------------

check "acr delete" az acr delete --name regone --yes
check "acr list: deleted" says '["sealock"]' '[].name' acr list
check "identity delete" az identity delete --name id1 --resource-group rg1
check "step the clock by two days" sealock clock advance 2d
check "expired: az gets another token for Resource Manager" az group list
check "expired: az gets another token for a vault" az keyvault key list --vault-name kvone
check "group delete" az group delete --name rg1 --yes
check "group list: deleted" says '["sealock"]' '[].name' group list
check "logout" az logout
refused "logout: az asks for a login" "Please run 'az login'" az group list
check "account clear" az account clear
check "cloud unregister" eval "az cloud set --name AzureCloud && az cloud unregister --name sealock"

# documented STATE: prints the commands that docs/parity.md lists with this state, an extended regular expression.
documented() { sed -nE "/^## Commands of az/,/^## /s/^\| \`(.*)\` \| ($1) \|.*/\1/p" "$parity" | LC_ALL=C sort; }

succeeded=$(sed -n 's/^0 //p' "$STATE/az/commands" | LC_ALL=C sort --unique)
failed=$(sed 's/^[0-9]* //' "$STATE/az/commands" | LC_ALL=C sort --unique | LC_ALL=C comm -23 - <(echo "$succeeded"))
check "at least 100 commands" test "$(wc --lines <<<"$succeeded")" -ge 100
check "docs/parity.md lists them" equal "$succeeded" "$(documented 'works|differs')"
check "docs/parity.md lists those that are refused" equal "$failed" "$(documented refused)"
check_stop

#!/usr/bin/env bash
# Microsoft's tutorial for registries with a customer-managed key, in the order of its articles, with an unmodified az:
# once with access policies on the port of Azure, once with roles on another port. Then az's other commands.
#
# https://learn.microsoft.com/azure/container-registry/tutorial-customer-managed-keys and its three other parts
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"
# shellcheck source=images.sh
source "$(dirname "$0")/images.sh"

readonly SUBSCRIPTION=/subscriptions/00000000-0000-0000-0000-000000000000
readonly NOT_PERMITTED="Failed to access KeyId '.*'. Verify that identity '.*' has 'Get, Wrap Key, Unwrap Key' permission"
readonly NOT_ASSIGNED="Azure resource '.*/registries/.*' does not have access to identity '.*' Try forcibly adding the identity"

# says JSON QUERY COMMAND...: succeeds if the query on the output of az yields this JSON.
says() {
    local expected=$1 query=$2
    shift 2
    equal "$expected" "$(az "$@" --query "$query" --output json | jq --compact-output .)"
}

# get QUERY COMMAND...: prints a value of the output of az.
get() {
    local query=$1
    shift
    az "$@" --query "$query" --output tsv
}

log_out() {
    az cloud set --name AzureCloud
    az cloud unregister --name sealock
    rm -rf "$STATE/azure"
}

# serves HOST...: lets these names lead to the emulator.
serves() { echo "127.0.0.1 $*" >>/etc/hosts; }

# key_of REGISTRY: prints the key version that the registry uses.
key_of() { get encryption.keyVaultProperties.versionedKeyIdentifier acr show --name "$1"; }

# follows REGISTRY KID: succeeds if the registry uses this key version.
follows() { equal "$2" "$(key_of "$1")"; }

# pushes REGISTRY: logs docker in through az, and pushes an image.
pushes() {
    az acr login --name "$1"
    docker tag hello "$(server_of "$1")/hello:v1"
    docker push "$(server_of "$1")/hello:v1"
}

server_of() { get loginServer acr show --name "$1"; }

# pulls REGISTRY
pulls() {
    docker image rm --force "$(server_of "$1")/hello:v1" >"$STATE/removed" 2>&1 || true
    docker pull "$(server_of "$1")/hello:v1"
}

# Prints the findings, of which some are about tools that are missing here.
check_health() { az acr check-health --name "$1" --ignore-errors --yes 2>&1 || true; }

finds_identity() {
    check_health "$1" | tee "$STATE/health"
    # On another port, its test of the name server takes the port for a part of the name.
    local errors=CMK_ERROR
    [[ $REGISTRY == *:* ]] || errors='CMK_ERROR|CONNECTIVITY_|LOGIN_SERVER_ERROR'
    ! grep -qE "$errors" "$STATE/health"
}

misses_identity() {
    check_health "$1" | tee "$STATE/health"
    grep -q CMK_ERROR "$STATE/health"
}

# --- The tutorial ---------------------------------------------------------------------------------------------------

# walk VAULT REGISTRY GRANT REVOKE: the four parts, with commands that let an identity use the key and take that back.
walk() {
    local vault=$1 registry=$2 grant=$3 revoke=$4
    local group=group-$vault identity=identity-$vault
    local id principal client kid newer own

    # Part 2: enable a customer-managed key.
    check "$vault: group create" az group create --name "$group" --location eastus
    check "$vault: identity create" az identity create --resource-group "$group" --name "$identity"
    id=$(get id identity show --resource-group "$group" --name "$identity") || true
    principal=$(get principalId identity show --resource-group "$group" --name "$identity") || true
    client=$(get clientId identity show --resource-group "$group" --name "$identity") || true
    check "$vault: keyvault create" "create_$vault" "$vault" "$group"
    check "$vault: key create" az keyvault key create --name key --vault-name "$vault"
    kid=$(get key.kid keyvault key show --name key --vault-name "$vault") || true
    refused "$vault: acr create: the identity has no permission" "$NOT_PERMITTED" az acr create \
        --resource-group "$group" --name "$registry" --identity "$id" --key-encryption-key "$kid" --sku Premium
    check "$vault: permit the identity" "$grant" "$vault" "$principal"
    refused "$vault: acr create: the tier" 'needs the SKU Premium' az acr create \
        --resource-group "$group" --name "$registry" --identity "$id" --key-encryption-key "$kid" --sku Standard
    check "$vault: acr create with a versioned key" says "[\"enabled\",false,\"$kid\"]" \
        'encryption.[status,keyVaultProperties.keyRotationEnabled,keyVaultProperties.keyIdentifier]' acr create \
        --resource-group "$group" --name "$registry" --identity "$id" --key-encryption-key "$kid" --sku Premium
    check "$vault: acr create with an unversioned key" says '["enabled",true]' \
        'encryption.[status,keyVaultProperties.keyRotationEnabled]' acr create --resource-group "$group" \
        --name "${registry}auto" --identity "$identity" --key-encryption-key "${kid%/*}" --sku Premium
    check "$vault: encryption show" says "[\"enabled\",\"$client\"]" '[status,keyVaultProperties.identity]' \
        acr encryption show --name "$registry"
    check "$vault: acr login and docker push" pushes "$registry"
    check "$vault: the pushed repository" says '["hello"]' '@' acr repository list --name "$registry"

    # Part 3: rotate and revoke.
    check "$vault: a new key version" az keyvault key create --name key --vault-name "$vault"
    newer=$(get key.kid keyvault key show --name key --vault-name "$vault") || true
    check "$vault: the unversioned registry follows it" follows "${registry}auto" "$newer"
    check "$vault: the versioned registry stays" follows "$registry" "$kid"
    check "$vault: rotate-key, by the client id" az acr encryption rotate-key --name "$registry" \
        --key-encryption-key "$newer" --identity "$client"
    check "$vault: it has the new version" follows "$registry" "$newer"
    check "$vault: rotate-key, by the resource id" az acr encryption rotate-key --name "$registry" \
        --key-encryption-key "$kid" --identity "$id"
    check "$vault: it has the old version again" follows "$registry" "$kid"
    check "$vault: identity assign [system]" az acr identity assign --name "$registry" --identities '[system]'
    own=$(get principalId acr identity show --name "$registry") || true
    refused "$vault: rotate-key: the registry's own identity has no permission" "$NOT_PERMITTED" \
        az acr encryption rotate-key --name "$registry" --key-encryption-key "$newer" --identity '[system]'
    check "$vault: permit it" "$grant" "$vault" "$own"
    check "$vault: rotate-key, by [system]" az acr encryption rotate-key --name "$registry" \
        --key-encryption-key "$newer" --identity '[system]'
    check "$vault: encryption show: system" says '"system"' keyVaultProperties.identity acr encryption show --name "$registry"
    check "$vault: rotated: the next pull" pulls "$registry"

    check "$vault: revoke the permission" "$revoke" "$vault" "$own"
    refused "$vault: revoked: the next pull is refused" "$FORBIDDEN" pulls "$registry"
    check "$vault: give it back" "$grant" "$vault" "$own"
    check "$vault: permitted: the next pull" pulls "$registry"
    check "$vault: disable the key version" az keyvault key set-attributes --id "$newer" --enabled false
    refused "$vault: disabled: the next pull is refused" "$FORBIDDEN" pulls "$registry"
    check "$vault: enable it" az keyvault key set-attributes --id "$newer" --enabled true
    check "$vault: enabled: the next pull" pulls "$registry"
    check "$vault: delete the key" az keyvault key delete --name key --vault-name "$vault"
    refused "$vault: deleted: the next pull is refused" "$FORBIDDEN" pulls "$registry"
    check "$vault: recover it" az keyvault key recover --name key --vault-name "$vault"
    check "$vault: recovered: the next pull" pulls "$registry"
    check "$vault: login --expose-token works meanwhile" az acr login --name "$registry" --expose-token

    # Part 4: troubleshoot.
    refused "$vault: identity remove: it is in use" "$NOT_ASSIGNED" az acr identity remove --name "$registry" \
        --identities '[system]'
    check "$vault: identity remove: another one" az acr identity remove --name "$registry" --identities "$id"
    refused "$vault: rotate-key: it is not assigned any more" "$NOT_ASSIGNED" az acr encryption rotate-key \
        --name "$registry" --key-encryption-key "$kid" --identity "$client"
    check "$vault: check-health: the identity exists" finds_identity "${registry}auto"
    check "$vault: identity delete" az identity delete --resource-group "$group" --name "$identity"
    check "$vault: check-health: CMK_ERROR" misses_identity "${registry}auto"
    check "$vault: group delete" az group delete --name "$group" --yes
    check "$vault: nothing is left of the group" says '[]' "[?resourceGroup=='$group']" resource list
}

create_policies() {
    az keyvault create --name "$1" --resource-group "$2" --enable-purge-protection --enable-rbac-authorization false
}

permit_by_policy() {
    az keyvault set-policy --name "$1" --object-id "$2" --key-permissions get unwrapKey wrapKey
}

revoke_policy() { az keyvault delete-policy --name "$1" --object-id "$2"; }

# The creator may manage the vault, but not its content.
create_roles() {
    az keyvault create --name "$1" --resource-group "$2" --enable-purge-protection
    refused "$1: key create: the creator has no role for it" ForbiddenByRbac \
        az keyvault key create --name key --vault-name "$1"
    assign_role "Key Vault Crypto Officer" "$DEVELOPER_OBJECT" "$1"
}

vault_id() { get id keyvault show --name "$1"; }

# assign_role ROLE OBJECT VAULT
assign_role() {
    az role assignment create --role "$1" --assignee-object-id "$2" --assignee-principal-type ServicePrincipal \
        --scope "$(vault_id "$3")"
}

permit_by_role() { assign_role "Key Vault Crypto Service Encryption User" "$2" "$1"; }

revoke_role() {
    az role assignment delete --assignee-object-id "$2" --role "Key Vault Crypto Service Encryption User" \
        --scope "$(vault_id "$1")"
}

# ---------------------------------------------------------------------------------------------------------------------

check "build hello" build_hello

serves management.localhost login.localhost graph.localhost sealock.vault.localhost
serves policies.vault.localhost policiesreg.azurecr.localhost policiesregauto.azurecr.localhost
serves roles.vault.localhost rolesreg.azurecr.localhost rolesregauto.azurecr.localhost

start_emulator 127.0.0.1:443
REGISTRY=localhost
check "port 443: az login" az_logs_in
walk policies policiesreg permit_by_policy revoke_policy
check "port 443: log out" log_out
stop_emulator
rm -rf "$STATE/data"

start_emulator
check "another port: az login" az_logs_in
walk roles rolesreg permit_by_role revoke_role

# --- Other commands -------------------------------------------------------------------------------------------------

check "account show" says "[\"Sealock\",\"$TENANT\"]" '[name,tenantId]' account show
check "account list" says 1 'length(@)' account list
check "account subscription" says "\"${SUBSCRIPTION##*/}\"" id account show
check "account list-locations" says '"East US"' "[?name=='eastus'].displayName|[0]" account list-locations
check "group create" az group create --name rg1 --location westus --tags a=b
check "group exists" says true '@' group exists --name rg1
check "group show" says '["westus",{"a":"b"}]' '[location,tags]' group show --name rg1
check "group update" says '{"c":"d"}' tags group update --name rg1 --tags c=d
check "group list" says '["rg1","sealock"]' 'sort([].name)' group list
refused "group show: missing" ResourceGroupNotFound az group show --name none
check "identity create" az identity create --name id1 --resource-group rg1 --tags a=b
check "identity update" says '{"a":"b","c":"d"}' tags identity update --name id1 --resource-group rg1 --tags c=d
check "identity list" says '["id1"]' '[].name' identity list --resource-group rg1
check "resource list" says '["Microsoft.ManagedIdentity/userAssignedIdentities"]' '[].type' \
    resource list --resource-group rg1
check "provider show" says '"Registered"' registrationState provider show --namespace Microsoft.ContainerRegistry
check "acr check-name" says '[true,null]' '[nameAvailable,reason]' acr check-name --name regone
check "acr create" says '["Basic","disabled"]' '[sku.name,encryption.status]' acr create --name regone \
    --resource-group rg1 --sku Basic
check "acr check-name: taken" says '[false,"AlreadyExists"]' '[nameAvailable,reason]' acr check-name --name regone
refused "acr create: taken" RegistryNameAlreadyInUse az acr create --name regone --resource-group sealock --sku Basic
check "acr list" says '["regone","sealock"]' 'sort([].name)' acr list
check "acr update: the tier" says '"Premium"' sku.name acr update --name regone --sku Premium
check "acr update: tags" says '{"a":"b"}' tags acr update --name regone --tags a=b
check "acr update: the admin user" says true adminUserEnabled acr update --name regone --admin-enabled true
check "acr credential show" says '"regone"' username acr credential show --name regone
check "acr credential renew" says 2 'length(passwords)' acr credential renew --name regone --password-name password2
check "acr show-usage" says 536870912000 "value[?name=='Size'].limit|[0]" acr show-usage --name regone
check "acr network-rule list" says '[]' ipRules acr network-rule list --name regone
check "acr config content-trust show" says '"disabled"' status acr config content-trust show --registry regone
check "acr identity assign" says '"userAssigned"' identity.type acr identity assign --name regone --identities "$(
    get id identity show --name id1 --resource-group rg1
)" || true
refused "acr encryption rotate-key: no encryption" 'only applicable to registries with CMK' az acr encryption rotate-key \
    --name regone --key-encryption-key "https://sealock.vault.$REGISTRY/keys/registry-key" --identity '[system]'
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
check "acr token update" says '"disabled"' status acr token update --registry regone --name token1 --status disabled
check "acr token list" says '["token1"]' '[].name' acr token list --registry regone
check "acr token delete" az acr token delete --registry regone --name token1 --yes
check "acr scope-map delete" az acr scope-map delete --registry regone --name readers --yes
refused "acr update: not supported" NotSupportedByEmulator az acr update --name regone --public-network-enabled false
check "acr delete" az acr delete --name regone --yes
check "permit the developer" az keyvault set-policy --name sealock --object-id "$DEVELOPER_OBJECT" --key-permissions list
check "key list" az keyvault key list --vault-name sealock
check "step the clock by two days" sealock clock advance 2d
check "expired: az gets another token for Resource Manager" az group list
check "expired: az gets another token for a vault" az keyvault key list --vault-name sealock
check "role definition list" says "[\"Reader\"]" '[].roleName' role definition list --name Reader

check_stop

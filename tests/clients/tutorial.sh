#!/usr/bin/env bash
# Microsoft's tutorial for registries with a customer-managed key, in the order of its articles, with an unmodified az:
# once with access policies on the port of Azure, once with roles on another port. docs/tutorial.md has these commands, too.
#
# https://learn.microsoft.com/azure/container-registry/tutorial-customer-managed-keys and its three other parts
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"
# shellcheck source=images.sh
source "$(dirname "$0")/images.sh"

tutorial=$(dirname "$0")/../../docs/tutorial.md
readonly NOT_PERMITTED="Failed to access KeyId '.*'. Verify that identity '.*' has 'Get, Wrap Key, Unwrap Key' permission"
readonly NOT_ASSIGNED="Azure resource '.*/registries/.*' does not have access to identity '.*' Try forcibly adding the identity"

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

# Prints the findings, of which some are about tools that are missing here. Without the option --only-show-errors, az also
# prints what is in order.
check_health() {
    as_own_user timeout --foreground 180 "$CACHE/az/bin/az" acr check-health --name "$1" --ignore-errors --yes 2>&1 || true
}

is_healthy() {
    check_health "$1" | tee "$STATE/health"
    # On another port, its test of the name server takes the port for a part of the name.
    local errors=CMK_ERROR
    if [[ $REGISTRY != *:* ]]; then
        errors='CMK_ERROR|CONNECTIVITY_|LOGIN_SERVER_ERROR'
        grep -q "Challenge endpoint https://$1.azurecr.localhost/v2/ : OK" "$STATE/health"
        grep -q "Fetch access token for registry '$1.azurecr.localhost' : OK" "$STATE/health"
    fi
    ! grep -E "$errors" "$STATE/health"
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
    check "$vault: disabled: check-health is healthy, since it asks for no content" is_healthy "$registry"
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
    refused "$vault: removed all the same: the next pull is refused" "$INACTIVE" pulls "$registry"
    check "$vault: identity assign: another one takes its place" az acr identity assign --name "$registry" --identities "$id"
    check "$vault: assigned: the next pull" pulls "$registry"
    check "$vault: encryption show: its client id" says "\"$client\"" keyVaultProperties.identity \
        acr encryption show --name "$registry"
    refused "$vault: identity remove: it is in use, too" "$NOT_ASSIGNED" az acr identity remove --name "$registry" \
        --identities "$id"
    refused "$vault: removed all the same: the next pull is refused, too" "$INACTIVE" pulls "$registry"
    refused "$vault: rotate-key: it is not assigned any more" "$NOT_ASSIGNED" az acr encryption rotate-key \
        --name "$registry" --key-encryption-key "$kid" --identity "$client"
    check "$vault: identity assign: the same one" az acr identity assign --name "$registry" --identities "$id"
    check "$vault: assigned again: the next pull" pulls "$registry"
    # As in Azure, az has also assigned the registry's own: https://github.com/Azure/azure-cli/issues/24687
    check "$vault: identity remove: one that is not in use" az acr identity remove --name "$registry" --identities '[system]'
    check "$vault: not in use: the next pull" pulls "$registry"
    check "$vault: check-health: healthy" is_healthy "${registry}auto"
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

# The commands of az in docs/tutorial.md, without options.
documented() {
    grep -oE '([$] |[$][(]|`)az [a-z][a-z-]*( [a-z][a-z-]*)*' "$tutorial" | sed 's/^.*az //' | LC_ALL=C sort --unique
}

# The commands that succeeded here. check-health is not in the shared process's list.
succeeded() { { sed -n 's/^0 //p' "$STATE/az/commands" && echo acr check-health; } | LC_ALL=C sort --unique; }

has_run_documented() {
    [[ $(documented | wc --lines) -gt 20 ]]
    ! LC_ALL=C comm -23 <(documented) <(succeeded) | grep .
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

share_az
start_emulator 127.0.0.1:443
REGISTRY=localhost
check "port 443: az login" az_logs_in
walk policies policiesreg permit_by_policy revoke_policy
check "port 443: log out" az_logs_out
stop_emulator
rm -rf "$STATE/data"

start_emulator
check "another port: az login" az_logs_in
walk roles rolesreg permit_by_role revoke_role
check "docs/tutorial.md has no other command" has_run_documented
check_stop

#!/usr/bin/env bash
# Vaults with an unmodified az: each command for vaults, their access policies, firewall and soft deletion.
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"

readonly ALL_PERMISSIONS='{"certificates":["all"],"keys":["all"],"secrets":["all"],"storage":["all"]}'

# says JSON QUERY COMMAND...: succeeds if the query on the output of `az keyvault COMMAND` yields this JSON.
says() {
    local expected=$1 query=$2
    shift 2
    equal "$expected" "$(az keyvault "$@" --query "$query" --output json | jq --compact-output --sort-keys .)"
}

start_emulator
echo 127.0.0.1 {management,login,graph,kvone,kvtwo}.localhost {kvone,kvtwo}.vault.localhost >>/etc/hosts
share_az
check "az login" az_logs_in
check "group create" az group create --name rg1 --location eastus2

# --- Creation -------------------------------------------------------------------------------------------------------

check "create: roles decide by default" says '[true,"Succeeded","eastus2"]' \
    '[properties.enableRbacAuthorization,properties.provisioningState,location]' create --name kvtwo --resource-group rg1
check "create: with access policies" says "[false,true,7,$ALL_PERMISSIONS]" \
    '[properties.enableRbacAuthorization,properties.enablePurgeProtection,properties.softDeleteRetentionInDays,
    properties.accessPolicies[0].permissions]' create --name kvone --resource-group rg1 \
    --enable-rbac-authorization false --enable-purge-protection --retention-days 7
refused "create: the name is taken" 'is already in use|already exist' az keyvault create --name kvone \
    --resource-group sealock
refused "create: the name is invalid" "vault's name must be between 3-24|not match|conform" az keyvault create --name 1x \
    --resource-group rg1
check "show" says '["rg1","standard"]' '[resourceGroup,properties.sku.name]' show --name kvone
refused "show: missing" 'not found within subscription' az keyvault show --name none
refused "show: missing in this group" "Microsoft.KeyVault/vaults/none' under resource group 'rg1' was not found" \
    az keyvault show --name none --resource-group rg1
check "list" says '["kvone","kvtwo","sealock"]' 'sort([].name)' list
check "list: of a group" says '["kvone","kvtwo"]' 'sort([].name)' list --resource-group rg1

# --- Access policies ------------------------------------------------------------------------------------------------

object=$(sealock identity show registry-identity --json | jq -r .principal_id) || true
check "set-policy: by object" says '[["get","unwrapKey","wrapKey"],["list"],null]' \
    "properties.accessPolicies[?objectId=='$object'].permissions|[0].[sort(keys),secrets,storage]" set-policy --name kvone \
    --object-id "$object" --key-permissions get wrapKey unwrapKey --secret-permissions list
check "set-policy: by service principal" says '["get","list"]' \
    "properties.accessPolicies[?objectId=='$DEVELOPER_OBJECT'].permissions|[0].sort(keys)" set-policy --name kvone \
    --spn "$DEVELOPER" --key-permissions get list
refused "key create: no permission" 'does not have keys create permission on key vault .kvone;location=eastus2.' \
    az keyvault key create --name k1 --vault-name kvone
check "set-policy: all" az keyvault set-policy --name kvone --object-id "$DEVELOPER_OBJECT" --key-permissions all
check "key create" az keyvault key create --name k1 --vault-name kvone
check "delete-policy" says "[\"$DEVELOPER_OBJECT\"]" 'properties.accessPolicies[].objectId' delete-policy --name kvone \
    --object-id "$object"
refused "set-policy: roles decide" 'Cannot set policies' az keyvault set-policy --name kvtwo --object-id "$object" \
    --key-permissions get
refused "key create: no role" ForbiddenByRbac az keyvault key create --name k1 --vault-name kvtwo

# --- Settings and firewall ------------------------------------------------------------------------------------------

check "update: a flag" says true properties.enabledForDeployment update --name kvone --enabled-for-deployment
check "update: a tag" says '{"env":"test"}' tags update --name kvone --set tags.env=test
check "update: purge protection" says true properties.enablePurgeProtection update --name kvtwo --enable-purge-protection
refused "update: purge protection cannot be turned off" 'cannot be set to false. Enabling the purge protection' \
    az keyvault update --name kvtwo --set properties.enablePurgeProtection=false
check "update: the firewall" says '"Deny"' properties.networkAcls.defaultAction update --name kvone --default-action Deny
refused "key list: behind the firewall" ForbiddenByFirewall az keyvault key list --vault-name kvone
check "network-rule add" says '["198.51.100.0/24","203.0.113.7/32"]' 'sort(properties.networkAcls.ipRules[].value)' \
    network-rule add --name kvone --ip-address 203.0.113.7 198.51.100.0/24
check "network-rule list" says 2 'length(ipRules)' network-rule list --name kvone
check "network-rule remove" says '["203.0.113.7/32"]' 'properties.networkAcls.ipRules[].value' network-rule remove \
    --name kvone --ip-address 198.51.100.0/24
refused "network-rule add: a private range" 'is private' az keyvault network-rule add --name kvone --ip-address 10.0.0.0/8
check "network-rule add: this machine" az keyvault network-rule add --name kvone --ip-address 127.0.0.1
check "key list: let in by a rule" az keyvault key list --vault-name kvone
check "update: no public access" says '"Disabled"' properties.publicNetworkAccess update --name kvone \
    --public-network-access Disabled
refused "key list: no public access" ForbiddenByConnection az keyvault key list --vault-name kvone
check "update: public access" az keyvault update --name kvone --public-network-access Enabled
check "update: from policies to roles" says true properties.enableRbacAuthorization update --name kvone \
    --enable-rbac-authorization true
check "update: back to policies" says false properties.enableRbacAuthorization update --name kvone \
    --enable-rbac-authorization false

# --- Soft deletion --------------------------------------------------------------------------------------------------

check "wait" az keyvault wait --name kvone --created
check "delete" az keyvault delete --name kvone
refused "show: deleted" 'not found within subscription' az keyvault show --name kvone
check "list-deleted" says '[["kvone","eastus2",true]]' \
    '[].[name,properties.location,properties.purgeProtectionEnabled]' list-deleted --resource-type vault
check "list-deleted: with managed HSMs" says 1 'length(@)' list-deleted
check "show-deleted" says '"kvone"' name show-deleted --name kvone
refused "create: the name is reserved" 'exists in deleted state|in a deleted but recoverable state' az keyvault create \
    --name kvone --resource-group rg1
refused "purge: protected" "Operation 'DeletedVaultPurge' is not allowed" az keyvault purge --name kvone
check "recover" says '["Succeeded",{"env":"test"}]' '[properties.provisioningState,tags]' recover --name kvone
check "key show: recovered" az keyvault key show --name k1 --vault-name kvone
check "create: a vault to purge" az keyvault create --name kvthree --resource-group rg1 --sku premium --tags a=b
check "delete: by group" az keyvault delete --name kvthree --resource-group rg1
check "purge" az keyvault purge --name kvthree --location eastus2
check "list-deleted: purged" says 0 'length(@)' list-deleted
check "resource list" equal '["kvone","kvtwo"]' "$(az resource list --resource-group rg1 --query 'sort([].name)' \
    --output json | jq --compact-output .)"
check "group delete" az group delete --name rg1 --yes
check "list-deleted: with the group" says '["kvone","kvtwo"]' 'sort([].name)' list-deleted
check_stop

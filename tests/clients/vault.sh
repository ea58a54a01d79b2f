#!/usr/bin/env bash
# Microsoft's SDKs for Key Vault keys in Python and JavaScript, over TLS with normal verification, under the vault's own
# name, with a managed identity or an application from the environment. And the vault's cryptography compared with
# OpenSSL's, over HTTP.
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"

here=$(cd "$(dirname "$0")" && pwd)
readonly GROUP=/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/sealock
readonly RBAC=$GROUP/providers/Microsoft.KeyVault/vaults/roles
IMPORTED=$STATE/sdk/imported TOLD=$STATE/sdk/told

# python COMMAND VAULT
python() {
    timeout --foreground 120 "$CACHE/python/bin/python" "$here/languages/key_vault.py" "$1" "$(url "$2")" "$STATE/sdk"
}

# javascript COMMAND VAULT: uses a Node.js that is new enough for the SDK, unlike Debian's perhaps.
javascript() { timeout --foreground 120 "$CACHE/python/bin/node" "$CACHE/node/key_vault.mjs" "$1" "$(url "$2")"; }

url() { echo "https://$1.vault.$REGISTRY"; }

rest() { timeout --foreground 120 "$CACHE/python/bin/python" "$here/languages/key_vault_rest.py" "$(url "$1")" "$STATE/sdk"; }

# as on a virtual machine
imds() (
    unset IDENTITY_ENDPOINT IDENTITY_HEADER
    AZURE_POD_IDENTITY_AUTHORITY_HOST=http://$REGISTRY "$@"
)

# as in App Service
app_service() {
    export IDENTITY_ENDPOINT=http://$REGISTRY/msi/token IDENTITY_HEADER=any
}

# as an application, at an authority that the SDK does not look up at Microsoft
client_secret() (
    unset IDENTITY_ENDPOINT IDENTITY_HEADER
    export AZURE_AUTHORITY_HOST=https://login.$REGISTRY AZURE_TENANT_ID=adfs
    AZURE_CLIENT_ID=$(jq -r .client_id <<<"$app") AZURE_CLIENT_SECRET=$(jq -r .secret <<<"$app") "$@"
)

# vault NAME SETTINGS
vault() {
    curl --fail --request PUT "http://$REGISTRY/_sealock/v1/vaults/$1" \
        --data "{\"sku\":\"premium\",\"soft_delete_retention_days\":7$2}"
}

may_do_everything() { sealock access grant --vault "$1" --permissions all; }

# role assign|remove ROLE SCOPE
role() { sealock role "$1" --role "$2" --scope "$3"; }

both_delayed() {
    python delayed python &
    javascript delayed javascript
    wait $!
}

start_emulator
for name in python aio javascript plain; do
    check "create the vault $name" vault "$name" ""
    check "give the identity access to $name" may_do_everything "$name"
done
check "create a vault with roles" vault roles ',"rbac":true'
check "hosts --write" sealock hosts --write
app_service
export CREDENTIAL=default
refused "Python: without the CA it is refused" CERTIFICATE_VERIFY_FAILED python unusable python
refused "JavaScript: without the CA it is refused" 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY|UNABLE_TO_VERIFY_LEAF_SIGNATURE|SELF_SIGNED_CERT_IN_CHAIN' \
    javascript everything javascript
follow Python >/dev/null
follow Node.js >/dev/null

check "Python: every method" python everything python
check "Python, asynchronous: every method" python everything-aio aio
check "JavaScript: every method" javascript everything javascript
check "Python: disabled, expired and restricted keys" python unusable python
check "Python, asynchronous: the same" python unusable-aio aio
check "revoke the permission to get keys" sealock access revoke --vault python --permissions get
check "Python: the vault does everything for the client" python remote python
check "Python, asynchronous: the same" python remote-aio python
check "restore the permission" may_do_everything python

CREDENTIAL=managed
check "Python: the identity as on a virtual machine" imds python unusable python
check "JavaScript: the same" imds javascript wraps javascript
check "Python: the identity alone" python unusable-aio aio

CREDENTIAL=default
app=$(sealock app create deploy --json)
check "give an application access" sealock access grant --app deploy --vault python --permissions all
check "Python: an application with its secret" client_secret python unusable python
check "Python, asynchronous: the same" client_secret python unusable-aio python
check "JavaScript: the same" client_secret javascript wraps python
app=$(jq '.secret = "another"' <<<"$app")
refused "Python: with another secret it is refused" AADSTS7000215 client_secret python unusable python

CREDENTIAL=managed
check "without a role nothing is permitted" python forbidden roles
check "assign the role of a crypto officer" role assign "Key Vault Crypto Officer" "$RBAC"
check "it creates keys" python officer roles
check "remove the role" role remove "Key Vault Crypto Officer" "$RBAC"
check "without it nothing is permitted" python forbidden roles
check "assign the role of a crypto user for one key" role assign "Key Vault Crypto User" "$RBAC/keys/shared"
check "it uses that key, and cannot create others" python user roles

check "the vault's cryptography matches OpenSSL's" rest plain

stop_emulator
SEALOCK_FIDELITY__KEYVAULT_DELETE_DELAY=5s start_emulator "$ADDRESS"
check "clients wait for a key to be deleted and recovered" both_delayed

check "no file, log, backup or answer contains a private key" \
    timeout --foreground 120 python3 "$here/languages/key_material.py" "$IMPORTED" "$TOLD" "$STATE/data" "$EMULATOR_LOG"
check_stop

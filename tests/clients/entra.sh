#!/usr/bin/env bash
# Microsoft's credentials in Python: everything with which a program or a person logs in at the authority, over TLS with its
# normal verification, and everything with which a program finds its managed identity's token, over plain HTTP.
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"

here=$(cd "$(dirname "$0")" && pwd)
readonly PERSON=developer@sealock.localhost

credential() { timeout --foreground 120 "$CACHE/python/bin/python" "$here/languages/entra.py" "$1"; }

# claims CLAIM VALUE CREDENTIAL: succeeds if the token has this claim.
claims() { equal "$2" "$(credential "$3" | jq -r ".$1")"; }

make_certificate() {
    openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=deploy -keyout "$STATE/key.pem" -out "$STATE/certificate.pem"
    cat "$STATE/key.pem" "$STATE/certificate.pem" >"$STATE/both.pem"
    sealock app add-certificate deploy --file "$STATE/certificate.pem"
}

trust_identity() {
    local principal
    principal=$(sealock identity list --json | jq -r '.identities[0].principal_id')
    sealock app federate deploy --name identity --issuer "https://sts.windows.net/$TENANT/" --subject "$principal"
    curl --header Metadata:true \
        "http://$REGISTRY/metadata/identity/oauth2/token?api-version=2018-02-01&resource=api://AzureADTokenExchange" |
        jq -j .access_token >"$STATE/assertion"
}

# asks_graph PATH QUERY VALUE: succeeds if Graph's answer to the developer has this value.
asks_graph() {
    local form=(--data grant_type=client_credentials --data "client_id=$DEVELOPER" --data client_secret=sealock-developer)
    local token
    token=$(curl "${form[@]}" --data scope=https://graph.microsoft.com/.default "http://$REGISTRY/$TENANT/oauth2/v2.0/token" |
        jq -r .access_token)
    equal "$3" "$(curl --header "Authorization: Bearer $token" "http://$REGISTRY/v1.0/$1" | jq -r "$2")"
}

start_emulator
check "hosts --write" sealock hosts --write
follow Python >/dev/null
export AZURE_AUTHORITY_HOST=https://login.$REGISTRY AZURE_CLIENT_ID=$DEVELOPER AZURE_CLIENT_SECRET=sealock-developer

for AZURE_TENANT_ID in adfs "$TENANT"; do
    export AZURE_TENANT_ID
    check "$AZURE_TENANT_ID: the developer's secret" claims appid "$DEVELOPER" secret
    check "$AZURE_TENANT_ID: a person types the code of a device" claims upn "$PERSON" device
    check "$AZURE_TENANT_ID: a person signs in, in a browser" claims upn "$PERSON" interactive
done
check "a web application redeems a code with its secret" claims upn "$PERSON" code
export AZURE_TENANT_ID=adfs
check "password, cache and refresh token" claims aud https://vault.azure.net refresh
check "DefaultAzureCredential from the environment" claims appid "$DEVELOPER" default
AZURE_CLIENT_SECRET=wrong refused "a wrong secret is refused" AADSTS7000215 credential secret

AZURE_CLIENT_ID=$(sealock app create deploy --json | jq -r .client_id)
export CERTIFICATE=$STATE/both.pem AZURE_FEDERATED_TOKEN_FILE=$STATE/assertion
check "make a certificate" make_certificate
check "trust a managed identity" trust_identity
for AZURE_TENANT_ID in adfs "$TENANT"; do
    check "$AZURE_TENANT_ID: a certificate" claims appid "$AZURE_CLIENT_ID" certificate
    check "$AZURE_TENANT_ID: a token of a trusted issuer" claims appid "$AZURE_CLIENT_ID" workload
done
check "remove the trust" sealock app remove-credential deploy identity
refused "without it, the token is refused" AADSTS700211 credential workload

check "Graph finds a principal by its name" asks_graph \
    "servicePrincipals?\$filter=servicePrincipalNames/any(c:c%20eq%20'$DEVELOPER')" '.value[0].displayName' developer

# --- Without any login, over plain HTTP -----------------------------------------------------------------------------

unset "${!AZURE_@}"
imds() { AZURE_POD_IDENTITY_AUTHORITY_HOST=http://$REGISTRY claims idtyp app "$1"; }
app_service() { IDENTITY_ENDPOINT=http://$REGISTRY/msi/token IDENTITY_HEADER=any claims idtyp app "$1"; }
old_app_service() { MSI_ENDPOINT=http://$REGISTRY/msi/token MSI_SECRET=any claims idtyp app "$1"; }
cloud_shell() { MSI_ENDPOINT=http://$REGISTRY/msi/token claims upn "$PERSON" "$1"; }

for place in imds app_service old_app_service cloud_shell; do
    check "$place: ManagedIdentityCredential" "$place" managed-identity
    check "$place: DefaultAzureCredential" "$place" default
done
check_stop

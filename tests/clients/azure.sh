#!/usr/bin/env bash
# Microsoft's SDK for container registries, in Python: over TLS with its normal verification, under the registry's own
# name, logged in with a managed identity or anonymously.
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"

here=$(cd "$(dirname "$0")" && pwd)

# sdk COMMAND
sdk() { timeout --foreground 120 "$CACHE/python/bin/python" "$here/languages/azure_registry.py" "$1" "https://$NAME"; }

# as on a virtual machine
imds() { AZURE_POD_IDENTITY_AUTHORITY_HOST=http://$REGISTRY sdk "$@"; }

# as in App Service
app_service() { IDENTITY_ENDPOINT=http://$REGISTRY/msi/token IDENTITY_HEADER=secret sdk "$@"; }

# a named identity
named() { CLIENT_ID=$client_id imds pull; }

role() { sealock role "$1" --role "$2"; }

start_emulator
check "hosts --write" sealock hosts --write
refused "without the CA it is refused" CERTIFICATE_VERIFY_FAILED imds pull
follow Python >/dev/null

refused "an identity without a role gets no token" 'ClientAuthenticationError|authentication required' imds content
check "assign a role" role assign Contributor
check "blobs and manifests: upload, get, download, delete" imds content
check "repositories, tags, manifests: list, get, update" imds properties
check "deletes" imds deletes
check "the identity's token as App Service gives it" app_service content

check "remove the role" role remove Contributor
refused "without the role it gets no token" 'ClientAuthenticationError|authentication required' imds pull
check "assign AcrPull" role assign AcrPull
check "it pulls" imds pull
refused "it does not push" 'ClientAuthenticationError|authentication required' imds push

check "create another identity" sealock identity create another
refused "several identities: one has to be named" 'Multiple user assigned identities' imds pull
client_id=$(sealock identity list --json | jq -r '.identities[] | select(.name == "registry-identity").client_id')
check "named, it pulls" named

refused "anonymous pull is refused" 'ClientAuthenticationError|authentication required' sdk anonymous
check "enable anonymous pull" sealock registry update --anonymous-pull-enabled true
check "anonymous pull" sdk anonymous

check_stop

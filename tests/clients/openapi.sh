#!/usr/bin/env bash
# Valid and invalid requests that schemathesis generates from the control API's OpenAPI document: no answer is a server
# error, or deviates from the document.
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"

here=$(cd "$(dirname "$0")" && pwd)

# The clock's operations are left out: they would purge the other resources. Azure's own names are not served here, so
# their CA is missing.
conforms() {
    cd "$STATE"
    SCHEMATHESIS_HOOKS=$here/languages/openapi_hooks.py timeout --foreground 300 "$CACHE/python/bin/schemathesis" run \
        "http://$REGISTRY/_sealock/v1/openapi.json" --exclude-path-regex '^/(clock|azure-ca)' \
        --phases coverage,fuzzing --max-examples 30 --request-timeout 30 --continue-on-failure --warnings off \
        --checks not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,unsupported_method,allow_header_conformance
}

start_emulator
check "schemathesis: every answer conforms to the document" conforms
check "the emulator is as healthy as before" sealock health
check_stop

#!/usr/bin/env bash
# Asynchronous operations of Resource Manager as an unmodified az sees them: it waits until they end, by the clock or by
# the operator.
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"

# with_delay DELAY: starts an emulator whose operations take this time, and logs az in.
with_delay() {
    export SEALOCK_FIDELITY__PROVISIONING_DELAY=$1
    start_emulator
    check "$1: az login" az_logs_in
    check "$1: group create" az group create --name group1 --location eastus
    check "$1: acr create" az acr create --name regone --resource-group group1 --sku Standard
}

state_is() { equal "$1" "$(az "${@:2}" --query "[properties.provisioningState, provisioningState][?@] | [0]" --output tsv)"; }

# Prints the id of the operation that is under way, when there is one.
under_way() {
    local deadline=$((SECONDS + 60)) id=
    until [[ $id ]]; do
        ((SECONDS < deadline)) || return 1
        sleep 0.2
        id=$(sealock operation list --json | jq -r '.operations[] | select(.state == "in progress").id')
    done
    echo "$id"
}

# ended_by COMMAND: lets az change the registry, and ends its operation with `sealock operation COMMAND`.
ended_by() {
    az acr update --name regone --anonymous-pull-enabled true >"$STATE/updated" 2>&1 &
    local az_pid=$! id
    id=$(under_way)
    sealock operation "$1" "$id"
    local status=0
    wait "$az_pid" || status=$?
    cat "$STATE/updated"
    return "$status"
}

echo "127.0.0.1 management.localhost login.localhost graph.localhost" >>/etc/hosts

with_delay 2s
check "2s: acr update waits for its operation" state_is Succeeded acr update --name regone --anonymous-pull-enabled true
check "2s: keyvault create waits, too" state_is Succeeded keyvault create --name operations --resource-group group1
check "2s: group delete --no-wait" az group delete --name group1 --yes --no-wait
check "2s: group wait --deleted" az group wait --name group1 --deleted --interval 1 --timeout 60
stop_emulator
rm -rf "$STATE/azure" "$STATE/data"

with_delay held
check "held: acr update ends when the operator completes it" ended_by complete
refused "held: it fails when the operator lets it fail" OperationFailed ended_by fail
check "held: the registry's state" state_is Failed acr show --name regone

check_stop

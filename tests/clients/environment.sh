#!/usr/bin/env bash
# `sealock env`, `sealock az` and `sealock exec` with the clients that they are for, none of which has settings of its own.
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"
# shellcheck source=images.sh
source "$(dirname "$0")/images.sh"

here=$(cd "$(dirname "$0")" && pwd)

# as the user has installed it
PATH=$CACHE/az/bin:$PATH

# get QUERY ARGUMENTS...: prints a value of the output of az.
get() {
    local query=$1
    shift
    sealock az -- "$@" --query "$query" --output tsv --only-show-errors
}

# Prints the warnings of `sealock env` on one line, and fails.
warnings() {
    sealock env 2>&1 >/dev/null | tr '\n' ' '
    return 1
}

# in_environment COMMAND...: runs the command in a shell with the variables.
in_environment() {
    eval "$(sealock env)"
    "$@"
}

# in_dotenv COMMAND...: the same, with the variables of a .env file.
in_dotenv() {
    sealock env --format dotenv >"$STATE/.env"
    set -o allexport
    # shellcheck source=/dev/null
    source "$STATE/.env"
    set +o allexport
    "$@"
}

credential() { timeout --foreground 120 "$CACHE/python/bin/python" "$here/languages/entra.py" "$1"; }

# claims CLAIM VALUE CREDENTIAL: succeeds if the token has this claim.
claims() { equal "$2" "$(credential "$3" | jq -r ".$1")"; }

lists_repositories() {
    "$CACHE/python/bin/python" -c '
import os
from azure.containerregistry import ContainerRegistryClient
from azure.identity import DefaultAzureCredential
url = "https://" + os.environ["SEALOCK_LOGIN_SERVER"]
with ContainerRegistryClient(url, DefaultAzureCredential()) as client:
    print(list(client.list_repository_names()))'
}

lists_keys() {
    "$CACHE/python/bin/python" -c '
import os
from azure.identity import EnvironmentCredential
from azure.keyvault.keys import KeyClient
with KeyClient(os.environ["SEALOCK_VAULT_URL"], EnvironmentCredential()) as client:
    print([key.name for key in client.list_properties_of_keys()])'
}

# has NAME: prints the variable as a container has it.
has() {
    sealock env --format docker >"$STATE/docker.env"
    docker run --rm --network none --env-file "$STATE/docker.env" hello /bin/busybox env | sed -n "s/^$1=//p"
}

fetches() { node -e 'fetch(process.argv[1]).then(answer => console.log(answer.status))' "$1"; }

# The emulator's control API is not among the services of Azure, so the command line grants.
grant_keys() { sealock access grant --app developer --permissions get,list; }

# runs SCRIPT: runs a script with an emulator of its own.
runs() { timeout --foreground 120 "$SEALOCK" exec -- bash -c "$1"; }

stopped() { ! curl "$(cat "$STATE/url")/_sealock/v1/health"; }

start_emulator
export SEALOCK_EMULATOR=http://$REGISTRY
refused "env: it says which names are unknown" 'does not resolve .*login\.localhost.*sealock hosts --write' \
    warnings
check "hosts --write" sealock hosts --write

check "az: the subscription, from the first command" equal "$DEVELOPER" "$(get user.name account show)"
check "az: a group" sealock az -- group create --name group1 --location eastus --only-show-errors
check "az: the registry" equal sealock "$(get '[0].name' acr list)"
check "az: a login for docker" sealock az -- acr login --name sealock --only-show-errors
refused "az: its exit code and its error" 'ResourceGroupNotFound' sealock az -- group show --name missing
check "az: the user's own configuration is untouched" test ! -e "$HOME/.azure/clouds.config"

check "grant the developer access to the keys" grant_keys
check "env: DefaultAzureCredential" in_environment claims appid "$DEVELOPER" default
check "env: ManagedIdentityCredential" in_environment claims idtyp app managed-identity
check "env: a registry's client in Python" in_environment lists_repositories
check "env: a vault's client in Python" in_environment lists_keys
check "env: curl" in_environment curl --fail "https://management.$REGISTRY/metadata/endpoints?api-version=2022-09-01"
check "env: Node.js" in_environment fetches "https://$NAME/v2/"
check "env: a .env file" in_dotenv claims appid "$DEVELOPER" default
check "build an image" build_hello
check "env: a container" equal "https://login.$REGISTRY" "$(has AZURE_AUTHORITY_HOST)"

check_stop
unset SEALOCK_EMULATOR

# shellcheck disable=SC2016  # for the shell that it runs
{
    check "exec: a credential" runs \
        '"$CACHE/python/bin/python" '"$here/languages/entra.py"' default && echo "$SEALOCK_EMULATOR" >'"$STATE/url"
    check "exec: the emulator has stopped" stopped
    check "exec: az" runs '[[ $("$SEALOCK" az -- account show --query user.name --output tsv) == '"$DEVELOPER"' ]]'
    check "exec: the exit code" bash -c '"$SEALOCK" exec -- bash -c "exit 42"; [[ $? == 42 ]]'
    check "exec: nothing is left" bash -c '[[ -z $(ls "$HOME/.cache/sealock" | grep -v "'"localhost_${ADDRESS##*:}"'") ]]'
}

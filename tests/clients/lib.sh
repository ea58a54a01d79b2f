# shellcheck shell=bash
# The functions that the scenarios share: an emulator, clients with a deadline, and checks.
# Sourced by a scenario, which `run` starts with WORK, SEALOCK, CACHE and a Docker Engine at DOCKER_HOST, and with private
# mounts: only the scenarios and the engine see its changes to /etc/hosts, /etc/docker or /etc/containers.

scenario=$(basename "$0" .sh)
STATE=$WORK/$scenario # for the scenario's own files, and the emulator's
EMULATOR_LOG=$STATE/emulator.log
ADDRESS=  # 127.0.0.1:PORT
REGISTRY= # localhost:PORT, as docker and skopeo name it
NAME=     # sealock.azurecr.localhost:PORT, as Azure would have it
emulator_pid=
az_pid= # of the process that az's commands share

# shellcheck disable=SC2034  # for the scenarios
readonly TENANT=5ea10c00-0000-4000-8000-000000000000 DEVELOPER=5ea10c00-0000-4000-8000-000000000001
# shellcheck disable=SC2034
readonly DEVELOPER_OBJECT=5ea10c00-0000-4000-8000-000000000002

# Azure's texts.
# shellcheck disable=SC2034  # for the scenarios
readonly FORBIDDEN='Access to Key Encryption Key is forbidden\. View troubleshooting steps at https://aka\.ms/acr/cmk'
# shellcheck disable=SC2034
readonly INACTIVE='The identity associated with the registry is inactive'

mkdir -p "$STATE"
trap 'stop_emulator || true; stop_az' EXIT

# --- The emulator -------------------------------------------------------------------------------------------------

# start_emulator [LISTEN]: starts an emulator, by default on a free port.
start_emulator() {
    rm -f "$STATE/ready.json"
    "$SEALOCK" serve --listen "${1:-127.0.0.1:0}" --data-dir "$STATE/data" --ready-file "$STATE/ready.json" \
        </dev/null >>"$EMULATOR_LOG" 2>&1 &
    emulator_pid=$!
    local deadline=$((SECONDS + 30))
    until [[ -s $STATE/ready.json ]]; do
        if ! kill -0 "$emulator_pid" 2>/dev/null || ((SECONDS > deadline)); then
            tail -n 20 "$EMULATOR_LOG"
            echo "the emulator does not start (its log is above)"
            return 1
        fi
        sleep 0.05
    done
    ADDRESS=$(jq -r .address "$STATE/ready.json")
    REGISTRY=localhost:${ADDRESS##*:}
    # shellcheck disable=SC2034  # for the scenarios
    NAME=sealock.azurecr.$REGISTRY
}

# Fails if the emulator needs more than ten seconds to stop, or exits with an error.
stop_emulator() {
    [[ $emulator_pid ]] || return 0
    local pid=$emulator_pid deadline=$((SECONDS + 10))
    emulator_pid=
    kill -TERM "$pid" 2>/dev/null || true
    while kill -0 "$pid" 2>/dev/null; do
        if ((SECONDS > deadline)); then
            kill -KILL "$pid"
            echo "the emulator did not stop on SIGTERM"
            return 1
        fi
        sleep 0.05
    done
    wait "$pid"
}

# Restarts the emulator on the same port, so that image names stay valid.
restart_emulator() {
    stop_emulator
    start_emulator "$ADDRESS"
}

# --- The clients, none of which may hang --------------------------------------------------------------------------

sealock() { SEALOCK_EMULATOR="http://localhost:${ADDRESS##*:}" timeout --foreground 120 "$SEALOCK" "$@"; }

docker() { timeout --foreground 180 docker "$@"; }

podman() { timeout --foreground 180 podman "$@"; }

buildah() { timeout --foreground 180 buildah "$@"; }

skopeo() { timeout --foreground 180 skopeo --insecure-policy "$@"; }

curl() { timeout --foreground 180 curl --silent --show-error "$@"; }

# as the scenario's own user, in the shared process if there is one
az() {
    if [[ ! $az_pid ]]; then
        as_own_user timeout --foreground 180 "$CACHE/az/bin/az" "$@" --only-show-errors
        return
    fi
    local status
    kill -0 "$az_pid"
    printf '%s\0' "$@" --only-show-errors >"$STATE/az/call"
    status=$(timeout --foreground 180 cat "$STATE/az/status") || {
        stop_az # or else a late status would count for the next command
        return 124
    }
    cat "$STATE/az/stdout"
    cat "$STATE/az/stderr" >&2
    return "$status"
}

as_own_user() {
    AZURE_CONFIG_DIR=$STATE/azure AZURE_CORE_COLLECT_TELEMETRY=false REQUESTS_CA_BUNDLE=$STATE/data/tls/ca.pem "$@"
}

# Starts a process of which all further commands of az are forks, since az needs a second to import its modules. A scenario
# that changes az's environment cannot share it.
share_az() {
    mkdir "$STATE/az"
    mkfifo "$STATE/az/call" "$STATE/az/status"
    as_own_user exec "$CACHE/az/bin/python" "$(dirname "$0")/shared_az.py" "$STATE/az" </dev/null >"$STATE/az/log" 2>&1 &
    az_pid=$!
}

stop_az() { [[ ! $az_pid ]] || kill "$az_pid"; }

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

# Registers the emulator as a cloud, which needs to be done once, and logs in as the developer, who owns the subscription.
az_logs_in() {
    az config set core.instance_discovery=false
    az cloud register --name sealock --endpoint-resource-manager "https://management.$REGISTRY"
    az cloud set --name sealock
    az_login
}

az_login() {
    az login --service-principal --username "$DEVELOPER" --password sealock-developer --tenant "$TENANT"
}

# Forgets the emulator, so that az can log in to another one.
az_logs_out() {
    az cloud set --name AzureCloud
    az cloud unregister --name sealock
    rm -rf "$STATE/azure"
}

# follow TITLE: runs the commands that `sealock trust` prints under the title with this beginning.
follow() {
    local commands
    commands=$(sealock trust | awk -v title="$1" '
        /^[^ ]/ { ours = index($0, title) == 1 }
        ours && /^  / { print substr($0, 3) }')
    [[ $commands ]] || return 1
    echo "$commands"
    eval "$commands"
}

# Printed commands use sudo, and the scenarios run as root.
sudo() { "$@"; }

# install_go_tool PACKAGE VERSION: builds a tool that Debian lacks from its sources in the Go module proxy.
install_go_tool() {
    local tool=${1##*/}
    [[ -x $CACHE/bin/$tool-$2 ]] && return
    GOTOOLCHAIN=local GOBIN=$CACHE/bin GOPATH=$CACHE/gopath GOCACHE=$CACHE/go GOFLAGS=-modcacherw CGO_ENABLED=0 \
        timeout --foreground 1500 "$CACHE/python/bin/go" install "$1@$2"
    mv "$CACHE/bin/$tool" "$CACHE/bin/$tool-$2"
}

# --- The checks ---------------------------------------------------------------------------------------------------

# check NAME COMMAND...: passes if the command succeeds.
check() {
    local name=$1
    shift
    run_quietly "$@"
    report "$name" "$((status == 0))"
}

# refused NAME PATTERN COMMAND...: passes if the command fails with output that matches the extended regular expression.
refused() {
    local name=$1 pattern=$2
    shift 2
    run_quietly "$@"
    ((status != 0)) || echo "(it succeeded)" >>"$STATE/output"
    report "$name" "$((status != 0)) && $(matches "$pattern")"
}

# run_quietly COMMAND...: sets `status`. Runs in a subshell, so that the first failure counts in functions too.
run_quietly() {
    set +e
    (
        set -e
        "$@"
    ) >"$STATE/output" 2>&1
    status=$?
    set -e
}

matches() {
    if grep -qE -- "$1" "$STATE/output"; then echo 1; else
        echo "(expected: $1)" >>"$STATE/output"
        echo 0
    fi
}

# report NAME EXPRESSION: prints one line for each check, and the details of a failed one.
report() {
    if (($2)); then
        echo "ok $scenario: $1" | tee -a "$WORK/results"
        return
    fi
    echo "FAILED $scenario: $1" | tee -a "$WORK/results"
    tail -n 40 "$STATE/output" | indent
    echo "    --- the emulator's log:"
    tail -n 20 "$EMULATOR_LOG" | indent
}

# skip WHY: skips the scenario.
skip() { echo "skipped $scenario: $1" | tee -a "$WORK/results"; }

indent() { cut -c 1-400 | sed 's/^/    /'; }

# The scenario's last check. It does not run in a subshell, which could not wait for the emulator's exit status.
check_stop() {
    local stopped=0
    stop_emulator >"$STATE/output" 2>&1 || stopped=$?
    report "the emulator stops on SIGTERM" "$((stopped == 0))"
}

# equal EXPECTED ACTUAL: succeeds if both are equal and not empty.
equal() {
    [[ $1 && $1 == "$2" ]] || {
        echo "expected: ${1:-(nothing)}"
        echo "actual:   ${2:-(nothing)}"
        return 1
    }
}

# docker_finds IMAGE: waits until docker resolves the registry's name. It rereads the hosts file after five seconds
# at the earliest.
docker_finds() {
    local deadline=$((SECONDS + 20))
    while docker pull "$1" >"$STATE/pulling" 2>&1 || grep 'no such host' "$STATE/pulling"; do
        ((SECONDS < deadline)) || return 1
        sleep 0.2
    done
}

#!/usr/bin/env bash
# The container image: a Docker Engine with a bridge builds it, and runs it as any user, on a read-only root file system,
# with volumes and a published port. The scenario has its own network, in which the engine needs no firewall.
set -euo pipefail
if [[ ! ${OWN_NETWORK:-} ]]; then
    OWN_NETWORK=yes exec unshare --net bash "$0"
fi
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"
# shellcheck source=dockerd.sh
source "$(dirname "$0")/dockerd.sh"

PACKAGES=$(realpath "$(dirname "$0")/../../packages")
readonly PACKAGES
readonly IMAGE_BYTES_MAX=25000000
readonly HARDENED=(--read-only --cap-drop ALL --security-opt no-new-privileges)
ADDRESS=127.0.0.1:5000
REGISTRY=localhost:5000

# --- The container ------------------------------------------------------------------------------------------------

# starts [DOCKER OPTION...]: starts the container `sealock`, and waits until the engine calls it healthy.
starts() {
    docker run --detach --name sealock --publish "$ADDRESS:5000" --health-interval 500ms "$@" sealock
    becomes_healthy sealock
}

becomes_healthy() {
    local deadline=$((SECONDS + 60))
    until [[ $(docker inspect --format '{{.State.Health.Status}}' "$1") == healthy ]]; do
        docker logs "$1" >"$EMULATOR_LOG" 2>&1
        [[ $(docker inspect --format '{{.State.Running}}' "$1") == true ]] && ((SECONDS < deadline)) || return 1
        sleep 0.1
    done
}

inside() { docker exec sealock sealock "$@"; }

# Exit code 0 means that it ended by itself: the engine would kill it later. The time is the one that the engine notes.
stops_gracefully() {
    local asked ended
    asked=$(date +%s%N)
    docker stop --time 20 sealock
    docker logs sealock >"$EMULATOR_LOG" 2>&1
    equal 0 "$(docker inspect --format '{{.State.ExitCode}}' sealock)"
    ended=$(date --date "$(docker inspect --format '{{.State.FinishedAt}}' sealock)" +%s%N)
    echo "it took $(((ended - asked) / 1000000)) ms"
}

removed() { docker rm --force --volumes sealock; }

pushes() {
    inside demo image | docker load
    docker push "$REGISTRY/hello:v1"
}

pulls() {
    docker rmi "$REGISTRY/hello:v1" || true
    docker pull "$REGISTRY/hello:v1"
}

# story NAME [DOCKER OPTION...]: tells the story of the README in a new container, and leaves it stopped.
story() {
    local name=$1
    shift
    check "$name: it becomes healthy" starts "$@"
    check "$name: push" pushes
    check "$name: disable the key" inside key disable
    refused "$name: the pull is refused" "$FORBIDDEN" pulls
    check "$name: enable the key" inside key enable
    check "$name: pull" pulls
    check "$name: it stops by itself" stops_gracefully
}

start_engine() {
    ip link set lo up
    trap 'stop_dockerd "$STATE"' EXIT
    ENGINE_NETWORK=(--bip 192.0.2.1/24) # RFC 5737: addresses for examples
    start_dockerd "$STATE"
    touch "$EMULATOR_LOG"
}

# --- The image ----------------------------------------------------------------------------------------------------

builds() { "$PACKAGES/image/build" "$SEALOCK"; }

# Compressed, as a registry has it.
is_small() {
    local bytes
    bytes=$(docker save sealock | gzip | wc -c)
    echo "$bytes bytes"
    ((bytes < IMAGE_BYTES_MAX))
}

has_label() { equal "$2" "$(docker image inspect --format "{{index .Config.Labels \"org.opencontainers.image.$1\"}}" sealock)"; }

version() { "$SEALOCK" version | cut -d ' ' -f 2; }

podman_loads_it() {
    docker save sealock | podman load
    equal 65532:0 "$(podman image inspect --format '{{.User}}' localhost/sealock)"
}

start_engine
check "it is built without a pull" builds
if [[ $SEALOCK == */release/* ]]; then
    check "compressed, it is smaller than 25 MB" is_small
else
    skip "the size, since the binary is not the release build"
fi
check "it has its version as a label" has_label version "$(version)"
check "it has its version as a tag" docker run --rm "sealock:$(version)" version
refused "it has no shell" 'not found|no such file' docker run --rm --entrypoint sh sealock
check "podman loads it" podman_loads_it

# --- Users, file systems, volumes ---------------------------------------------------------------------------------

holds() { docker run --rm "${@:2}" busybox sh -c "$1"; }

# A static busybox with its applets: the other containers, and a look at volumes.
build_busybox() {
    local context=$STATE/busybox
    mkdir -p "$context/bin"
    cp "$(command -v busybox)" "$context/bin/busybox"
    "$context/bin/busybox" --install -s "$context/bin"
    find "$context/bin" -type l -exec ln -sfn busybox {} \;
    printf '%s\n' 'FROM scratch' 'COPY bin /bin' >"$context/Dockerfile"
    docker build --tag busybox "$context"
}

# As the kubelet prepares a volume for `fsGroup: 2000`, at each mount.
prepare_group_volume() {
    holds 'chown -R :2000 /data; chmod -R g+rwX /data; find /data -type d -exec chmod g+s {} +' --volume group:/data
}

# elsewhere PATH [CURL OPTION...]: requests from the published port, which is not the container's loopback.
elsewhere() { curl --fail-with-body "${@:2}" "http://$ADDRESS$1"; }

copies_token() {
    mkdir -p "$STATE/copy/tls"
    docker cp sealock:/data/.sealock/control.token "$STATE/copy"
    docker cp sealock:/data/.sealock/tls/ca.pem "$STATE/copy/tls"
}

with_copied_token() { SEALOCK_CONTROL_TOKEN_FILE=$STATE/copy/control.token "$@"; }

check "build busybox" build_busybox

story "as it is"
check "as it is: it continues" docker start sealock
check "as it is: it becomes healthy again" becomes_healthy sealock
check "as it is: pull" pulls
refused "published port: the control API requires its token" 'other machines need the token' elsewhere /_sealock/v1/status
refused "published port: managed identities get no token" 'loopback addresses only' \
    elsewhere '/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://vault.azure.net' --header Metadata:true
check "published port: copy the token and the CA" copies_token
check "published port: sealock status with the token" with_copied_token sealock status
check "published port: sealock env with the token" with_copied_token sealock env --json
removed >/dev/null

story "read-only, in memory" "${HARDENED[@]}" --tmpfs /data
removed >/dev/null

story "any user, on a volume" "${HARDENED[@]}" --user 12345:0 --volume any-user:/data
docker rm sealock >/dev/null
check "any user, on the same volume: it becomes healthy" starts "${HARDENED[@]}" --user 12345:0 --volume any-user:/data
check "any user, on the same volume: pull" pulls
check "any user, on the same volume: every object is intact" inside verify
check "any user, on the same volume: disable the key" inside key disable
check "any user, on the same volume: it stops by itself" stops_gracefully
docker rm sealock >/dev/null
check "revoked, on the same volume: it becomes healthy" starts "${HARDENED[@]}" --user 12345:0 --volume any-user:/data
refused "revoked, on the same volume: the pull is refused" "$FORBIDDEN" pulls
removed >/dev/null
refused "another user, on the same volume: it says whose it is" 'belongs to another user: its owner is uid 12345' \
    docker run --rm --user 777:0 --volume any-user:/data sealock

story "any group, on a volume" "${HARDENED[@]}" --user 12345:12345 --volume any-group:/data
removed >/dev/null

check "fsGroup: prepare a volume" prepare_group_volume
story "fsGroup" "${HARDENED[@]}" --user 65532:65532 --group-add 2000 --volume group:/data
docker rm sealock >/dev/null
check "fsGroup: prepare the used volume" prepare_group_volume
check "fsGroup, on the same volume: it becomes healthy" starts "${HARDENED[@]}" --user 65532:65532 --group-add 2000 --volume group:/data
check "fsGroup, on the same volume: pull" pulls
removed >/dev/null

# --- A login, and a name of one's own -----------------------------------------------------------------------------

readonly SERVICE=sealock.default.svc.cluster.local

make_ca() {
    mkdir -p "$STATE/own"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 365 \
        -subj "/CN=My test CA" -keyout "$STATE/own/key.pem" -out "$STATE/own/cert.pem"
    cat "$STATE/own/cert.pem" "$STATE/own/key.pem" >"$STATE/own/ca.pem"
    chmod 644 "$STATE/own/ca.pem"
}

logs_in() {
    inside registry update --admin-enabled true
    inside registry credential show --json | jq -r '.passwords[0].value' |
        docker login --username sealock --password-stdin "$REGISTRY"
}

# served_as NAME STATUS: requests by this name, over TLS with the CA of one's own.
served_as() {
    equal "$2" "$(curl --cacert "$STATE/own/cert.pem" --connect-to "::$ADDRESS" --output "$STATE/body" \
        --write-out '%{http_code}' "https://$1:5000/v2/")"
}

# As the kubelet's probe, which connects to the container's address.
is_probed() {
    local address
    address=$(docker inspect --format '{{.NetworkSettings.IPAddress}}' sealock)
    curl --fail --header 'Host: localhost' "http://$address:5000/_sealock/v1/health"
}

check "make a CA" make_ca
check "as in Kubernetes: it becomes healthy" starts "${HARDENED[@]}" --tmpfs /data \
    --env SEALOCK_SERVER__AUTH=enforced --env "SEALOCK_SERVER__ALIASES=[\"$SERVICE\"]" \
    --env SEALOCK_TLS__CA=/ca/ca.pem --volume "$STATE/own/ca.pem:/ca/ca.pem:ro"
check "as in Kubernetes: the probe succeeds" is_probed
check "as in Kubernetes: the service's name is served, and requires a login" served_as "$SERVICE" 401
refused "as in Kubernetes: without a login the push is refused" 'authentication required|unauthorized' pushes
check "as in Kubernetes: log in" logs_in
check "as in Kubernetes: push" pushes
check "as in Kubernetes: log out" docker logout "$REGISTRY"
removed >/dev/null

# --- Compose ------------------------------------------------------------------------------------------------------

compose() {
    local compose=(docker-compose)
    if command docker compose version >/dev/null 2>&1; then compose=(docker compose); fi
    timeout --foreground 180 "${compose[@]}" --project-name sealock --file "$PACKAGES/compose/compose.yaml" "$@"
}

composes() {
    compose up --detach sealock
    becomes_healthy "$(compose ps --quiet sealock)"
}

# finds NAME: resolves a name in another container of the project.
finds() { docker run --rm --network sealock_default busybox wget -q -O - --header 'Host: localhost' "http://$1:5000/_sealock/v1/health"; }

composed_address() {
    docker inspect --format '{{.NetworkSettings.Networks.sealock_default.IPAddress}}' "$(compose ps --quiet sealock)"
}

certificates() { docker run --rm --volume sealock_certificates:/certificates busybox cat "/certificates/$1"; }

# trusts STATUS URL: requests over TLS with the certificates in the volume, from the container's address.
trusts() {
    certificates ca.pem >"$STATE/compose-ca.pem"
    equal "$1" "$(curl --cacert "$STATE/compose-ca.pem" --connect-to "::$(composed_address):" --output "$STATE/body" \
        --write-out '%{http_code}' "$2")"
}

# As in the container `app`, whose image is not here.
az_lists_registries() {
    local secret
    mkdir -p "$STATE/data/tls"
    certificates bundle.pem >"$STATE/data/tls/ca.pem" # for `az` of lib.sh
    echo "$(composed_address) management.azure.com login.microsoftonline.com" >>/etc/hosts
    secret=$(compose exec -T sealock sealock env --json 2>/dev/null | jq -r .AZURE_CLIENT_SECRET)
    az login --service-principal --username "$DEVELOPER" --password "$secret" --tenant "$TENANT"
    equal AzureCloud "$(get environmentName account show)"
    equal sealock "$(get '[].name' acr list)"
}

check "compose: the file is valid" compose config --quiet
check "compose: it becomes healthy" composes
check "compose: the certificates are in the volume" compose up certificates
for name in sealock.azurecr.io sealock.vault.azure.net management.azure.com login.microsoftonline.com graph.microsoft.com \
    sealock.azurecr.localhost sealock.vault.localhost management.localhost; do
    check "compose: another container finds $name" finds "$name"
done
check "compose: sealock.azurecr.io is trusted, and requires a login" trusts 401 https://sealock.azurecr.io/v2/
check "compose: the vault is trusted, and requires a token" trusts 401 'https://sealock.vault.azure.net/keys?api-version=7.4'
check "compose: Resource Manager is trusted" trusts 200 'https://management.azure.com/metadata/endpoints?api-version=2022-09-01'
check "compose: the registry under localhost is trusted, too" trusts 401 https://sealock.azurecr.localhost:5000/v2/
check "compose: az uses the emulator as Azure, without a setting" az_lists_registries
check "compose: everything goes" compose down --volumes

#!/usr/bin/env bash
# auth = "enforced", reached from this machine and from another address. The scenario has its own network with a
# non-loopback address that leads nowhere, for which Docker Engine verifies certificates.
set -euo pipefail
if [[ ! ${OWN_NETWORK:-} ]]; then
    OWN_NETWORK=yes exec unshare --net bash "$0"
fi
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"
# shellcheck source=dockerd.sh
source "$(dirname "$0")/dockerd.sh"
# shellcheck source=images.sh
source "$(dirname "$0")/images.sh"

readonly ELSEWHERE=192.0.2.1 # RFC 5737: an address for examples
readonly TOKEN=$STATE/data/control.token

# answers STATUS PATH [CURL OPTION...]: keeps the body in $STATE/body.
answers() {
    equal "$1" "$(curl --output "$STATE/body" --write-out '%{http_code}' "${@:3}" "http://$ADDRESS$2")"
}

# Requests from the other address, since curl connects to it.
answers_elsewhere() {
    answers "$1" "$2" --connect-to "::$ELSEWHERE:" --header "Host: $REGISTRY" "${@:3}"
}

denied_elsewhere() {
    answers_elsewhere 403 "$@"
    jq -e '.detail | test("other machines need the token")' "$STATE/body"
}

# identity_token PATH HEADER [STATUS]
identity_token() { answers "${3:-200}" "$1&resource=https://vault.azure.net" --header "$2"; }

# Requests a token as a program with the variables that the operator is shown.
as_told() {
    local IDENTITY_ENDPOINT IDENTITY_HEADER
    eval "$(with_token sealock identity endpoint)"
    equal "http://$REGISTRY/msi/token" "$IDENTITY_ENDPOINT"
    identity_token '/msi/token?api-version=2019-08-01' "X-IDENTITY-HEADER: $IDENTITY_HEADER"
}

with_token() { SEALOCK_CONTROL_TOKEN_FILE=$TOKEN "$@"; }

# Runs a command with the token alone, as if copied out of a container.
with_token_alone() {
    cp "$TOKEN" "$STATE/token"
    SEALOCK_CONTROL_TOKEN_FILE=$STATE/token "$@"
}

# start_impostor: starts another process at the emulator's usual port, which records everything that it receives.
start_impostor() {
    local deadline=$((SECONDS + 10))
    : >"$STATE/told"
    python3 -u "$(dirname "$0")/impostor.py" 5000 >>"$STATE/told" &
    impostor_pid=$!
    trap 'kill "$impostor_pid" 2>/dev/null || true; stop_emulator || true' EXIT
    until grep --quiet '^listening' "$STATE/told"; do
        ((SECONDS < deadline)) || return 1
        sleep 0.05
    done
}

# at_the_usual_port COMMAND...: runs a command without an emulator URL.
at_the_usual_port() { timeout --foreground 120 "$SEALOCK" "$@"; }

impostor_was_told() { grep --quiet --fixed-strings "$1" "$STATE/told"; }

impostor_was_not_told() { ! impostor_was_told "$1"; }

bearer() { echo "Authorization: Bearer $(<"$TOKEN")"; }

network() {
    ip link set lo up
    ip address add "$ELSEWHERE/32" dev lo
}

check "a network of its own" network
refused "without enforcement the emulator refuses to listen on other addresses" 'loopback' start_emulator 0.0.0.0:0

export SEALOCK_SERVER__AUTH=enforced
start_emulator 0.0.0.0:0
ADDRESS=127.0.0.1:${ADDRESS##*:}

check "only its owner can read the token" equal 600 "$(stat -c %a "$TOKEN")"
check "control API: without the token it answers 401" answers 401 /_sealock/v1/status
check "control API: with another token it answers 401" answers 401 /_sealock/v1/status --header 'Authorization: Bearer other'
check "control API: with the token it answers" answers 200 /_sealock/v1/status --header "$(bearer)"
check "control API: health needs no token" answers 200 /_sealock/v1/health
check "control API: ca.pem needs no token" answers 200 /_sealock/v1/ca.pem
refused "sealock status: without the token it suggests how to pass it" 'SEALOCK_CONTROL_TOKEN_FILE' sealock status
check "sealock status: with the token" with_token sealock status
check "sealock status: with the token alone and a named emulator" with_token_alone sealock status
start_impostor
refused "another process at the usual port is recognized" 'did not prove that it is the emulator with the CA' \
    with_token at_the_usual_port status
refused "it is not sent the token alone either" 'was not sent' with_token_alone at_the_usual_port status
check "it received the request" impostor_was_told 'GET /_sealock/v1/status'
check "it did not receive the token" impostor_was_not_told "$(<"$TOKEN")"
kill "$impostor_pid"
check "sealock key disable, with the token" with_token sealock key disable
check "sealock key enable, with the token" with_token sealock key enable
check "registry: without a login it answers 401" answers 401 /v2/
check "IMDS: every request is refused" identity_token '/metadata/identity/oauth2/token?api-version=2018-02-01' 'Metadata: true' 403
check "App Service: without the secret it answers 403" identity_token '/msi/token?api-version=2019-08-01' 'X-IDENTITY-HEADER: any' 403
check "App Service: with the variables of sealock identity endpoint" as_told

# --- Logins, on localhost too ---------------------------------------------------------------------------------------

enables_admin() { with_token sealock registry update --admin-enabled true; }

admin_password() { with_token sealock registry credential show --json | jq -r '.passwords[0].value'; }

copies() { skopeo copy --all "$@"; }

check "enable the admin user, with the token" enables_admin
check "build an image" build_index "$STATE/layout" v1
refused "skopeo: without a login the push is refused" 'authentication required|unauthorized' \
    copies --dest-tls-verify=false "oci:$STATE/layout:v1" "docker://$REGISTRY/hello:v1"
check "skopeo: as the admin user it pushes" copies --dest-tls-verify=false --dest-creds "sealock:$(admin_password)" \
    "oci:$STATE/layout:v1" "docker://$REGISTRY/hello:v1"

check "elsewhere: health answers" answers_elsewhere 200 /_sealock/v1/health
check "elsewhere: ca.pem answers" answers_elsewhere 200 /_sealock/v1/ca.pem
check "elsewhere: the control API is refused" denied_elsewhere /_sealock/v1/status
check "elsewhere: a change is refused" denied_elsewhere /_sealock/v1/clock/advance --request POST
check "elsewhere: another token is refused" denied_elsewhere /_sealock/v1/status --header 'Authorization: Bearer other'
check "elsewhere: with the token it answers" answers_elsewhere 200 /_sealock/v1/status --header "$(bearer)"
check "elsewhere: the registry answers 401" answers_elsewhere 401 /v2/

# --- Docker Engine, which takes any certificate from what leads to a loopback address -----------------------------

start_engine() {
    printf '%s\n' '127.0.0.1 localhost' "$ELSEWHERE ${NAME%:*}" >"$STATE/hosts"
    mount --bind "$STATE/hosts" /etc/hosts
    trap 'stop_dockerd "$STATE"; stop_emulator || true' EXIT
    start_dockerd "$STATE"
}

start_engine
refused "docker: without the CA it is refused" 'x509: certificate signed by unknown authority' docker pull "$NAME/hello:v1"
check "docker: follow trust" with_token follow Docker
refused "docker: the registry's name is verified, and requires a login" 'authentication required|unauthorized' docker pull "$NAME/hello:v1"
rm -r "/etc/docker/certs.d/$NAME"
refused "docker: a wrong password is refused" '401|unauthorized' \
    docker login --username sealock --password-stdin "$REGISTRY" <<<wrong
check "docker: log in on localhost" docker login --username sealock --password-stdin "$REGISTRY" <<<"$(admin_password)"
check "docker: pull from localhost" docker pull --platform linux/amd64 "$REGISTRY/hello:v1"
check "docker: log out" docker logout "$REGISTRY"
refused "docker: logged out, the pull is refused" 'authentication required|unauthorized' \
    docker pull --platform linux/amd64 "$REGISTRY/hello:v1"
check_stop

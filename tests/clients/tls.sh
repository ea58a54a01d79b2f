#!/usr/bin/env bash
# TLS on the same port: Docker Engine, podman, buildah, skopeo and curl with their normal verification, configured by
# `sealock trust`, on localhost and under the registry's own name.
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"
# shellcheck source=images.sh
source "$(dirname "$0")/images.sh"
# shellcheck source=engines.sh
source "$(dirname "$0")/engines.sh"
# shellcheck source=forge.sh
source "$(dirname "$0")/forge.sh"

readonly UNKNOWN_CA='x509: certificate signed by unknown authority'
# After TLS verification, the registry asks for a login, which login.sh tests.
readonly LOGIN_WANTED='authentication required|unauthorized'

# --- Names --------------------------------------------------------------------------------------------------------

finds() { equal "$1" "$(getent ahosts "$2" | awk '{ print $1; exit }')"; }

finds_names() {
    finds 127.0.0.1 "${NAME%:*}"
    finds 127.0.0.1 sealock.vault.localhost
    finds 127.0.0.1 management.localhost
}

start_emulator
cp /etc/hosts "$STATE/hosts"
check "hosts --write" sealock hosts --write
check "hosts --write: the names resolve to this machine" finds_names
cp /etc/hosts "$STATE/written"
check "hosts --write, a second time" sealock hosts --write
check "hosts --write, a second time: changes nothing" cmp /etc/hosts "$STATE/written"
check "hosts --remove" sealock hosts --remove
check "hosts --remove: leaves the file as it was" cmp /etc/hosts "$STATE/hosts"
check "hosts --write, for the following checks" sealock hosts --write

# --- curl ---------------------------------------------------------------------------------------------------------

ca=$(jq -r .ca "$STATE/ready.json")

fetches_ca() {
    curl --fail --output "$STATE/fetched.pem" "http://$REGISTRY/_sealock/v1/ca.pem"
    cmp "$ca" "$STATE/fetched.pem"
}

# answers_over_tls STATUS URL
answers_over_tls() {
    equal "$1" "$(curl --cacert "$ca" --output "$STATE/body" --write-out '%{http_code}' "$2")"
    cat "$STATE/body"
}

refused "curl: without the CA it is refused" 'SSL certificate problem' curl "https://$REGISTRY/v2/"
refused "curl: without the CA it is refused under the registry's name" 'SSL certificate problem' curl "https://$NAME/v2/"
check "curl: the CA can be fetched" fetches_ca
check "curl: follow trust" follow curl
check "curl: the catalog by name" answers_over_tls 200 "https://$REGISTRY/v2/_catalog"
check "curl: the catalog by address" answers_over_tls 200 "https://$ADDRESS/v2/_catalog"
check "curl: the registry's name is verified, and requires a login" answers_over_tls 401 "https://$NAME/v2/"
check "curl: the answer says so" jq -e '.errors[0].code == "UNAUTHORIZED"' "$STATE/body"

# --- HTTP/2 -------------------------------------------------------------------------------------------------------

# speaks VERSION URL [CURL OPTION...]
speaks() {
    local version=$1 url=$2
    shift 2
    equal "$version 200" "$(curl --cacert "$ca" --output "$STATE/body" --write-out '%{http_version} %{http_code}' "$@" "$url")"
}

# pushes_and_pulls URL CURL-OPTION...: pushes 20 MiB in one request, and pulls them.
pushes_and_pulls() {
    local url=$1 digest
    shift
    head -c 20971520 /dev/urandom >"$STATE/large"
    digest=sha256:$(sha256sum "$STATE/large" | cut -d ' ' -f 1)
    curl --fail --cacert "$ca" "$@" --header 'Content-Type: application/octet-stream' --data-binary "@$STATE/large" \
        "$url/v2/http2/blobs/uploads/?digest=$digest"
    curl --fail --cacert "$ca" "$@" --output "$STATE/back" "$url/v2/http2/blobs/$digest"
    cmp "$STATE/large" "$STATE/back"
}

check "curl: HTTP/2 by ALPN" speaks 2 "https://$REGISTRY/_sealock/v1/health"
check "curl: HTTP/1.1 on request" speaks 1.1 "https://$REGISTRY/_sealock/v1/health" --http1.1
check "curl: HTTP/2 without TLS, by prior knowledge" speaks 2 "http://$REGISTRY/_sealock/v1/health" --http2-prior-knowledge
check "curl: HTTP/1.1 continues without the offered upgrade" speaks 1.1 "http://$REGISTRY/_sealock/v1/health" --http2
check "curl: pushes and pulls by HTTP/2 with TLS" pushes_and_pulls "https://$REGISTRY" --http2
check "curl: pushes and pulls by HTTP/2 without" pushes_and_pulls "http://$REGISTRY" --http2-prior-knowledge
check "curl: Expect: 100-continue by HTTP/2" pushes_and_pulls "https://$REGISTRY" --http2 --header 'Expect: 100-continue'

# --- OpenSSL, as strict as it can be ------------------------------------------------------------------------------

# handshake HOST:PORT CA
handshake() {
    timeout --foreground 60 openssl s_client -connect "127.0.0.1:${1##*:}" -servername "${1%:*}" \
        -verify_hostname "${1%:*}" -CAfile "$2" -no-CApath -x509_strict -verify_return_error -showcerts </dev/null
}

# sent HOST:PORT CA: prints the number of certificates that are sent.
sent() { handshake "$@" | grep -c 'BEGIN CERTIFICATE'; }

sends() { equal "$1" "$(sent "${@:2}")"; }

is_strict() { openssl verify -x509_strict -CAfile "$1" "$1"; }

check "openssl: the root passes strict rules" is_strict "$ca"
check "openssl: the chain passes strict rules" handshake "$REGISTRY" "$ca"
check "openssl: the chain of the registry's name passes strict rules" handshake "$NAME" "$ca"
check "openssl: the intermediate is sent, and the root is not" sends 2 "$REGISTRY" "$ca"

# --- A stolen key ---------------------------------------------------------------------------------------------------

trap 'stop_forger; stop_emulator || true' EXIT
start_forger >"$STATE/forger.log" 2>&1
for forged in "$FORGED_FOREIGN" "$FORGED_BY_SUBJECT"; do
    refused "openssl: a stolen key does not sign for $forged" 'permitted subtree violation' handshake "$forged" "$ca"
    refused "curl: a stolen key does not sign for $forged" 'permitted subtree violation' \
        curl --cacert "$ca" "https://$forged/"
done
check "openssl: a stolen key signs for a name under localhost" handshake "$FORGED_LOCAL" "$ca"
check "curl: a stolen key signs for a name under localhost" answers_over_tls 200 "https://$FORGED_LOCAL/"
stop_forger
trap 'stop_emulator || true' EXIT

# --- podman, buildah, skopeo --------------------------------------------------------------------------------------

pull_by_name() { "$tool" pull "$NAME/hello:v1"; }

push_by_name() { "$tool" push hello "docker://$NAME/hello:v1"; }

inspect() { skopeo inspect --raw "$@" | sha256sum; }

inspects() { equal "$1" "sha256:$(inspect "${@:2}" | cut -d ' ' -f 1)"; }

use podman
check "podman: build hello" build_hello
for tool in podman buildah; do
    use "$tool"
    refused "$tool: without the CA a push is refused" "$UNKNOWN_CA" push hello
    refused "$tool: without the CA a pull is refused" "$UNKNOWN_CA" "$tool" pull "$NAME/hello:v1"
done
refused "skopeo: without the CA it is refused" "$UNKNOWN_CA" inspect "docker://$REGISTRY/hello:v1"
check "podman, buildah, skopeo: follow trust" follow "podman, buildah, skopeo"
for tool in podman buildah; do
    use "$tool"
    round_trip hello "$tool: "
    check "$tool: build hello again" build_hello
    refused "$tool: the registry's name is verified, and a push to it requires a login" "$LOGIN_WANTED" push_by_name
    refused "$tool: the registry's name is verified, and a pull from it requires a login" "$LOGIN_WANTED" pull_by_name
done
check "skopeo: inspect returns the pushed digest" inspects "$(<"$STATE/pushed")" "docker://$REGISTRY/hello:v1"
refused "skopeo: the registry's name is verified, and requires a login" "$LOGIN_WANTED" \
    inspect "docker://$NAME/hello:v1"

# --- Docker Engine ------------------------------------------------------------------------------------------------

# Docker accepts any certificate, and even plain HTTP, from loopback addresses. So this proves only that it uses TLS;
# enforced.sh makes it verify certificates.

start_tls_only() {
    python3 "$(dirname "$0")/tls_only.py" "${ADDRESS##*:}" </dev/null >"$STATE/tls_only.port" 2>"$STATE/tls_only.log" &
    trap 'kill "$tls_only_pid" || true; stop_emulator || true' EXIT
    tls_only_pid=$!
    local deadline=$((SECONDS + 10))
    until [[ -s $STATE/tls_only.port ]]; do
        ((SECONDS < deadline)) || return 1
        sleep 0.05
    done
}

# Always fails, with the engine's last message. The engine rereads the hosts file after five seconds at the earliest.
pull_once_found() {
    local deadline=$((SECONDS + 20))
    until docker pull "$NAME/hello:v1" >"$STATE/pulling" 2>&1; do
        if ! grep 'no such host' "$STATE/pulling" || ((SECONDS > deadline)); then break; fi
        sleep 0.2
    done
    cat "$STATE/pulling"
    return 1
}

direct=$REGISTRY
start_tls_only
REGISTRY=localhost:$(<"$STATE/tls_only.port")
NAME=${NAME%:*}:${REGISTRY#*:}
use docker
check "docker: build hello" build_hello
refused "docker: only TLS is served" 'Empty reply|reset' curl "http://$REGISTRY/v2/"
round_trip hello "docker: "
refused "docker: the registry's name requires a login" "$LOGIN_WANTED" pull_once_found
REGISTRY=$direct

check "every object is intact" sealock verify
check_stop

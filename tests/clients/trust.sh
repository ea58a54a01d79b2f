#!/usr/bin/env bash
# `sealock trust --install` and `--remove`, on a copy of Debian's store of CAs.
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"
# shellcheck source=images.sh
source "$(dirname "$0")/images.sh"

readonly STORE=(/etc/ssl/certs /usr/local/share/ca-certificates)

# The mounts are private to the scenario, and end with it.
cover_store() {
    local dir
    for dir in "${STORE[@]}"; do
        mkdir -p "$dir" "$STATE/store$dir"
        cp --archive "$dir/." "$STATE/store$dir"
        mount --bind "$STATE/store$dir" "$dir"
    done
    # Packages install hooks there. Java's uses dpkg on the machine, so this hook replaces it and records its input.
    mkdir -p /etc/ca-certificates/update.d
    mount -t tmpfs tmpfs /etc/ca-certificates/update.d
    printf '#!/bin/sh\ncat >>%s\n' "$STATE/told" >/etc/ca-certificates/update.d/note
    chmod +x /etc/ca-certificates/update.d/note
    # The store may be out of date with these two directories until it is rebuilt.
    update-ca-certificates
    store >"$STATE/before"
}

# Prints every file with its content, and every link.
store() { find "${STORE[@]}" \( -type f -exec sha256sum {} + \) -o \( -type l -printf '%p -> %l\n' \) | sort; }

store_is_as_before() {
    store >"$STATE/after"
    diff "$STATE/before" "$STATE/after"
}

told() { grep --fixed-strings --line-regexp -- "$1/etc/ssl/certs/sealock-localhost-ca.pem" "$STATE/told"; }

push() { skopeo copy --all "oci:$STATE/layout:v1" "docker://$REGISTRY/hello:v1"; }

reach() { curl --fail "https://$REGISTRY/v2/_catalog"; }

install_ca() { sealock trust --install --data-dir "$STATE/data" "$@"; }

install_by_fingerprint() { sealock trust --install --fingerprint "$@"; }

fingerprint() { openssl x509 -in "$1" -noout -fingerprint -sha256 | cut -d = -f 2; }

shows_fingerprint() { install_ca | grep --fixed-strings "$(fingerprint "$STATE/data/tls/ca.pem")"; }

is_ca_alone() { cmp "$STATE/data/tls/ca.pem" /usr/local/share/ca-certificates/sealock-localhost-ca.crt; }

# start_impostor: starts a server that sends the CA, followed by a hidden one that only OpenSSL finds. Sets `impostor` to
# its URL.
start_impostor() {
    local files=$STATE/impostor/_sealock/v1 deadline=$((SECONDS + 10)) port
    mkdir -p "$files"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj "/CN=An impostor's CA" \
        -keyout "$STATE/impostor.key" -out "$STATE/impostor.pem" 2>"$STATE/impostor.log"
    {
        cat "$STATE/data/tls/ca.pem"
        printf '%0254d' 0
        cat "$STATE/impostor.pem"
    } >"$files/ca.pem"
    python3 -u -m http.server 0 --bind 127.0.0.1 --directory "$STATE/impostor" </dev/null >"$STATE/impostor.log" 2>&1 &
    trap 'kill "$impostor_pid" || true; stop_emulator || true' EXIT
    impostor_pid=$!
    until port=$(sed -n 's/^Serving HTTP on .* port \([0-9]*\) .*/\1/p' "$STATE/impostor.log") && [[ $port ]]; do
        ((SECONDS < deadline)) || return 1
        sleep 0.05
    done
    impostor=http://127.0.0.1:$port
}

finds_two() { equal 2 "$(openssl storeutl -noout -certs "$1" | sed -n 's/^Total found: //p')"; }

[[ $(readlink /proc/self/ns/mnt) != "$(readlink "/proc/$PPID/ns/mnt")" ]] || {
    echo "this changes the system's store, so it wants mounts of its own: tests/clients/run trust"
    exit 1
}
start_emulator
check "make a copy of the store" cover_store
check "build an image" build_index "$STATE/layout" v1

refused "before: curl is refused" 'SSL certificate problem' reach
refused "before: skopeo is refused" 'x509: certificate signed by unknown authority' push
ca=$(fingerprint "$STATE/data/tls/ca.pem")
check "the ready file has the fingerprint" equal "$ca" "$(jq -r .ca_sha256 "$STATE/ready.json")"
start_impostor
check "OpenSSL finds two CAs in the impostor's answer" finds_two "$STATE/impostor/_sealock/v1/ca.pem"
refused "an impostor's answer is refused, with the emulator's fingerprint" 'not exactly one PEM certificate' \
    install_by_fingerprint "$ca" --emulator "$impostor"
cp "$STATE/impostor.pem" "$STATE/impostor/_sealock/v1/ca.pem"
refused "an impostor's CA is refused, with its own fingerprint" 'is not a CA for localhost only' \
    install_by_fingerprint "$(fingerprint "$STATE/impostor.pem")" --emulator "$impostor"
refused "the emulator's CA is refused, with another fingerprint" 'has another fingerprint' \
    install_by_fingerprint "$(fingerprint "$STATE/impostor.pem")"
check "nothing is installed" store_is_as_before

check "trust --install" follow "This system's store"
check "installed: curl reaches the registry" reach
check "installed: skopeo pushes" push
check "installed: hooks are notified" told +
check "installed: exactly one certificate" is_ca_alone
check "trust --install, a second time: it shows the fingerprint" shows_fingerprint
check "installed, a second time: curl reaches the registry" reach
check "trust --remove" sealock trust --remove
refused "removed: curl is refused" 'SSL certificate problem' reach
refused "removed: skopeo is refused" 'x509: certificate signed by unknown authority' push
check "removed: the store is as it was" store_is_as_before
check "removed: hooks are notified" told -
check "trust --remove, when there is nothing to remove" sealock trust --remove

check "trust --install, by fingerprint" install_by_fingerprint "$ca"
check "installed, by fingerprint: curl reaches the registry" reach
check "installed, by fingerprint: exactly one certificate" is_ca_alone
check "trust --remove, after installing by fingerprint" sealock trust --remove
check_stop
chown 65534 "$STATE/data/tls/ca.pem"
refused "trust --install, from another user's file" 'owner is user 65534' install_ca
check "trust --install, without an emulator, for the user who called sudo" env SUDO_UID=65534 "$SEALOCK" \
    trust --install --data-dir "$STATE/data"
check "installed, for that user: exactly one certificate" is_ca_alone
check "trust --remove, without an emulator" sealock trust --remove
check "removed: the store is as it was, again" store_is_as_before

#!/usr/bin/env bash
# `sealock trust --install` and `--remove`, with Debian's store of CAs: a copy of it, never the machine's own.
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"
# shellcheck source=images.sh
source "$(dirname "$0")/images.sh"

readonly STORE=(/etc/ssl/certs /usr/local/share/ca-certificates)

# The mounts are the scenario's own, and go with it.
cover_store() {
    local dir
    for dir in "${STORE[@]}"; do
        mkdir -p "$dir" "$STATE/store$dir"
        cp --archive "$dir/." "$STATE/store$dir"
        mount --bind "$STATE/store$dir" "$dir"
    done
    # Packages hook in there: Java's has dpkg do its work, on the machine. This one notes what it is told.
    mkdir -p /etc/ca-certificates/update.d
    mount -t tmpfs tmpfs /etc/ca-certificates/update.d
    printf '#!/bin/sh\ncat >>%s\n' "$STATE/told" >/etc/ca-certificates/update.d/note
    chmod +x /etc/ca-certificates/update.d/note
    # What these two directories hold and what the store is made of may differ, before it is made anew.
    update-ca-certificates
    store >"$STATE/before"
}

# Every file with its content, and every link.
store() { find "${STORE[@]}" \( -type f -exec sha256sum {} + \) -o \( -type l -printf '%p -> %l\n' \) | sort; }

store_is_as_before() {
    store >"$STATE/after"
    diff "$STATE/before" "$STATE/after"
}

told() { grep --fixed-strings --line-regexp -- "$1/etc/ssl/certs/sealock-localhost-ca.pem" "$STATE/told"; }

push() { skopeo copy --all "oci:$STATE/layout:v1" "docker://$REGISTRY/hello:v1"; }

reach() { curl --fail "https://$REGISTRY/v2/"; }

[[ $(readlink /proc/self/ns/mnt) != "$(readlink "/proc/$PPID/ns/mnt")" ]] || {
    echo "this changes the system's store, so it wants mounts of its own: tests/clients/run trust"
    exit 1
}
start_emulator
check "make a copy of the store" cover_store
check "build an image" build_index "$STATE/layout" v1

refused "before: curl is refused" 'SSL certificate problem' reach
refused "before: skopeo is refused" 'x509: certificate signed by unknown authority' push
check "trust --install" follow "This system's store"
check "installed: curl reaches the registry" reach
check "installed: skopeo pushes" push
check "installed: hooks such as Java's are told" told +
check "trust --install, a second time" sealock trust --install
check "installed, a second time: curl reaches the registry" reach
check "trust --remove" sealock trust --remove
refused "removed: curl is refused" 'SSL certificate problem' reach
refused "removed: skopeo is refused" 'x509: certificate signed by unknown authority' push
check "removed: the store is as it was" store_is_as_before
check "removed: hooks such as Java's are told" told -
check "trust --remove, when there is nothing to remove" sealock trust --remove

check "trust --install, once more" sealock trust --install
check_stop
check "trust --remove, without an emulator" sealock trust --remove
check "removed: the store is as it was, again" store_is_as_before

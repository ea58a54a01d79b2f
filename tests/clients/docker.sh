#!/usr/bin/env bash
# Docker Engine: images go in and out unchanged, and live or die with the registry's key.
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"
# shellcheck source=images.sh
source "$(dirname "$0")/images.sh"

push() {
    docker tag "$1" "$REGISTRY/$1:v1"
    docker push "$REGISTRY/$1:v1"
}

# pull NAME: with nothing of the image left in the engine, so that every blob is fetched.
pull() {
    forget "$1"
    docker pull "$REGISTRY/$1:v1" | tee "$STATE/pulling"
    if grep 'Already exists' "$STATE/pulling"; then return 1; fi
}

forget() {
    local tag
    for tag in "$1:latest" "$REGISTRY/$1:v1"; do
        if docker image inspect "$tag" >/dev/null 2>&1; then docker image rm --force "$tag"; fi
    done
}

# digest NAME: the one under which the registry knows it.
digest() {
    docker image inspect --format '{{range .RepoDigests}}{{println .}}{{end}}' "$REGISTRY/$1:v1" |
        sed -n "s,^$REGISTRY/$1@,,p"
}

pulls_unchanged() {
    pull "$1"
    equal "$2" "$(digest "$1")"
}

# same_files NAME: every file that was built into the image is in it.
same_files() {
    local container files=$STATE/images/$1 path
    container=$(docker create --network none "$REGISTRY/$1:v1")
    mkdir "$files/pulled"
    for path in "$files"/rootfs/*; do
        docker cp "$container:/$(basename "$path")" "$files/pulled/"
    done
    docker rm "$container"
    diff --recursive "$files/rootfs" "$files/pulled"
}

runs() { docker run --rm --network none "$1" | grep -F 'hello from behind the lock'; }

# round_trip NAME: through the registry, and back into an engine that has forgotten it.
round_trip() {
    local name=$1 digest
    check "push $name" push "$name"
    digest=$(digest "$name" || true)
    check "pull $name" pull "$name"
    check "$name has the digest that was pushed" equal "$digest" "$(digest "$name" || true)"
    check "$name has the files that were built" same_files "$name"
}

# revoked_by EVENT PATTERN COMMAND...: after the command the very next pull, and the very next push, print the pattern.
revoked_by() {
    local event=$1 pattern=$2
    shift 2
    check "$event" "$@"
    refused "$event: the next pull is refused" "$pattern" pull hello
    refused "$event: the next push is refused" "$pattern" push other
}

# restored_by EVENT COMMAND...: after the command the very next pull, and the very next push, succeed.
restored_by() {
    local event=$1
    shift
    check "$event" "$@"
    works "$event"
}

works() {
    check "$1: the next pull brings the same digest" pulls_unchanged hello "$hello_digest"
    check "$1: the next push succeeds" push other
}

disable_old_version() {
    local old
    old=$(sealock key show --json | jq -er '.versions | select(length == 2 and .[0].current) | .[1].version')
    sealock key disable --version "$old"
    sealock key show --json | jq -e '.versions | map(.enabled) == [true, false]'
}

bring_identity_back() {
    sealock identity create registry-identity
    sealock access grant
    sealock registry rotate-key --identity registry-identity
}

start_emulator

check "build hello" build_hello
check "build an image of 24 layers" build_layers
check "build an image with a layer of 300 MiB" build_big
check "build an image that is not pushed yet" build_hello other "another greeting"

runnable=no
if runs hello >/dev/null 2>&1; then runnable=yes; fi
round_trip hello
if [[ $runnable == yes ]]; then
    check "the pulled hello runs" runs "$REGISTRY/hello:v1"
else
    echo "skipped docker: containers do not run on this machine, not even before the push"
fi
round_trip layers
round_trip big
forget big >/dev/null
hello_digest=$(digest hello || true)

revoked_by "key disable" "$FORBIDDEN" sealock key disable
restored_by "key enable" sealock key enable

check "key rotate" sealock key rotate
works "key rotate"
check "the old version can be disabled" disable_old_version
works "old version disabled"

revoked_by "access revoke" "$FORBIDDEN" sealock access revoke
restart_emulator
refused "restarted while revoked: the next pull is refused" "$FORBIDDEN" pull hello
refused "restarted while revoked: the next push is refused" "$FORBIDDEN" push other
restored_by "access grant" sealock access grant

revoked_by "key delete" "$FORBIDDEN" sealock key delete registry-key
restored_by "key recover" sealock key recover registry-key

revoked_by "vault delete" "$FORBIDDEN" sealock vault delete sealock
restored_by "vault recover" sealock vault recover sealock

revoked_by "identity delete" "$INACTIVE" sealock identity delete registry-identity
restored_by "identity create, access grant, registry rotate-key" bring_identity_back

restart_emulator
works "restart"
check "every object is whole" sealock verify
check_stop

# shellcheck shell=bash
# The checks that docker, podman and buildah share. Sourced after lib.sh and images.sh.

tool=docker
options=() # of its push and pull
push_refusal= # what a refused push says, where that is not what a refused pull says
hello_digest= # for the scenario to set, once hello is there

# use TOOL [OPTION...]: selects the client, and the options of its push and pull.
use() {
    tool=$1
    shift
    options=("$@")
    if [[ $tool == docker ]]; then push_refusal=; else push_refusal='403 \(Forbidden\)'; fi
}

# push NAME: pushes an image, and writes the digest that the client reports to $STATE/pushed.
push() {
    "$tool" tag "$1" "$REGISTRY/$1:v1"
    if [[ $tool == docker ]]; then
        docker push "$REGISTRY/$1:v1" | tee "$STATE/pushing"
        sed -n 's/^v1: digest: \(sha256:[0-9a-f]*\) .*/\1/p' "$STATE/pushing" >"$STATE/pushed"
    else
        "$tool" push "${options[@]}" --digestfile "$STATE/pushed" "$REGISTRY/$1:v1"
    fi
}

# The demo image of the command line.
load_demo() { sealock demo image --name "$REGISTRY/demo:v1" | "$tool" load; }

push_demo() { "$tool" push "${options[@]}" "$REGISTRY/demo:v1"; }

# demo_round_trip: loads, pushes and pulls the demo image.
demo_round_trip() {
    check "load the image of sealock demo" load_demo
    check "push the image of sealock demo" push_demo
    check "pull the image of sealock demo" pull demo
}

# pull NAME: pulls an image after removing it locally, so that every blob is fetched.
pull() {
    forget "$1"
    "$tool" pull "${options[@]}" "$REGISTRY/$1:v1" 2>&1 | tee "$STATE/pulling"
    if grep --ignore-case 'already exists' "$STATE/pulling"; then return 1; fi
}

forget() {
    local tag
    for tag in "$1:latest" "$REGISTRY/$1:v1"; do
        if "$tool" inspect --type image "$tag" >/dev/null 2>&1; then "$tool" rmi --force "$tag"; fi
    done
}

# digest NAME: prints the digest under which the registry stores the image.
digest() {
    local image=$REGISTRY/$1:v1
    # Docker lists no digest for an image by tag.
    if [[ $tool == docker ]]; then image=${image%:v1}; fi
    "$tool" images --digests --format '{{.Digest}}' "$image"
}

pulls_unchanged() {
    pull "$1"
    equal "$2" "$(digest "$1")"
}

# same_files NAME: succeeds if the image contains every file that was built into it.
same_files() {
    local container files=$STATE/images/$1 path
    if [[ $tool == buildah ]]; then
        container=$(buildah from --pull-never "$REGISTRY/$1:v1")
        diff --recursive "$files/rootfs" "$(buildah mount "$container")"
    else
        container=$("$tool" create --network none "$REGISTRY/$1:v1")
        rm -rf "$files/pulled"
        mkdir "$files/pulled"
        for path in "$files"/rootfs/*; do
            "$tool" cp "$container:/$(basename "$path")" "$files/pulled/"
        done
        diff --recursive "$files/rootfs" "$files/pulled"
    fi
    "$tool" rm "$container"
}

# round_trip NAME [PREFIX]: pushes an image, removes it locally and pulls it.
round_trip() {
    local name=$1 prefix=${2:-} digest
    check "${prefix}push $name" push "$name"
    digest=$(<"$STATE/pushed") || true
    check "${prefix}pull $name" pull "$name"
    check "$prefix$name has the digest that was pushed" equal "$digest" "$(digest "$name" || true)"
    check "$prefix$name has the files that were built" same_files "$name"
}

# revoked_by EVENT PATTERN COMMAND...: the very next pull and push after the command fail with the pattern.
revoked_by() {
    local event=$1 pattern=$2
    shift 2
    check "$event" "$@"
    still_revoked "$event" "$pattern"
}

still_revoked() {
    refused "$1: the next pull is refused" "$2" pull hello
    refused "$1: the next push is refused" "${push_refusal:-$2}" push other
}

# restored_by EVENT COMMAND...: the very next pull and push after the command succeed.
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

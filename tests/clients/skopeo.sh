#!/usr/bin/env bash
# skopeo: an index of two architectures, listing, deletion and revocation.
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"
# shellcheck source=images.sh
source "$(dirname "$0")/images.sh"

layout=$STATE/layout

push() { skopeo copy --all --dest-tls-verify=false "oci:$layout:v1" "docker://$REGISTRY/multi/arch:$1"; }

pull() {
    rm -rf "$STATE/pulled"
    skopeo copy --all --src-tls-verify=false "docker://$REGISTRY/multi/arch:$1" "oci:$STATE/pulled:v1"
}

# Compares index, manifests, configs and layers byte for byte.
pulls_unchanged() {
    pull "$1"
    diff --recursive "$layout/blobs" "$STATE/pulled/blobs"
}

# inspect REFERENCE [OPTION...]
inspect() {
    local reference=$1
    shift
    skopeo --override-os linux --override-arch arm64 inspect --tls-verify=false "$@" "docker://$REGISTRY/multi/arch$reference"
}

index_digest() { jq -r '.manifests[0].digest' "$layout/index.json"; }

has_index_digest() { equal "$(index_digest)" "sha256:$(inspect "$1" --raw | sha256sum | cut -d ' ' -f 1)"; }

chooses_architecture() { equal arm64 "$(inspect :v1 | jq -r .Architecture)"; }

lists_tags() { equal "$1" "$(skopeo list-tags --tls-verify=false "docker://$REGISTRY/multi/arch" | jq -c .Tags)"; }

delete() { skopeo delete --tls-verify=false "docker://$REGISTRY/multi/arch:$1"; }

# push_demo TRANSPORT: pushes the demo image of the command line.
push_demo() {
    sealock demo image --file "$STATE/demo.tar"
    skopeo copy --dest-tls-verify=false "$1:$STATE/demo.tar" "docker://$REGISTRY/demo:$1"
}

start_emulator

check "push the image of sealock demo, as Docker's archive" push_demo docker-archive
check "push the image of sealock demo, as an OCI archive" push_demo oci-archive
check "build an index of two architectures" build_index "$layout" v1
check "push the index with its images" push v1
check "push it under a second tag" push v2
check "inspect chooses the architecture" chooses_architecture
check "the index keeps its digest, by tag" has_index_digest :v1
check "the index keeps its digest, by digest" has_index_digest "@$(index_digest)"
check "list-tags" lists_tags '["v1","v2"]'
check "pull brings the same bytes" pulls_unchanged v1

check "key disable" sealock key disable
refused "key disable: the next pull is refused" "$FORBIDDEN" pull v1
refused "key disable: inspect is refused" "$FORBIDDEN" inspect :v1
refused "key disable: delete is refused" "$FORBIDDEN" delete v1
# For these two, skopeo shows the status without the text.
refused "key disable: the next push is refused" '403 \(Forbidden\)' push v3
refused "key disable: list-tags is refused" '403 \(Forbidden\)' lists_tags '["v1","v2"]'
check "key enable" sealock key enable
check "key enable: the next pull brings the same bytes" pulls_unchanged v1
check "key enable: the next push succeeds" push v3

check "delete" delete v1
refused "the deleted image is gone" 'manifest unknown' pull v1
# skopeo deletes the digest, and with it every tag that points to it.
refused "its other tag is gone" 'manifest unknown' pull v2
check "push it again" push v1
check "pull it again" pulls_unchanged v1

check "every object is intact" sealock verify
check_stop

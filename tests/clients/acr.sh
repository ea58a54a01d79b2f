#!/usr/bin/env bash
# Microsoft's acr, which cleans registries up: its lists, and the content that its purge keeps and deletes. It is built
# from source if the Go module proxy has it, or else taken from the path. Without it, the scenario is skipped.
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"

readonly ACR=v0.18.1

find_acr() {
    install_go_tool github.com/Azure/acr-cli/cmd/acr "$ACR" && return
    local found
    found=$(type -P acr) && mkdir -p "$CACHE/bin" && ln -sf "$found" "$CACHE/bin/acr-$ACR"
}

acr() {
    SSL_CERT_FILE=$ca timeout --foreground 120 "$CACHE/bin/acr-$ACR" "$@" \
        --registry "$NAME" --username sealock --password "$password"
}

# push REPOSITORY TAG...: pushes a unique image for each tag, as fast as possible.
push() {
    local repository=$1 tag config=sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a
    shift
    curl --fail --request POST --data-binary '{}' "http://$REGISTRY/v2/$repository/blobs/uploads/?digest=$config"
    for tag; do
        jq --null-input --compact-output --arg tag "$tag" --arg config "$config" '{
            schemaVersion: 2, mediaType: "application/vnd.oci.image.manifest.v1+json", layers: [],
            config: {mediaType: "application/vnd.oci.empty.v1+json", digest: $config, size: 2}, annotations: {tag: $tag}
        }' | curl --fail --request PUT --header 'Content-Type: application/vnd.oci.image.manifest.v1+json' \
            --data-binary @- "http://$REGISTRY/v2/$repository/manifests/$tag"
    done
}

# tags_are REPOSITORY TAG...: succeeds if the repository has exactly these tags, in any order.
tags_are() {
    local repository=$1
    shift
    acr tag list --repository "$repository" >"$STATE/tags"
    grep "Listing tags for the \"$repository\" repository" "$STATE/tags"
    diff <(printf '%s\n' "$@" | grep . | sort) <(sed -n 's/.*://p' "$STATE/tags" | grep . | sort)
}

manifests_are() { # REPOSITORY NUMBER
    acr manifest list --repository "$1" >"$STATE/manifests"
    equal "$2" "$(grep -c "@sha256:" "$STATE/manifests")"
}

purge() { acr purge --filter "$1:.*" --ago 0d "${@:2}"; }

lock() { curl --fail --request PATCH --data "$2" "http://$REGISTRY/acr/v1/$1"; }

start_emulator
ca=$(jq -r .ca "$STATE/ready.json")
if ! find_acr >"$STATE/output" 2>&1; then
    skip "Microsoft's acr can neither be built here nor is it on the path"
    exit
fi
check "hosts --write" sealock hosts --write
check "enable the admin user" sealock registry update --admin-enabled true
password=$(sealock registry credential show --json | jq -r '.passwords[0].value')
# All pushes happen in the same second, so that times alone do not order them.
check "clock freeze" sealock clock freeze

refused "an empty registry: tag list" 'NAME_UNKNOWN.*repository ..none.. is not found' acr tag list --repository none
refused "an empty registry: manifest list" 'repository ..none.. is not found' acr manifest list --repository none
check "an empty registry: purge" purge none --untagged

check "push one" push one v1
check "one tag: tag list" tags_are one v1
check "one manifest: manifest list" manifests_are one 1
refused "a missing manifest" '"Name":"one","Revision":"sha256:0{64}"' \
    acr manifest delete --repository one "sha256:$(printf '0%.0s' {1..64})"
refused "a missing tag" 'TAG_UNKNOWN.*the specified tag does not exist' acr tag delete --repository one v2

check "push five, against the alphabet" push app e d c b a
check "purge --keep 2 --dry-run" purge app --keep 2 --dry-run
check "it deletes nothing" tags_are app a b c d e
check "purge --keep 2" purge app --keep 2
check "it keeps the two newest" tags_are app a b
check "purge --untagged-only --keep 1" purge app --untagged-only --keep 1
check "it keeps the newest of the three" manifests_are app 3
check "lock a tag" lock app/_tags/a '{"writeEnabled": false}'
check "purge with a lock" purge app
check "it keeps the locked tag" tags_are app a
check "purge --include-locked" purge app --include-locked
check "no tag: tag list" tags_are app
check "no tag: manifest list" manifests_are app 3
check "purge --untagged" purge app --untagged
refused "an empty repository is gone" 'repository ..app.. is not found' acr manifest list --repository app

# shellcheck disable=SC2046  # numbers
check "push more than a page" push pages $(seq 130 -1 1)
check "two pages: tag list" tags_are pages {1..130}
check "two pages: manifest list" manifests_are pages 130
check "two pages: purge --keep 3" purge pages --keep 3 --untagged
check "two pages: it keeps the three newest" tags_are pages 1 2 3
check "two pages: purge --untagged" manifests_are pages 6

check "every object is intact" sealock verify
check_stop

#!/usr/bin/env bash
# The registry under its own name, as in Azure: docker, podman, buildah, skopeo and containerd log in as the admin user,
# with a token and anonymously, over TLS with their normal verification where they verify loopback names.
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"
# shellcheck source=images.sh
source "$(dirname "$0")/images.sh"
# shellcheck source=engines.sh
source "$(dirname "$0")/engines.sh"

admin_password() { sealock registry credential show --json | jq -r '.passwords[0].value'; }

# create_token NAME ACTION...: creates a token for the repository hello, and writes its password to $STATE/NAME.
create_token() {
    local name=$1
    shift
    sealock registry token create "$name" --repository hello "$@" --json | jq -re '.generated[0].value' >"$STATE/$name"
}

# login USER PASSWORD
login() { "$tool" login --username "$1" --password-stdin "$REGISTRY" <<<"$2"; }

logout() { "$tool" logout "$REGISTRY"; }

lists_tags() { equal '["multi","v1"]' "$(skopeo list-tags "$@" "docker://$REGISTRY/hello" | jq -c .Tags)"; }

start_emulator
check "hosts --write" sealock hosts --write
check "follow trust for podman, buildah and skopeo" follow "podman, buildah, skopeo"
# The registry's own name from here on.
REGISTRY=$NAME
check "Docker Engine finds the name" docker_finds "$REGISTRY/hello:v1"

refused "the admin user is disabled at first" 'admin user of registry sealock is disabled' sealock registry credential show
check "enable the admin user" sealock registry update --admin-enabled true
password=$(admin_password)
check "create a token that may pull" create_token reader content/read metadata/read
check "create a token that may push" create_token pusher content/read content/write

for client in docker podman buildah; do
    use "$client"
    denied='authentication required|unauthorized|access to the resource is denied|insufficient_scope|invalid username/password'
    check "$client: build hello" build_hello
    refused "$client: without a login the push is refused" "$denied" push hello
    refused "$client: a wrong password is refused" "$denied" login sealock wrong
    check "$client: log in as the admin user" login sealock "$password"
    round_trip hello "$client: "
    hello_digest=$(digest hello || true)
    check "$client: key disable" sealock key disable
    refused "$client: key disable: the next pull is refused" "$FORBIDDEN" pull hello
    check "$client: key enable" sealock key enable
    check "$client: key enable: the next pull" pulls_unchanged hello "$hello_digest"
    check "$client: log out" logout
    refused "$client: logged out, the pull is refused" "$denied" pull hello
    check "$client: log in with a token that may pull" login reader "$(<"$STATE/reader")"
    check "$client: it pulls" pulls_unchanged hello "$hello_digest"
    check "$client: build another" build_hello hello "not for everyone to push, from $client"
    refused "$client: it cannot push" "$denied" push hello
    check "$client: log in with a token that may push" login pusher "$(<"$STATE/pusher")"
    check "$client: it pushes" push hello
    check "$client: log out" logout
done

# --- An index, with docker manifest ---------------------------------------------------------------------------------

makes_index() {
    docker tag hello "$REGISTRY/hello:v1"
    docker push "$REGISTRY/hello:v1"
    docker manifest create --insecure "$REGISTRY/hello:multi" "$REGISTRY/hello:v1"
    docker manifest annotate --arch arm64 "$REGISTRY/hello:multi" "$REGISTRY/hello:v1"
    docker manifest push --insecure --purge "$REGISTRY/hello:multi"
    docker manifest inspect --insecure "$REGISTRY/hello:multi" | jq -e '.manifests[0].platform.architecture == "arm64"'
}

use docker
check "docker: build hello" build_hello
check "docker: log in as the admin user" login sealock "$password"
check "docker manifest: create, annotate, push, inspect" makes_index
check "docker: log out" logout

# --- skopeo ---------------------------------------------------------------------------------------------------------

copy() { skopeo copy --all "$@"; }

are_of_zstd() {
    skopeo inspect --raw "${admin[@]}" "docker://$REGISTRY/zstd:v1" | jq -e '.layers[0].mediaType | test("zstd")'
}

admin=(--creds "sealock:$password")
to_admin=(--dest-creds "sealock:$password")
check "skopeo: build an index of two architectures" build_index "$STATE/layout" v1
refused "skopeo: without a login the push is refused" 'authentication required|unauthorized' \
    copy "oci:$STATE/layout:v1" "docker://$REGISTRY/multi:v1"
check "skopeo: push as the admin user" copy "${to_admin[@]}" "oci:$STATE/layout:v1" "docker://$REGISTRY/multi:v1"
check "docker save" docker save --output "$STATE/hello.tar" hello
check "skopeo: push layers of zstd" copy "${to_admin[@]}" --dest-compress-format zstd --format oci \
    "docker-archive:$STATE/hello.tar" "docker://$REGISTRY/zstd:v1"
check "skopeo: they are of zstd" are_of_zstd
check "skopeo: sync a repository to a directory" skopeo sync --all --src docker --dest dir \
    --src-creds "sealock:$password" "$REGISTRY/multi" "$STATE/synced"
check "skopeo: sync it back, under another name" skopeo sync --all --src dir --dest docker "${to_admin[@]}" \
    "$STATE/synced" "$REGISTRY/again"
check "skopeo: list-tags with a token" lists_tags --creds "reader:$(<"$STATE/reader")"
refused "skopeo: a token for hello lists no other's tags" 'authentication required|unauthorized|401' \
    skopeo list-tags --creds "reader:$(<"$STATE/reader")" "docker://$REGISTRY/multi"
check "skopeo: delete as the admin user" skopeo delete "${admin[@]}" "docker://$REGISTRY/multi:v1"

# --- containerd -----------------------------------------------------------------------------------------------------

# The containerd of the Docker Engine.
ctr() {
    timeout --foreground 180 ctr --address "$WORK/dockerd-exec/containerd/containerd.sock" --namespace sealock "$@"
}

containerd_pulls() { ctr image pull --tlscacert "$(jq -r .ca "$STATE/ready.json")" "$@" "$REGISTRY/hello:v1"; }

check "containerd: pull as the admin user" containerd_pulls --user "sealock:$password"
check "containerd: pull with a token" containerd_pulls --user "reader:$(<"$STATE/reader")"
refused "containerd: without a login it is refused" '401|403|insufficient_scope|authorization failed' containerd_pulls
check "containerd: pull from localhost, which needs no login" ctr image pull --plain-http "localhost:${REGISTRY##*:}/hello:v1"

# --- Anonymous pull, locks ------------------------------------------------------------------------------------------

check "anonymous pull: enable it" sealock registry update --anonymous-pull-enabled true
hello_digest=$(digest hello || true)
check "anonymous pull: docker pulls without a login" pulls_unchanged hello "$hello_digest"
check "anonymous pull: containerd pulls without a login" containerd_pulls
check "anonymous pull: build another" build_hello hello "not for everyone to push"
refused "anonymous pull: nobody pushes without a login" 'denied|insufficient_scope|unauthorized' push hello

lock() {
    curl --fail --user "sealock:$password" --request PATCH --data "$1" \
        "http://$ADDRESS/acr/v1/hello/_tags/v1" | jq -e .tag.changeableAttributes
}

check "lock the tag" lock '{"writeEnabled": false}'
check "docker: log in as the admin user" login sealock "$password"
refused "locked: the push is refused" 'The operation is disallowed on this registry, repository or image' push hello
check "locked: the pull succeeds" pull hello
check "unlock the tag" lock '{"writeEnabled": true}'
check "build another" build_hello hello "to be pushed after all"
check "unlocked: the push succeeds" push hello

check "every object is intact" sealock verify
check_stop

#!/usr/bin/env bash
# oras and helm push and pull artifacts other than images, and find those attached to an image: on a registry with a
# customer-managed key, which offers no referrers API, and on one without, which does.
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"

readonly ORAS=v1.3.6 HELM=v3.22.0

oras() { timeout --foreground 180 "$CACHE/bin/oras-$ORAS" "$@"; }

helm() { timeout --foreground 180 "$CACHE/bin/helm-$HELM" "$@"; }

# --- oras -----------------------------------------------------------------------------------------------------------

# REPOSITORY is HOST:PORT/NAME below.
options=() # of every command

push_artifact() {
    cd "$STATE"
    echo 'an artifact' >artifact.txt
    oras push "${options[@]}" --artifact-type application/vnd.example.note "$1:v1" artifact.txt:text/plain
}

pull_artifact() {
    rm -rf "$STATE/pulled"
    oras pull "${options[@]}" --output "$STATE/pulled" "$1:v1"
    diff "$STATE/artifact.txt" "$STATE/pulled/artifact.txt"
}

attach() {
    cd "$STATE"
    echo "a signature, $2" >"$2.txt"
    oras attach "${options[@]}" --artifact-type "application/vnd.example.$2" "$1:v1" "$2.txt:text/plain"
}

# discovers REPOSITORY TYPE...: succeeds if artifacts of exactly these types are attached.
discovers() {
    local repository=$1
    shift
    oras discover "${options[@]}" --format json "$repository:v1" >"$STATE/discovered"
    equal "$(printf 'application/vnd.example.%s\n' "$@" | sort)" \
        "$(jq -r '(.referrers // .manifests)[].artifactType' "$STATE/discovered" | sort)"
}

copies() {
    oras copy --from-plain-http --to-plain-http --recursive "$1:v1" "$2:v1"
}

tags_are() { equal "$2" "$(oras repo tags "${options[@]}" "$1" | grep -v '^sha256-' | paste -sd ' ')"; }

deletes() {
    oras manifest delete "${options[@]}" --force "$1:v1"
    ! oras manifest fetch "${options[@]}" "$1:v1"
}

# round_trip REPOSITORY WHERE
round_trip() {
    check "oras, $2: push" push_artifact "$1"
    check "oras, $2: pull" pull_artifact "$1"
    check "oras, $2: attach" attach "$1" first
    check "oras, $2: attach another" attach "$1" second
    check "oras, $2: discover" discovers "$1" first second
    check "oras, $2: tag" oras tag "${options[@]}" "$1:v1" v2
    check "oras, $2: repo tags" tags_are "$1" "v1 v2"
    check "oras, $2: delete" deletes "$1"
}

start_emulator
check "compile oras" install_go_tool oras.land/oras/cmd/oras "$ORAS"
check "hosts --write" sealock hosts --write

options=(--plain-http)
round_trip "$REGISTRY/notes" "with a key"
check "oras: push, to copy it" push_artifact "$REGISTRY/original"
check "oras: attach, to copy it" attach "$REGISTRY/original" third
check "oras: copy with attached artifacts" copies "$REGISTRY/original" "$REGISTRY/copy"
check "oras: the attached artifact was copied" discovers "$REGISTRY/copy" third

check "key disable" sealock key disable
refused "key disable: the next pull is refused" "$FORBIDDEN" pull_artifact "$REGISTRY/original"
check "key enable" sealock key enable
check "key enable: the next pull" pull_artifact "$REGISTRY/original"

# The faithful door, and a registry without a key.
plain=plain.azurecr.$REGISTRY
ca=$(jq -r .ca "$STATE/ready.json")
check "create a registry without a key" sealock registry create plain
check "hosts --write, for its name" sealock hosts --write
check "enable its admin user" sealock registry update plain --admin-enabled true
password=$(sealock registry credential show plain --json | jq -r '.passwords[0].value')
options=(--ca-file "$ca" --registry-config "$STATE/oras.json")
refused "oras: without a login the push is refused" 'authentication required|unauthorized|basic credential not found' \
    push_artifact "$plain/notes"
log_in() { oras login "${options[@]}" --username plain --password-stdin "$plain" <<<"$1"; }
refused "oras: a wrong password is refused" 'authentication required|unauthorized' log_in wrong
check "oras: log in" log_in "$password"
round_trip "$plain/notes" "without a key"
refused "oras: attached artifacts and the repository are deleted with the image" 'repository "notes" is not found' \
    oras repo tags "${options[@]}" "$plain/notes"
check "oras: push, to list it" push_artifact "$plain/notes"
check "oras: repo ls" eval "oras repo ls ${options[*]} $plain | grep -x notes"

# --- helm -----------------------------------------------------------------------------------------------------------

make_chart() {
    cd "$STATE"
    rm -rf chart
    helm create chart
    helm package chart --version 1.2.3
}

pull_chart() {
    rm -rf "$STATE/charts"
    mkdir "$STATE/charts"
    helm pull "oci://$1/charts/chart" --version 1.2.3 --destination "$STATE/charts" "${@:2}"
    cmp "$STATE/chart-1.2.3.tgz" "$STATE/charts/chart-1.2.3.tgz"
}

check "compile helm" install_go_tool helm.sh/helm/v3/cmd/helm "$HELM"
check "helm: make a chart" make_chart
check "helm: push" helm push "$STATE/chart-1.2.3.tgz" "oci://$REGISTRY/charts" --plain-http
check "helm: pull brings the same chart" pull_chart "$REGISTRY" --plain-http
check "helm: log in to the other registry" helm registry login "$plain" --ca-file "$ca" --username plain --password "$password"
check "helm: push, over TLS" helm push "$STATE/chart-1.2.3.tgz" "oci://$plain/charts" --ca-file "$ca"
check "helm: pull, over TLS" pull_chart "$plain" --ca-file "$ca"
check "helm: log out" helm registry logout "$plain"
refused "helm: logged out, the pull is refused" '401|authentication required|unauthorized|credential' pull_chart "$plain" --ca-file "$ca"

check "every object is intact" sealock verify
check_stop

#!/usr/bin/env bash
# curl: the answers of a revoked registry, the listener's refusals, and 2 GiB in little memory.
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"

readonly OCTETS='Content-Type: application/octet-stream'
readonly MANIFEST=application/vnd.oci.image.manifest.v1+json

# answers STATUS PATH [CURL OPTION...]: keeps the body in $STATE/body, and the headers for `location`.
answers() {
    local want=$1 path=$2 got
    shift 2
    got=$(curl --output "$STATE/body" --dump-header "$STATE/headers" --write-out '%{http_code}' "$@" "http://$ADDRESS$path")
    if [[ $got != "$want" ]]; then
        echo "$path answered $got, expected $want"
        cat "$STATE/body"
        return 1
    fi
}

# The path of the last answer's Location, which may be absolute.
location() {
    tr -d '\r' <"$STATE/headers" | sed -n 's/^location: *//Ip' | tail -n 1 | sed "s,^http://$ADDRESS,,"
}

# denied CAUSE PATH [CURL OPTION...]
denied() {
    local cause=$1
    shift
    answers 403 "$@"
    jq . "$STATE/body"
    jq -e --arg cause "$cause" '.errors[0] | .code == "DENIED" and .detail.cause == $cause
        and (.detail | has("key") and has("since"))' "$STATE/body"
    jq -er '.errors[0].message' "$STATE/body" | grep -E "$FORBIDDEN"
}

# answers_body EXPECTED STATUS PATH [CURL OPTION...]
answers_body() {
    local expected=$1
    shift
    answers "$@"
    equal "$expected" "$(<"$STATE/body")"
}

# begin_upload FILE: starts an upload in the repository `raw`, and streams the file (`-` is standard input).
begin_upload() {
    answers 202 /v2/raw/blobs/uploads/ --request POST
    answers 202 "$(location)" --request PATCH --header "$OCTETS" --upload-file "$1"
    location >"$STATE/session"
}

# end_upload STATUS DIGEST: completes the last upload, whose path may have a query.
end_upload() {
    local session separator='?'
    session=$(<"$STATE/session")
    if [[ $session == *\?* ]]; then separator='&'; fi
    answers "$1" "$session${separator}digest=$2" --request PUT
}

push_blob() {
    begin_upload "$1"
    end_upload 201 "$(digest_of <"$1")"
}

digest_of() { echo "sha256:$(sha256sum | cut -d ' ' -f 1)"; }

# The whole directory: journal, database, objects and uploads.
no_plaintext() {
    local status=0
    grep --recursive --text --files-with-matches --regexp "$marker" --regexp diff_ids --regexp schemaVersion \
        "$STATE/data" || status=$?
    equal 1 "$status"
}

start_emulator

# --- A small image ------------------------------------------------------------------------------------------------

marker='this text never lies on the disk as it is'
echo "$marker" >"$STATE/blob"
echo '{"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}}' >"$STATE/config"
blob_digest=$(digest_of <"$STATE/blob")
jq -n --arg type "$MANIFEST" --arg blob "$blob_digest" --arg config "$(digest_of <"$STATE/config")" \
    --argjson blob_size "$(stat -c %s "$STATE/blob")" --argjson config_size "$(stat -c %s "$STATE/config")" '{
        schemaVersion: 2, mediaType: $type,
        config: {mediaType: "application/vnd.oci.image.config.v1+json", digest: $config, size: $config_size},
        layers: [{mediaType: "application/vnd.oci.image.layer.v1.tar", digest: $blob, size: $blob_size}]
    }' >"$STATE/manifest"
manifest_digest=$(digest_of <"$STATE/manifest")

check "push a blob" push_blob "$STATE/blob"
check "push a config" push_blob "$STATE/config"
check "push a manifest" answers 201 /v2/raw/manifests/v1 \
    --request PUT --header "Content-Type: $MANIFEST" --data-binary "@$STATE/manifest"
check "pull the manifest by tag" answers_body "$(<"$STATE/manifest")" 200 /v2/raw/manifests/v1 --header "Accept: $MANIFEST"
check "pull the blob" answers_body "$marker" 200 "/v2/raw/blobs/$blob_digest"
check "pull a range of the blob" answers_body text 206 "/v2/raw/blobs/$blob_digest" --range 5-8
check "tags" answers 200 /v2/raw/tags/list
check "catalog" answers 200 /v2/_catalog
check "the data directory holds no plaintext" no_plaintext

# --- Revoked ------------------------------------------------------------------------------------------------------

echo "begun before, ended after" >"$STATE/kept"
kept_digest=$(digest_of <"$STATE/kept")
check "begin an upload" begin_upload "$STATE/kept"

check "key disable" sealock key disable
check "disabled: GET /v2/ still asks for a login" answers 401 /v2/
check "disabled: GET manifest by tag is denied" denied KeyDisabled /v2/raw/manifests/v1 --header "Accept: $MANIFEST"
check "disabled: GET manifest by digest is denied" denied KeyDisabled "/v2/raw/manifests/$manifest_digest"
check "disabled: HEAD manifest is denied" answers 403 /v2/raw/manifests/v1 --head
check "disabled: GET blob is denied" denied KeyDisabled "/v2/raw/blobs/$blob_digest"
check "disabled: HEAD blob is denied" answers 403 "/v2/raw/blobs/$blob_digest" --head
check "disabled: GET range is denied" denied KeyDisabled "/v2/raw/blobs/$blob_digest" --range 5-8
check "disabled: POST upload is denied" denied KeyDisabled /v2/raw/blobs/uploads/ --request POST
check "disabled: PUT that ends an upload is denied" end_upload 403 "$kept_digest"
check "disabled: PUT manifest is denied" denied KeyDisabled /v2/raw/manifests/v2 \
    --request PUT --header "Content-Type: $MANIFEST" --data-binary "@$STATE/manifest"
check "disabled: DELETE manifest is denied" denied KeyDisabled /v2/raw/manifests/v1 --request DELETE
check "disabled: tags are denied" denied KeyDisabled /v2/raw/tags/list
check "disabled: catalog is denied" denied KeyDisabled /v2/_catalog
check "key enable" sealock key enable
check "enabled: GET blob" answers_body "$marker" 200 "/v2/raw/blobs/$blob_digest"
check "enabled: the upload can be completed" end_upload 201 "$kept_digest"
check "enabled: the upload across the revocation is intact" \
    answers_body "$(<"$STATE/kept")" 200 "/v2/raw/blobs/$kept_digest"
check "enabled: the denied manifest is absent" answers 404 /v2/raw/manifests/v2

# --- Requests that a page elsewhere could make --------------------------------------------------------------------

check "POST with a foreign Origin is refused" answers 403 /v2/raw/blobs/uploads/ \
    --request POST --header 'Origin: https://elsewhere.example'
check "POST from another site is refused" answers 403 /v2/raw/blobs/uploads/ \
    --request POST --header 'Sec-Fetch-Site: cross-site'
check "POST with its own Origin is accepted" answers 202 /v2/raw/blobs/uploads/ \
    --request POST --header "Origin: http://$ADDRESS"
check "a page's GET of the control API is refused" answers 403 /_sealock/v1/status --header 'Sec-Fetch-Site: same-site'
check "a GET with the emulator's own Origin is refused" answers 403 /_sealock/v1/status --header "Origin: http://$ADDRESS"
check "a page of page.localhost is served" answers 200 /_sealock/v1/status \
    --header "Host: page.localhost:${ADDRESS##*:}" --header "Origin: http://page.localhost:${ADDRESS##*:}"
check "a manifest that a browser would render is refused" answers 400 /v2/raw/manifests/page \
    --request PUT --header 'Content-Type: text/html' --data-binary '{"schemaVersion":2}'
check "an unknown Host is refused" answers 421 /v2/ --header 'Host: elsewhere.example'

# --- 2 GiB --------------------------------------------------------------------------------------------------------

# 2 GiB and two bytes, cheap to generate twice, without repetitions.
large_blob() { seq 100000000 314748364; }

push_large() {
    large_blob | begin_upload -
    end_upload 201 "$large_digest"
}

pull_large() {
    equal "$large_digest" "$(curl --fail "http://$ADDRESS/v2/raw/blobs/$large_digest" | digest_of)"
}

# The key is disabled while the emulator has sent only a part of the blob.
cut_short() {
    local pull received
    : >"$STATE/partial"
    curl --limit-rate 20M --output "$STATE/partial" "http://$ADDRESS/v2/raw/blobs/$large_digest" &
    pull=$!
    local deadline=$((SECONDS + 20))
    until [[ -s $STATE/partial ]]; do
        ((SECONDS < deadline)) || return 1
        sleep 0.05
    done
    sealock key disable
    if wait "$pull"; then
        echo "the whole blob was served"
        return 1
    fi
    received=$(stat -c %s "$STATE/partial")
    sealock key enable
    echo "$received bytes were served"
    ((received < 500000000))
}

peak_memory_mib() {
    local pid
    pid=$(jq -r .pid "$STATE/ready.json")
    awk '/^VmHWM:/ { printf "%d\n", $2 / 1024 }' "/proc/$pid/status"
}

large_digest=$(large_blob | digest_of)
check "push a blob of 2 GiB" push_large
check "pull a blob of 2 GiB" pull_large
peak=$(peak_memory_mib)
check "peak memory is $peak MiB, under 150" test "$peak" -lt 150
check "a pull in flight is cut short by key disable" cut_short
check "every object is intact" sealock verify
check_stop

#!/usr/bin/env bash
# The HTTPS clients of Python, Node.js, Java and Go, each with its normal verification, configured by `sealock trust`.
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"
# shellcheck source=images.sh
source "$(dirname "$0")/images.sh"
# shellcheck source=forge.sh
source "$(dirname "$0")/forge.sh"

here=$(cd "$(dirname "$0")" && pwd)

readonly OPENSSL_VIOLATION='permitted subtree violation'
readonly NODE_REFUSAL='UNABLE_TO_GET_ISSUER_CERT_LOCALLY|UNABLE_TO_VERIFY_LEAF_SIGNATURE|SELF_SIGNED_CERT_IN_CHAIN'

python_urllib() { timeout --foreground 60 python3 "$here/languages/client.py" urllib "$1"; }

python_requests() { timeout --foreground 60 "$CACHE/python/bin/python" "$here/languages/client.py" requests "$1"; }

node_fetch() { timeout --foreground 60 node "$here/languages/client.mjs" fetch "$1"; }

node_https() { timeout --foreground 60 node "$here/languages/client.mjs" https "$1"; }

java_http() { timeout --foreground 60 java -cp "$STATE" Client "$1"; }

go_http() { timeout --foreground 60 "$STATE/go-client" "$1"; }

compile_java() { timeout --foreground 120 javac -d "$STATE" "$here/languages/Client.java"; }

# Uses only the standard library, so it needs no network. The Go build cache is kept, since compiling takes long.
compile_go() {
    CGO_ENABLED=0 GOTOOLCHAIN=local GOPROXY=off GOCACHE=$CACHE/go \
        timeout --foreground 300 go build -o "$STATE/go-client" "$here/languages/client.go"
}

java_home() { java -XshowSettings:properties -version 2>&1 | sed -n 's/^ *java\.home = //p'; }

# trusts TITLE: follows `sealock trust` for the title, and saves the resulting environment.
trusts() {
    cd "$STATE"
    follow "$1"
    export -p >"$STATE/environment"
}

# reaches CLIENT URL: fetches the URL in that environment.
reaches() {
    # shellcheck source=/dev/null
    source "$STATE/environment"
    "$@"
}

# answers PATTERN CLIENT URL: succeeds if the answer in that environment matches the pattern.
answers() {
    reaches "$2" "$3" | tee "$STATE/answer"
    grep -E -- "$1" "$STATE/answer"
}

# verifies CLIENT REFUSAL VIOLATION: the client is served once it trusts the CA, and not before. It then refuses
# certificates of the stolen key for their violation, except for names that our CA may sign for.
verifies() {
    local client=$1 refusal=$2 violation=$3
    refused "$client: without the CA it is refused" "$refusal" "$client" "https://$REGISTRY/v2/"
    refused "$client: without the CA it is refused under the registry's name" "$refusal" "$client" "https://$NAME/v2/"
    check "$client: the catalog" answers '^200 ' "$client" "https://$REGISTRY/v2/_catalog"
    check "$client: a manifest has its digest" answers "^200 $manifest$" "$client" \
        "https://$REGISTRY/v2/hello/manifests/$manifest"
    check "$client: a blob has its digest" answers "^200 $blob$" "$client" "https://$REGISTRY/v2/hello/blobs/$blob"
    check "$client: the registry's name is verified, and requires a login" answers '^401 ' "$client" "https://$NAME/v2/"
    check "$client: the answer says so" grep -F '"code":"UNAUTHORIZED"' "$STATE/answer"
    check "$client: a stolen key signs for a name below localhost" answers '^200 ' "$client" "https://$FORGED_LOCAL/"
    refused "$client: a stolen key does not sign for $FOREIGN_NAME" "$violation" \
        reaches "$client" "https://$FORGED_FOREIGN/"
    refused "$client: a stolen key does not sign for $FOREIGN_NAME as a subject" "$violation|Hostname mismatch" \
        reaches "$client" "https://$FORGED_BY_SUBJECT/"
}

push() { skopeo copy --all --dest-tls-verify=false "oci:$STATE/layout:v1" "docker://$REGISTRY/hello:v1"; }

start_emulator
check "build an image" build_index "$STATE/layout" v1
check "push the image" push
manifest=$(jq -r '.manifests[0].digest' "$STATE/layout/index.json")
manifest=$(jq -r '.manifests[0].digest' "$STATE/layout/blobs/sha256/${manifest#sha256:}")
blob=$(jq -r .config.digest "$STATE/layout/blobs/sha256/${manifest#sha256:}")
check "hosts --write" sealock hosts --write
trap 'stop_forger; stop_emulator || true' EXIT
start_forger >"$STATE/forger.log" 2>&1

check "follow trust for Python" trusts Python
verifies python_urllib CERTIFICATE_VERIFY_FAILED "$OPENSSL_VIOLATION"
verifies python_requests CERTIFICATE_VERIFY_FAILED "$OPENSSL_VIOLATION"

check "follow trust for Node.js" trusts Node.js
verifies node_fetch "$NODE_REFUSAL" "$OPENSSL_VIOLATION"
verifies node_https "$NODE_REFUSAL" "$OPENSSL_VIOLATION"

check "compile the client in Java" compile_java
JAVA_HOME=$(java_home) # which not every JDK sets
export JAVA_HOME
check "follow trust for Java" trusts Java
verifies java_http 'PKIX path building failed' 'name constraints check failed'

check "compile the client in Go" compile_go
check "follow trust for Go" trusts Go
verifies go_http 'x509: certificate signed by unknown authority' \
    'is not permitted by any constraint|relies on legacy Common Name'

check_stop

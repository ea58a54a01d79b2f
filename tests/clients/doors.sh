#!/usr/bin/env bash
# Both doors of the registry. On localhost, no login is needed but a wrong password is refused. Under the registry's own
# name, an application logs in with its secret, and its roles limit it.
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"
# shellcheck source=images.sh
source "$(dirname "$0")/images.sh"

readonly CRANE=v0.22.1 HELM=v3.22.0 ORAS=v1.3.6 REGCTL=v0.11.7

crane() { timeout --foreground 180 "$CACHE/bin/crane-$CRANE" "$@"; }

helm() { timeout --foreground 180 "$CACHE/bin/helm-$HELM" "$@"; }

oras() { timeout --foreground 180 "$CACHE/bin/oras-$ORAS" "$@"; }

regctl() { timeout --foreground 180 "$CACHE/bin/regctl-$REGCTL" "$@"; }

readonly WRONG='unauthorized|authentication required|invalid username/password|not registered|clientid'
readonly OCI_TYPE=application/vnd.oci.image.manifest.v1+json

# Each Docker CLI on this machine: Debian's is 20.10, and another may be newer.
docker_clis() { type -aP docker | xargs --max-args 1 readlink --canonicalize | sort --unique; }

docker_version() { "$1" version --format '{{.Client.Version}}'; }

start_emulator
check "compile crane" install_go_tool github.com/google/go-containerregistry/cmd/crane "$CRANE"
check "compile regctl" install_go_tool github.com/regclient/regclient/cmd/regctl "$REGCTL"
check "compile oras" install_go_tool oras.land/oras/cmd/oras "$ORAS"
check "compile helm" install_go_tool helm.sh/helm/v3/cmd/helm "$HELM"
check "build an image" build_index "$STATE/layout" v1
check "build hello" build_hello

password() { sealock registry credential show --json | jq -r '.passwords[0].value'; }

sealock registry update --admin-enabled true >/dev/null
right=$(password)

# --- localhost ------------------------------------------------------------------------------------------------------

answers() { equal "$1" "$(curl --output "$STATE/body" --write-out '%{http_code}' "http://$REGISTRY$2" "${@:3}")"; }

challenges() {
    curl --dump-header - --output /dev/null "http://$REGISTRY/v2/" | tr -d '\r' | grep -i --fixed-strings --line-regexp \
        "www-authenticate: Bearer realm=\"http://$REGISTRY/oauth2/token\",service=\"$REGISTRY\""
}

check "GET /v2/ asks for a login" answers 401 /v2/
check "the challenge names its own realm" challenges
check "health needs no login" answers 200 /_sealock/v1/health
check "the catalog needs no login" answers 200 /v2/_catalog

docker_logs_in() { timeout --foreground 180 "$cli" login --username "$1" --password-stdin "$REGISTRY" <<<"$2"; }

docker_pushes() {
    timeout --foreground 180 "$cli" tag hello "$REGISTRY/$1:v1"
    timeout --foreground 180 "$cli" push "$REGISTRY/$1:v1"
    timeout --foreground 180 "$cli" pull "$REGISTRY/$1:v1"
}

for cli in $(docker_clis); do
    client="docker $(docker_version "$cli")"
    check "$client: push and pull without a login" docker_pushes docker
    refused "$client: a wrong password is refused" "$WRONG" docker_logs_in sealock wrong
    refused "$client: an unknown user is refused" 'Application not registered with AAD' docker_logs_in nobody wrong
    check "$client: log in" docker_logs_in sealock "$right"
    check "$client: push and pull" docker_pushes docker
    check "$client: log out" "$cli" logout "$REGISTRY"
done

podman_pushes() {
    podman pull --tls-verify=false "$REGISTRY/docker:v1"
    podman tag "$REGISTRY/docker:v1" "$REGISTRY/podman:v1"
    podman push --tls-verify=false "$REGISTRY/podman:v1"
}

check "podman: pull and push without a login" podman_pushes
refused "podman: a wrong password is refused" "$WRONG" \
    podman login --tls-verify=false --username sealock --password wrong "$REGISTRY"
check "podman: log in" podman login --tls-verify=false --username sealock --password "$right" "$REGISTRY"
check "podman: log out" podman logout "$REGISTRY"

skopeo_lists() { equal '["v1"]' "$(skopeo list-tags --tls-verify=false "docker://$REGISTRY/skopeo" | jq -c .Tags)"; }

check "skopeo: push without a login" \
    skopeo copy --all --dest-tls-verify=false "oci:$STATE/layout:v1" "docker://$REGISTRY/skopeo:v1"
check "skopeo: list tags without a login" skopeo_lists
check "skopeo: delete without a login" skopeo delete --tls-verify=false "docker://$REGISTRY/skopeo:v1"
refused "skopeo: a wrong password is refused" "$WRONG" \
    skopeo login --tls-verify=false --username sealock --password wrong "$REGISTRY"

crane_pushes() {
    crane pull "$REGISTRY/docker:v1" "$STATE/crane.tar"
    crane push "$STATE/crane.tar" "$REGISTRY/crane:v1"
    equal v1 "$(crane ls "$REGISTRY/crane")"
    crane catalog "$REGISTRY" | grep --line-regexp crane
    crane delete "$REGISTRY/crane:v1"
}

crane_with_wrong_password() {
    crane auth login "$REGISTRY" --username sealock --password wrong
    crane digest "$REGISTRY/docker:v1"
}

check "crane: pull, push, list and delete without a login" crane_pushes
refused "crane: a wrong password is refused" "$WRONG" crane_with_wrong_password
check "crane: log out" crane auth logout "$REGISTRY"

regctl_pushes() {
    regctl registry set --tls disabled "$REGISTRY"
    regctl image copy "$REGISTRY/docker:v1" "$REGISTRY/regctl:v1"
    equal v1 "$(regctl tag ls "$REGISTRY/regctl")"
    regctl manifest head "$REGISTRY/regctl:v1"
    regctl tag delete "$REGISTRY/regctl:v1"
}

regctl_logs_in() { regctl registry login "$REGISTRY" --user sealock --pass-stdin <<<"$1"; }

check "regctl: copy, list and delete without a login" regctl_pushes
refused "regctl: a wrong password is refused" "$WRONG" regctl_logs_in wrong
check "regctl: log in" regctl_logs_in "$right"
check "regctl: log out" regctl registry logout "$REGISTRY"

oras_pushes() {
    cd "$STATE"
    echo 'an artifact' >artifact.txt
    oras push --plain-http "$REGISTRY/oras:v1" artifact.txt:text/plain
    oras pull --plain-http --output "$STATE/oras" "$REGISTRY/oras:v1"
    cmp artifact.txt oras/artifact.txt
    equal v1 "$(oras repo tags --plain-http "$REGISTRY/oras")"
}

oras_logs_in() { oras login --plain-http --username sealock --password-stdin "$REGISTRY" <<<"$1"; }

check "oras: push, pull and list without a login" oras_pushes
refused "oras: a wrong password is refused" "$WRONG" oras_logs_in wrong
check "oras: log in" oras_logs_in "$right"
check "oras: log out" oras logout "$REGISTRY"

helm_pushes() {
    cd "$STATE"
    rm -rf chart
    helm create chart
    helm package chart --version 1.2.3
    helm push chart-1.2.3.tgz "oci://$REGISTRY/charts" --plain-http
    helm pull "oci://$REGISTRY/charts/chart" --version 1.2.3 --plain-http --destination "$STATE/oras"
}

check "helm: push and pull without a login" helm_pushes
refused "helm: a wrong password is refused" "$WRONG" \
    helm registry login --plain-http "$REGISTRY" --username sealock --password wrong

# --- The names of manifests' types ----------------------------------------------------------------------------------

not_accepted() {
    answers 404 "/v2/oras/manifests/v1" "$@"
    jq -e '.errors[0].message == "OCI manifest found, but accept header does not support OCI manifests"' "$STATE/body"
}

check "curl: an OCI manifest is unknown unless Accept has its type" not_accepted
check "curl: with its type in Accept it is served" answers 200 /v2/oras/manifests/v1 --header "Accept: $OCI_TYPE"

# --- Under its own name, an application -----------------------------------------------------------------------------

check "hosts --write" sealock hosts --write
check "follow trust for podman, buildah and skopeo" follow "podman, buildah, skopeo"
sealock app create deploy --json >"$STATE/app.json"
client_id=$(jq -r .client_id "$STATE/app.json")
secret=$(jq -r .secret "$STATE/app.json")
cli=docker

token_at() {
    curl --fail --user "$client_id:$1" "http://$NAME/oauth2/token?service=$NAME&scope=repository:docker:pull" |
        jq -re .access_token
}

app_logs_in() { docker login --username "$client_id" --password-stdin "$NAME" <<<"$1"; }

app_pushes() {
    docker tag hello "$NAME/docker:v2"
    docker push "$NAME/docker:v2"
}

check "Docker Engine finds the name" docker_finds "$NAME/none:v1"
refused "an application without a role gets no token" 'error: 401' token_at "$secret"
check "assign AcrPull" sealock role assign --app deploy --role AcrPull
check "curl: a token for its secret" token_at "$secret"
refused "docker: a wrong secret is refused" 'Invalid clientid or client secret' app_logs_in wrong
check "docker: log in with the secret" app_logs_in "$secret"
check "docker: pull" docker pull "$NAME/docker:v1"
refused "docker: AcrPull does not push" 'unauthorized|denied|authentication required' app_pushes
check "assign AcrPush" sealock role assign --app deploy --role AcrPush
check "docker: AcrPush pushes" app_pushes
check "docker: log out" docker logout "$NAME"
check "skopeo: list tags with the secret" skopeo list-tags --creds "$client_id:$secret" "docker://$NAME/docker"
check "crane: log in with the secret" crane auth login "$NAME" --username "$client_id" --password "$secret"
SSL_CERT_FILE=$(jq -r .ca "$STATE/ready.json")
export SSL_CERT_FILE
check "crane: list tags with the secret" crane ls "$NAME/docker"

# --- A token that may only pull -------------------------------------------------------------------------------------

sealock registry token create puller --scope-map _repositories_pull --json >"$STATE/token.json"
puller=puller:$(jq -r '.generated[0].value' "$STATE/token.json")
check "skopeo: _repositories_pull pulls" skopeo inspect --raw --creds "$puller" "docker://$NAME/docker:v1"
refused "skopeo: _repositories_pull lists no tags" 'unauthorized|authentication required|401' \
    skopeo list-tags --creds "$puller" "docker://$NAME/docker"

check "every object is intact" sealock verify
check_stop

# shellcheck shell=bash
# Clients in Go that Debian does not have. Sourced after lib.sh, by the scenarios that need some.

# shellcheck disable=SC2034  # for the scenarios
readonly CRANE=v0.22.1 HELM=v3.22.0 ORAS=v1.3.6 REGCTL=v0.11.7

# install_go_tool PACKAGE VERSION: the Go module proxy has their sources.
install_go_tool() {
    local tool=${1##*/}
    [[ -x $CACHE/bin/$tool-$2 ]] && return
    GOTOOLCHAIN=local GOBIN=$CACHE/bin GOPATH=$CACHE/gopath GOCACHE=$CACHE/go GOFLAGS=-modcacherw CGO_ENABLED=0 \
        timeout --foreground 1500 "$CACHE/python/bin/go" install "$1@$2"
    mv "$CACHE/bin/$tool" "$CACHE/bin/$tool-$2"
}

crane() { timeout --foreground 180 "$CACHE/bin/crane-$CRANE" "$@"; }

helm() { timeout --foreground 180 "$CACHE/bin/helm-$HELM" "$@"; }

oras() { timeout --foreground 180 "$CACHE/bin/oras-$ORAS" "$@"; }

regctl() { timeout --foreground 180 "$CACHE/bin/regctl-$REGCTL" "$@"; }

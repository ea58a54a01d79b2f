# shellcheck shell=bash
# A private Docker Engine. Sourced by `run`, and by scenarios that need one in another network.

dockerd_pid=
# The engine's network, if not a bridge of its own.
ENGINE_NETWORK=()
# Not docker0, which may belong to another engine: with `--bridge none`, dockerd removes it.
readonly ENGINE_BRIDGE=sealock$$

# start_dockerd DIR [PREFIX...]: starts the engine, by the prefix if given, with its socket and state in DIR, and sets
# DOCKER_HOST.
start_dockerd() {
    local dir=$1
    shift
    local network=("${ENGINE_NETWORK[@]}")
    if ((${#network[@]} == 0)); then
        network=(--bridge "$ENGINE_BRIDGE")
        ip link add "$ENGINE_BRIDGE" type bridge
    fi
    export DOCKER_HOST=unix://$dir/docker.sock
    "$@" dockerd --host "$DOCKER_HOST" --pidfile "$dir/dockerd.pid" \
        --data-root "$dir/dockerd" --exec-root "$dir/dockerd-exec" \
        "${network[@]}" --iptables=false --ip6tables=false --ip-forward=false --ip-masq=false \
        </dev/null >"$dir/dockerd.log" 2>&1 &
    dockerd_pid=$!
    local deadline=$((SECONDS + 60))
    until docker version >/dev/null 2>&1; do
        if ! kill -0 "$dockerd_pid" 2>/dev/null || ((SECONDS > deadline)); then
            tail -n 20 "$dir/dockerd.log" >&2
            return 1
        fi
        sleep 0.1
    done
}

# stop_dockerd DIR
stop_dockerd() {
    if ! end "$dockerd_pid" 30 && [[ -s $1/dockerd-exec/containerd/containerd.pid ]]; then
        kill -KILL "$(<"$1/dockerd-exec/containerd/containerd.pid")" || true
    fi
    ip link delete "$ENGINE_BRIDGE" 2>/dev/null || true
}

# end PID SECONDS [group]: stops a child of this script, or its whole group, and kills it after a timeout.
end() {
    [[ $1 ]] && kill -TERM -- "${3:+-}$1" 2>/dev/null || return 0
    local deadline=$((SECONDS + $2))
    while kill -0 "$1" 2>/dev/null; do
        if ((SECONDS > deadline)); then
            kill -KILL -- "${3:+-}$1" 2>/dev/null || true
            return 1
        fi
        sleep 0.1
    done
}

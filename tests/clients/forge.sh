# shellcheck shell=bash
# An attacker with the stolen private key of the emulator's CA, who serves certificates signed by it. Sourced after
# lib.sh.

# shellcheck disable=SC2034  # for the scenarios
readonly FOREIGN_NAME=github.com LOCAL_NAME=forged.localhost
FORGED_LOCAL=      # LOCAL_NAME:PORT, whose certificate is for that name
FORGED_FOREIGN=    # FOREIGN_NAME:PORT, the same
FORGED_BY_SUBJECT= # FOREIGN_NAME:PORT, whose certificate has that name in its subject alone
forger_pids=()

# start_forger: serves the three certificates, and maps both names to this machine.
start_forger() {
    echo "127.0.0.1 $LOCAL_NAME $FOREIGN_NAME" >>/etc/hosts
    forge local / "subjectAltName=critical,DNS:$LOCAL_NAME"
    forge foreign / "subjectAltName=critical,DNS:$FOREIGN_NAME"
    forge by_subject "/CN=$FOREIGN_NAME"
    serve_forged local && FORGED_LOCAL=$LOCAL_NAME:$port
    serve_forged foreign && FORGED_FOREIGN=$FOREIGN_NAME:$port
    serve_forged by_subject && FORGED_BY_SUBJECT=$FOREIGN_NAME:$port
}

stop_forger() {
    local pid
    for pid in "${forger_pids[@]}"; do kill "$pid" 2>/dev/null || true; done
    forger_pids=()
}

# forge FILE SUBJECT [EXTENSION]: signs a certificate with the stolen key.
forge() {
    local file=$STATE/forged-$1 stolen=$STATE/data/tls/authority.pem
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "$2" -keyout "$file.key" -out "$file.csr"
    printf '%s\n' keyUsage=critical,digitalSignature extendedKeyUsage=serverAuth authorityKeyIdentifier=keyid \
        "${3:-}" >"$file.extensions"
    openssl x509 -req -in "$file.csr" -CA "$stolen" -CAkey "$stolen" -set_serial "0x40$(openssl rand -hex 8)" \
        -days 30 -extfile "$file.extensions" -out "$file.pem"
}

# serve_forged FILE: serves a certificate with the intermediate, as the emulator does. Sets `port`.
serve_forged() {
    local file=$STATE/forged-$1 deadline=$((SECONDS + 10))
    openssl x509 -in "$STATE/data/tls/authority.pem" >>"$file.pem"
    python3 "$(dirname "${BASH_SOURCE[0]}")/serve_tls.py" "$file.pem" "$file.key" </dev/null >"$file.port" 2>"$file.log" &
    forger_pids+=($!)
    until [[ -s $file.port ]]; do
        ((SECONDS < deadline)) || return 1
        sleep 0.05
    done
    port=$(<"$file.port")
}

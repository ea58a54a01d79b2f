#!/usr/bin/env bash
# Docker Engine: images are pushed and pulled unchanged, and are readable only while the registry has its key.
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"
# shellcheck source=images.sh
source "$(dirname "$0")/images.sh"
# shellcheck source=engines.sh
source "$(dirname "$0")/engines.sh"

runs() { docker run --rm --network none "$1" | grep -F 'hello from behind the lock'; }

disable_old_version() {
    local old
    old=$(sealock key show --json | jq -er '.versions | select(length == 2 and .[0].current) | .[1].version')
    sealock key disable --version "$old"
    sealock key show --json | jq -e '.versions | map(.enabled) == [true, false]'
}

bring_identity_back() {
    sealock identity create registry-identity
    sealock access grant
    sealock registry rotate-key --identity registry-identity
}

use docker
start_emulator

check "build hello" build_hello
check "build an image of 24 layers" build_layers
check "build an image with a layer of 300 MiB" build_big
check "build an image that is not pushed yet" build_hello other "another greeting"

runnable=no
if runs hello >/dev/null 2>&1; then runnable=yes; fi
round_trip hello
if [[ $runnable == yes ]]; then
    check "the pulled hello runs" runs "$REGISTRY/hello:v1"
else
    echo "skipped docker: containers do not run on this machine, not even before the push"
fi
demo_round_trip
round_trip layers
round_trip big
forget big >/dev/null
hello_digest=$(digest hello || true)

revoked_by "key disable" "$FORBIDDEN" sealock key disable
restored_by "key enable" sealock key enable

check "key rotate" sealock key rotate
works "key rotate"
check "the old version can be disabled" disable_old_version
works "old version disabled"

revoked_by "access revoke" "$FORBIDDEN" sealock access revoke
restart_emulator
still_revoked "restarted while revoked" "$FORBIDDEN"
restored_by "access grant" sealock access grant

revoked_by "key delete" "$FORBIDDEN" sealock key delete registry-key
restored_by "key recover" sealock key recover registry-key

revoked_by "vault delete" "$FORBIDDEN" sealock vault delete sealock
restored_by "vault recover" sealock vault recover sealock

revoked_by "identity delete" "$INACTIVE" sealock identity delete registry-identity
restored_by "identity create, access grant, registry rotate-key" bring_identity_back

restart_emulator
works "restart"
check "every object is intact" sealock verify
check_stop

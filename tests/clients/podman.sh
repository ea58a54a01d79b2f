#!/usr/bin/env bash
# podman, over plain HTTP: images are pushed and pulled unchanged, and are readable only while the registry has its key.
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"
# shellcheck source=images.sh
source "$(dirname "$0")/images.sh"
# shellcheck source=engines.sh
source "$(dirname "$0")/engines.sh"

use podman --tls-verify=false
start_emulator

check "build hello" build_hello
check "build an image of 24 layers" build_layers
check "build an image that is not pushed yet" build_hello other "another greeting"
demo_round_trip
round_trip hello
round_trip layers
hello_digest=$(digest hello || true)

revoked_by "key disable" "$FORBIDDEN" sealock key disable
restart_emulator
still_revoked "restarted while revoked" "$FORBIDDEN"
restored_by "key enable" sealock key enable
check "every object is intact" sealock verify
check_stop

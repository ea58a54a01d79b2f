#!/usr/bin/env bash
# buildah, over plain HTTP: images are pushed and pulled unchanged, and are readable only while the registry has its key.
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"
# shellcheck source=images.sh
source "$(dirname "$0")/images.sh"
# shellcheck source=engines.sh
source "$(dirname "$0")/engines.sh"

use buildah --tls-verify=false
start_emulator

check "build hello" build_hello
check "build an image that is not pushed yet" build_hello other "another greeting"
round_trip hello
hello_digest=$(digest hello || true)

revoked_by "key disable" "$FORBIDDEN" sealock key disable
restored_by "key enable" sealock key enable
check "every object is intact" sealock verify
check_stop

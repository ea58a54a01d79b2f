#!/usr/bin/env bash
# Every way of docs/revocation.md to take a registry's key away and to give it back, with an unmodified az and with `sealock`,
# and what docker prints: at once, and with Azure's delay. The commands are those of the page's tables, as they stand there.
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"
# shellcheck source=images.sh
source "$(dirname "$0")/images.sh"
# shellcheck source=engines.sh
source "$(dirname "$0")/engines.sh"

page=$(dirname "$0")/../../docs/revocation.md
readonly NOT_ASSIGNED="Azure resource '.*/registries/sealock' does not have access to identity '.*' Try forcibly adding the identity"
readonly DENIED='(pull access denied for|Error response from daemon:).*denied: '

# table CLIENT: prints the rows of the page's table for a client, their cells separated by tabs.
table() {
    sed -n "/^### With \`$1\`$/,/^### /s/^| \(.*\) |$/\1/p" "$page" | tail -n +2 | sed 's/ *| */\t/g'
}

# names CLIENT: prints the first cells.
names() { table "$1" | cut -f 1; }

# run_cell CELL: runs the commands of a cell, each of which must succeed.
run_cell() {
    local command
    grep -o '`[^`]*`' <<<"$1" | tr -d '`' >"$STATE/commands"
    while read -r command <&3; do
        command=$(fill "$command")
        echo "\$ $command"
        eval "$command"
    done 3<"$STATE/commands"
}

# fill COMMAND: replaces the words in capitals as the page says.
fill() {
    local command=$1
    case $command in *VERSION*) command=${command//VERSION/$(version 0)} ;; esac
    case $command in *OLD*) command=${command//OLD/$(version 1)} ;; esac
    case $command in *PRINCIPAL*) command=${command//PRINCIPAL/$(principal)} ;; esac
    echo "${command//VAULT_ID/$VAULT_ID}"
}

readonly VAULT_ID=/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/sealock/providers/Microsoft.KeyVault/vaults/sealock

version() { sealock key show --json | jq -er ".versions[$1].version"; }

principal() { get principalId identity show --resource-group sealock --name registry-identity; }

# revokes NAME CELL: runs the commands that revoke. Those of which the page says that they fail must fail.
revokes() {
    if [[ $2 == *fails* ]]; then
        refused "$1" "$NOT_ASSIGNED" run_cell "$2"
    else
        check "$1" run_cell "$2"
    fi
}

# text_of PRINTS: prints the text that the page's words stand for.
text_of() {
    case $1 in
    "key refused") echo "$DENIED$FORBIDDEN" ;;
    "identity inactive") echo "$DENIED$INACTIVE" ;;
    *) echo "no text for: $1" ;;
    esac
}

# lasts DELAY: prints the time that the page's words stand for.
lasts() {
    case $1 in
    "an hour") echo 1h ;;
    "90 days") echo 2160h ;;
    *) echo "no time for: $1" ;;
    esac
}

# later CLIENT TIME: lets time pass, and with it the tokens of az.
later() {
    sealock clock advance "$2"
    if [[ $1 == az ]]; then az_login; fi
}

# drill [PROPAGATION]: runs the drills on the page, or those for Azure's delay, on an emulator of its own.
drill() {
    local propagation=${1:-immediate} line command
    rm -rf "$STATE/data"
    SEALOCK_CMK__PROPAGATION=$propagation start_emulator
    if [[ ${1:-} ]]; then
        check "drills, $1: push hello" eval "sealock demo image | docker load && docker push $REGISTRY/hello:v1"
    fi
    while IFS= read -r line <&4; do
        command=${line%%  #*}
        command=${command//localhost:5000/$REGISTRY}
        case $line in
        *serve*) ;;
        *"# denied"*) refused "drills: $line" "$DENIED($FORBIDDEN|$INACTIVE)" docker pull "$REGISTRY/hello:v1" ;;
        *) check "drills: $line" eval "$(fill "$command")" ;;
        esac
    done 4< <(drills "$propagation")
    check_stop
}

# drills PROPAGATION: prints the commands of the page's drills. Those for Azure's delay are in a section of their own.
drills() {
    local title='## Rehearse Azure'
    if [[ $1 == azure ]]; then
        sed -n "/^$title/,/^## Every way/p" "$page"
    else
        sed "/^$title/,\$ d" "$page"
    fi | sed -n 's/^    \(\(sealock\|docker\) .*\)/\1/p'
}

# walk CLIENT PROPAGATION: takes the key away and gives it back in each way of the client, on an emulator of its own.
walk() {
    local client=$1 propagation=$2 row name given revoke restore prints delay title
    rm -rf "$STATE/data"
    SEALOCK_CMK__PROPAGATION=$propagation start_emulator
    check "$client, $propagation: build hello" build_hello
    check "$client, $propagation: push hello" push hello
    if [[ $client == az ]]; then
        check "$client, $propagation: az login" az_logs_in
        check "$client, $propagation: permit the developer" az keyvault set-policy --name sealock \
            --object-id "$DEVELOPER_OBJECT" --key-permissions all
    fi
    while IFS= read -r row <&4; do
        IFS=$'\x1f' read -r name given revoke restore <<<"$(cut -f 1-4 <<<"$row" | tr '\t' '\037')"
        IFS=$'\x1f' read -r prints delay <<<"$(table sealock | awk -F '\t' -v name="$name" '$1 == name' | cut -f 6-7 | tr '\t' '\037')"
        title="$client, $propagation: $name"
        if [[ $given ]]; then
            check "$title: given" run_cell "$given"
            # The registry follows a key that has been rotated.
            if [[ $propagation == azure ]]; then check "$title: given: an hour later" later "$client" 1h; fi
            check "$title: given: the pull works" pull hello
        fi
        revokes "$title" "$revoke"
        if [[ $propagation == azure ]]; then
            check "$title: the pull still works" pull hello
            check "$title: $delay later" later "$client" "$(lasts "$delay")"
        fi
        refused "$title: the pull is refused" "$(text_of "$prints")" pull hello
        check "$title: restore" run_cell "$restore"
        check "$title: restored: the pull works" pull hello
    done 4< <(table "$client")
    check "$client, $propagation: every object is intact" sealock verify
    if [[ $client == az ]]; then check "$client, $propagation: log out" az_logs_out; fi
    check_stop
}

use docker
echo 127.0.0.1 {management,login,graph}.localhost sealock.{vault,azurecr}.localhost >>/etc/hosts
share_az
drill
drill azure
check "docs/revocation.md has at least 15 ways" test "$(names sealock | wc --lines)" -ge 15
check "docs/revocation.md has the same ways with az" equal "$(names sealock)" "$(names az)"
for propagation in immediate azure; do
    walk sealock "$propagation"
    walk az "$propagation"
done

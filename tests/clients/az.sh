#!/usr/bin/env bash
# The Azure CLI: every key command that uses the vault alone, over TLS with its normal verification, and its effect on a
# registry that is encrypted with such a key.
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"
# shellcheck source=images.sh
source "$(dirname "$0")/images.sh"

layout=$STATE/layout
readonly NOBODY=00000000-0000-0000-0000-000000000000
# The file for rotation-policy update. Rotation is after a year, in az's own notation.
readonly POLICY='{"lifetimeActions": [{"trigger": {"timeAfterCreate": "P1Y"}, "action": {"type": "Rotate"}}],
    "attributes": {"expiryTime": "P2Y"}}'
readonly MISSING='A key with \(name/id\) none was not found in this key vault'

# A separate state directory, and no telemetry.
export AZURE_CONFIG_DIR=$STATE/azure AZURE_CORE_COLLECT_TELEMETRY=false

az() { timeout --foreground 120 "$CACHE/az/bin/az" "$@" --only-show-errors; }

key() { az keyvault key "$@"; }

# says JSON QUERY COMMAND...: succeeds if the query on the output of `az keyvault key COMMAND` yields this JSON.
says() {
    local expected=$1 query=$2
    shift 2
    equal "$expected" "$(key "$@" --query "$query" --output json | jq --compact-output --sort-keys .)"
}

# exits STATUS COMMAND...: succeeds if az exits with this status.
exits() {
    local expected=$1 status=0
    shift
    "$@" || status=$?
    equal "$expected" "$status"
}

# id VAULT KEY
id() { echo "https://$1.vault.$REGISTRY/keys/$2"; }

# deleted_id VAULT KEY
deleted_id() { echo "https://$1.vault.$REGISTRY/deletedkeys/$2"; }

register_cloud() {
    az cloud register --name sealock --skip-endpoint-discovery --endpoint-resource-manager "https://management.$REGISTRY" \
        --endpoint-active-directory "https://login.$REGISTRY" \
        --endpoint-active-directory-resource-id "https://management.$REGISTRY" --suffix-keyvault-dns ".vault.$REGISTRY" \
        --suffix-acr-login-server-endpoint ".azurecr.$REGISTRY"
    az cloud set --name sealock
}

# logged_in IDENTITY INFO: writes the state that `az login --identity` leaves behind. az itself cannot, since it asks
# Azure Resource Manager for subscriptions.
logged_in() {
    jq -n --arg nobody "$NOBODY" --arg identity "$1" --arg info "$2" '{subscriptions: [{
        id: $nobody, name: "sealock", state: "Enabled", isDefault: true, tenantId: $nobody, environmentName: "sealock",
        user: {name: $identity, type: "servicePrincipal", assignedIdentityInfo: $info}
    }]}' >"$AZURE_CONFIG_DIR/azureProfile.json"
}

# as in App Service
app_service() {
    export IDENTITY_ENDPOINT=http://$REGISTRY/msi/token IDENTITY_HEADER=any
}

# as on a virtual machine
imds() (
    unset IDENTITY_ENDPOINT IDENTITY_HEADER
    AZURE_POD_IDENTITY_AUTHORITY_HOST=http://$REGISTRY "$@"
)

may_do_everything() { sealock access grant --vault "$1" --identity operator --permissions all; }

# --- Keys that are made elsewhere -----------------------------------------------------------------------------------

make_rsa() { openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:3072 -aes256 -pass pass:secret -out "$STATE/rsa.pem"; }

# The coordinate x begins with a zero byte, and all bytes of the private number but the last are zero: az sends such
# numbers without their leading zeros.
make_ec() {
    "$CACHE/az/bin/python" - >"$STATE/ec.pem" <<-END
	from cryptography.hazmat.primitives import serialization
	from cryptography.hazmat.primitives.asymmetric import ec
	key = ec.derive_private_key(1, ec.SECP521R1())
	print(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
	                        serialization.NoEncryption()).decode())
	END
}

# downloads KEY ENCODING PEM [OPENSSL-OPTION...]: succeeds if the downloaded key is the public key of that file.
downloads() {
    local name=$1 encoding=$2 pem=$3
    shift 3
    key download --vault-name keys --name "$name" --encoding "$encoding" --file "$STATE/$name.$encoding"
    openssl pkey -in "$pem" "$@" -pubout -outform "$encoding" | cmp - "$STATE/$name.$encoding"
}

# --- What keys do ---------------------------------------------------------------------------------------------------

gets_random() {
    equal 16 "$(key random --id "https://keys.vault.$REGISTRY/" --count 16 | jq -r .value | base64 --decode | wc --bytes)"
}

# decrypts KEY ALGORITHM: the vault decrypts what az encrypted locally.
decrypts() {
    local names=(--vault-name keys --name "$1" --algorithm "$2")
    local result
    result=$(key encrypt "${names[@]}" --value "a data key" --data-type plaintext --query result --output tsv)
    says '"a data key"' result decrypt "${names[@]}" --value "$result" --data-type plaintext
    says '"YSBkYXRhIGtleQ=="' result decrypt "${names[@]}" --value "$result"
}

# With a symmetric key, the vault does both.
decrypts_gcm() {
    local names=(--id "$(id keys symmetric)" --algorithm A256GCM --aad 616263) answer
    answer=$(key encrypt "${names[@]}" --value YSBkYXRhIGtleQ==)
    says '"YSBkYXRhIGtleQ=="' result decrypt "${names[@]}" --value "$(jq -r .result <<<"$answer")" \
        --iv "$(jq -r .iv <<<"$answer")" --tag "$(jq -r .tag <<<"$answer")"
}

# signs KEY ALGORITHM: az verifies the vault's signature locally, and rejects it for other data.
signs() {
    local names=(--vault-name keys --name "$1" --algorithm "$2") bits=${2:2:3} digest other signature
    digest=$(openssl dgst "-sha$bits" -binary <<<"a message" | base64 --wrap 0)
    other=$(openssl dgst "-sha$bits" -binary <<<"another" | base64 --wrap 0)
    signature=$(key sign "${names[@]}" --digest "$digest" --query signature --output tsv)
    says true isValid verify "${names[@]}" --digest "$digest" --signature "$signature"
    says false isValid verify "${names[@]}" --digest "$other" --signature "$signature"
}

sign() { key sign --vault-name keys --name "$1" --algorithm RS256 --digest "$(head -c 32 /dev/zero | base64)"; }

# --- The registry ---------------------------------------------------------------------------------------------------

push() { skopeo copy --all --dest-tls-verify=false "oci:$layout:v1" "docker://$REGISTRY/hello:v1"; }

pull() {
    rm -rf "$STATE/pulled"
    skopeo copy --all --src-tls-verify=false "docker://$REGISTRY/hello:v1" "oci:$STATE/pulled:v1"
    diff --recursive "$layout/blobs" "$STATE/pulled/blobs"
}

# revoked_for CAUSE: succeeds if the registry is revoked with this cause.
revoked_for() { { sealock status || true; } | tee "$STATE/status" | grep "^sealock  revoked: $1 since"; }

key_of_registry() { { sealock status || true; } | sed -n 's/^ *key version *//p'; }

# moved: succeeds if the registry follows the key's current version, which differs from the previous one.
moved() {
    [[ $(key_of_registry) != "$first" ]]
    equal "$(key_of_registry)" "$(key show --vault-name sealock --name registry-key --query key.kid --output tsv)"
}

start_emulator
check "create a vault" sealock vault create keys
check "create one with purge protection" sealock vault create protected --purge-protection
check "hosts --write" sealock hosts --write
check "register the emulator as a cloud" register_cloud
check "log in with the only identity" logged_in systemAssignedIdentity MSI
app_service
refused "without the CA it is refused" CERTIFICATE_VERIFY_FAILED key list --vault-name keys
follow Python >/dev/null
refused "without the permission it is refused" 'does not have keys list permission on key vault .keys;' \
    key list --vault-name keys
check "give it the permission" sealock access grant --vault keys --permissions list
check "list nothing" says '[]' '@' list --vault-name keys
check "the identity as on a virtual machine" imds says '[]' '@' list --vault-name keys

check "create another identity" sealock identity create operator
for vault in keys protected sealock; do
    check "give it all permissions in $vault" may_do_everything "$vault"
done
refused "several identities: one has to be named" 'Unable to load the proper Managed Identity' key list --vault-name keys
check "log in with the one by its name" logged_in userAssignedIdentity \
    "MSIClient-$(sealock identity list --json | jq -r '.identities[] | select(.name == "operator").client_id')"

check "create" says '["RSA",["encrypt","decrypt"],true,"2001-01-01T00:00:00+00:00","2101-01-01T00:00:00+00:00",{"a":"b"}]' \
    '[key.kty,key.keyOps,attributes.enabled,attributes.notBefore,attributes.expires,tags]' \
    create --vault-name keys --name rsa --size 3072 --ops encrypt decrypt \
    --not-before 2001-01-01T00:00:00Z --expires 2101-01-01T00:00:00Z --tags a=b
check "create: in hardware" says '["RSA-HSM","2"]' '[key.kty,attributes.hsmPlatform]' \
    create --vault-name keys --name hsm --protection hsm
check "create: EC, disabled, by the id" says '["EC","P-256K",false]' '[key.kty,key.crv,attributes.enabled]' \
    create --id "$(id keys curve)" --kty EC --curve P-256K --disabled
check "create: symmetric" says '"oct-HSM"' key.kty create --vault-name keys --name symmetric --kty oct-HSM --size 256
refused "create: a size that no key has" 'BadParameter.*Unsupported key size .1024.' \
    key create --vault-name keys --name small --size 1024
refused "create: exportable, without a policy" 'Exportable keys must have release policy' \
    key create --vault-name keys --name exportable --exportable true
check "get-policy-template" says '"1.0.0"' version get-policy-template

check "make keys to import" make_rsa
check "and one with leading zeros" make_ec
refused "import: a wrong password" 'Import failed: Incorrect password' \
    key import --vault-name keys --name imported --pem-file "$STATE/rsa.pem" --pem-password wrong
check "import: an encrypted file, into hardware" says '["RSA-HSM","2",["sign","verify"]]' \
    '[key.kty,attributes.hsmPlatform,key.keyOps]' import --vault-name keys --name imported \
    --pem-file "$STATE/rsa.pem" --pem-password secret --protection hsm --ops sign verify
check "import: a string, by the id" says '["EC","P-521"]' '[key.kty,key.crv]' \
    import --id "$(id keys ec)" --pem-string "$(cat "$STATE/ec.pem")"
echo wrapped >"$STATE/byok"
refused "import: wrapped for an HSM" 'NotSupportedByEmulator.*importing keys that are wrapped for an HSM' \
    key import --vault-name keys --name byok --byok-file "$STATE/byok"
check "download: PEM" downloads imported PEM "$STATE/rsa.pem" -passin pass:secret
check "download: DER" downloads ec DER "$STATE/ec.pem"

check "list" says '["curve","ec","hsm","imported","rsa","symmetric"]' 'sort([].name)' list --vault-name keys
check "list: by the id, and not all" says 2 'length(@)' list --id "https://keys.vault.$REGISTRY/" --maxresults 2
check "show" says true "starts_with(key.kid, '$(id keys curve)/')" show --id "$(id keys curve)"
check "set-attributes" says '[true,["verify"],"2101-01-01T00:00:00+00:00",{"c":"d"}]' \
    '[attributes.enabled,key.keyOps,attributes.expires,tags]' set-attributes --vault-name keys --name curve \
    --enabled true --ops verify --expires 2101-01-01T00:00:00Z --tags c=d
first=$(key show --vault-name keys --name rsa --query key.kid --output tsv) || true
check "rotate" says '["RSA",["encrypt","decrypt"],{"a":"b"}]' '[key.kty,key.keyOps,tags]' rotate --vault-name keys --name rsa
check "list-versions" says 2 'length(@)' list-versions --id "$(id keys rsa)"
check "show: a version" says "\"$first\"" key.kid show --vault-name keys --name rsa --version "${first##*/}"
check "rotation-policy show" says '[null,["Notify"]]' '[expiresIn,lifetimeActions[].action]' \
    rotation-policy show --vault-name keys --name rsa
check "rotation-policy update" says '["P2Y","P1Y"]' \
    "[expiresIn,lifetimeActions[?action=='Rotate'].timeAfterCreate|[0]]" \
    rotation-policy update --id "$(id keys rsa)" --value "$POLICY"
check "random" gets_random

check "encrypt, decrypt: RSA" decrypts rsa RSA-OAEP-256
check "encrypt, decrypt: symmetric" decrypts_gcm
check "sign, verify: RSA" signs imported PS256
check "sign, verify: EC" signs ec ES512

versions=$(key list-versions --vault-name keys --name rsa --query 'sort([].kid)' | jq -c .) || true
check "backup" key backup --vault-name keys --name rsa --file "$STATE/backup"
check "delete" says "\"$(deleted_id keys rsa)\"" recoveryId delete --vault-name keys --name rsa
refused "delete: its name is taken" ObjectIsDeletedButRecoverable key create --vault-name keys --name rsa
check "list-deleted" says "[\"$(deleted_id keys rsa)\"]" '[].recoveryId' list-deleted --vault-name keys
check "show-deleted" says '"RSA"' key.kty show-deleted --vault-name keys --name rsa
check "recover" says '"RSA"' key.kty recover --id "$(deleted_id keys rsa)"
refused "restore: it is still there" Conflict key restore --vault-name keys --file "$STATE/backup"
check "delete: by the id" key delete --id "$(id keys rsa)"
check "purge" key purge --vault-name keys --name rsa
refused "purge: the key is gone" 'rsa was not found in this key vault' key purge --id "$(deleted_id keys rsa)"
check "restore" says '"RSA"' key.kty restore --vault-name keys --file "$STATE/backup"
check "restore: the same versions" says "$versions" 'sort([].kid)' list-versions --vault-name keys --name rsa

refused "no such key" "KeyNotFound.*$MISSING" key show --vault-name keys --name none
check "no such key: the status that scripts look at" exits 3 key show --vault-name keys --name none
refused "not one of the key's operations" KeyOperationForbidden sign rsa
check "disable a key" key set-attributes --id "$(id keys imported)" --enabled false
refused "a disabled key does not sign" 'Operation sign is not allowed on a disabled key' sign imported
check "create a key in the vault with purge protection" key create --vault-name protected --name kept
check "delete it" key delete --vault-name protected --name kept
refused "purge: protected" 'purge protection is enabled for this vault' key purge --vault-name protected --name kept
refused "secrets" 'NotSupportedByEmulator.*The emulator does not support secrets' az keyvault secret list --vault-name keys
refused "a registry, without a role" AuthorizationFailed \
    az acr create --name myreg --resource-group sealock --location eastus --sku Premium

check "build an image" build_index "$layout" v1
check "push it" push
check "disable the registry's key" key set-attributes --vault-name sealock --name registry-key --enabled false
refused "disabled: the next pull is refused" "$FORBIDDEN" pull
check "disabled: the cause" revoked_for KeyDisabled
check "enable it" key set-attributes --vault-name sealock --name registry-key --enabled true
check "enabled: the next pull" pull

first=$(key_of_registry) || true
check "rotate the registry's key" key rotate --vault-name sealock --name registry-key
check "rotated: the registry has moved" moved
check "disable its old version" key set-attributes --id "$first" --enabled false
check "rotated: the next pull" pull

check "back the registry's key up" key backup --vault-name sealock --name registry-key --file "$STATE/registry-key"
check "delete the registry's key" key delete --vault-name sealock --name registry-key
refused "deleted: the next pull is refused" "$FORBIDDEN" pull
check "deleted: the cause" revoked_for KeyDeleted
check "recover it" key recover --vault-name sealock --name registry-key
check "recovered: the next pull" pull
check "delete it again" key delete --vault-name sealock --name registry-key
check "purge it" key purge --vault-name sealock --name registry-key
refused "purged: the next pull is refused" "$FORBIDDEN" pull
check "restore it" key restore --vault-name sealock --file "$STATE/registry-key"
check "restored: the next pull" pull

check_stop

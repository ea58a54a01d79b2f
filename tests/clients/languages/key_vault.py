"""Drives a vault's keys with Microsoft's SDK: key_vault.py COMMAND VAULT_URL DIRECTORY, with a managed identity.

The identity's tokens come from where the environment says, as the SDK finds it. The private keys that are imported go to
DIRECTORY/imported, and backups and answers to DIRECTORY/told, for key_material.py.
"""

import asyncio
import hashlib
import json
import os
import pathlib
import sys
from datetime import datetime, timedelta, timezone

from azure.core.rest import HttpRequest
from azure.identity import DefaultAzureCredential, ManagedIdentityCredential
from azure.identity.aio import DefaultAzureCredential as DefaultAzureCredentialAio
from azure.keyvault.keys import (
    JsonWebKey,
    KeyClient,
    KeyCurveName,
    KeyOperation,
    KeyReleasePolicy,
    KeyRotationLifetimeAction,
    KeyRotationPolicy,
    KeyRotationPolicyAction,
    KeyType,
)
from azure.keyvault.keys.aio import KeyClient as KeyClientAio
from azure.keyvault.keys.crypto import (
    EncryptionAlgorithm,
    KeyWrapAlgorithm,
    SignatureAlgorithm,
)
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from private_jwk import ec_jwk, oct_jwk, rsa_jwk, save_imported, save_told
from watched import Watched, every, refused, same


async def delete(client, name):
    if hasattr(client.client, "begin_delete_key"):
        poller = await client.begin_delete_key(name)
        poller.wait()
        return poller.result()
    return await client.delete_key(name)


async def recover(client, name):
    if hasattr(client.client, "begin_recover_deleted_key"):
        poller = await client.begin_recover_deleted_key(name)
        poller.wait()
        return poller.result()
    return await client.recover_deleted_key(name)


async def keys(client):
    """Every method of KeyClient."""
    await create_and_import(client)
    await versions_and_properties(client)
    await pages(client)
    await life_cycle(client)
    await backups(client)
    await rotation(client)
    await release_policies(client)
    await refusals(client)


async def create_and_import(client):
    now = datetime.now(timezone.utc).replace(microsecond=0)
    options = {
        "enabled": True,
        "not_before": now - timedelta(hours=1),
        "expires_on": now + timedelta(days=400),
        "tags": {"purpose": "test"},
    }
    made = await client.create_key(
        "any", KeyType.rsa, size=3072, key_operations=[KeyOperation.wrap_key, KeyOperation.unwrap_key], **options
    )
    same((made.key_type, made.key_operations, len(made.key.n)), (KeyType.rsa, ["wrapKey", "unwrapKey"], 384))
    properties = made.properties
    same((properties.not_before, properties.expires_on), (options["not_before"], options["expires_on"]))
    same((properties.tags, properties.enabled, properties.managed), ({"purpose": "test"}, True, None))
    same((properties.exportable, properties.hsm_platform, properties.release_policy), (False, "0", None))
    same((properties.recovery_level, properties.recoverable_days), ("CustomizedRecoverable+Purgeable", 7))
    same(properties.vault_url, client.vault_url)
    same(made.id, f"{client.vault_url}/keys/any/{properties.version}")
    assert now - timedelta(minutes=5) <= properties.created_on <= properties.updated_on

    rsa = await client.create_rsa_key("rsa", hardware_protected=True)
    same((rsa.key_type, len(rsa.key.n), rsa.properties.hsm_platform), (KeyType.rsa_hsm, 256, "2"))
    same(rsa.key_operations, ["encrypt", "decrypt", "sign", "verify", "wrapKey", "unwrapKey"])
    for curve, bytes_of in ("P-256", 32), ("P-256K", 32), ("P-384", 48), ("P-521", 66):
        ec = await client.create_ec_key(f"ec-{curve}", curve=KeyCurveName(curve), hardware_protected=curve == "P-384")
        same((ec.key_type, ec.key.crv), ("EC-HSM" if curve == "P-384" else "EC", curve))
        same((len(ec.key.x), len(ec.key.y), ec.key_operations), (bytes_of, bytes_of, ["sign", "verify"]))
    for size in 128, 192, 256:
        secret = await client.create_oct_key(f"oct-{size}", size=size, hardware_protected=True)
        same((secret.key_type, secret.key.k), (KeyType.oct_hsm, None))

    for name, jwk in ("imported-rsa", rsa_jwk(2048)), ("imported-ec", ec_jwk("P-521")), ("imported-oct", oct_jwk(32)):
        save_imported(jwk, directory)
        hardware = name == "imported-oct"
        imported = await client.import_key(name, JsonWebKey(**jwk.fields), hardware_protected=hardware, tags={"a": "b"})
        for public in "n", "e", "crv", "x", "y":
            same(getattr(imported.key, public), jwk.fields.get(public))
        for private in "d", "p", "q", "dp", "dq", "qi", "k":
            same(getattr(imported.key, private), None)
        same(imported.properties.tags, {"a": "b"})


async def versions_and_properties(client):
    made = [await client.create_ec_key("versioned") for _ in range(3)]
    same((await client.get_key("versioned")).id, made[2].id)
    same((await client.get_key("versioned", made[0].properties.version)).id, made[0].id)
    found = await every(await client.list_properties_of_key_versions("versioned"))
    same({properties.id for properties in found}, {key.id for key in made})

    expires = datetime.now(timezone.utc).replace(microsecond=0) + timedelta(days=30)
    updated = await client.update_key_properties(
        "versioned", made[0].properties.version, key_operations=["verify"], enabled=False, expires_on=expires, tags={"x": "y"}
    )
    same((updated.id, updated.key_operations), (made[0].id, ["verify"]))
    same((updated.properties.enabled, updated.properties.expires_on), (False, expires))
    same((updated.properties.tags, updated.properties.not_before), ({"x": "y"}, None))
    latest = await client.update_key_properties("versioned", tags={"latest": "yes"})
    same((latest.id, latest.properties.enabled), (made[2].id, True))

    answer = await client.send_request(HttpRequest("GET", "keys/versioned"))
    answer.raise_for_status()
    same(answer.json()["key"]["kid"], made[2].id)


async def pages(client):
    """Lists more keys than a page has, and one at a time."""
    names = {f"page-{number}" for number in range(30)}
    for name in names:
        await client.create_ec_key(name)
    found = [properties.name for properties in await every(await client.list_properties_of_keys())]
    assert names <= set(found)
    same(len(found), len(set(found)))
    same(found, [it.name for it in await every(await client.list_properties_of_keys(max_page_size=7))])
    for name in names:
        await delete(client, name)
    deleted = await every(await client.list_deleted_keys(max_page_size=7))
    same({key.name for key in deleted}, names)
    assert all(key.recovery_id == f"{client.vault_url}/deletedkeys/{key.name}" for key in deleted)
    for name in names:
        await client.purge_deleted_key(name)
    same(await every(await client.list_deleted_keys()), [])


async def life_cycle(client):
    made = await client.create_rsa_key("mortal")
    deleted = await delete(client, "mortal")
    same((deleted.id, deleted.recovery_id), (made.id, f"{client.vault_url}/deletedkeys/mortal"))
    same(deleted.scheduled_purge_date - deleted.deleted_date, timedelta(days=7))
    found = await client.get_deleted_key("mortal")
    same((found.id, found.deleted_date, found.key.n), (made.id, deleted.deleted_date, made.key.n))
    text = await refused(404, "KeyNotFound", None, client.get_key, "mortal")
    assert text.startswith("A key with (name/id) mortal was not found in this key vault."), text
    text = await refused(409, "Conflict", "ObjectIsDeletedButRecoverable", client.create_rsa_key, "mortal")
    assert text.startswith("Key mortal is currently in a deleted but recoverable state"), text

    same((await recover(client, "mortal")).id, made.id)
    same((await client.get_key("mortal")).id, made.id)
    await delete(client, "mortal")
    await client.purge_deleted_key("mortal")
    text = await refused(404, "KeyNotFound", None, client.get_deleted_key, "mortal")
    assert text.startswith("A key with (name/id) mortal was not found in this key vault."), text


async def backups(client):
    made = [await client.create_ec_key("kept") for _ in range(2)]
    backup = await client.backup_key("kept")
    save_told(backup, directory)
    text = await refused(409, "Conflict", None, client.restore_key_backup, backup)
    same(text.startswith(f"There was a conflict restoring the key '{made[-1].id}'. "), True)
    await delete(client, "kept")
    await client.purge_deleted_key("kept")
    restored = await client.restore_key_backup(backup)
    same(restored.id, made[1].id)
    found = await every(await client.list_properties_of_key_versions("kept"))
    same({properties.id for properties in found}, {key.id for key in made})
    await refused(400, "Malformed backup blob", None, client.restore_key_backup, b"no backup")
    save_told(await client.backup_key("imported-rsa"), directory)
    save_told(await client.backup_key("imported-oct"), directory)


async def rotation(client):
    made = await client.create_rsa_key("rotated", tags={"a": "b"})
    policy = await client.get_key_rotation_policy("rotated")
    same(policy.id, f"{client.vault_url}/keys/rotated/rotationpolicy")
    same([(it.action, it.time_before_expiry) for it in policy.lifetime_actions], [("Notify", "P30D")])
    rotate = KeyRotationLifetimeAction(KeyRotationPolicyAction.rotate, time_after_create="P60D")
    policy = await client.update_key_rotation_policy(
        "rotated", KeyRotationPolicy(), lifetime_actions=[rotate], expires_in="P90D"
    )
    actions = [(it.action, it.time_after_create, it.time_before_expiry) for it in policy.lifetime_actions]
    same(sorted(actions), [("Notify", None, "P30D"), ("Rotate", "P60D", None)])
    same(policy.expires_in, "P90D")
    assert policy.created_on <= policy.updated_on
    same((await client.get_key_rotation_policy("rotated")).expires_in, "P90D")
    rotated = await client.rotate_key("rotated")
    assert rotated.id != made.id
    same((rotated.key_type, rotated.properties.tags), (made.key_type, {"a": "b"}))
    same(rotated.properties.expires_on - rotated.properties.created_on, timedelta(days=90))
    await refused(
        400, "BadParameter", None, client.update_key_rotation_policy, "rotated", KeyRotationPolicy(), expires_in="P1D"
    )


async def release_policies(client):
    """Release policies are kept in the vault's order of members, and can become immutable."""

    def policy(authority, **options):
        condition = {"claim": "sdk-test", "equals": True}
        rules = {"version": "1.0.0", "anyOf": [{"authority": authority, "allOf": [condition]}]}
        return KeyReleasePolicy(json.dumps(rules, separators=(",", ":")).encode(), **options)

    async def has(made, encoded, immutable):
        for properties in made.properties, (await client.get_key(made.name)).properties:
            kept = properties.release_policy
            same((properties.exportable, kept.content_type), (True, "application/json; charset=utf-8"))
            same((kept.encoded_policy, kept.immutable), (encoded, immutable))

    one, two = policy("https://one"), policy("https://two", immutable=True)
    options = {"exportable": True, "release_policy": one}
    made = await client.create_rsa_key("exportable", hardware_protected=True, **options)
    await has(made, one.encoded_policy, False)
    await has(await client.rotate_key("exportable"), one.encoded_policy, False)
    await has(await client.update_key_properties("exportable", release_policy=two), two.encoded_policy, True)
    text = await refused(400, "BadParameter", None, client.update_key_properties, "exportable", release_policy=one)
    same(text, "AKV.SKR.1020: Immutable Key Release Policy cannot be modified.")
    # For this policy, the client sends back the one that it got.
    kept = (await client.get_key("exportable")).properties.release_policy
    updated = await client.update_key_properties("exportable", made.properties.version, release_policy=kept, enabled=False)
    same((updated.properties.enabled, updated.properties.release_policy.immutable), (False, True))

    imported = await client.import_key("exportable-ec", JsonWebKey(**ec_jwk("P-256").fields), hardware_protected=True, **options)
    await has(imported, one.encoded_policy, False)
    text = await refused(400, "BadParameter", None, client.create_rsa_key, "software", **options)
    assert text.startswith("AKV.SKR.1006: "), text


async def refusals(client):
    same(len(await client.get_random_bytes(32)), 32)
    await refused(400, "BadParameter", None, client.get_random_bytes, 129)
    for call, arguments in (client.release_key, ["any", "token"]), (client.get_key_attestation, ["any"]):
        text = await refused(501, "NotSupportedByEmulator", None, call, *arguments)
        assert text.startswith("The emulator does not support "), text
    text = await refused(400, "BadParameter", "KeySizeNotSupported", client.create_rsa_key, "small", size=1024)
    same(text, "Unsupported key size (1024). Supported sizes are [2048, 3072, 4096]")
    text = await refused(400, "BadParameter", "KeyTypeNotSupported", client.create_oct_key, "soft", size=256)
    same(text, "Invalid kty value: oct")
    operations = [KeyOperation.sign, KeyOperation.wrap_key, KeyOperation.unwrap_key]
    text = await refused(400, "BadParameter", None, client.create_ec_key, "curve", key_operations=operations)
    same(text, 'Unsupported key operation(s): "wrapKey", "unwrapKey". Supported values are "sign", "verify".')
    of_two = rsa_jwk(2048)
    of_two.fields["n"] = rsa_jwk(2048).fields["n"]
    text = await refused(400, "BadParameter", None, client.import_key, "broken", JsonWebKey(**of_two.fields))
    same(text, "RSA key is not valid - cannot instantiate crypto service")
    text = await refused(400, "BadParameter", None, client.import_key, "broken", JsonWebKey(kty="RSA", k=bytes(32)))
    same(text, 'The property "key" must be a valid JsonWebKey object.')
    text = await refused(400, "Malformed backup blob", None, client.restore_key_backup, b"non-existing")
    same(text, "Backup blob is corrupt.")
    text = await refused(400, "BadParameter", None, client.create_rsa_key, "a_b")
    same(text, "The request URI contains an invalid name: a_b")
    same(await every(await client.list_properties_of_key_versions("nosuch")), [])
    short = rsa_jwk(1024)
    same((await client.import_key("short", JsonWebKey(**short.fields))).key.n, short.fields["n"])
    save_imported(short, directory)


async def cryptography(client):
    """Every method of CryptographyClient."""
    await algorithms(client)
    await as_of_the_library(client)


async def remote(client):
    """The same, but without `get`: a client that cannot see the key lets the vault do everything.

    With it, it encrypts, wraps and verifies by itself, and does so even with a symmetric key, for which it makes one up.
    """
    await refused(403, "Forbidden", "ForbiddenByPolicy", client.get_key, "rsa")
    await algorithms(client)
    unwraps = Watched(await client.get_cryptography_client("rsa"))
    for algorithm in KeyWrapAlgorithm.rsa_oaep, KeyWrapAlgorithm.rsa_oaep_256:
        text = await refused(400, "BadParameter", None, unwraps.unwrap_key, algorithm, bytes(256))
        same(text, "Error occurred while decoding OAEP padding.")
    same(len((await unwraps.unwrap_key(KeyWrapAlgorithm.rsa1_5, bytes([1] * 256))).key) < 256, True)


async def algorithms(client):
    async def of(name):
        return Watched(await client.get_cryptography_client(name))

    secret, digests = os.urandom(32), {bits: hashlib.new(f"sha{bits}", b"data").digest() for bits in (256, 384, 512)}

    rsa = await of("rsa")
    for algorithm in "RSA-OAEP-256", "RSA-OAEP", "RSA1_5":
        encrypted = await rsa.encrypt(EncryptionAlgorithm(algorithm), secret)
        same((await rsa.decrypt(EncryptionAlgorithm(algorithm), encrypted.ciphertext)).plaintext, secret)
        wrapped = await rsa.wrap_key(KeyWrapAlgorithm(algorithm), secret)
        same((await rsa.unwrap_key(KeyWrapAlgorithm(algorithm), wrapped.encrypted_key)).key, secret)
    for bits, digest in digests.items():
        await signs(rsa, f"PS{bits}", digest)
        await signs(rsa, f"RS{bits}", digest)
    for curve, algorithm, bits in ("256", "ES256", 256), ("256K", "ES256K", 256), ("384", "ES384", 384), ("521", "ES512", 512):
        await signs(await of(f"ec-P-{curve}"), algorithm, digests[bits])
    for bits in 128, 192, 256:
        await symmetric(await of(f"oct-{bits}"), bits)



async def as_of_the_library(client):
    """A vault key in place of a key of the library `cryptography`."""
    rsa, secret = Watched(await client.get_cryptography_client("rsa")), os.urandom(32)
    same((await rsa.send_request(HttpRequest("GET", "keys/rsa"))).status_code, 200)
    if not hasattr(rsa.client, "create_rsa_private_key"):
        return  # the library is not asynchronous
    private = await rsa.create_rsa_private_key()
    public = await rsa.create_rsa_public_key()
    same(private.public_key().public_numbers(), public.public_numbers())
    same((private.key_size, public.key_size), (2048, 2048))
    oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH)
    same(private.decrypt(public.encrypt(secret, oaep), oaep), secret)
    signature = private.sign(b"data", pss, hashes.SHA256())
    public.verify(signature, b"data", pss, hashes.SHA256())
    signature = private.sign(b"data", padding.PKCS1v15(), hashes.SHA512())
    public.verify(signature, b"data", padding.PKCS1v15(), hashes.SHA512())


async def signs(client, algorithm, digest):
    algorithm = SignatureAlgorithm(algorithm)
    signed = await client.sign(algorithm, digest)
    same((await client.verify(algorithm, digest, signed.signature)).is_valid, True)
    same((await client.verify(algorithm, bytes(len(digest)), signed.signature)).is_valid, False)


async def symmetric(client, bits):
    secret, text = os.urandom(32), b"sixteen bytes are one, these are not"
    wrapped = await client.wrap_key(KeyWrapAlgorithm(f"A{bits}KW"), secret)
    same(len(wrapped.encrypted_key), 40)
    same((await client.unwrap_key(KeyWrapAlgorithm(f"A{bits}KW"), wrapped.encrypted_key)).key, secret)
    for algorithm, plaintext in (f"A{bits}CBC", secret), (f"A{bits}CBCPAD", text):
        algorithm, iv = EncryptionAlgorithm(algorithm), os.urandom(16)
        encrypted = await client.encrypt(algorithm, plaintext, iv=iv)
        same((await client.decrypt(algorithm, encrypted.ciphertext, iv=iv)).plaintext, plaintext)
    algorithm = EncryptionAlgorithm(f"A{bits}GCM")
    encrypted = await client.encrypt(algorithm, text, additional_authenticated_data=b"aad")
    same((len(encrypted.iv), len(encrypted.tag)), (12, 16))
    options = {"iv": encrypted.iv, "authentication_tag": encrypted.tag}
    decrypted = await client.decrypt(algorithm, encrypted.ciphertext, additional_authenticated_data=b"aad", **options)
    same(decrypted.plaintext, text)
    await refused(400, "BadParameter", None, client.decrypt, algorithm, encrypted.ciphertext, **options)


async def unusable(client):
    """Keys that are disabled, expired, not yet valid, or for other operations only."""

    async def of(name, **options):
        made = await client.create_rsa_key(name)
        before = Watched(await client.get_cryptography_client(name))
        wrapped = await before.wrap_key(KeyWrapAlgorithm.rsa_oaep_256, b"secret")
        await client.update_key_properties(name, made.properties.version, **options)
        return Watched(await client.get_cryptography_client(name)), wrapped.encrypted_key

    oaep = KeyWrapAlgorithm.rsa_oaep_256
    disabled, wrapped = await of("disabled", enabled=False)
    same((await client.get_key("disabled")).properties.enabled, False)
    text = await refused(403, "Forbidden", "KeyDisabled", disabled.unwrap_key, oaep, wrapped)
    same(text, "Operation unwrapKey is not allowed on a disabled key.")
    await disabled.wrap_key(oaep, b"secret")  # locally: the vault is not asked
    await refused(403, "Forbidden", "KeyDisabled", disabled.sign, SignatureAlgorithm.rs256, bytes(32))

    now = datetime.now(timezone.utc)
    for name, inner, options in (
        ("expired", "KeyExpired", {"expires_on": now - timedelta(minutes=1)}),
        ("unborn", "KeyNotYetValid", {"not_before": now + timedelta(hours=1)}),
    ):
        unusable, wrapped = await of(name, **options)
        same((await unusable.unwrap_key(oaep, wrapped)).key, b"secret")
        text = await refused(403, "Forbidden", inner, unusable.sign, SignatureAlgorithm.rs256, bytes(32))
        assert text.startswith("Operation sign is not allowed on a"), text
    for_nothing, wrapped = await of("for-nothing", key_operations=["sign"])
    text = await refused(403, "Forbidden", "KeyOperationForbidden", for_nothing.unwrap_key, oaep, wrapped)
    same(text, "Operation unwrapKey is not permitted on this key.")
    await refused(404, "KeyNotFound", None, Watched(await client.get_cryptography_client("nosuch")).unwrap_key, oaep, wrapped)


async def delayed(client):
    """Deleting and recovering take time, for which the client waits."""
    made = await client.create_rsa_key("slow")
    poller = await client.begin_delete_key("slow")
    same((poller.status(), poller.result().id), ("polling", made.id))
    same(await refused(404, "KeyNotFound", None, client.get_deleted_key, "slow"), "Deleted Key not found: slow")
    text = await refused(409, "Conflict", "ObjectIsBeingDeleted", client.create_rsa_key, "slow")
    same(text, "Key slow is currently being deleted and cannot be re-created; retry later.")
    poller.wait()
    same((poller.status(), (await client.get_deleted_key("slow")).id), ("finished", made.id))
    poller = await client.begin_recover_deleted_key("slow")
    same(poller.status(), "polling")
    await refused(409, "Conflict", "ObjectIsBeingRecovered", client.create_rsa_key, "slow")
    poller.wait()
    same((await client.get_key("slow")).id, made.id)


async def forbidden(client):
    await refused(403, "Forbidden", "ForbiddenByRbac", client.get_key, "shared")
    await refused(403, "Forbidden", "ForbiddenByRbac", client.create_rsa_key, "shared")
    unwraps = Watched(await client.get_cryptography_client("shared"))
    await refused(403, "Forbidden", "ForbiddenByRbac", unwraps.unwrap_key, KeyWrapAlgorithm.rsa_oaep_256, b"x")


async def officer(client):
    await client.create_rsa_key("shared")
    await client.get_key_rotation_policy("shared")


async def user(client):
    """Uses a key, without permission for more."""
    uses = Watched(await client.get_cryptography_client("shared"))
    wrapped = await uses.wrap_key(KeyWrapAlgorithm.rsa_oaep_256, b"secret")
    same((await uses.unwrap_key(KeyWrapAlgorithm.rsa_oaep_256, wrapped.encrypted_key)).key, b"secret")
    text = await refused(403, "Forbidden", "ForbiddenByRbac", client.create_rsa_key, "other")
    assert "\r\nAction: 'Microsoft.KeyVault/vaults/keys/create/action'\r\n" in text, text


async def everything(client):
    await keys(client)
    await cryptography(client)
    Watched.leave_nothing_out()


def note(response):
    save_told(response.http_response.body(), directory)


async def run_aio(scenario):
    async with DefaultAzureCredentialAio() as credential, KeyClientAio(url, credential, raw_response_hook=note) as client:
        await scenario(Watched(client))


command, url, directory = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3])
if command.endswith("-aio"):
    asyncio.run(run_aio(globals()[command.removesuffix("-aio")]))
else:
    credential = {"default": DefaultAzureCredential, "managed": ManagedIdentityCredential}[os.environ["CREDENTIAL"]]()
    with KeyClient(url, credential, raw_response_hook=note) as client:
        asyncio.run(globals()[command](Watched(client)))

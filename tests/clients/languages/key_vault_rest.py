"""Compares a vault's cryptography with that of OpenSSL, over plain HTTP: key_vault_rest.py VAULT_URL DIRECTORY

What one encrypts, wraps or signs the other opens or verifies, with every algorithm. Each private key that is imported goes
to DIRECTORY/imported, and all that the vault answers to DIRECTORY/told, for key_material.py.
"""

import base64
import hashlib
import hmac
import os
import pathlib
import sys

import requests
from cryptography.hazmat.primitives import hashes, keywrap
from cryptography.hazmat.primitives import padding as block_padding
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from private_jwk import CURVES, big_endian, ec_jwk, oct_jwk, rsa_jwk, save_imported, save_told

HASHES = {256: hashes.SHA256(), 384: hashes.SHA384(), 512: hashes.SHA512()}
RSA_PADDINGS = {
    "RSA-OAEP-256": padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None),
    "RSA-OAEP": padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA1(), None),
    "RSA1_5": padding.PKCS1v15(),
}
ECDSA = {"P-256": ("ES256", 256), "P-256K": ("ES256K", 256), "P-384": ("ES384", 384), "P-521": ("ES512", 512)}
EVERY_OPERATION = ["encrypt", "decrypt", "sign", "verify", "wrapKey", "unwrapKey"]
API = {"api-version": "7.4"}
REFUSED = "(refused)"


def same(what, actual, expected):
    if actual != expected:
        raise AssertionError(f"{what}: expected {expected!r}, not {actual!r}")


def encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Vault:
    """A vault, with the token of a managed identity from the App Service endpoint."""

    def __init__(self, url, directory):
        self.url, self.directory, self.session = url, directory, requests.Session()
        challenge = self.session.get(f"{url}/keys", params=API)
        same("without a token", challenge.status_code, 401)
        resource = challenge.headers["www-authenticate"].split('resource="')[1].rstrip('"')
        token = self.session.get(
            os.environ["IDENTITY_ENDPOINT"],
            params={"api-version": "2019-08-01", "resource": resource},
            headers={"X-IDENTITY-HEADER": os.environ["IDENTITY_HEADER"]},
        )
        self.session.headers["Authorization"] = f"Bearer {token.json()['access_token']}"

    def ask(self, method, path, body=None):
        answer = self.session.request(method, f"{self.url}{path}", params=API, json=body)
        save_told(answer.content + repr(answer.headers).encode(), self.directory)
        return answer

    def must(self, method, path, body=None):
        answer = self.ask(method, path, body)
        if answer.status_code != 200:
            raise AssertionError(f"{method} {path}: {answer.status_code} {answer.text}")
        return answer.json()

    def create(self, name, **fields):
        return Key(self, self.must("POST", f"/keys/{name}/create", fields), None)

    def import_key(self, name, jwk, hsm=False):
        save_imported(jwk, self.directory)
        fields = {name: encode(value) if isinstance(value, bytes) else value for name, value in jwk.fields.items()}
        fields["key_ops"] = ["sign", "verify"] if jwk.fields["kty"] == "EC" else EVERY_OPERATION
        return Key(self, self.must("PUT", f"/keys/{name}", {"Hsm": hsm, "key": fields}), jwk)


class Key:
    """A key in the vault, with its local counterpart, including the private half if it was imported."""

    def __init__(self, vault, bundle, jwk):
        self.vault, self.key = vault, bundle["key"]
        self.path = self.key["kid"].removeprefix(vault.url)
        self.private = jwk and jwk.key
        if self.key["kty"].startswith("RSA"):
            n, e = (int.from_bytes(decode(self.key[name]), "big") for name in "ne")
            self.public = rsa.RSAPublicNumbers(e, n).public_key()
        elif self.key["kty"].startswith("EC"):
            x, y = (int.from_bytes(decode(self.key[name]), "big") for name in "xy")
            self.public = ec.EllipticCurvePublicNumbers(x, y, CURVES[self.key["crv"]]).public_key()

    def use(self, operation, alg, **fields):
        """The bytes of an answer by name, or REFUSED for a bad request."""
        body = {"alg": alg, **{name: encode(value) for name, value in fields.items() if value is not None}}
        answer = self.vault.ask("POST", f"{self.path}/{operation}", body)
        if answer.status_code == 400:
            return REFUSED
        same(f"{operation} {alg}", (answer.status_code, answer.text), (200, answer.text))
        told = answer.json()
        return {name: decode(told[name]) for name in ("value", "iv", "tag") if name in told}

    def sign(self, alg, digest):
        return self.use("sign", alg, value=digest)["value"]

    def verify(self, alg, digest, signature):
        body = {"alg": alg, "digest": encode(digest), "value": encode(signature)}
        return self.vault.must("POST", f"{self.path}/verify", body)["value"]

    def verifies(self, alg, digest, signature):
        """The vault accepts this signature only."""
        same(f"{alg} by {self.path}", self.verify(alg, digest, signature), True)
        other = bytes([digest[0] ^ 1]) + digest[1:]
        same(f"{alg} of another digest", self.verify(alg, other, signature), False)
        broken = signature[:-1] + bytes([signature[-1] ^ 1])
        same(f"{alg}, broken", self.verify(alg, digest, broken), False)


def digest(bits):
    return hashlib.new(f"sha{bits}", os.urandom(20)).digest()


def rsa_encryption(key):
    for alg, scheme in RSA_PADDINGS.items():
        secret = os.urandom(32)
        ours = key.public.encrypt(secret, scheme)
        for operation in "decrypt", "unwrapkey":
            same(f"{operation} {alg}", key.use(operation, alg, value=ours), {"value": secret})
        for operation, opens in ("encrypt", "decrypt"), ("wrapkey", "unwrapkey"):
            theirs = key.use(operation, alg, value=secret)["value"]
            if key.private:
                same(f"{operation} {alg}", key.private.decrypt(theirs, scheme), secret)
            same(f"{opens} {alg}", key.use(opens, alg, value=theirs), {"value": secret})
        bytes_of = key.public.key_size // 8
        most = bytes_of - {"RSA-OAEP-256": 66, "RSA-OAEP": 42, "RSA1_5": 11}[alg]
        same(f"{alg}, full", len(key.use("wrapkey", alg, value=bytes(most))["value"]), bytes_of)
        same(f"{alg}, too long", key.use("wrapkey", alg, value=bytes(most + 1)), REFUSED)
        same(f"{alg}, garbage", key.use("unwrapkey", alg, value=os.urandom(bytes_of - 1)), REFUSED)


def rsa_signatures(key):
    for bits, sha in HASHES.items():
        prehashed = utils.Prehashed(sha)
        schemes = {"PS": padding.PSS(padding.MGF1(sha), sha.digest_size), "RS": padding.PKCS1v15()}
        for name, scheme in schemes.items():
            alg, data = f"{name}{bits}", digest(bits)
            if name == "PS" and key.public.key_size // 8 < 2 * sha.digest_size + 2:
                same(f"{alg} with a short key", key.use("sign", alg, value=data), REFUSED)
                continue
            theirs = key.sign(alg, data)
            key.public.verify(theirs, data, scheme, prehashed)
            key.verifies(alg, data, theirs)
            if key.private:
                key.verifies(alg, data, key.private.sign(data, scheme, prehashed))
            same(f"{alg} of something else", key.use("sign", alg, value=data[1:]), REFUSED)
    data = os.urandom(40)
    theirs = key.sign("RSNULL", data)
    same("RSNULL", key.public.recover_data_from_signature(theirs, padding.PKCS1v15(), None), data)
    key.verifies("RSNULL", data, theirs)
    if key.private:
        numbers, length = key.private.private_numbers(), key.public.key_size // 8
        block = b"\0\1" + b"\xff" * (length - 3 - len(data)) + b"\0" + data
        ours = pow(int.from_bytes(block, "big"), numbers.d, numbers.public_numbers.n)
        key.verifies("RSNULL", data, big_endian(ours, length))


def ecdsa(key):
    alg, bits = ECDSA[key.key["crv"]]
    data, length = digest(bits), (key.public.key_size + 7) // 8
    scheme = ec.ECDSA(utils.Prehashed(HASHES[bits]))
    theirs = key.sign(alg, data)
    same(f"{alg}: r and s", len(theirs), 2 * length)
    r, s = (int.from_bytes(half, "big") for half in (theirs[:length], theirs[length:]))
    key.public.verify(utils.encode_dss_signature(r, s), data, scheme)
    key.verifies(alg, data, theirs)
    if key.private:
        r, s = utils.decode_dss_signature(key.private.sign(data, scheme))
        key.verifies(alg, data, big_endian(r, length) + big_endian(s, length))
    for other, _ in ECDSA.values():
        if other != alg:
            same(f"{other} with {key.key['crv']}", key.use("sign", other, value=data), REFUSED)


def symmetric(key):
    secret, text, iv = os.urandom(32), b"sixteen bytes are one, these are not", os.urandom(16)
    bits = 8 * len(key.private)
    ours = keywrap.aes_key_wrap(key.private, secret)
    same("KW", key.use("wrapkey", f"A{bits}KW", value=secret), {"value": ours})
    same("KW", key.use("unwrapkey", f"A{bits}KW", value=ours), {"value": secret})
    same("KW, broken", key.use("unwrapkey", f"A{bits}KW", value=bytes(len(ours))), REFUSED)

    def cbc(data):
        encryptor = Cipher(algorithms.AES(key.private), modes.CBC(iv)).encryptor()
        return encryptor.update(data) + encryptor.finalize()

    padder = block_padding.PKCS7(128).padder()
    for alg, plaintext, ours in (
        (f"A{bits}CBC", secret, cbc(secret)),
        (f"A{bits}CBCPAD", text, cbc(padder.update(text) + padder.finalize())),
    ):
        same(alg, key.use("encrypt", alg, value=plaintext, iv=iv)["value"], ours)
        same(alg, key.use("decrypt", alg, value=ours, iv=iv), {"value": plaintext})
    alg, filled = f"A{bits}CBC", text + bytes(-len(text) % 16)
    theirs = key.use("encrypt", alg, value=text, iv=iv, aad=b"ignored")["value"]
    same("CBC of no whole block", theirs, cbc(filled))
    opened = key.use("decrypt", alg, value=theirs, iv=iv, aad=b"ignored", tag=bytes(16))
    same("CBC of no whole block", opened, {"value": filled})

    alg, aead = f"A{bits}GCM", AESGCM(key.private)
    for aad in b"aad", None:
        theirs = key.use("encrypt", alg, value=text, aad=aad)
        same(alg, aead.decrypt(theirs["iv"], theirs["value"] + theirs["tag"], aad), text)
        nonce = os.urandom(12)
        ours = aead.encrypt(nonce, text, aad)
        fields = {"value": ours[:-16], "tag": ours[-16:], "iv": nonce, "aad": aad}
        same(alg, key.use("decrypt", alg, **fields), {"value": text})
        same(f"{alg}, other aad", key.use("decrypt", alg, **{**fields, "aad": b"other"}), REFUSED)
    for bits in HASHES:
        data = digest(bits)
        ours = hmac.digest(key.private, data, f"sha{bits}")
        same(f"HS{bits}", key.sign(f"HS{bits}", data), ours)
        key.verifies(f"HS{bits}", data, ours)


def look_at_everything(vault):
    """Everything that a key's API returns, to be searched for private keys."""
    for listed in vault.must("GET", "/keys")["value"]:
        path = listed["kid"].removeprefix(vault.url)
        for below in "", "/versions", "/rotationpolicy":
            vault.must("GET", f"{path}{below}")
        backup = decode(vault.must("POST", f"{path}/backup")["value"])
        save_told(backup, vault.directory)
        for part in backup.split(b"microsoft.com", 1)[-1].split(b"."):  # as of a JWE
            save_told(decode(part.decode()), vault.directory)
        vault.must("PATCH", path, {"tags": {"seen": "yes"}})
        vault.must("DELETE", path)
        vault.must("GET", path.replace("/keys/", "/deletedkeys/"))
        vault.must("POST", path.replace("/keys/", "/deletedkeys/") + "/recover")


vault = Vault(sys.argv[1], pathlib.Path(sys.argv[2]))
short = vault.import_key("imported-rsa-1024", rsa_jwk(1024))
rsa_encryption(short)
rsa_signatures(short)
for bits in 2048, 3072, 4096:
    keys = [vault.create(f"created-rsa-{bits}", kty="RSA", key_size=bits)]
    if bits < 4096:  # making one of that size takes this script too long
        keys.append(vault.import_key(f"imported-rsa-{bits}", rsa_jwk(bits), hsm=bits == 3072))
    for key in keys:
        rsa_encryption(key)
        rsa_signatures(key)
for curve in CURVES:
    ecdsa(vault.create(f"created-ec-{curve}", kty="EC", crv=curve))
    ecdsa(vault.import_key(f"imported-ec-{curve}", ec_jwk(curve)))
for length in 16, 24, 32:
    symmetric(vault.import_key(f"imported-oct-{8 * length}", oct_jwk(length), hsm=True))
look_at_everything(vault)

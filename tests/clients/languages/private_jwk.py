"""Private keys to import into a vault, and records of them for key_material.py."""

import json
import os
import secrets

from cryptography.hazmat.primitives.asymmetric import ec, rsa

CURVES = {"P-256": ec.SECP256R1(), "P-256K": ec.SECP256K1(), "P-384": ec.SECP384R1(), "P-521": ec.SECP521R1()}
PRIVATE = "d", "p", "q", "dp", "dq", "qi", "k"


class PrivateJwk:
    """A JSON Web Key: its fields, binary as bytes, and the key itself."""

    def __init__(self, key, kty, **fields):
        self.key, self.fields = key, {"kty": kty, **fields}

    def secrets(self):
        return [self.fields[name] for name in PRIVATE if name in self.fields]


def big_endian(number, length=None):
    return number.to_bytes(length or (number.bit_length() + 7) // 8, "big")


def rsa_jwk(bits):
    key = rsa.generate_private_key(65537, bits)
    numbers = key.private_numbers()
    public = numbers.public_numbers
    half = {"p": numbers.p, "q": numbers.q, "dp": numbers.dmp1, "dq": numbers.dmq1, "qi": numbers.iqmp}
    return PrivateJwk(
        key, "RSA", n=big_endian(public.n), e=big_endian(public.e), d=big_endian(numbers.d, bits // 8),
        **{name: big_endian(number, bits // 16) for name, number in half.items()},
    )  # fmt: skip


def ec_jwk(curve):
    key = ec.generate_private_key(CURVES[curve])
    numbers, length = key.private_numbers(), (key.key_size + 7) // 8
    x, y = numbers.public_numbers.x, numbers.public_numbers.y
    return PrivateJwk(
        key, "EC", crv=curve, x=big_endian(x, length), y=big_endian(y, length), d=big_endian(numbers.private_value, length)
    )


def oct_jwk(length):
    key = secrets.token_bytes(length)
    return PrivateJwk(key, "oct", k=key)


def save_imported(jwk, directory):
    """Records the private and public numbers of a key."""
    public = [jwk.fields[name] for name in ("n", "x", "y") if name in jwk.fields]
    save(directory / "imported", json.dumps({
        "secret": [secret.hex() for secret in jwk.secrets()],
        "public": [number.hex() for number in public],
    }).encode())  # fmt: skip


def save_told(data, directory):
    """Records the vault's answers."""
    save(directory / "told", data)


def save(directory, data):
    directory.mkdir(parents=True, exist_ok=True)
    (directory / os.urandom(8).hex()).write_bytes(data)

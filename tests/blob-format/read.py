#!/usr/bin/env python3
"""Reads stored content of sealock: an independent reader, written from docs/blob-format.md.

    read.py --vectors fixtures/blob-format
    read.py OBJECT --service-key FILE [--dek FILE] --registry UUID --digest DIGEST --length N >content

The first checks every vector. The second writes the content of one object file to the standard output; a registry
with a customer-managed key needs its DEK too. Both key files hold 32 bytes in base64. Digest and length are those of
the content. Needs the package `cryptography` (pip install -r requirements.txt).
"""

import argparse
import base64
import binascii
import hashlib
import hmac
import json
import re
import sys
import uuid
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Callable, Iterator

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

HEADER_LEN = 48
BINDING_LEN = 32
TAG_LEN = 16
SERVICE_LAYER, CMK_LAYER = 1, 2


class Refused(Exception):
    """An object or a record cannot be read. `kind` is the vectors' word for the reason."""

    def __init__(self, kind: str, why: str):
        super().__init__(why)
        self.kind = kind


@dataclass(frozen=True)
class Owner:
    """The registry of the objects."""

    registry: uuid.UUID
    service_key: bytes
    dek: bytes | None  # None in a registry without a customer-managed key

    def secrets(self) -> list[tuple[int, bytes]]:
        """The layers and the secrets of their keys, the innermost first."""
        layers = [(SERVICE_LAYER, self.service_key)]
        return layers if self.dek is None else [*layers, (CMK_LAYER, self.dek)]


# --- Objects ----------------------------------------------------------------------------------------------------------


def open_object(file: BinaryIO, owner: Owner, digest: str, length: int) -> Iterator[bytes]:
    """The content of an object, segment by segment. Each is authenticated before it is returned."""
    stored_len = file.seek(0, 2)
    file.seek(0)
    header = file.read(HEADER_LEN)
    segment_size = check_header(header)
    if header[9] != len(owner.secrets()):
        raise Refused("layers", f"the object has {header[9]} layers, and its registry has {len(owner.secrets())}")

    segments = max(1, -(-length // segment_size))
    tags = TAG_LEN * header[9]
    expected = HEADER_LEN + length + segments * tags + BINDING_LEN
    if stored_len != expected:
        raise Refused("length", f"the object has {stored_len} bytes where its content takes {expected}")

    file.seek(-BINDING_LEN, 2)
    if not hmac.compare_digest(binding(header, owner, digest, length), file.read(BINDING_LEN)):
        raise Refused("binding", "the object does not belong to this digest, length, registry and key")

    ciphers = [AESGCM(object_key(header, owner, layer, "sealock object key v1")) for layer, _ in owner.secrets()]
    file.seek(HEADER_LEN)
    for index in range(segments):
        in_segment = min(segment_size, length - index * segment_size)
        segment = file.read(in_segment + tags)
        nonce = bytes(3) + index.to_bytes(8, "big") + bytes([index == segments - 1])
        try:
            for cipher in reversed(ciphers):
                segment = cipher.decrypt(nonce, segment, None)
        except InvalidTag:
            raise Refused(f"segment {index}", f"segment {index} does not open") from None
        yield segment


def check_header(header: bytes) -> int:
    """Checks the header of an object, and returns the size of its segments."""
    if len(header) < HEADER_LEN:
        raise Refused("length", f"the object has {len(header)} bytes, and a header alone has {HEADER_LEN}")
    if header[:8] != b"sealock\0":
        raise Refused("header", "the header does not begin with the magic bytes")
    if header[8] != 1:
        raise Refused("header", f"the header's version {header[8]} is unknown")
    if header[9] not in (1, 2):
        raise Refused("header", f"the header's number of layers is {header[9]}")
    if not 12 <= header[10] <= 20:
        raise Refused("header", f"the header's segment size 2^{header[10]} is out of bounds")
    if any(header[11:16]):
        raise Refused("header", "the header's padding is not zero")
    return 1 << header[10]


def binding(header: bytes, owner: Owner, digest: str, length: int) -> bytes:
    outermost, _ = owner.secrets()[-1]
    key = object_key(header, owner, outermost, "sealock object binding v1")
    return hmac.digest(key, header + length.to_bytes(8, "big") + digest.encode(), "sha256")


def object_key(header: bytes, owner: Owner, layer: int, label: str) -> bytes:
    info = label.encode() + bytes([layer]) + owner.registry.bytes + header
    return hkdf(dict(owner.secrets())[layer], header[16:], info)


# --- Records ----------------------------------------------------------------------------------------------------------


def open_record(record: bytes, service_key: bytes, associated_data: bytes) -> bytes:
    """The content of a record that the platform's service key seals."""
    return open_under(hkdf(service_key, b"", b"sealock service record v1"), record, associated_data)


def open_registry_record(record: bytes, owner: Owner, associated_data: bytes) -> bytes:
    """The content of a record that is sealed in the layers of its registry's objects."""
    for layer, secret in reversed(owner.secrets()):
        info = b"sealock registry record v1" + bytes([layer]) + owner.registry.bytes
        record = open_under(hkdf(secret, b"", info), record, associated_data)
    return record


def open_under(record_key: bytes, record: bytes, associated_data: bytes) -> bytes:
    if len(record) < 1 + 32 + TAG_LEN or record[0] != 1:
        raise Refused("record", "the record is too short, or its version is unknown")
    key = hkdf(record_key, record[1:33], b"sealock record v1")
    try:
        return AESGCM(key).decrypt(bytes(12), record[33:], associated_data)
    except InvalidTag:
        raise Refused("record", "the record does not open") from None


def check_value(dek: bytes) -> bytes:
    return hkdf(dek, b"", b"sealock dek check v1")


def hkdf(secret: bytes, salt: bytes, info: bytes) -> bytes:
    return HKDF(SHA256(), 32, salt, info).derive(secret)


# --- The vectors ------------------------------------------------------------------------------------------------------


def check_vectors(directory: Path) -> bool:
    """Checks every vector, and reports those that fail."""
    passed = failed = 0
    for name, problem in vector_results(directory):
        if problem is None:
            passed += 1
        else:
            failed += 1
            print(f"FAILED {name}: {problem}")
    print(f"{passed} passed, {failed} failed")
    return failed == 0 and passed > 0


def vector_results(directory: Path) -> Iterator[tuple[str, str | None]]:
    for vector in load(directory, "objects.json"):
        yield vector["name"], object_problem(directory, vector)
    for vector in load(directory, "records.json"):
        yield vector["name"], record_problem(vector, open_platforms)
    for vector in load(directory, "registry-records.json"):
        yield vector["name"], record_problem(vector, open_registrys)
    for number, vector in enumerate(load(directory, "check-values.json")):
        right = check_value(bytes.fromhex(vector["dek"])).hex() == vector["check_value"]
        yield f"check value {number}", None if right else "another check value"


def object_problem(directory: Path, vector: dict) -> str | None:
    owner = owner_of(vector)
    file = BytesIO((directory / vector["object"]).read_bytes())
    length = vector["plaintext_length"]
    plaintext = bytes(i % 251 for i in range(length))
    try:
        opened = b"".join(open_object(file, owner, vector["digest"], length))
    except Refused as refused:
        return difference(vector["refusal"], refused.kind)
    if opened != plaintext or digest_of(opened) != vector["digest"]:
        return "it opened to something else"
    return difference(vector["refusal"], None)


def owner_of(vector: dict) -> Owner:
    dek = vector["dek"] and bytes.fromhex(vector["dek"])
    return Owner(uuid.UUID(vector["registry"]), bytes.fromhex(vector["service_key"]), dek)


def open_platforms(vector: dict, record: bytes, associated_data: bytes) -> bytes:
    return open_record(record, bytes.fromhex(vector["service_key"]), associated_data)


def open_registrys(vector: dict, record: bytes, associated_data: bytes) -> bytes:
    return open_registry_record(record, owner_of(vector), associated_data)


def record_problem(vector: dict, open_vector: Callable[[dict, bytes, bytes], bytes]) -> str | None:
    try:
        opened = open_vector(vector, bytes.fromhex(vector["record"]), vector["associated_data"].encode())
    except Refused as refused:
        return difference(vector["refusal"], refused.kind)
    if opened != vector["plaintext"].encode():
        return "it opened to something else"
    return difference(vector["refusal"], None)


def digest_of(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def difference(expected: str | None, found: str | None) -> str | None:
    if expected == found:
        return None
    return f"expected: {expected or 'it opens'}; found: {found or 'it opens'}"


def load(directory: Path, name: str) -> list[dict]:
    return json.loads((directory / name).read_text())


# --- The command line -------------------------------------------------------------------------------------------------


def main() -> None:
    arguments = parse_arguments()
    try:
        if arguments.vectors:
            sys.exit(0 if check_vectors(arguments.vectors) else 1)
        write_content(arguments, sys.stdout.buffer)
    except BrokenPipeError:
        sys.stderr.close()  # or Python complains once more on its way out
        sys.exit(1)
    except (Refused, OSError) as error:
        sys.exit(f"read.py: {error}")


def write_content(arguments: argparse.Namespace, output: BinaryIO) -> None:
    owner = Owner(arguments.registry, read_key(arguments.service_key), arguments.dek and read_key(arguments.dek))
    hasher = hashlib.sha256()
    with arguments.object.open("rb") as file:
        for segment in open_object(file, owner, arguments.digest, arguments.length):
            hasher.update(segment)
            output.write(segment)
    output.flush()
    # The binding proves only that the writer meant this digest. The hash proves that it is right.
    if f"sha256:{hasher.hexdigest()}" != arguments.digest:
        raise Refused("digest", f"the content is that of sha256:{hasher.hexdigest()}")


def read_key(path: Path) -> bytes:
    try:
        key = base64.b64decode(path.read_bytes().strip(), validate=True)
    except binascii.Error:
        sys.exit(f"read.py: {path} is not base64")
    if len(key) != 32:
        sys.exit(f"read.py: {path} holds {len(key)} bytes, and a key has 32")
    return key


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0],
        usage="%(prog)s --vectors DIR\n"
        "       %(prog)s OBJECT --service-key FILE [--dek FILE] --registry UUID --digest DIGEST --length N",
    )
    parser.add_argument("--vectors", type=Path, metavar="DIR", help="check the vectors in this directory")
    parser.add_argument("object", type=Path, nargs="?", metavar="OBJECT", help="the object's file")
    parser.add_argument("--service-key", type=Path, metavar="FILE", help="the platform's key: 32 bytes in base64")
    parser.add_argument("--dek", type=Path, metavar="FILE", help="the registry's DEK: 32 bytes in base64")
    parser.add_argument("--registry", type=uuid.UUID, metavar="UUID", help="the registry's id")
    parser.add_argument("--digest", type=digest, metavar="DIGEST", help="the content's digest")
    parser.add_argument("--length", type=length, metavar="N", help="the content's length in bytes")
    arguments = parser.parse_args()
    needed = ["object", "service_key", "registry", "digest", "length"]
    if arguments.vectors is None:
        missing = [name for name in needed if getattr(arguments, name) is None]
        if missing:
            parser.error("missing: " + ", ".join(name.replace("_", "-") for name in missing))
    elif any(getattr(arguments, name) is not None for name in [*needed, "dek"]):
        parser.error("--vectors stands alone")
    return arguments


def digest(text: str) -> str:
    if not re.fullmatch("sha256:[0-9a-f]{64}", text):
        raise argparse.ArgumentTypeError(f"'{text}' is not sha256: and 64 lower-case hexadecimal digits")
    return text


def length(text: str) -> int:
    if not re.fullmatch("[0-9]+", text) or int(text) >= 1 << 64:
        raise argparse.ArgumentTypeError(f"'{text}' is not a length in bytes")
    return int(text)


if __name__ == "__main__":
    main()

"""Searches places for private keys: key_material.py IMPORTED TOLD PLACE...

IMPORTED has the keys' numbers as private_jwk.py notes them, TOLD what a vault has told. Neither TOLD nor any file of the
PLACEs may have 16 bytes in a row of a private number: raw, in hexadecimal, or in base64 at any offset.
"""

import base64
import json
import pathlib
import sys

WINDOW = 16


def windows(data):
    return {data[start : start + WINDOW] for start in range(len(data) - WINDOW + 1)}


def forms(number):
    """The forms in which a number could appear in a file."""
    yield number
    yield number.hex().encode()
    yield number.hex().upper().encode()
    for skipped in range(3):
        whole = number[skipped : len(number) - (len(number) - skipped) % 3]
        yield base64.b64encode(whole)
        yield base64.urlsafe_b64encode(whole)


def files(places):
    for place in map(pathlib.Path, places):
        yield from (path for path in place.rglob("*") if path.is_file()) if place.is_dir() else [place]


def search(numbers, places):
    """The files that contain a window of a number."""
    wanted = set().union(*(windows(form) for number in numbers for form in forms(number)))
    return [path for path in files(places) if not wanted.isdisjoint(windows(path.read_bytes()))]


imported, told, *places = sys.argv[1:]
noted = [json.loads(path.read_bytes()) for path in files([imported])]
secret = [bytes.fromhex(number) for key in noted for number in key["secret"]]
public = [bytes.fromhex(number) for key in noted for number in key["public"]]

# Proves that the search works: it finds each public number in the vault's answers, and a part of the longest private
# number in each of its forms.
for number in public:
    assert search([number], [told]), f"the public number {number.hex()} was not found in what was told"
for form in forms(max(secret, key=len)):
    planted = pathlib.Path(told) / "planted"
    planted.write_bytes(b"(" + form[3:] + b")")
    assert search(secret, [told]) == [planted], form
    planted.unlink()

found = search(secret, [told, *places])
assert not found, f"a private key lies in {', '.join(map(str, found))}"
print(f"{len(secret)} private numbers lie in none of {len(list(files([told, *places])))} files")

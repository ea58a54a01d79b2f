"""Small images, made and pushed without Docker."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

MANIFEST_TYPE: Final = "application/vnd.oci.image.manifest.v1+json"
_CONFIG_TYPE: Final = "application/vnd.oci.image.config.v1+json"
_LAYER_TYPE: Final = "application/vnd.oci.image.layer.v1.tar+gzip"


@dataclass(frozen=True)
class Reference:
    """The name of an image in a registry: `REPOSITORY`, `REPOSITORY:TAG` or `REPOSITORY@DIGEST`."""

    repository: str
    version: str

    @classmethod
    def parse(cls, text: str) -> Reference:
        """Parse a reference. Without a tag or digest it means the tag `latest`."""
        repository, at, digest = text.partition("@")
        if not at:
            repository, _, digest = text.partition(":")
        if not repository or ":" in repository or "/" in digest:
            raise ValueError(f"'{text}' is not REPOSITORY, REPOSITORY:TAG or REPOSITORY@DIGEST of this emulator")
        return cls(repository, digest or "latest")


@dataclass(frozen=True)
class Image:
    """An image of one layer."""

    manifest: bytes
    blobs: Mapping[str, bytes]
    """The contents of configuration and layer, by their digests."""

    @property
    def digest(self) -> str:
        """The digest of the manifest."""
        return digest_of(self.manifest)


def build_image(files: Mapping[str, bytes]) -> Image:
    """Build an image of these files. The same files give the same digest."""
    tar = _archive(files)
    layer = gzip.compress(tar, mtime=0)
    config = _encode(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": [digest_of(tar)]},
        }
    )
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": _descriptor(_CONFIG_TYPE, config),
        "layers": [_descriptor(_LAYER_TYPE, layer)],
    }
    return Image(_encode(manifest), {digest_of(it): it for it in (config, layer)})


def digest_of(content: bytes) -> str:
    """Return the digest of content as registries write it."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _archive(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in sorted(files.items()):
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def _descriptor(media_type: str, content: bytes) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": digest_of(content), "size": len(content)}


def _encode(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()

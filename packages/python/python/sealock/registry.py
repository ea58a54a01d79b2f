"""The registry's side of the emulator: pushes and pulls over HTTP."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote

from sealock.connection import Address, Answer
from sealock.error import SealockError
from sealock.image import MANIFEST_TYPE, Image, Reference

_ACCEPTED: Final = ", ".join(
    [
        MANIFEST_TYPE,
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.docker.distribution.manifest.v2+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
    ]
)


@dataclass(frozen=True)
class Pull:
    """The result of a pull: what the registry served, or how it refused."""

    status: int
    """The HTTP status of the first request that was refused, or 200."""
    manifest: dict[str, Any] | None = None
    digest: str | None = None
    blobs: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    """The contents of configuration and layers, by their digests."""
    code: str | None = None
    """The registry's code of a refusal, such as `DENIED`."""
    message: str | None = None
    """The registry's text of a refusal."""
    cause: str | None = None
    """The cause for which the vault refuses the registry its key, such as `KeyDisabled`."""

    @property
    def is_served(self) -> bool:
        """True if manifest and content were served."""
        return self.status == 200


@dataclass(frozen=True)
class Registry:
    """A registry, as a client addresses it."""

    address: Address
    host: str
    authorization: str | None = None

    def push(self, reference: Reference, image: Image) -> None:
        """Push an image."""
        for digest, content in image.blobs.items():
            self._push_blob(reference.repository, digest, content)
        answer = self._send(
            "PUT",
            f"/v2/{quote(reference.repository)}/manifests/{quote(reference.version)}",
            headers={"Content-Type": MANIFEST_TYPE},
            body=image.manifest,
        )
        _expect(answer, 201)

    def _push_blob(self, repository: str, digest: str, content: bytes) -> None:
        answer = self._send("POST", f"/v2/{quote(repository)}/blobs/uploads/")
        _expect(answer, 202)
        location = str(answer.headers["Location"])
        separator = "&" if "?" in location else "?"
        answer = self._send(
            "PUT",
            f"{location}{separator}digest={digest}",
            headers={"Content-Type": "application/octet-stream"},
            body=content,
        )
        _expect(answer, 201)

    def pull(self, reference: Reference) -> Pull:
        """Pull a manifest with its configuration and layers."""
        base = f"/v2/{quote(reference.repository)}"
        answer = self._send("GET", f"{base}/manifests/{quote(reference.version)}", headers={"Accept": _ACCEPTED})
        if answer.status != 200:
            return _refused_pull(answer)
        manifest = answer.json()
        blobs = {}
        parts = [manifest.get("config"), *manifest.get("layers", [])]
        for digest in [part["digest"] for part in parts if part]:
            blob = self._send("GET", f"{base}/blobs/{digest}")
            if blob.status != 200:
                return _refused_pull(blob)
            blobs[digest] = blob.body
        return Pull(
            status=200,
            manifest=manifest,
            digest=answer.headers["Docker-Content-Digest"],
            blobs=blobs,
        )

    def _send(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Answer:
        login = {"Authorization": self.authorization} if self.authorization else {}
        return self.address.send(method, path, host=self.host, headers={**login, **(headers or {})}, body=body)


@dataclass(frozen=True)
class _Refusal:
    code: str | None
    message: str
    cause: str | None


def _refusal(answer: Answer) -> _Refusal:
    """Read the first error of a registry's answer."""
    document = answer.json()
    errors = document.get("errors") if isinstance(document, dict) else None
    if not errors:
        return _Refusal(None, answer.body.decode(errors="replace"), None)
    detail = errors[0].get("detail")
    cause = detail.get("cause") if isinstance(detail, dict) else None
    return _Refusal(errors[0].get("code"), errors[0].get("message", json.dumps(errors)), cause)


def _refused_pull(answer: Answer) -> Pull:
    refusal = _refusal(answer)
    return Pull(status=answer.status, code=refusal.code, message=refusal.message, cause=refusal.cause)


def _expect(answer: Answer, status: int) -> None:
    if answer.status != status:
        refusal = _refusal(answer)
        raise SealockError(refusal.message, status=answer.status, code=refusal.code, cause=refusal.cause)

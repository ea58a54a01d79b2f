"""The control API: requests, and refusals as errors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from sealock.connection import Address, Answer
from sealock.error import SealockError

_PREFIX: Final = "/_sealock/v1"


@dataclass(frozen=True)
class Control:
    """The control API of an emulator."""

    address: Address
    host: str
    token: str | None

    def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:  # noqa: ANN401
        """Send a request and return its JSON, or None if the answer is empty."""
        answer = self._send(method, path, body)
        if answer.body and answer.json() is None:
            raise SealockError(f"the answer to {method} {path} is not JSON", status=answer.status)
        return answer.json()

    def read(self, path: str) -> str:
        """Return the text of an answer that is not JSON."""
        return self._send("GET", path, None).body.decode()

    def _send(self, method: str, path: str, body: Mapping[str, Any] | None) -> Answer:
        headers = {"Content-Type": "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        content = None if body is None else json.dumps(body).encode()
        answer = self.address.send(method, _PREFIX + path, host=self.host, headers=headers, body=content)
        if answer.status >= 300:
            raise _refusal(answer)
        return answer


def path(*segments: str) -> str:
    """Join segments to a path of the control API."""
    return "".join("/" + quote(segment, safe="") for segment in segments)


def _refusal(answer: Answer) -> SealockError:
    problem = answer.json()
    if not isinstance(problem, dict) or "detail" not in problem:
        return SealockError(answer.body.decode(errors="replace"), status=answer.status)
    return SealockError(
        problem["detail"],
        status=answer.status,
        code=problem.get("code"),
        cause=problem.get("cause"),
        hints=problem.get("hints"),
    )

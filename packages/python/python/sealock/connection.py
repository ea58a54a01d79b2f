"""HTTP with the emulator."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message
from typing import Any, Final
from urllib.parse import urlsplit

from sealock.error import SealockError

_TIMEOUT: Final = 60.0


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirect that the caller sees as an answer."""

    def redirect_request(self, *_: Any) -> None:  # noqa: ANN401
        """Follow nothing."""


# An emulator is on this machine or beside it, so a proxy of the environment does not lead to it.
_OPENER: Final = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirects)


@dataclass(frozen=True)
class Answer:
    """An answer of the emulator."""

    status: int
    headers: Message
    body: bytes

    def json(self) -> Any:  # noqa: ANN401
        """Parse the body. An empty or damaged one is None."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None


@dataclass(frozen=True)
class Address:
    """The host and port at which the emulator accepts connections."""

    host_and_port: str

    @property
    def host(self) -> str:
        """The host without the port."""
        return str(urlsplit(f"//{self.host_and_port}").hostname)

    def send(
        self,
        method: str,
        path: str,
        *,
        host: str,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Answer:
        """Send a request for the host `host`, without a lookup of that name."""
        request = urllib.request.Request(  # noqa: S310
            f"http://{self.host_and_port}{path}",
            data=body,
            method=method,
            headers={"Host": host, **(headers or {})},
        )
        try:
            with _OPENER.open(request, timeout=_TIMEOUT) as response:
                return Answer(response.status, response.headers, response.read())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, error.headers, error.read())
        except OSError as error:
            raise SealockError(f"no emulator answers at {self.host_and_port}: {error}") from error

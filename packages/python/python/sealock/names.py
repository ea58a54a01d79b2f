"""Names of this machine."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def resolve_localhost(address: str = "127.0.0.1") -> Iterator[None]:
    """Let names below localhost lead to this machine in this process, as RFC 6761 says, or to another address.

    Systems without an entry in /etc/hosts, or a resolver that knows the rule, do not find them.
    """
    system = socket.getaddrinfo

    def getaddrinfo(host: Any, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401
        return system(address if _is_below_localhost(host) else host, *arguments, **options)

    socket.getaddrinfo = getaddrinfo
    try:
        yield
    finally:
        socket.getaddrinfo = system


def _is_below_localhost(host: object) -> bool:
    name = host.decode("latin-1") if isinstance(host, bytes) else host
    return isinstance(name, str) and name.lower().rstrip(".").endswith(".localhost")

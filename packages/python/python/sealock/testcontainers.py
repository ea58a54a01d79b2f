"""The emulator in a container, after the conventions of Testcontainers."""

from __future__ import annotations

import enum
import io
import tarfile
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, Self

from testcontainers.core.config import ConnectionMode
from testcontainers.core.container import DockerContainer
from testcontainers.core.wait_strategies import HttpWaitStrategy

from sealock.emulator import Emulator
from sealock.error import SealockError

_PORT: Final = 5000
_TOKEN_FILE: Final = "/data/.sealock/control.token"  # noqa: S105
_NAMES: Final = ("login", "management", "graph", "sealock.azurecr", "sealock.vault")


class ConnectionType(enum.Enum):
    """The clients for which the emulator writes its URLs."""

    LOCALHOST = "localhost"
    """Clients on this machine, which use the mapped port."""
    NETWORK = "network"
    """Other containers in the container's network, which use names such as `sealock.vault.localhost` and port 5000."""


class SealockContainer(DockerContainer):
    """An emulator in a container.

    Example:
        >>> with SealockContainer() as container:
        ...     emulator = container.get_emulator()
        ...     emulator.push("hello:v1")
        ...     emulator.revoke()

    """

    def __init__(
        self,
        image: str = f"sealock:{version('sealock')}",
        *,
        connection_type: ConnectionType = ConnectionType.LOCALHOST,
        **kwargs: Any,  # noqa: ANN401
    ) -> None:
        # The emulator serves its own names only, and Docker's host may have another.
        ready = HttpWaitStrategy(_PORT, "/_sealock/v1/health").with_header("Host", "localhost")
        super().__init__(image, _wait_strategy=ready, **kwargs)
        self.with_exposed_ports(_PORT)
        self._connection_type = connection_type
        if connection_type is ConnectionType.NETWORK:
            self.with_network_aliases(*(f"{name}.localhost" for name in _NAMES), *(self._network_aliases or []))
        self._emulator: Emulator | None = None

    def start(self) -> Self:
        """Start the container, and return once the emulator shows URLs that lead to it."""
        super().start()
        self._files = tempfile.TemporaryDirectory(prefix="sealock-")
        directory = Path(self._files.name)
        token_file = directory / "control.token"
        token_file.touch(mode=0o600)
        token_file.write_bytes(self._read(_TOKEN_FILE))
        port = self.get_exposed_port(_PORT)
        self._emulator = Emulator(
            f"http://localhost:{port}",
            address=f"{self.get_container_host_ip()}:{port}",
            token_file=token_file,
            directory=directory,
        )
        is_local = self._connection_type is ConnectionType.LOCALHOST
        self._emulator.set_public_name(f"localhost:{port if is_local else _PORT}")
        return self

    def stop(self, force: bool = True, delete_volume: bool = True) -> None:
        """Remove the container."""
        super().stop(force, delete_volume)
        if self._emulator:
            self._emulator = None
            self._files.cleanup()

    def get_emulator(self) -> Emulator:
        """Return the emulator, with its URLs and verbs."""
        if self._emulator is None:
            raise SealockError("the container is not started")
        return self._emulator

    def _configure(self) -> None:
        # The emulator asks nobody for a login, so only this machine may reach it.
        client = self.get_docker_client()
        if client.get_connection_mode() is ConnectionMode.docker_host and client.host() == "localhost":
            ports: dict[str, Any] = self.ports
            ports[str(_PORT)] = ("127.0.0.1", None)

    def _read(self, path: str) -> bytes:
        """Read a file of the container, which has no shell."""
        chunks, _ = self.get_wrapped_container().get_archive(path)
        with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as tar:
            file = tar.extractfile(Path(path).name)
            if file is None:
                raise SealockError(f"{path} is not a file")
            return file.read()

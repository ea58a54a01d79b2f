"""An emulator of one's own, which ends with its context."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from sealock.binary import find_binary
from sealock.emulator import Emulator
from sealock.error import SealockError

_POLL: Final = 0.01


class Sealock(Emulator):
    """An emulator in a process of its own, on a free port.

    `config` is a configuration file; without it the emulator has the quickstart's vault, key, identity and registry.
    `settings` replaces single keys, such as `{"fidelity.keyvault_throttling": True}`. The state is in memory unless
    `data_dir` names a directory. `timeout` is the time for the start and for the end, in seconds.
    """

    def __init__(
        self,
        *,
        config: str | os.PathLike[str] | None = None,
        settings: Mapping[str, Any] | None = None,
        data_dir: str | os.PathLike[str] | None = None,
        timeout: float = 60.0,
    ) -> None:
        self._config = config
        self._settings = dict(settings or {})
        self._data_dir = data_dir
        self._timeout = timeout
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> Self:
        """Start the emulator, and return once it serves requests."""
        if self._process:
            raise SealockError("the emulator runs already")
        self._files = tempfile.TemporaryDirectory(prefix="sealock-")
        directory = Path(self._files.name)
        self._log = directory / "log"
        token_file = directory / "control.token"
        try:
            address = self._launch(directory / "ready.json", token_file)
        except BaseException:
            self.stop()
            raise
        super().__init__(
            f"http://localhost:{address.rpartition(':')[2]}",
            address=address,
            token_file=token_file if token_file.exists() else None,
            directory=directory,
        )
        return self

    def stop(self) -> None:
        """Stop the emulator. What is in memory is gone."""
        if self._process:
            self._process.terminate()
            try:
                self._process.wait(self._timeout)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None
        self._files.cleanup()

    @property
    def log(self) -> str:
        """The log of the running emulator."""
        return self._log.read_text(errors="replace")

    def _launch(self, ready_file: Path, token_file: Path) -> str:
        """Start the process, and return the address at which it accepts connections."""
        environment = {
            **os.environ,
            "SEALOCK_CONTROL_TOKEN_FILE": str(token_file),
            **_variables(self._settings),
        }
        with self._log.open("wb") as log:
            try:
                self._process = subprocess.Popen(  # noqa: S603
                    [find_binary(), *self._arguments(ready_file)],
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                )
            except OSError as error:
                raise SealockError(f"the emulator does not start: {error}") from error
        deadline = time.monotonic() + self._timeout
        while not ready_file.exists():
            if self._process.poll() is not None:
                raise SealockError(f"the emulator has not started: {self.log.strip()}")
            if time.monotonic() > deadline:
                raise SealockError(f"the emulator is not ready after {self._timeout} s: {self.log}")
            time.sleep(_POLL)
        return str(json.loads(ready_file.read_text())["address"])

    def _arguments(self, ready_file: Path) -> list[str | os.PathLike[str]]:
        arguments: list[str | os.PathLike[str]] = ["serve", "--listen", "127.0.0.1:0"]
        arguments += ["--ready-file", ready_file]
        arguments += ["--data-dir", self._data_dir] if self._data_dir else ["--ephemeral"]
        arguments += ["--config", self._config] if self._config else []
        return arguments


def _variables(settings: Mapping[str, Any]) -> dict[str, str]:
    """Write settings such as `cmk.propagation` as the variables of the emulator.

    Their values are TOML, which has the strings, numbers, booleans and lists of JSON.
    """
    return {
        f"SEALOCK_{key.replace('.', '__').upper()}": json.dumps(value, ensure_ascii=False)
        for key, value in settings.items()
    }

"""An emulator of one's own, which ends with its context."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
import weakref
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from sealock.binary import find_binary
from sealock.emulator import Emulator
from sealock.error import SealockError

_POLL: Final = 0.01


class Sealock(Emulator):
    """An emulator in a process of its own, on a free port. It ends with its context, or with this process.

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
        files = tempfile.TemporaryDirectory(prefix="sealock-")
        directory = Path(files.name)
        token_file = directory / "control.token"
        ready_file = directory / "ready.json"
        self._log = directory / "log"
        arguments: list[str | os.PathLike[str]] = ["serve", "--listen", "127.0.0.1:0", "--ready-file", ready_file]
        arguments += ["--data-dir", data_dir] if data_dir else ["--ephemeral"]
        arguments += ["--config", config] if config else []
        variables = {"SEALOCK_CONTROL_TOKEN_FILE": str(token_file), **_variables(settings or {})}
        try:
            process = _launch(arguments, variables, self._log)
        except BaseException:
            files.cleanup()
            raise
        self._end = weakref.finalize(self, _stop, process, files, timeout)
        try:
            self._wait_until_ready(process, ready_file, timeout)
            address = str(json.loads(ready_file.read_text())["address"])
        except BaseException:
            self.stop()
            raise
        super().__init__(
            f"http://localhost:{address.rpartition(':')[2]}",
            address=address,
            token_file=token_file if token_file.exists() else None,
            directory=directory,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop the emulator. What is in memory is gone."""
        self._end()

    @property
    def log(self) -> str:
        """The log of the running emulator."""
        return self._log.read_text(errors="replace")

    def _wait_until_ready(self, process: subprocess.Popen[bytes], ready_file: Path, timeout: float) -> None:
        deadline = time.monotonic() + timeout
        while not ready_file.exists():
            if process.poll() is not None:
                raise SealockError(f"the emulator has not started: {self.log.strip()}")
            if time.monotonic() > deadline:
                raise SealockError(f"the emulator is not ready after {timeout} s: {self.log.strip()}")
            time.sleep(_POLL)


def _launch(
    arguments: list[str | os.PathLike[str]], variables: Mapping[str, str], log_file: Path
) -> subprocess.Popen[bytes]:
    with log_file.open("wb") as log:
        try:
            return subprocess.Popen(  # noqa: S603
                [find_binary(), *arguments],
                env={**os.environ, **variables},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        except OSError as error:
            raise SealockError(f"the emulator does not start: {error}") from error


def _stop(process: subprocess.Popen[bytes], files: tempfile.TemporaryDirectory[str], timeout: float) -> None:
    process.terminate()
    try:
        process.wait(timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    files.cleanup()


def _variables(settings: Mapping[str, Any]) -> dict[str, str]:
    """Write settings such as `cmk.propagation` as the variables of the emulator.

    Their values are TOML, which has the strings, numbers, booleans and lists of JSON.
    """
    return {
        f"SEALOCK_{key.replace('.', '__').upper()}": json.dumps(value, ensure_ascii=False)
        for key, value in settings.items()
    }

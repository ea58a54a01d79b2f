"""The error of this package."""

from __future__ import annotations

from typing import Any


class SealockError(Exception):
    """A refusal of the emulator, or a failure to start or reach it.

    The fields are those of the control API's problem. They are empty where the emulator has not answered.
    """

    def __init__(
        self,
        detail: str,
        *,
        status: int | None = None,
        code: str | None = None,
        cause: str | None = None,
        hints: list[dict[str, Any]] | None = None,
    ) -> None:
        self.detail = detail
        self.status = status
        self.code = code
        self.cause = cause
        self.hints = hints or []
        super().__init__(detail)

    def __str__(self) -> str:
        """Return the detail with status, code, cause and hints."""
        known = [str(it) for it in (self.status, self.code, self.cause) if it is not None]
        text = f"{self.detail} ({', '.join(known)})" if known else self.detail
        for hint in self.hints:
            text += f"\nhint: {describe(hint)}"
        return text


def describe(hint: dict[str, Any]) -> str:
    """Write a hint on one line."""
    if hint.get("action") == "advice":
        return str(hint.get("text"))
    names = [f"{name}={value}" for name, value in hint.items() if name != "action"]
    return " ".join([str(hint.get("action")), *names])

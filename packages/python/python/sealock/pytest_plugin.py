"""Fixtures for pytest.

Each test with the fixture `sealock` has an emulator of its own, so tests can run in parallel and in any order.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from sealock.process import Sealock


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line(
        "markers",
        "sealock(config=FILE, settings={...}): the emulator of the fixture `sealock`, for this test",
    )


@pytest.fixture(scope="session")
def sealock_options() -> dict[str, Any]:
    """Return the arguments of every emulator. Override it to choose a configuration."""
    return {}


@pytest.fixture
def sealock(request: pytest.FixtureRequest, sealock_options: dict[str, Any]) -> Iterator[Sealock]:
    """Start an emulator for one test. Its log appears with a test that fails."""
    options = dict(sealock_options)
    for marker in reversed(list(request.node.iter_markers("sealock"))):
        options |= marker.kwargs
    with Sealock(**options) as emulator:
        yield emulator
        request.node.add_report_section("teardown", "sealock log", emulator.log)


@pytest.fixture(scope="session")
def sealock_session(sealock_options: dict[str, Any]) -> Iterator[Sealock]:
    """Start an emulator that the tests of this process share. Each worker of pytest-xdist has one."""
    with Sealock(**sealock_options) as emulator:
        yield emulator


@pytest.fixture
def sealock_env(sealock: Sealock) -> Iterator[Sealock]:
    """Let Azure's SDKs in this process use the emulator of the test."""
    with sealock.apply_env():
        yield sealock

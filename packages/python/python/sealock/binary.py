"""The program `sealock`."""

from __future__ import annotations

import os
import shutil
import sysconfig
from pathlib import Path

from sealock.error import SealockError


def find_binary() -> Path:
    """Find the program: `SEALOCK_BINARY`, the one of this package, or one in `PATH`."""
    named = os.environ.get("SEALOCK_BINARY")
    if named:
        return Path(named)
    schemes = {sysconfig.get_default_scheme(), sysconfig.get_preferred_scheme("user")}
    for scheme in sorted(schemes, reverse=True):
        bundled = Path(sysconfig.get_path("scripts", scheme)) / "sealock"
        if bundled.is_file():
            return bundled
    found = shutil.which("sealock")
    if found is None:
        raise SealockError("the program sealock was not found; name it in SEALOCK_BINARY")
    return Path(found)

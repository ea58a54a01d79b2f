from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sealock import Sealock, SealockError


def test_reset_restores_the_state_after_the_start(sealock: Sealock) -> None:
    sealock.push()
    sealock.delete_key()
    sealock.purge_key()
    sealock.control("PUT", "/registries/second", {"sku": "Basic"})
    sealock.advance("400d")

    sealock.reset()
    assert sealock.revocation_cause() is None
    assert [registry["name"] for registry in sealock.status()["registries"]] == ["sealock"]
    assert sealock.pull().status == 404
    assert abs(sealock.clock - datetime.now(UTC)) < timedelta(minutes=5)

    sealock.push()
    sealock.revoke()
    sealock.restore()
    assert sealock.pull().is_served


def test_emulator_with_a_data_directory_is_not_reset(tmp_path: Path) -> None:
    with Sealock(data_dir=tmp_path / "data") as emulator:
        emulator.push()
        with pytest.raises(SealockError) as refused:
            emulator.reset()
        assert (refused.value.status, refused.value.code) == (409, "NotEphemeral")
        assert emulator.pull().is_served

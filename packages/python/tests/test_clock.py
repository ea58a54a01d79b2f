from datetime import UTC, datetime, timedelta

import pytest

from sealock import Sealock, SealockError


def test_clock_moves_and_stands_still(sealock: Sealock) -> None:
    sealock.freeze_clock()
    sealock.set_clock(datetime(2030, 1, 1, tzinfo=UTC))
    sealock.advance("1h 30m")
    sealock.advance(timedelta(days=1, milliseconds=-1))
    sealock.advance(timedelta(milliseconds=1))
    assert sealock.clock == datetime(2030, 1, 2, 1, 30, tzinfo=UTC)
    sealock.resume_clock()
    sealock.advance("-1h")
    assert sealock.clock < datetime(2030, 1, 2, 1, tzinfo=UTC)


def test_time_without_a_zone_is_refused(sealock: Sealock) -> None:
    with pytest.raises(ValueError, match="has no time zone"):
        sealock.set_clock(datetime(2030, 1, 1))  # noqa: DTZ001


def test_step_that_purges_needs_permission(sealock: Sealock) -> None:
    sealock.push()
    sealock.delete_key()
    with pytest.raises(SealockError) as refused:
        sealock.advance("91d")
    assert (refused.value.status, refused.value.code) == (409, "WouldPurge")
    assert {"action": "allow_purge"} in refused.value.hints
    assert sealock.pull().cause == "KeyDeleted"

    sealock.advance("91d", allow_purge=True)
    assert sealock.pull().cause == "KeyNotFound"

from datetime import timedelta
from typing import Any

import pytest

from sealock import Sealock, SealockError, Way

WAYS: list[tuple[Way, str]] = [
    ("disable_key", "KeyDisabled"),
    ("delete_key", "KeyDeleted"),
    ("revoke_access", "ForbiddenByPolicy"),
    ("remove_identity", "IdentityDetached"),
]


@pytest.mark.parametrize(("way", "cause"), WAYS)
def test_revoked_registry_refuses_pulls_until_it_is_restored(sealock: Sealock, way: Way, cause: str) -> None:
    digest = sealock.push("hello:v1", {"hello.txt": b"hello"})

    effect = sealock.revoke(way)
    assert [it["cause"] for it in effect["revoked"]] == [cause]
    refused = sealock.pull("hello:v1")
    assert (refused.status, refused.code, refused.cause) == (403, "DENIED", cause)
    assert not refused.blobs
    assert sealock.revocation_cause() == cause

    sealock.restore()
    served = sealock.pull("hello:v1")
    assert served.is_served
    assert served.digest == digest
    assert served.manifest is not None
    assert len(served.blobs) == 2
    assert sealock.revocation_cause() is None


def test_revoked_registry_refuses_pushes(sealock: Sealock) -> None:
    sealock.revoke()
    with pytest.raises(SealockError, match="Access to Key Encryption Key is forbidden") as refused:
        sealock.push("hello:v1")
    assert (refused.value.status, refused.value.code, refused.value.cause) == (403, "DENIED", "KeyDisabled")


def test_registry_that_lost_its_key_in_several_ways_is_restored(sealock: Sealock) -> None:
    sealock.push()
    for way in ("delete_key", "revoke_access", "remove_identity"):
        sealock.revoke(way)
    sealock.restore()
    assert sealock.pull().is_served


@pytest.mark.parametrize(
    ("cause", "method", "path", "body"),
    [
        ("KeyOperationForbidden", "PATCH", "/vaults/sealock/keys/registry-key", {"key_ops": ["encrypt"]}),
        ("VaultDeleted", "DELETE", "/vaults/sealock", None),
        ("ForbiddenByConnection", "PATCH", "/vaults/sealock", {"public_network_access": False, "bypass": "None"}),
        ("ForbiddenByFirewall", "PATCH", "/vaults/sealock", {"default_action": "Deny", "bypass": "None"}),
        ("ForbiddenByRbac", "PATCH", "/vaults/sealock", {"rbac": True}),
    ],
)
def test_registry_that_lost_its_key_in_another_way_is_restored(
    sealock: Sealock, cause: str, method: str, path: str, body: dict[str, Any] | None
) -> None:
    sealock.push()
    sealock.control(method, path, body)
    assert sealock.pull().cause == cause
    sealock.restore()
    assert sealock.pull().is_served


def test_purged_key_loses_the_content(sealock: Sealock) -> None:
    sealock.push()
    sealock.delete_key()
    sealock.purge_key()
    assert sealock.pull().cause == "KeyNotFound"
    with pytest.raises(SealockError) as lost:
        sealock.restore()
    assert [hint["action"] for hint in lost.value.hints] == ["restore_key"]
    assert sealock.pull().cause == "KeyNotFound"


def test_expired_key_serves_its_registry_and_no_new_one(sealock: Sealock) -> None:
    sealock.push()
    sealock.update_key(expires=sealock.clock + timedelta(hours=1))
    sealock.advance("2h")
    assert sealock.pull().is_served
    properties = {"key": "sealock/registry-key", "identity": "registry-identity"}
    with pytest.raises(SealockError) as refused:
        sealock.control("PUT", "/registries/second", properties)
    assert refused.value.cause == "KeyExpired"


def test_registry_without_a_key_cannot_be_revoked(sealock: Sealock) -> None:
    sealock.control("PUT", "/registries/plain", {"sku": "Basic"})
    with pytest.raises(ValueError, match="plain has no customer-managed key"):
        sealock.revoke(registry="plain")


@pytest.mark.sealock(settings={"cmk.propagation": "azure"})
def test_revocation_takes_an_hour_in_azure(sealock: Sealock) -> None:
    sealock.push()
    sealock.revoke()
    assert sealock.pull().is_served
    sealock.advance("1h")
    assert sealock.pull().cause == "KeyDisabled"
    sealock.restore()
    assert sealock.pull().is_served


@pytest.mark.sealock(settings={"cmk.propagation": "azure"})
def test_restored_key_prevents_a_revocation_to_come(sealock: Sealock) -> None:
    sealock.push()
    sealock.revoke()
    sealock.restore()
    sealock.advance("2h")
    assert sealock.pull().is_served

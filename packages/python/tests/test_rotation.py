from sealock import Sealock


def test_registry_follows_its_key(sealock: Sealock) -> None:
    sealock.push()
    before = sealock.show_registry()["encryption"]["versioned_key_identifier"]
    after = sealock.rotate()
    assert after != before
    assert sealock.show_registry()["encryption"]["versioned_key_identifier"] == after

    sealock.disable_key(version=before.rpartition("/")[2])
    assert sealock.pull().is_served


def test_registry_left_behind_by_a_rotation_follows_once_it_is_restored(sealock: Sealock) -> None:
    sealock.push()
    sealock.disable_key()
    after = sealock.rotate()
    assert sealock.pull().cause == "KeyDisabled"
    sealock.restore()
    assert sealock.pull().is_served
    assert sealock.show_registry()["encryption"]["versioned_key_identifier"] == after


def test_registry_without_the_permissions_to_follow_follows_once_it_is_restored(sealock: Sealock) -> None:
    sealock.push()
    sealock.revoke_access(permissions=["get", "wrapKey"])
    after = sealock.rotate()
    assert sealock.pull().is_served
    assert sealock.show_registry()["encryption"]["versioned_key_identifier"] != after
    sealock.restore()
    assert sealock.show_registry()["encryption"]["versioned_key_identifier"] == after


def test_rotation_policy_rotates_by_the_clock(sealock: Sealock) -> None:
    before = sealock.show_registry()["encryption"]["versioned_key_identifier"]
    rotate = {"trigger": {"timeAfterCreate": "P15D"}, "action": {"type": "Rotate"}}
    policy = {"lifetimeActions": [rotate], "attributes": {"expiryTime": "P60D"}}
    sealock.control("PUT", "/vaults/sealock/keys/registry-key/rotation-policy", policy)
    sealock.advance("16d")
    assert sealock.show_registry()["encryption"]["versioned_key_identifier"] != before

"""Tests of the container. They need Docker and the image `sealock:VERSION`."""

from collections.abc import Iterator

import pytest
from azure.identity import DefaultAzureCredential
from azure.keyvault.keys import KeyClient

from sealock import Emulator
from sealock.testcontainers import ConnectionType, SealockContainer


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with SealockContainer() as container:
        yield container.get_emulator()


def test_revoked_registry_refuses_pulls_until_it_is_restored(emulator: Emulator) -> None:
    emulator.push()
    emulator.revoke()
    assert emulator.pull().cause == "KeyDisabled"
    emulator.restore()
    assert emulator.pull().is_served


def test_urls_lead_to_the_mapped_port(emulator: Emulator) -> None:
    emulator.grant_access(app="developer", permissions=["get"])
    assert emulator.vault_url().endswith(f"{emulator.registry}/")
    with (
        emulator.apply_env(),
        DefaultAzureCredential() as credential,
        KeyClient(emulator.vault_url(), credential) as keys,
    ):
        assert keys.get_key("registry-key").id == emulator.show_registry()["encryption"]["versioned_key_identifier"]


def test_urls_for_the_network_have_the_port_of_the_container() -> None:
    with SealockContainer(connection_type=ConnectionType.NETWORK) as container:
        emulator = container.get_emulator()
        assert emulator.vault_url() == "https://sealock.vault.localhost:5000/"
        emulator.push()
        assert emulator.pull().is_served

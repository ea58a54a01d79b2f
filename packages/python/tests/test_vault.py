"""Tests of the vault with Microsoft's SDK."""

from collections.abc import Iterator

import pytest
from azure.core.exceptions import HttpResponseError
from azure.identity import DefaultAzureCredential, ManagedIdentityCredential
from azure.keyvault.keys import KeyClient

from sealock import Sealock


@pytest.fixture
def keys(sealock_env: Sealock) -> Iterator[KeyClient]:
    sealock_env.grant_access(app="developer", permissions=["get", "list", "create", "wrapKey", "unwrapKey"])
    with (
        DefaultAzureCredential() as credential,
        KeyClient(sealock_env.vault_url(), credential, retry_total=0) as client,
    ):
        yield client


def test_sdk_sees_the_key_that_the_registry_uses(sealock: Sealock, keys: KeyClient) -> None:
    key = keys.get_key("registry-key")
    assert key.id == sealock.show_registry()["encryption"]["versioned_key_identifier"]
    sealock.disable_key()
    assert keys.get_key("registry-key").properties.enabled is False


@pytest.mark.sealock(settings={"fidelity.keyvault_throttling": True})
def test_throttled_vault_serves_again_ten_seconds_later(sealock: Sealock, keys: KeyClient) -> None:
    sealock.freeze_clock()
    for number in range(20):
        keys.create_ec_key(f"key-{number}")
    with pytest.raises(HttpResponseError) as refused:
        keys.create_ec_key("key-20")
    assert refused.value.status_code == 429
    sealock.advance("10s")
    keys.create_ec_key("key-20")


@pytest.mark.usefixtures("sealock_env")
def test_managed_identity_gets_a_token() -> None:
    with ManagedIdentityCredential() as credential:
        assert credential.get_token("https://vault.azure.net/.default").token


def test_audit_log_names_the_operations_of_the_registry(sealock: Sealock) -> None:
    sealock.push()
    sealock.revoke("revoke_access")
    sealock.pull()
    refused = [event for event in sealock.audit() if event["properties"]["httpStatusCode"] == 403]
    assert {event["operationName"] for event in refused} == {"KeyUnwrap"}

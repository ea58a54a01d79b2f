import os
import socket
import ssl
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from sealock import Emulator, Sealock, SealockError


def test_package_and_program_have_the_same_version(sealock: Sealock) -> None:
    assert sealock.control("GET", "/health")["version"] == version("sealock")


def test_emulators_share_nothing(sealock: Sealock, sealock_session: Sealock) -> None:
    assert sealock.url != sealock_session.url
    for emulator in (sealock, sealock_session):
        emulator.push()
    sealock.revoke()
    assert sealock.pull().status == 403
    assert sealock_session.pull().is_served


def test_emulator_is_gone_after_its_context() -> None:
    with Sealock() as emulator:
        ca = Path(emulator.env()["NODE_EXTRA_CA_CERTS"])
        assert ca.exists()
    assert not ca.exists()
    with pytest.raises(SealockError, match="no emulator answers") as gone:
        emulator.status()
    assert gone.value.status is None


def test_emulator_ends_with_the_program_that_forgot_it() -> None:
    program = "import sealock; print(sealock.Sealock().url)"
    url = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    with pytest.raises(SealockError, match="no emulator answers"):
        Emulator(url.strip()).status()


def test_data_directory_outlives_the_emulator(tmp_path: Path) -> None:
    with Sealock(data_dir=tmp_path / "data") as emulator:
        digest = emulator.push()
    with Sealock(data_dir=tmp_path / "data") as emulator:
        assert emulator.pull().digest == digest


def test_configuration_names_other_things(tmp_path: Path) -> None:
    config = tmp_path / "sealock.toml"
    config.write_text("""
        [[identities]]
        name = "reader"
        [[vaults]]
        name = "kv1"
        [[vaults.keys]]
        name = "mykey"
        [[vaults.access]]
        identity = "reader"
        permissions = ["get", "wrapKey", "unwrapKey"]
        [[registries]]
        name = "other"
        sku = "Premium"
        key = "kv1/mykey"
        identity = "reader"
    """)
    with Sealock(config=config) as emulator:
        emulator.push("hello:v1", registry="other")
        emulator.revoke("revoke_access", registry="other")
        assert emulator.pull("hello:v1", registry="other").cause == "ForbiddenByPolicy"
        emulator.restore("other")
        assert emulator.pull("hello:v1", registry="other").is_served


def test_mistake_in_a_setting_is_reported() -> None:
    with pytest.raises(SealockError, match="unknown field `propagtion`"):
        Sealock(settings={"cmk.propagtion": "azure"})


def test_missing_program_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEALOCK_BINARY", "/nonexistent/sealock")
    with pytest.raises(SealockError, match="/nonexistent/sealock"):
        Sealock()


@pytest.mark.sealock(settings={"server.auth": "enforced"})
def test_enforced_emulator_asks_for_a_login(sealock: Sealock) -> None:
    assert sealock.status()["registries"]
    assert sealock.pull().status == 401
    digest = sealock.push(registry="sealock")
    assert sealock.pull(registry="sealock").digest == digest
    assert sealock.env()["IDENTITY_HEADER"] == sealock.identity_header != "any"
    with pytest.raises(SealockError) as refused:
        Emulator(sealock.url).status()
    assert (refused.value.status, refused.value.code) == (401, "Unauthorized")


def test_refusal_has_the_fields_of_the_problem(sealock: Sealock) -> None:
    with pytest.raises(SealockError) as refused:
        sealock.disable_key("missing")
    error = refused.value
    assert (error.status, error.code) == (404, "KeyNotFound")
    assert "missing" in error.detail
    assert error.hints == [{"action": "list_keys", "vault": "sealock"}]
    assert "hint: list_keys vault=sealock" in str(error)


def test_running_emulator_can_be_used_by_its_url(sealock: Sealock) -> None:
    other = Emulator(sealock.url)
    assert other.push() == sealock.pull().digest
    assert other.registry == sealock.registry


def test_environment_leads_clients_to_the_emulator(sealock: Sealock) -> None:
    before = dict(os.environ)
    with sealock.apply_env():
        assert os.environ["SEALOCK_EMULATOR"] == sealock.url
        assert os.environ["SEALOCK_VAULT_URL"] == sealock.vault_url()
        assert os.environ["IDENTITY_ENDPOINT"] == sealock.identity_endpoint
        assert f"https://{os.environ['SEALOCK_LOGIN_SERVER']}" == sealock.registry_url()
        host, _, port = os.environ["SEALOCK_LOGIN_SERVER"].partition(":")
        trust = ssl.create_default_context(cadata=sealock.ca_pem)
        with socket.create_connection((host, int(port))) as plain, trust.wrap_socket(plain, server_hostname=host):
            pass
    assert dict(os.environ) == before


def test_image_may_be_named_as_docker_names_it(sealock: Sealock) -> None:
    digest = sealock.push(f"{sealock.registry}/group/hello:v1")
    assert sealock.pull(f"group/hello@{digest}").digest == digest


def test_environment_needs_no_token_of_an_emulator_in_the_folder(
    sealock: Sealock, sealock_session: Sealock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".sealock/tls").mkdir(parents=True)
    (tmp_path / ".sealock/tls/ca.pem").write_text(sealock_session.ca_pem)
    (tmp_path / ".sealock/control.token").write_text("0" * 64)
    monkeypatch.chdir(tmp_path)
    assert sealock.env()["SEALOCK_EMULATOR"] == sealock.url


@pytest.mark.parametrize("image", ["", ":v1", "localhost:1/hello:v1"])
def test_image_of_another_host_or_without_a_name_is_refused(sealock: Sealock, image: str) -> None:
    with pytest.raises(ValueError, match="is not REPOSITORY"):
        sealock.push(image)

"""A running emulator, and the verbs that change it."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, TypedDict
from urllib.parse import urlsplit

from sealock.binary import find_binary
from sealock.connection import Address
from sealock.control import Control, path
from sealock.error import SealockError
from sealock.image import Reference, build_image
from sealock.names import resolve_localhost
from sealock.registry import Pull, Registry

Way = Literal["disable_key", "delete_key", "revoke_access", "remove_identity"]
"""A way to take its key away from a registry."""

# The names of the quickstart, which the command line has as defaults, too.
_REGISTRY: Final = "sealock"
_VAULT: Final = "sealock"
_KEY: Final = "registry-key"
_IDENTITY: Final = "registry-identity"
_PERMISSIONS: Final = ("get", "wrapKey", "unwrapKey")

_MAX_RESTORING_STEPS: Final = 8


class Effect(TypedDict):
    """The registries that a change affected, as the control API reports them."""

    revoked: list[dict[str, Any]]
    restored: list[str]
    behind: list[dict[str, Any]]
    is_complete: bool


class _RegistryKey(NamedTuple):
    """The key that wraps a registry's data key, and the identity that uses it."""

    vault: str
    name: str
    version: str
    identity: str


class Emulator:
    """A running emulator.

    `url` is its URL, such as `http://localhost:5000`. `address` is the host and port at which it accepts connections,
    if those of the URL do not lead there. `token_file` holds the control API's token, if it demands one. `directory` is
    for the certificate files of `env()`; without it they are in the user's cache.
    """

    def __init__(
        self,
        url: str = "http://localhost:5000",
        *,
        address: str | None = None,
        token_file: Path | None = None,
        directory: Path | None = None,
    ) -> None:
        self.url: Final = url.rstrip("/")
        self.registry: Final = urlsplit(self.url).netloc
        """The host and port of the default registry for Docker, such as `localhost:5000`."""
        self._address = Address(address or self.registry)
        self._token_file = token_file
        self._directory = directory
        token = token_file.read_text().strip() if token_file else None
        self._control = Control(self._address, self.registry, token)

    # Names and logins

    def registry_url(self, name: str = _REGISTRY) -> str:
        """Return the URL of a registry, as its clients in Azure name it."""
        return f"https://{self.show_registry(name)['login_server']}"

    def vault_url(self, name: str = _VAULT) -> str:
        """Return the URL of a vault."""
        return str(self.control("GET", path("vaults", name))["vault_uri"])

    @property
    def ca_pem(self) -> str:
        """The certificate of the emulator's CA."""
        return self._control.read("/ca.pem")

    @property
    def identity_endpoint(self) -> str:
        """The URL of the managed identity endpoint, as in App Service."""
        return f"{self.url}/msi/token"

    @property
    def identity_header(self) -> str:
        """The secret of the managed identity endpoint."""
        return str(self.control("GET", "/identity-header")["identity_header"])

    def env(self) -> dict[str, str]:
        """Return the variables with which clients of Azure trust the emulator, find it and log in.

        They are those of `sealock env`. The certificate files that they name exist until the emulator stops.
        """
        environment = dict(os.environ)
        # Those of another emulator would not fit.
        environment.pop("SEALOCK_CONTROL_TOKEN_FILE", None)
        if self._token_file:
            environment["SEALOCK_CONTROL_TOKEN_FILE"] = str(self._token_file)
        if self._directory:
            environment["XDG_CACHE_HOME"] = str(self._directory)
        run = subprocess.run(  # noqa: S603
            [find_binary(), "env", "--format", "json", "--emulator", self.url],
            env=environment,
            # A folder may hold the token of another emulator.
            cwd=self._directory or Path.home(),
            capture_output=True,
            text=True,
            check=False,
        )
        if run.returncode != 0:
            raise SealockError(run.stderr.strip())
        return dict(json.loads(run.stdout))

    @contextmanager
    def apply_env(self) -> Iterator[None]:
        """Set the variables of `env()` in this process for a while, and let names below localhost resolve."""
        variables = self.env()
        before = {name: os.environ.get(name) for name in variables}
        os.environ.update(variables)
        try:
            with resolve_localhost(self._address.host):
                yield
        finally:
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value

    # Content

    def push(
        self,
        image: str = "hello:v1",
        files: Mapping[str, bytes] | None = None,
        *,
        registry: str | None = None,
    ) -> str:
        """Push an image with these files, and return the digest of its manifest.

        The image is `REPOSITORY:TAG`, with or without the emulator's host as Docker names it. Without `registry` it
        goes to the default registry at localhost, which asks for no login while the friendly door is open. Otherwise
        the emulator's developer logs in at the named registry.
        """
        built = build_image(files or {"hello.txt": b"hello\n"})
        self._registry(registry).push(self._reference(image), built)
        return built.digest

    def pull(self, image: str = "hello:v1", *, registry: str | None = None) -> Pull:
        """Pull an image with its content. A refusal is a result, not an error.

        An index is pulled without its images.
        """
        return self._registry(registry).pull(self._reference(image))

    def _reference(self, image: str) -> Reference:
        return Reference.parse(image.removeprefix(f"{self.registry}/"))

    def _registry(self, name: str | None) -> Registry:
        if name is None:
            return Registry(self._address, self.registry)
        login_server = str(self.show_registry(name)["login_server"])
        return Registry(self._address, login_server, self._developer())

    def _developer(self) -> str:
        login = self.control("GET", "/environment")
        if login["client_secret"] is None:
            raise SealockError("the emulator cannot show the developer's secret: it was renewed")
        pair = f"{login['client_id']}:{login['client_secret']}"
        return f"Basic {base64.b64encode(pair.encode()).decode()}"

    # Drills

    def revoke(self, way: Way = "disable_key", *, registry: str = _REGISTRY) -> Effect:
        """Take its key away from a registry."""
        key = self._key_of(registry)
        match way:
            case "disable_key":
                return self.disable_key(key.name, vault=key.vault, version=key.version)
            case "delete_key":
                return self.delete_key(key.name, vault=key.vault)
            case "revoke_access":
                return self.revoke_access(key.identity, vault=key.vault)
            case "remove_identity":
                return self.remove_identity(key.identity, registry=registry)
        raise ValueError(f"'{way}' is not a way to revoke a registry")

    def restore(self, registry: str = _REGISTRY) -> None:
        """Give a registry its key back, in the way that the emulator suggests.

        It also lets the registry follow its key again, and prevents a revocation to come. What needs a decision or a
        backup, as after a purge, is an error with the emulator's hint.
        """
        for _ in range(_MAX_RESTORING_STEPS):
            shown = self.show_registry(registry)
            if not _needs_restoring(shown):
                return
            self._follow(_suggestion(shown), registry)
        raise SealockError(f"registry {registry} is still revoked, although its key is back")

    def _follow(self, hint: dict[str, Any] | None, registry: str) -> None:
        match hint:
            case {"action": "enable_key", "vault": vault, "key": key, "version": version}:
                self.enable_key(key, vault=vault, version=version)
            case {"action": "recover_key", "vault": vault, "key": key}:
                self.recover_key(key, vault=vault)
            case {
                "action": "grant_access",
                "vault": vault,
                "principal": {"identity": identity},
                "permissions": permissions,
            }:
                self.grant_access(identity, permissions, vault=vault)
            case {"action": "assign_identity", "identity": identity}:
                self.assign_identity(identity, registry=registry)
            case {"action": "permit_operations", "vault": vault, "key": key, "version": version, "operations": names}:
                self.update_key(key, vault=vault, version=version, key_ops=names)
            case {"action": "recover_vault", "vault": vault}:
                self.control("POST", path("deleted-vaults", vault, "recover"))
            case {"action": "allow_azure_services", "vault": vault}:
                self.control("PATCH", path("vaults", vault), {"bypass": "AzureServices"})
            case {"action": "assign_role", "principal": {"identity": identity}, "role": role, "vault": vault}:
                body = {"role": role, "vault": vault}
                self.control("POST", path("role-assignments", identity, "assign"), body)
            case None:
                raise SealockError(f"nothing restores registry {registry}")
            case _:
                raise SealockError(f"registry {registry} needs another step", hints=[hint])

    def disable_key(self, key: str = _KEY, *, vault: str = _VAULT, version: str | None = None) -> Effect:
        """Disable a version of a key, by default the current one."""
        return self.update_key(key, vault=vault, version=version, enabled=False)

    def enable_key(self, key: str = _KEY, *, vault: str = _VAULT, version: str | None = None) -> Effect:
        """Enable a version of a key, by default the current one."""
        return self.update_key(key, vault=vault, version=version, enabled=True)

    def update_key(
        self,
        key: str = _KEY,
        *,
        vault: str = _VAULT,
        version: str | None = None,
        enabled: bool | None = None,
        expires: datetime | None = None,
        not_before: datetime | None = None,
        key_ops: Iterable[str] | None = None,
    ) -> Effect:
        """Change a version of a key, by default the current one. None keeps a value."""
        change = {
            "enabled": enabled,
            "expires": _write_time(expires),
            "not_before": _write_time(not_before),
            "key_ops": None if key_ops is None else list(key_ops),
        }
        versions = [version] if version else []
        return self._change("PATCH", path("vaults", vault, "keys", key, *versions), change)

    def delete_key(self, key: str = _KEY, *, vault: str = _VAULT) -> Effect:
        """Delete a key, which can be recovered until its purge."""
        return self._change("DELETE", path("vaults", vault, "keys", key))

    def recover_key(self, key: str = _KEY, *, vault: str = _VAULT) -> Effect:
        """Recover a deleted key."""
        return self._change("POST", path("vaults", vault, "deleted-keys", key, "recover"))

    def purge_key(self, key: str = _KEY, *, vault: str = _VAULT) -> Effect:
        """Purge a deleted key. Without a backup of the key, what it encrypts is lost."""
        return self._change("DELETE", path("vaults", vault, "deleted-keys", key))

    def revoke_access(
        self,
        identity: str = _IDENTITY,
        permissions: Iterable[str] = _PERMISSIONS,
        *,
        app: str | None = None,
        vault: str = _VAULT,
    ) -> Effect:
        """Revoke permissions of an identity, or of an application, in a vault's access policies."""
        return self._change_access("revoke", identity, app, permissions, vault)

    def grant_access(
        self,
        identity: str = _IDENTITY,
        permissions: Iterable[str] = _PERMISSIONS,
        *,
        app: str | None = None,
        vault: str = _VAULT,
    ) -> Effect:
        """Grant an identity, or an application, permissions in a vault's access policies."""
        return self._change_access("grant", identity, app, permissions, vault)

    def _change_access(
        self, verb: str, identity: str, app: str | None, permissions: Iterable[str], vault: str
    ) -> Effect:
        principal = self.control("GET", path("applications", app))["principal_id"] if app else identity
        body = {"permissions": list(permissions)}
        return self._change("POST", path("vaults", vault, "access", principal, verb), body)

    def remove_identity(self, identity: str = _IDENTITY, *, registry: str = _REGISTRY) -> Effect:
        """Remove an identity from a registry, even if it uses the registry's key."""
        return self._change("DELETE", path("registries", registry, "identities", identity))

    def assign_identity(self, identity: str = _IDENTITY, *, registry: str = _REGISTRY) -> Effect:
        """Assign an identity to a registry."""
        return self._change("PUT", path("registries", registry, "identities", identity))

    def rotate(self, key: str = _KEY, *, vault: str = _VAULT) -> str:
        """Create a new version of a key, and return its URL.

        The registries that follow the key have moved to it, except those that could not.
        """
        return str(self.control("POST", path("vaults", vault, "keys", key, "rotate"))["kid"])

    # The clock

    @property
    def clock(self) -> datetime:
        """The emulator's time."""
        return datetime.fromisoformat(self.control("GET", "/clock")["now"])

    def advance(self, by: str | timedelta, *, allow_purge: bool = False) -> Effect:
        """Move the clock by a duration such as `1h`, `90d` or `-1h`.

        What falls due takes place: rotations, the end of Azure's delay, and purges if you allow them.
        """
        duration = f"{by.total_seconds():f}s" if isinstance(by, timedelta) else by
        body = {"by": duration, "allow_purge": allow_purge}
        return self._change("POST", "/clock/advance", body)

    def set_clock(self, now: datetime, *, allow_purge: bool = False) -> Effect:
        """Set the clock."""
        body = {"now": _write_time(now), "allow_purge": allow_purge}
        return self._change("PUT", "/clock", body)

    def freeze_clock(self) -> None:
        """Stop the clock."""
        self.control("POST", "/clock/freeze")

    def resume_clock(self) -> None:
        """Let the clock run again."""
        self.control("POST", "/clock/resume")

    # State

    def status(self) -> dict[str, Any]:
        """Return the state of store and registries, as `sealock status --json` shows it."""
        return dict(self.control("GET", "/status"))

    def show_registry(self, name: str = _REGISTRY) -> dict[str, Any]:
        """Return a registry, as `sealock registry show --json` shows it."""
        return dict(self.control("GET", path("registries", name)))

    def revocation_cause(self, registry: str = _REGISTRY) -> str | None:
        """Return the cause for which a registry is revoked, or None while it is available."""
        gate = self.show_registry(registry)["gate"]
        return str(gate["cause"]) if gate["state"] == "revoked" else None

    def audit(self) -> list[dict[str, Any]]:
        """Return the events of the vaults' audit log: who used which key, and with what result."""
        return [json.loads(line) for line in self._control.read("/audit").splitlines()]

    def reset(self) -> None:
        """Bring the emulator back to the state after its first start."""
        self.control("POST", "/reset")

    def set_public_name(self, name: str) -> None:
        """Change the host and port in the URLs that the emulator shows."""
        self.control("PUT", "/public-name", {"public_name": name})

    def control(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:  # noqa: ANN401
        """Send any request of the control API, such as `GET` of `/vaults`, and return its JSON."""
        return self._control.ask(method, path, body)

    def _change(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Effect:
        effect: Effect = self.control(method, path, body)["effect"]
        return effect

    def _key_of(self, registry: str) -> _RegistryKey:
        encryption = self.show_registry(registry)["encryption"]
        if encryption["status"] != "enabled":
            raise ValueError(f"registry {registry} has no customer-managed key")
        url = urlsplit(encryption["versioned_key_identifier"])
        _, _, name, version = url.path.split("/")
        vault = str(url.hostname).split(".")[0]
        return _RegistryKey(vault, name, version, encryption["identity"]["name"])


def _needs_restoring(registry: dict[str, Any]) -> bool:
    gate = registry["gate"]
    is_available = gate["state"] == "available" and not gate.get("pending_revocation")
    return not is_available or bool(registry["encryption"].get("behind"))


def _suggestion(registry: dict[str, Any]) -> dict[str, Any] | None:
    """Return the hint that restores a registry, or lets it follow its key again."""
    gate = registry["gate"]
    pending = gate.get("pending_revocation") or {}
    behind = registry["encryption"].get("behind") or {}
    return gate.get("restore") or pending.get("restore") or behind.get("remedy")


def _write_time(time: datetime | None) -> str | None:
    if time is None:
        return None
    if time.tzinfo is None:
        raise ValueError(f"{time} has no time zone")
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")

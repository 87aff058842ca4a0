"""Credentials in OpenBao or HashiCorp Vault: in a KV engine of version 2, whose writes name the version they expect.

What is removed leaves an empty version behind, all others being destroyed: to remove its path as a whole knows no
condition, and could take away what somebody else has written meanwhile.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable, Generator
from typing import Final

from sentient_cli.config.secret import Secret
from sentient_cli.credentials.names import Address, is_name
from sentient_cli.credentials.ports import Held
from sentient_cli.credentials.stores.bounded import Turn
from sentient_cli.credentials.stores.managed import ManagedStore
from sentient_cli.credentials.stores.texts import conflict
from sentient_cli.credentials.stores.vault_wire import KeyValue, State
from sentient_cli.credentials.stores.web import Service
from sentient_cli.errors import CredentialStoreError

__all__ = ["VaultStore"]

_FIX: Final = "Check the address and the network, and that the service runs and is unsealed"


class VaultStore(ManagedStore[KeyValue]):
    """Keeps items in OpenBao or HashiCorp Vault.

    Args:
        service: Where it is.
        token: Gives the token; asked each time that the service is.
        mount: Where the KV engine is mounted.
        prefix: The folder in it.
        namespace: The namespace; empty: none.
        patience: Seconds until one look or change has to have come to an end.
    """

    def __init__(
        self,
        service: Service,
        token: Callable[[], Secret],
        *,
        mount: str = "secret",
        prefix: str = "sentient",
        namespace: str = "",
        patience: float = 60.0,
    ) -> None:
        super().__init__(service.name, _FIX, patience)
        self._service = service
        self._token = token
        self._mount = mount.strip("/")
        self._prefix = prefix.strip("/")
        self._namespace = namespace
        self._is_known = False

    @property
    def store_id(self) -> str:
        """``vault``."""
        return "vault"

    def describe(self) -> str:
        """Where it is."""
        return f"{self._service.name} at {self._service.address or 'no address'}, {self._mount}/{self._prefix}"

    def __repr__(self) -> str:
        return f"VaultStore({self._service.address!r})"

    def get(self, address: Address) -> Held | None:
        """What is held, or None when there is nothing.

        Raises:
            CredentialStoreError: it cannot be reached, is sealed, or does not take the token.
        """
        state = self._asked(lambda engine, _turn: engine.read(self._path(address)))
        return Held(state.text, state.revision) if state.text is not None else None

    def check(self) -> None:
        """Ask it what the engine is, and what is in the folder."""

        def work(engine: KeyValue, _turn: Turn) -> None:
            engine.require_versions()
            engine.names(self._prefix)

        self._asked(work)

    @contextlib.contextmanager
    def _opened(self) -> Generator[KeyValue]:
        with self._service.opened() as session:
            yield KeyValue(session, self._token(), self._mount, self._namespace)

    def _written(
        self, wire: KeyValue, turn: Turn, address: Address, text: str, expected: str
    ) -> tuple[str, Secret | None]:
        self._require_versions(wire)
        after = self._changed(wire, turn, address, text, expected)
        return after.revision, after.text

    def _removed(self, wire: KeyValue, turn: Turn, address: Address, expected: str) -> None:
        if not expected and wire.read(self._path(address)).text is None:
            return
        after = self._changed(wire, turn, address, None, expected)
        wire.destroy(self._path(address), after.version)

    def _path(self, address: Address) -> str:
        return f"{self._prefix}/{address}" if self._prefix else str(address)

    def _require_versions(self, engine: KeyValue) -> None:
        if not self._is_known:
            engine.require_versions()
            self._is_known = True

    def _changed(self, engine: KeyValue, turn: Turn, address: Address, text: str | None, expected: str) -> State:
        """The version that was made. One that was made although its answer got lost is known by its change."""
        path, change = self._path(address), secrets.token_hex(8)
        before = engine.read(path)
        if before.revision != expected:
            raise conflict(address)
        turn.go_on()
        version = engine.write(path, text, change, before.version)
        if version is not None:
            return engine.read(path, version)
        after = engine.read(path)
        if after.change == change:
            return after
        if after.version != before.version:
            raise conflict(address)
        raise CredentialStoreError(
            f"The service does not take {address}",
            why="It is too large, or a rule of the service forbids it",
            fix="Look into the log of the service",
        )

    def _addresses(self, wire: KeyValue) -> list[Address]:
        found: list[Address] = []
        for folder in wire.names(self._prefix):
            profile = folder.removesuffix("/")
            if folder.endswith("/") and is_name(profile):
                names = wire.names(f"{self._prefix}/{profile}" if self._prefix else profile)
                found += [Address(profile, name) for name in names if is_name(name)]
        return [address for address in found if wire.holds(self._path(address))]

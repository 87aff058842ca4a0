"""Credentials in AWS Secrets Manager.

A change makes a version that nobody reads, then moves the label of the current one to it, which the service does only
if that label is where it is expected. What is removed is first made to say so in the same way; then the secret is
deleted by its ARN, which one that is made anew under the same name does not have.
"""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Callable, Generator
from typing import Final

from sentient_cli.config.secret import Secret
from sentient_cli.credentials.names import Address, is_name
from sentient_cli.credentials.ports import Held
from sentient_cli.credentials.stores.aws_wire import Client, SecretsManager, State
from sentient_cli.credentials.stores.bounded import Turn
from sentient_cli.credentials.stores.managed import ManagedStore
from sentient_cli.credentials.stores.texts import conflict
from sentient_cli.errors import CredentialStoreError

__all__ = ["AwsStore"]

_LARGEST: Final = 65_536
_PARTS: Final = 2
_ATTEMPTS: Final = 6
_WAIT: Final = 2.0
_FIX: Final = "Check the network and the region, then try again"


class AwsStore(ManagedStore[SecretsManager]):
    """Keeps items of at most 64 KiB in AWS Secrets Manager.

    Args:
        connect: Makes a client, and says where it goes.
        prefix: What the names of the secrets begin with.
        kms_key: What new secrets are encrypted with; empty: the key of the service.
        patience: Seconds until one look or change has to have come to an end.
        pause: Waits until a secret that is being deleted is gone.
    """

    def __init__(
        self,
        connect: Callable[[], tuple[Client, str]],
        *,
        prefix: str = "sentient",
        kms_key: str = "",
        patience: float = 60.0,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        super().__init__("AWS Secrets Manager", _FIX, patience, _LARGEST)
        self._connect = connect
        self._prefix = prefix.strip("/")
        self._kms_key = kms_key
        self._pause = pause
        self._connected: tuple[Client, str] | None = None

    @property
    def store_id(self) -> str:
        """``aws``."""
        return "aws"

    def describe(self) -> str:
        """Where it is, once it was used."""
        where = f" at {self._connected[1]}" if self._connected is not None else ""
        return f"AWS Secrets Manager{where}, {self._prefix}/"

    def __repr__(self) -> str:
        return f"AwsStore({self._prefix!r})"

    def get(self, address: Address) -> Held | None:
        """What is held, or None when there is nothing.

        Raises:
            CredentialStoreError: it cannot be reached, or whoever signs in may not read it.
        """
        state = self._asked(lambda service, _turn: service.read(self._name(address)))
        return Held(state.text, state.revision) if state.text is not None else None

    def check(self) -> None:
        """Ask for the names of what is there."""
        self._asked(lambda service, _turn: next(service.names(f"{self._prefix}/"), ""))

    def close(self) -> None:
        """Give the connections back. May be called twice."""
        if self._connected is not None:
            self._connected[0].close()
            self._connected = None

    @contextlib.contextmanager
    def _opened(self) -> Generator[SecretsManager]:
        if self._connected is None:
            self._connected = self._connect()
        yield SecretsManager(*self._connected)

    def _written(
        self, wire: SecretsManager, turn: Turn, address: Address, text: str, expected: str
    ) -> tuple[str, Secret | None]:
        before = self._expected(wire, address, expected)
        make = self._created if before.text is None else self._changed
        change = make(wire, turn, address, text, before)
        # What is current by now may be somebody else's, and the secret may be another.
        return change, wire.read(self._name(address), change).text

    def _removed(self, wire: SecretsManager, turn: Turn, address: Address, expected: str) -> None:
        before = self._expected(wire, address, expected)
        if before.text is not None:
            self._changed(wire, turn, address, None, before)
        if before.arn:
            wire.remove(before.arn)

    def _expected(self, wire: SecretsManager, address: Address, expected: str) -> State:
        before = wire.read(self._name(address))
        if before.revision != expected:
            raise conflict(address)
        return before

    def _name(self, address: Address) -> str:
        return f"{self._prefix}/{address}"

    def _created(self, service: SecretsManager, turn: Turn, address: Address, text: str, before: State) -> str:
        name, change = self._name(address), str(uuid.uuid4())
        for _ in range(_ATTEMPTS):
            turn.go_on()
            if before.arn:  # somebody was ended between saying that it is gone and deleting it
                service.remove(before.arn)
            code = service.create(name, text, change, self._kms_key)
            if not code:
                return change
            before = service.read(name)
            if before.version == change:
                return change
            if before.text is not None:
                raise conflict(address)
            self._pause(_WAIT)
        raise CredentialStoreError(
            f"The secret {name} is still being deleted",
            why="Until it is gone, the service takes none of the same name",
            fix="Try again in a while; if somebody deleted it with a recovery window, have it restored or deleted",
        )

    def _changed(self, service: SecretsManager, turn: Turn, address: Address, text: str | None, before: State) -> str:
        """The version that was made. One that was made although its answer got lost is known by its name."""
        change = str(uuid.uuid4())
        service.add(before.arn, text, change)
        turn.go_on()
        try:
            if not service.make_current(before.arn, change, before.version):
                after = service.read(self._name(address))
                if after.version == before.version:
                    raise CredentialStoreError(f"The service does not take {address}", fix="Look into its log")
                if after.version != change:
                    raise conflict(address)
        finally:
            with contextlib.suppress(CredentialStoreError):  # only a label is left, and whether it counts is decided
                service.forget(before.arn, change)
        return change

    def _addresses(self, wire: SecretsManager) -> list[Address]:
        prefix = f"{self._prefix}/"
        found: set[Address] = set()
        for name in wire.names(prefix):
            parts = name.removeprefix(prefix).split("/")
            if len(parts) == _PARTS and all(is_name(part) for part in parts):
                found.add(Address(*parts))
        return list(found)

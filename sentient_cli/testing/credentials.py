"""Credentials for tests: a store in memory, and a manager with a folder of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from sentient_cli.audit import AuditLog, AuditPlaces
from sentient_cli.clock import Clock, Ids
from sentient_cli.config.secret import Secret
from sentient_cli.credentials.catalogue import Catalogue
from sentient_cli.credentials.look_up import Variables
from sentient_cli.credentials.manager import CredentialManager, Policy
from sentient_cli.credentials.names import Address
from sentient_cli.credentials.ports import ABSENT, CredentialStore, Held, Strength
from sentient_cli.errors import CredentialConflictError, CredentialStoreError

__all__ = ["MemoryCredentialStore", "credentials_in"]


class MemoryCredentialStore:
    """A credential store in memory.

    Args:
        store_id: What it is called.
        strength: How well it says it keeps what it holds.
        writable: Whether credentials can be put there.

    Example:
        >>> store = MemoryCredentialStore()
        >>> address = Address("default", "openai")
        >>> revision = store.put(address, Secret("sk-1"), expected="")
        >>> store.get(address) == Held(Secret("sk-1"), revision), store.addresses()
        (True, (Address(profile='default', name='openai'),))
    """

    down: CredentialStoreError | None = None
    """What every method raises; None: it works."""

    def __init__(self, store_id: str = "memory", *, strength: Strength = "system", writable: bool = True) -> None:
        self._id = store_id
        self._strength: Strength = strength
        self._writable = writable
        self._held: dict[Address, Held] = {}
        self._writes = 0
        self._lock = threading.Lock()

    @property
    def store_id(self) -> str:
        """What it is called."""
        return self._id

    @property
    def strength(self) -> Strength:
        """How well it says it keeps what it holds."""
        return self._strength

    @property
    def writable(self) -> bool:
        """Whether credentials can be put there."""
        return self._writable

    def describe(self) -> str:
        """Where it is."""
        return "the memory of this process"

    def get(self, address: Address) -> Held | None:
        """What is held, or None when there is nothing."""
        self.check()
        return self._held.get(address)

    def put(self, address: Address, text: Secret, *, expected: str) -> str:
        """Hold a text, and return its revision."""
        with self._lock:
            self._expect(address, expected)
            self._writes += 1
            self._held[address] = Held(text, str(self._writes))
            return str(self._writes)

    def delete(self, address: Address, *, expected: str) -> None:
        """Hold nothing any more."""
        with self._lock:
            self._expect(address, expected)
            self._held.pop(address, None)

    def addresses(self) -> Sequence[Address]:
        """All that it holds, sorted."""
        self.check()
        return tuple(sorted(self._held))

    def check(self) -> None:
        """Raise `down`, if there is something."""
        if self.down is not None:
            raise self.down

    def close(self) -> None:
        """Nothing to give back."""

    def _expect(self, address: Address, expected: str) -> None:
        self.check()
        held = self._held.get(address)
        if (held.revision if held is not None else ABSENT) != expected:
            raise CredentialConflictError(f"The credential {address} was changed by somebody else")


def _no_variables(_name: str) -> Variables:
    return Variables()


def credentials_in(
    folder: Path | str,
    *stores: CredentialStore,
    profile: str = "default",
    policy: Policy | None = None,
    variables: Callable[[str], Variables] = _no_variables,
    clock: Clock | None = None,
    ids: Ids | None = None,
    tell: Callable[[str], None] = lambda _text: None,
) -> CredentialManager:
    """A manager that keeps its catalogue and its audit log in a folder, and finds nothing of this user.

    Args:
        folder: Where.
        stores: Where credentials are kept.
        profile: The profile that is meant where none is named.
        policy: How they are looked for and kept.
        variables: The variables that may hold the credential of a name.
        clock: What the time is.
        ids: Where ids of versions come from.
        tell: Is told what people should know.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     manager = credentials_in(folder, MemoryCredentialStore())
        ...     manager.store("openai", Secret("sk-1")).store, len(manager.list())
        ('memory', 1)
    """
    home = Path(folder, "audit")
    audit = AuditLog(AuditPlaces(home / "audit.jsonl", home / "audit.checkpoint", home / "audit.key"))
    return CredentialManager(
        stores,
        profile=profile,
        policy=policy,
        variables=variables,
        catalogue=Catalogue(Path(folder, "credentials.json")),
        audit=audit,
        clock=clock,
        ids=ids,
        tell=tell,
    )

"""Credentials in the keyring of the operating system.

A keyring knows neither lists nor conditions. So one entry of ours lists the addresses, where an address stands before
its entry is made and until that is gone; and whoever changes something holds the lock of a file, and reads first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, Literal

import msgspec

from sentient_cli.config.secret import Secret
from sentient_cli.credentials.names import Address
from sentient_cli.credentials.ports import ABSENT, Held
from sentient_cli.credentials.stores.bounded import Bounded, Turn
from sentient_cli.credentials.stores.keyring_choice import INSTEAD, Chosen, choose
from sentient_cli.credentials.stores.keyring_entries import Entries
from sentient_cli.credentials.stores.locks import locked
from sentient_cli.credentials.stores.texts import checked, conflict, revision_of
from sentient_cli.errors import CredentialStoreError

__all__ = ["KeyringStore"]

_INDEX: Final = "index"


class _Index(msgspec.Struct, frozen=True, tag_field="format", tag="sentient.index"):
    """Which addresses are held; False: this was about to change, and the entry itself has to be looked at."""

    held: dict[str, bool] = {}


class KeyringStore:
    """Keeps items in the keyring of the operating system.

    Args:
        lock: The file whose lock is held by who changes something; in a folder of its owner's alone.
        environment: The environment of this process.
        namespace: What the entries in the keyring begin with.
        patience: Seconds to wait for the keyring, and for whoever may have to unlock it.
        chosen: Gives the keyring; by default one of those that are allowed.
    """

    def __init__(
        self,
        lock: Path,
        environment: Mapping[str, str],
        *,
        namespace: str = "sentient",
        patience: float = 30.0,
        chosen: Callable[[], Chosen] | None = None,
    ) -> None:
        self._lock = lock
        self._namespace = namespace
        self._patience = patience
        self._choose = chosen or (lambda: choose(environment))
        self._chosen: Chosen | None = None
        self._bounded = Bounded(patience, "The keyring", INSTEAD)

    @property
    def store_id(self) -> str:
        """``keyring``."""
        return "keyring"

    @property
    def strength(self) -> Literal["system"]:
        """The operating system."""
        return "system"

    @property
    def writable(self) -> bool:
        """It is."""
        return True

    def describe(self) -> str:
        """Which keyring it is, once it was used."""
        return f"the keyring ({self._chosen.name})" if self._chosen is not None else "the keyring of this system"

    def __repr__(self) -> str:
        return f"KeyringStore({self._namespace!r})"

    def get(self, address: Address) -> Held | None:
        """What is held, or None when there is nothing.

        Raises:
            CredentialStoreError: there is no keyring that is allowed, or it is locked, refuses, or does not answer.
        """
        text = self._bounded.run(lambda _turn: self._entries().read(str(address)))
        return Held(Secret(text), revision_of(text)) if text is not None else None

    def put(self, address: Address, text: Secret, *, expected: str) -> str:
        """Hold a text, if what is held has the revision that is expected.

        Raises:
            CredentialConflictError: something else is held.
            CredentialStoreError: as for `get`, or it holds something else afterwards.
        """
        raw = checked(text)
        self._bounded.run(lambda turn: self._put(turn, address, raw, expected), changes=True)
        return revision_of(raw)

    def delete(self, address: Address, *, expected: str) -> None:
        """Hold nothing any more.

        Raises:
            CredentialConflictError: something else is held.
            CredentialStoreError: as for `get`.
        """
        self._bounded.run(lambda turn: self._delete(turn, address, expected), changes=True)

    def addresses(self) -> Sequence[Address]:
        """All that it holds, sorted."""
        return self._bounded.run(lambda _turn: self._addresses())

    def check(self) -> None:
        """Open the keyring, and read the list of addresses."""
        self._bounded.run(lambda _turn: _read_index(self._entries()))

    def close(self) -> None:
        """Nothing is open."""

    def _entries(self) -> Entries:
        if self._chosen is None:
            self._chosen = self._choose()
        return Entries(self._chosen, self._namespace)

    def _addresses(self) -> list[Address]:
        entries = self._entries()
        held = _read_index(entries).held
        there = [each for each, is_sure in held.items() if is_sure or entries.read(each) is not None]
        return sorted(Address(*each.split("/", 1)) for each in there)

    def _put(self, turn: Turn, address: Address, text: str, expected: str) -> None:
        # The lock is held by the thread that does the work, also when nobody waits for it any more.
        entries, key = self._entries(), str(address)
        with locked(self._lock, self._patience / 2):
            _require(entries, address, expected)
            turn.go_on()
            held = _mended(entries)
            if held.get(key):
                entries.write(key, text)
                return
            _write_index(entries, {**held, key: False})
            turn.go_on()
            entries.write(key, text)
            _write_index(entries, {**held, key: True})

    def _delete(self, turn: Turn, address: Address, expected: str) -> None:
        entries, key = self._entries(), str(address)
        with locked(self._lock, self._patience / 2):
            _require(entries, address, expected)
            turn.go_on()
            held = _mended(entries)
            if held.get(key):
                _write_index(entries, {**held, key: False})
                turn.go_on()
            entries.remove(key)
            if key in held:
                _write_index(entries, {each: is_sure for each, is_sure in held.items() if each != key})


def _require(entries: Entries, address: Address, expected: str) -> None:
    before = entries.read(str(address))
    if (revision_of(before) if before is not None else ABSENT) != expected:
        raise conflict(address)


def _read_index(entries: Entries) -> _Index:
    text = entries.read(_INDEX)
    try:
        return msgspec.json.decode(text, type=_Index) if text is not None else _Index()
    except msgspec.MsgspecError:
        raise CredentialStoreError(
            "The list of our entries in the keyring is damaged",
            why=f"The entry {_INDEX!r} is not what this program writes",
            fix="Remove that entry in the program of the keyring; what is stored stays readable by its name",
        ) from None


def _mended(entries: Entries) -> dict[str, bool]:
    """What the index says, after the traces of those are gone that were killed in the middle of a change."""
    held = _read_index(entries).held
    if all(held.values()):
        return held
    sure = {each: True for each, is_sure in held.items() if is_sure or entries.read(each) is not None}
    for each in held.keys() - sure.keys():
        entries.remove(each)
    _write_index(entries, sure)
    return sure


def _write_index(entries: Entries, held: Mapping[str, bool]) -> None:
    entries.write(_INDEX, msgspec.json.encode(_Index(dict(sorted(held.items())))).decode(), verified=False)

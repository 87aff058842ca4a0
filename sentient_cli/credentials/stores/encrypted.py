"""Credentials in one encrypted file, for machines without a keyring.

Nobody can read it without the passphrase; whoever can write to it can damage it or put an older one in its place, but
not change what is in it. No copy of the file before a change is kept: it would hold what was removed. The new file is
on disk, and was read back, before it takes the place of the old one.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal

from sentient_cli.config.secret import Secret
from sentient_cli.credentials.names import Address
from sentient_cli.credentials.ports import ABSENT, Held
from sentient_cli.credentials.stores.locks import locked
from sentient_cli.credentials.stores.passphrases import PassphraseSource
from sentient_cli.credentials.stores.places import read_own, replace_own, require_folder
from sentient_cli.credentials.stores.sealing import Cost, Kept, Keys, Sealed, new_head, parse, seal, unlock, unseal
from sentient_cli.credentials.stores.texts import checked, conflict
from sentient_cli.errors import CredentialStoreError
from sentient_cli.sanitize import sanitize_line

__all__ = ["EncryptedFileStore"]

_LARGEST: Final = 64 * 1024 * 1024
_REMEMBERED: Final = 900.0


class EncryptedFileStore:
    """Keeps items in an encrypted file.

    Args:
        path: The file. Its folder holds nothing for others; it is made with the first item.
        passphrase: Where the passphrase comes from; asked when it is needed, and again after a time.
        cost: What it costs to try a passphrase, for a file that is made.
        remember: Seconds for which the key of the file stays in memory.
        patience: Seconds to wait for other processes that change it.
        monotonic: A clock in seconds that never goes back.

    Example:
        >>> import tempfile
        >>> from sentient_cli.credentials.stores.passphrases import given
        >>> words = given(Secret("correct horse"))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     store = EncryptedFileStore(Path(folder, "own", "keys"), words, cost=Cost(64, 1, 1))
        ...     revision = store.put(Address("default", "openai"), Secret("sk-1"), expected=ABSENT)
        ...     store.get(Address("default", "openai")).text.reveal()
        'sk-1'
    """

    def __init__(
        self,
        path: Path,
        passphrase: PassphraseSource,
        *,
        cost: Cost = Cost(),  # noqa: B008 - it never changes
        remember: float = _REMEMBERED,
        patience: float = 10.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._path = path
        self._passphrase = passphrase
        self._cost = cost
        self._remember = remember
        self._patience = patience
        self._monotonic = monotonic
        self._keys: Keys | None = None
        self._until = 0.0

    @property
    def store_id(self) -> str:
        """``encrypted``."""
        return "encrypted"

    @property
    def strength(self) -> Literal["passphrase"]:
        """A passphrase."""
        return "passphrase"

    @property
    def writable(self) -> bool:
        """It is."""
        return True

    def describe(self) -> str:
        """The path of the file."""
        return sanitize_line(f"the encrypted file {self._path}")

    def __repr__(self) -> str:
        return f"EncryptedFileStore({str(self._path)!r})"

    def get(self, address: Address) -> Held | None:
        """What is held, or None when there is nothing.

        Raises:
            CredentialStoreError: the passphrase is wrong, or the file is damaged, open to others, or cannot be read.
        """
        kept = self._items().get(str(address))
        return Held(Secret(kept.text), kept.revision) if kept is not None else None

    def put(self, address: Address, text: Secret, *, expected: str) -> str:
        """Hold a text, if what is held has the revision that is expected.

        Raises:
            CredentialConflictError: something else is held.
            CredentialStoreError: as for `get`, or it cannot be written; the file is unchanged.
        """
        kept = Kept(checked(text), secrets.token_hex(16))
        if expected != ABSENT and not os.path.lexists(self._path):
            raise conflict(address)
        with self._changing() as items:
            _require(items, address, expected)
            items[str(address)] = kept
        return kept.revision

    def delete(self, address: Address, *, expected: str) -> None:
        """Hold nothing any more.

        Raises:
            CredentialConflictError: something else is held.
            CredentialStoreError: as for `put`.
        """
        if not os.path.lexists(self._path):
            if expected == ABSENT:
                return
            raise conflict(address)
        with self._changing() as items:
            _require(items, address, expected)
            items.pop(str(address), None)

    def addresses(self) -> Sequence[Address]:
        """All that it holds, sorted."""
        return sorted(Address(*each.split("/", 1)) for each in self._items())

    def check(self) -> None:
        """Open the file, or see that it could be made."""
        if self._read() is not None:
            self._items()
            return
        there = next(folder for folder in self._path.parents if folder.exists())
        if there == self._path.parent:
            require_folder(there)
        if not os.access(there, os.W_OK | os.X_OK):
            raise CredentialStoreError(
                f"{self._path} cannot be made", why=f"{there} cannot be written", fix="Check the rights of the folder"
            )

    def change_passphrase(self, new: PassphraseSource) -> None:
        """Encrypt everything anew with another passphrase. Copies of the file made before keep the old one.

        Args:
            new: Where the new one comes from, now and later.

        Raises:
            CredentialStoreError: the old one is wrong, the new one is too short, or the file cannot be written.
        """
        self._items()
        keys = unlock(new_head(self._cost), new(True), str(self._path), new=True)
        try:
            with locked(self._lock, self._patience):
                replace_own(self._path, seal(keys, self._items()))
        except BaseException:
            keys.wipe()
            raise
        self._passphrase = new
        self._hold(keys)

    def close(self) -> None:
        """Forget the key. May be called twice."""
        if self._keys is not None:
            self._keys.wipe()
        self._keys = None

    @property
    def _lock(self) -> Path:
        return self._path.with_name(f"{self._path.name}.lock")

    def _read(self) -> Sealed | None:
        if not os.path.lexists(self._path):
            return None
        require_folder(self._path.parent)
        data = read_own(self._path, _LARGEST)
        return parse(data, str(self._path)) if data is not None else None

    def _items(self) -> dict[str, Kept]:
        sealed = self._read()
        return unseal(self._keys_of(sealed), sealed, str(self._path)) if sealed is not None else {}

    @contextmanager
    def _changing(self) -> Generator[dict[str, Kept]]:
        # Whoever has to be asked is asked before the lock is held, and seldom again under it.
        sealed = self._read()
        keys = self._keys_of(sealed) if sealed is not None else self._new_keys()
        with locked(self._lock, self._patience):
            sealed = self._read()
            if sealed is not None:
                keys = self._keys_of(sealed)
            items = unseal(keys, sealed, str(self._path)) if sealed is not None else {}
            yield items
            replace_own(self._path, seal(keys, items))

    def _new_keys(self) -> Keys:
        keys = unlock(new_head(self._cost), self._passphrase(True), str(self._path), new=True)
        self._hold(keys)
        return keys

    def _keys_of(self, sealed: Sealed) -> Keys:
        keys = self._keys
        if keys is not None and self._monotonic() < self._until and keys.head.same_key(sealed.head):
            return keys
        self.close()
        keys = unlock(sealed.head, self._passphrase(False), str(self._path))
        self._hold(keys)
        return keys

    def _hold(self, keys: Keys) -> None:
        self.close()
        self._keys = keys
        self._until = self._monotonic() + self._remember


def _require(items: dict[str, Kept], address: Address, expected: str) -> None:
    kept = items.get(str(address))
    if (kept.revision if kept is not None else ABSENT) != expected:
        raise conflict(address)

"""The passphrase of the encrypted file in the keyring of the operating system, for whoever has chosen that."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from sentient_cli import paths
from sentient_cli.config.secret import Secret
from sentient_cli.credentials.names import Address
from sentient_cli.credentials.ports import ABSENT, CredentialStore
from sentient_cli.credentials.stores.passphrases import PassphraseSource
from sentient_cli.redact import redactor

__all__ = ["KeyringPassphrase", "in_keyring"]

_NAMESPACE: Final = "sentient-passphrases"


class KeyringPassphrase:
    """The passphrase of one file in one store, apart from all credentials.

    Args:
        store: The keyring.
        file: The encrypted file.

    Example:
        >>> from sentient_cli.testing import MemoryCredentialStore
        >>> kept = KeyringPassphrase(MemoryCredentialStore(), Path("keys"))
        >>> kept.keep(Secret("several words")), kept.source(lambda new: Secret("asked"))(False).reveal()
        (None, 'several words')
        >>> kept.forget(), kept.source(lambda new: Secret("asked"))(False).reveal()
        (True, 'asked')
    """

    def __init__(self, store: CredentialStore, file: Path) -> None:
        self._store = store
        digest = hashlib.sha256(os.fsencode(os.path.realpath(file))).hexdigest()[:32]
        self._address = Address("passphrases", f"file-{digest}")

    def source(self, otherwise: PassphraseSource) -> PassphraseSource:
        """What reads it; where there is none, or a new one is wanted, another source is asked.

        Args:
            otherwise: The other source.
        """

        def read(new: bool) -> Secret:
            held = None if new else self._store.get(self._address)
            if held is None:
                return otherwise(new)
            redactor.register(held.text.reveal())
            return held.text

        return read

    def keep(self, passphrase: Secret) -> None:
        """Put it there, in the place of the one before.

        Raises:
            CredentialStoreError: the keyring cannot be used.
            CredentialConflictError: somebody else does the same.
        """
        held = self._store.get(self._address)
        self._store.put(self._address, passphrase, expected=held.revision if held is not None else ABSENT)

    def forget(self) -> bool:
        """Have it there no longer; whether it was.

        Raises:
            CredentialStoreError: the keyring cannot be used.
            CredentialConflictError: somebody else changes it.
        """
        held = self._store.get(self._address)
        if held is not None:
            self._store.delete(self._address, expected=held.revision)
        return held is not None


def in_keyring(file: Path, environment: Mapping[str, str]) -> KeyringPassphrase:
    """The passphrase of a file in the keyring of this user.

    Args:
        file: The encrypted file.
        environment: The variables, one of which may choose among keyrings.
    """
    from sentient_cli.credentials.stores.keyring import KeyringStore  # noqa: PLC0415 - what is not used is not loaded

    lock = paths.data_dir() / "credentials" / "passphrases.lock"
    return KeyringPassphrase(KeyringStore(lock, environment, namespace=_NAMESPACE), file)

"""An encrypted store that is quick to open, for `sentient keys`."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Generator, Mapping

import pexpect
import pytest

from sentient_cli import paths
from sentient_cli.config.secret import Secret
from sentient_cli.credentials.names import Address
from sentient_cli.credentials.ports import ABSENT
from sentient_cli.credentials.stores.encrypted import EncryptedFileStore
from sentient_cli.credentials.stores.passphrases import given
from sentient_cli.credentials.stores.sealing import Cost
from tests.cli.llm_command_kit import chat_answer
from tests.plugins.isolation import REPOSITORY
from tests.support.commands import attached
from tests.support.llm_server import Answer, Received, as_json
from tests.support.stored_keys import KEY, OTHER, THIRD

__all__ = [
    "ENV",
    "KEY",
    "OTHER",
    "PASSPHRASE",
    "THIRD",
    "at_a_terminal",
    "listing_one",
    "quick_store",
    "use_quick_store",
]

PASSPHRASE = "correct horse battery"
ENV: Mapping[str, str] = {
    "SENTIENT_CREDENTIALS_STORES": "encrypted",
    "SENTIENT_CREDENTIALS_PASSPHRASE_ENV": "KEYS_PASSPHRASE",
    "KEYS_PASSPHRASE": PASSPHRASE,
}


def quick_store(**items: str) -> None:
    """Make the encrypted file of this user, with a passphrase that costs little to try."""
    path = paths.data_dir() / "credentials" / "encrypted"
    store = EncryptedFileStore(path, given(Secret(PASSPHRASE)), cost=Cost(64, 1, 1))
    address = Address("default", "made")
    revision = store.put(address, Secret("x"), expected=ABSENT)
    store.delete(address, expected=revision)
    for name, value in items.items():
        store.put(Address("default", name), Secret(value), expected=ABSENT)
    store.close()


def use_quick_store(monkeypatch: pytest.MonkeyPatch, **items: str) -> None:
    """The same, in an environment in which it is where keys are kept."""
    for name, value in ENV.items():
        monkeypatch.setenv(name, value)
    quick_store(**items)


def listing_one(received: Received) -> Answer:
    """A provider that lists one model, and to whatever it is asked says yes."""
    models = received.path.endswith("/models")
    return as_json({"object": "list", "data": [{"id": "small"}]}) if models else chat_answer("Yes")


@contextlib.contextmanager
def at_a_terminal(
    *arguments: str, columns: int = 80, rows: int = 24, **environment: str
) -> Generator[tuple[pexpect.spawn[bytes], io.BytesIO]]:
    """The command line on a terminal of its own, and all that it has written there."""
    raw = io.BytesIO()
    child: pexpect.spawn[bytes] = pexpect.spawn(
        sys.executable,
        attached(*arguments),
        env={**os.environ, **ENV, "PYTHONPATH": str(REPOSITORY), **environment},
        dimensions=(rows, columns),
        timeout=120,
    )
    child.logfile_read = raw
    try:
        yield child, raw
    finally:
        child.close(force=True)

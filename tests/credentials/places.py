"""Stores for tests, each over a place of its own."""

from __future__ import annotations

import os
import sys
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from sentient_cli.config.secret import Secret
from sentient_cli.credentials.names import Address
from sentient_cli.credentials.stores.encrypted import EncryptedFileStore
from sentient_cli.credentials.stores.keyring import KeyringStore
from sentient_cli.credentials.stores.passphrases import PassphraseSource, given
from sentient_cli.credentials.stores.sealing import Cost
from tests.credentials.keyrings import MemoryKeyring

OPENAI = Address("default", "openai")
WORDS = Secret("correct horse battery")
CHEAP = Cost(memory_kib=64, iterations=1, lanes=1)
"""A thousandth of the work."""


def encrypted(folder: Path, passphrase: PassphraseSource | None = None, patience: float = 10.0) -> EncryptedFileStore:
    """An encrypted file in a folder, which is cheap to open."""
    return EncryptedFileStore(folder / "own" / "keys", passphrase or given(WORDS), cost=CHEAP, patience=patience)


def in_keyring(folder: Path, keyring: MemoryKeyring, patience: float = 30.0) -> KeyringStore:
    """A store over a keyring in memory."""
    return KeyringStore(folder / "own" / "keyring.lock", {}, chosen=keyring.chosen, patience=patience)


def at_once(_seconds: float) -> None:
    """Wait for nothing."""


def forked(work: Callable[[], object]) -> int:
    """Have something done by a copy of this process; its id. It ends with 0 if that raised nothing."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of threads, of which the copy uses none
        child = os.fork()
    if child:
        return child
    code = 1
    try:
        work()
        code = 0
    finally:
        os._exit(code)


def ended(child: int) -> int:
    """How a forked process ended: its code, or its signal as a negative number."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def at_line(number: int, act: Callable[[], None]) -> None:
    """From now on, do something before the line of our stores that is executed as the so many-th."""
    tracer = _Tracer(number, act)
    threading.settrace(tracer)
    sys.settrace(tracer)


class _Tracer:
    def __init__(self, left: int, act: Callable[[], None]) -> None:
        self._left = left
        self._act = act

    def __call__(self, frame: FrameType, event: str, _argument: object, /) -> _Tracer | None:
        if "/credentials/stores/" not in frame.f_code.co_filename:
            return None
        if event == "line":
            self._left -= 1
            if self._left == 0:
                self._act()
        return self

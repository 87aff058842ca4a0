"""One writer at a time, of all threads and processes, by the lock of a file that is never replaced.

Other than a lock among threads it can be held by a thread that waits for somebody, such as for the answer to a prompt:
whoever else wants it gives up after a time.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Generator
from pathlib import Path
from typing import Final

from sentient_cli.credentials.stores.places import open_own, require_folder, told
from sentient_cli.errors import CredentialStoreError
from sentient_cli.file_locks import give_back, hold, let_go, take

__all__ = ["locked"]

_FIRST_WAIT: Final = 0.001
_LONGEST_WAIT: Final = 0.02


@contextlib.contextmanager
def locked(path: Path, patience: float) -> Generator[None]:
    """Hold a lock.

    Args:
        path: Its file, which is made when it is not there, with its folder.
        patience: Seconds to wait for others.

    Raises:
        CredentialStoreError: others held it all the time, or the file cannot be made.
    """
    require_folder(path.parent)
    with told(path):
        descriptor = hold(open_own(path, os.O_RDWR | os.O_CREAT))
    try:
        _wait_for(descriptor, path, patience)
        yield
    finally:
        give_back(descriptor)
        let_go(descriptor)


def _wait_for(descriptor: int, path: Path, patience: float) -> None:
    give_up = time.monotonic() + patience
    wait = _FIRST_WAIT
    while not take(descriptor):
        if time.monotonic() >= give_up:
            raise CredentialStoreError(
                "The credentials are in use",
                why=f"Another process, or a prompt that waits for an answer, has held {path} for {patience:g} s",
                fix="Let it finish, or end it, and try again; nothing was changed",
            )
        time.sleep(wait)
        wait = min(2 * wait, _LONGEST_WAIT)

"""One writer at a time, of all threads and processes, by the lock of a file that is never replaced.

Other than a lock among threads it can be held by a thread that waits for somebody, such as for the answer to a prompt:
whoever else wants it gives up after a time.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Generator
from pathlib import Path

from sentient_cli.credentials.stores.places import open_own, require_folder, told
from sentient_cli.errors import CredentialStoreError
from sentient_cli.file_locks import give_back, hold, let_go, take_within

__all__ = ["locked"]


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
        if not take_within(descriptor, patience):
            raise CredentialStoreError(
                "The credentials are in use",
                why=f"Another process, or a prompt that waits for an answer, has held {path} for {patience:g} s",
                fix="Let it finish, or end it, and try again; nothing was changed",
            )
        yield
    finally:
        give_back(descriptor)
        let_go(descriptor)

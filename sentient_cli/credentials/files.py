"""Files of ours beside the stores: private, written as a whole or not at all, changed by one process at a time."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Generator
from pathlib import Path
from typing import Final

from sentient_cli.errors import CredentialStoreError
from sentient_cli.file_locks import Gate, hold, let_go, take_within
from sentient_cli.own_files import CAREFUL, PRIVATE, sync_folder

__all__ = ["locked", "read_private", "write_private"]

_LARGEST: Final = 64 * 1024 * 1024
_gate: Final = Gate()


def read_private(path: Path) -> bytes | None:
    """What is in a file; None: there is none.

    Raises:
        CredentialStoreError: it is a link, or cannot be read.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | CAREFUL)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _failed(path, error) from error
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise CredentialStoreError(f"{path} is no file", fix="Move it away, and look where it came from")
        try:
            return file.read(_LARGEST)
        except OSError as error:
            raise _failed(path, error) from error


def write_private(path: Path, data: bytes) -> None:
    """Have a file hold these bytes, on disk when this returns, readable by this user only.

    Raises:
        CredentialStoreError: it cannot be written; what was there is unchanged.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | CAREFUL, PRIVATE)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                draft.unlink()
            raise
        sync_folder(path.parent)
    except OSError as error:
        raise _failed(path, error) from error


@contextlib.contextmanager
def locked(path: Path, *, patience: float = 10.0) -> Generator[None]:
    """Be the only one, of all threads and processes, that is between these lines for a path.

    Args:
        path: What is changed; the lock is a file beside it.
        patience: Seconds to wait for others.

    Raises:
        CredentialStoreError: others held it all the time.
    """
    lock = path.with_name(f"{path.name}.lock")
    with _gate.lock:
        try:
            lock.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = hold(os.open(lock, os.O_RDWR | os.O_CREAT | CAREFUL, PRIVATE))
        except OSError as error:
            raise _failed(lock, error) from error
        try:
            if not take_within(descriptor, patience):
                raise CredentialStoreError(
                    "The credentials are in use",
                    why=f"Another process holds {lock}",
                    fix="Let it finish, or end it, and try again",
                )
            yield
        finally:
            let_go(descriptor)


def _failed(path: Path, error: OSError) -> CredentialStoreError:
    if error.errno in {errno.ELOOP, errno.EMLINK}:
        return CredentialStoreError(f"{path} is a link", fix="Remove the link, and look where it came from")
    return CredentialStoreError(
        f"{path} cannot be used",
        why=error.strerror or type(error).__name__,
        fix="Check the free space and the rights of its disk",
    )

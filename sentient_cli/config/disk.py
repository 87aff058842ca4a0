"""Files that are written as a whole or not at all, and changed by one process at a time."""

from __future__ import annotations

import contextlib
import errno
import glob
import os
import re
import secrets
import stat
import time
from collections.abc import Generator
from pathlib import Path
from typing import Final

from sentient_cli.errors import ConfigError
from sentient_cli.file_locks import Gate, hold, let_go, on_fork, take_within
from sentient_cli.own_files import CAREFUL, PRIVATE

__all__ = ["locked", "replace"]

_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | CAREFUL
_STALE: Final = 3600.0
"""Seconds after which a draft is nobody's."""


_gate: Final = Gate()
_held: Final[set[Path]] = set()
on_fork(_held.clear)


def replace(path: Path, data: bytes, *, mode: int = PRIVATE) -> None:
    """Have a file hold these bytes, on disk when this returns. A link stays one: what it leads to is replaced.

    Args:
        path: The file.
        data: What it shall hold.
        mode: The rights of a new file; one that is there keeps its own.

    Raises:
        ConfigError: it cannot be written; what was there is unchanged.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     replace(Path(folder, "a"), b"x")
        ...     Path(folder, "a").read_bytes()
        b'x'
    """
    try:
        target = path.resolve()
        draft = target.with_name(f".{target.name}.{secrets.token_hex(6)}")
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _sweep(target)
        rights = stat.S_IMODE(target.stat().st_mode) if target.exists() else mode
        descriptor = os.open(draft, _NEW, rights)
        try:
            with os.fdopen(descriptor, "wb") as file:
                draft.chmod(rights)  # the mask of the process has no say in it
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(target)
        except BaseException:
            with contextlib.suppress(OSError):
                draft.unlink()
            raise
    except (OSError, RuntimeError) as error:  # a RuntimeError is a ring of links
        raise _failed(path, error) from None


def _sweep(target: Path) -> None:
    """Remove the drafts that somebody left who was killed, once nobody can be writing them any more."""
    for path in target.parent.glob(f".{glob.escape(target.name)}.*"):
        if re.fullmatch(r"\.[0-9a-f]{12}", path.name[len(target.name) + 1 :]):
            with contextlib.suppress(OSError):
                if time.time() - path.stat().st_mtime > _STALE:
                    path.unlink()


@contextlib.contextmanager
def locked(path: Path, *, patience: float = 10.0) -> Generator[None]:
    """Be the only one, of all threads and processes, that is between these lines for a path; once more costs nothing.

    Args:
        path: The file that is locked; it is made if need be.
        patience: Seconds to wait for others.

    Raises:
        ConfigError: others held it all the time, or it cannot be made.
    """
    with _gate.lock:
        if path in _held:
            yield
            return
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = hold(os.open(path, os.O_RDWR | os.O_CREAT | CAREFUL, PRIVATE))
        except OSError as error:
            raise _failed(path, error) from None
        try:
            if not take_within(descriptor, patience):
                raise ConfigError(
                    "The settings are being changed by somebody else",
                    why=f"Another process holds {path}",
                    fix="Let it finish, or end it, and try again",
                )
            _held.add(path)
            yield
        finally:
            _held.discard(path)
            let_go(descriptor)


def _failed(path: Path, error: OSError | RuntimeError) -> ConfigError:
    code = error.errno if isinstance(error, OSError) else errno.ELOOP
    why = os.strerror(code) if code else type(error).__name__
    return ConfigError(f"{path} cannot be written", why=why, fix="Check the free space and the rights of its disk")

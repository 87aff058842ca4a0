"""One at a time: a lock on a file of the project, which the system gives back when its holder ends, however it ends."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Generator
from pathlib import Path
from typing import IO

from sentient_cli.errors import ProjectError
from sentient_cli.scaffold.plainfiles import open_plain

__all__ = ["locked"]

_LONGEST = 200


@contextlib.contextmanager
def locked(file: Path, what: str) -> Generator[None]:
    """Hold a lock for as long as the block lasts.

    Args:
        file: What is locked; made when it is not there, in a directory that is.
        what: What the holder does, for those who come second.

    Raises:
        ProjectError: somebody else holds it; the error says who. Or the file is a link, or no plain file.
    """
    with os.fdopen(open_plain(file, os.O_RDWR | os.O_CREAT), "r+", encoding="utf-8", errors="replace") as held:
        if not _take(held):
            held.seek(0)
            holder = held.read(_LONGEST).strip()
            raise ProjectError(
                "Somebody else is changing this project",
                why=holder and f"It is {holder}",
                fix="Wait until that has ended",
            )
        held.seek(0)
        held.truncate(0)
        held.write(f"{what}, process {os.getpid()}")
        held.flush()
        try:
            yield
        finally:
            held.truncate(0)


if sys.platform == "win32":
    import msvcrt

    def _take(held: IO[str]) -> bool:
        # A byte far behind the text, which stays readable to others.
        held.seek(1 << 30)
        try:
            msvcrt.locking(held.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        held.seek(0)
        return True

else:
    import fcntl

    def _take(held: IO[str]) -> bool:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

"""One at a time: a lock on a file of the project, which the system gives back when its holder ends, however it ends."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Generator
from pathlib import Path

from sentient_cli.errors import ProjectError
from sentient_cli.file_locks import take
from sentient_cli.scaffold.plainfiles import open_plain

__all__ = ["locked"]

_LONGEST = 200
_FAR = 1 << 30
"""A byte far behind the text, which stays readable to others where what is locked is not."""


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
        if not take(held.fileno(), at=_FAR):
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

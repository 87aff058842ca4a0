"""The keyboard while an answer comes."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator

__all__ = ["keys_unseen"]


@contextlib.contextmanager
def keys_unseen(descriptor: int) -> Generator[None]:
    """Do not echo what is typed while an answer is drawn; it is there for the next prompt."""
    if sys.platform == "win32":
        yield
        return
    import termios  # noqa: PLC0415 - there is none on every platform

    try:
        before = termios.tcgetattr(descriptor)
    except termios.error:
        yield
        return
    silent = termios.tcgetattr(descriptor)
    silent[3] &= ~termios.ECHO
    termios.tcsetattr(descriptor, termios.TCSADRAIN, silent)
    try:
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)

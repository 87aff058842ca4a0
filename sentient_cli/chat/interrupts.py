"""Ctrl-C while an answer comes."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from types import FrameType

__all__ = ["on_interrupt"]


@contextlib.contextmanager
def on_interrupt(action: Callable[[], None]) -> Generator[None]:
    """Call ``action`` in the running loop at each interrupt, instead of raising ``KeyboardInterrupt``.

    Only for the main thread; elsewhere no signal arrives, and nothing is done.
    """
    loop = asyncio.get_running_loop()

    def handle(_number: int, _frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(action)

    try:
        before = signal.signal(signal.SIGINT, handle)
    except ValueError:
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


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

"""A terminal for a program, inside of ours."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import termios
import tty
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator

__all__ = ["copy_size", "is_behind", "open_terminal", "raw", "take_terminal"]


def open_terminal(like: int) -> tuple[int, int]:
    """A new terminal, of the size and the modes of another one: our end, and that of the program."""
    ours, theirs = pty.openpty()
    termios.tcsetattr(theirs, termios.TCSANOW, termios.tcgetattr(like))
    copy_size(like, ours)
    return ours, theirs


def copy_size(source: int, target: int) -> None:
    """Give one terminal the size of another; whoever has it in the foreground is told."""
    with contextlib.suppress(termios.error):  # gone in this moment
        termios.tcsetwinsize(target, termios.tcgetwinsize(source))


def take_terminal() -> None:
    """Make stdin the terminal that this session belongs to; called in the new process."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def is_behind(descriptor: int) -> bool:
    """Whether another program has the terminal: who changes its modes or reads from it then is stopped."""
    try:
        return os.tcgetpgrp(descriptor) != os.getpgrp()
    except OSError:  # it is not the one that we belong to
        return False


@contextlib.contextmanager
def raw(descriptor: int) -> Generator[None]:
    """Have a terminal hand on every key as it is, and give it back as it was."""
    before = termios.tcgetattr(descriptor)
    tty.setraw(descriptor, termios.TCSADRAIN)  # what was typed meanwhile stays
    try:
        yield
    finally:
        with contextlib.suppress(termios.error):  # its window was closed
            termios.tcsetattr(descriptor, termios.TCSADRAIN, before)

"""Signals that come before a hub heeds them: they end ``dev`` as later ones do, and leave nothing behind."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from types import FrameType

__all__ = ["ending", "ends_quietly"]


def ending() -> list[signal.Signals]:
    """The signals that want this process to end."""
    numbers = [signal.SIGINT, signal.SIGTERM]
    # Whoever started this with `nohup` wants it to stay.
    if sys.platform != "win32" and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        numbers.append(signal.SIGHUP)
    return numbers


@contextlib.contextmanager
def ends_quietly() -> Generator[Callable[[], None]]:
    """End the block at the first signal that wants this process to end; only in the main thread.

    Yields:
        What has later signals passed over, so that they do not break off the tidying up.
    """
    numbers, process = ending(), os.getpid()

    def pass_over() -> None:
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)

    def end(_number: int, _frame: FrameType | None) -> NoReturn:
        if os.getpid() != process:
            os._exit(1)  # a copy that has not yet become what it was made for
        pass_over()
        raise KeyboardInterrupt

    before = {number: signal.signal(number, end) for number in numbers}
    try:
        yield pass_over
    except KeyboardInterrupt:
        pass
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

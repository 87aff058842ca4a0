"""Signals that an event loop acts on."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable
    from types import FrameType

__all__ = ["on_signals"]


@contextlib.contextmanager
def on_signals(numbers: Iterable[signal.Signals], act: Callable[[], object]) -> Generator[None]:
    """Call ``act`` in the running loop at each of these signals, in the place of what they do otherwise.

    Only in the main thread; elsewhere no signal arrives, and nothing is done.

    Args:
        numbers: Which.
        act: Called in the loop, as soon as it turns; an idle one is woken.

    Example:
        >>> import os
        >>> async def until_told() -> str:
        ...     told = asyncio.Event()
        ...     with on_signals([signal.SIGINT], told.set):
        ...         os.kill(os.getpid(), signal.SIGINT)
        ...         await told.wait()
        ...     return "told"
        >>> asyncio.run(until_told())
        'told'
    """
    loop = asyncio.get_running_loop()
    with contextlib.ExitStack() as stack:
        for number in numbers:
            before = signal.getsignal(number)
            if not _handles(loop, number, act):
                break
            stack.callback(_give_back, loop, number, before)
        yield


def _handles(loop: asyncio.AbstractEventLoop, number: signal.Signals, act: Callable[[], object]) -> bool:
    # A handler of the signal module alone is not enough: a signal that comes just before the loop begins to wait, or in
    # another thread, is heeded only when something else wakes the loop.
    try:
        loop.add_signal_handler(number, act)
    except NotImplementedError:  # Windows, whose loop is woken by every signal

        def handle(_number: int, _frame: FrameType | None) -> None:
            loop.call_soon_threadsafe(act)

        try:
            signal.signal(number, handle)
        except ValueError:
            return False
    except (ValueError, RuntimeError):
        return False
    return True


def _give_back(loop: asyncio.AbstractEventLoop, number: signal.Signals, before: object) -> None:
    with contextlib.suppress(NotImplementedError):
        loop.remove_signal_handler(number)
    # None: set by something that is not Python, which cannot be set again from here.
    if callable(before) or isinstance(before, int):
        signal.signal(number, before)

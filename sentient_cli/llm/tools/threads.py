"""A thread for each call of a plain function, so that one which never returns holds up nobody else."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import threading
from collections.abc import Callable
from functools import partial
from typing import TypeVar

__all__ = ["in_thread"]

T = TypeVar("T")


async def in_thread(work: Callable[[], T], name: str) -> T:
    """What ``work`` returns, from a thread of its own that has the caller's context variables.

    When the wait is cancelled, the thread goes on and what it returns is dropped; it does not keep the process alive.

    Args:
        work: Takes nothing.
        name: Of the thread.

    Example:
        >>> asyncio.run(in_thread(lambda: threading.current_thread().name, "look up"))
        'look up'
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()
    context = contextvars.copy_context()

    def run() -> None:
        try:
            result = context.run(work)
        except (StopIteration, GeneratorExit, KeyboardInterrupt) as error:
            # No future takes the first, and the others would end more than the caller; no Ctrl-C gets to a thread.
            tell = partial(_fail, done, RuntimeError(f"The function raised {error!r}"))
        except BaseException as error:  # noqa: BLE001 - it belongs to the caller, whatever it is
            tell = partial(_fail, done, error)
        else:
            tell = partial(_finish, done, result)
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(tell)

    threading.Thread(target=run, name=name, daemon=True).start()
    return await done


def _finish(done: asyncio.Future[T], result: T) -> None:
    if not done.done():
        done.set_result(result)


def _fail(done: asyncio.Future[T], error: BaseException) -> None:
    if not done.done():
        done.set_exception(error)

"""The event loop of a server's process, and an end that code of the agent cannot hold up."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
import threading
from typing import TYPE_CHECKING, NoReturn, TypeVar

from sentient_cli.errors import SentientError
from sentient_cli.server.descriptors import raise_descriptor_limit
from sentient_cli.server.own_tasks import OwnTasks

if TYPE_CHECKING:
    from collections.abc import Coroutine, Generator
    from types import FrameType

__all__ = ["end_process", "ended_by_sigterm", "run_to_end"]

T = TypeVar("T")
_LEFTOVER_TIMEOUT = 1.0
_logger = logging.getLogger(__name__)


def run_to_end(main: Coroutine[None, None, None]) -> None:
    """Run what a process is there for on the fastest loop that there is.

    Nothing that code of an agent raises, cancels or stops ends it. Tasks and threads that are left over get a second;
    then the process ends without them.

    Args:
        main: What it is there for. What it raises is raised.
    """
    raise_descriptor_limit()
    loop = _new_loop()
    tasks = OwnTasks(loop)
    failure: BaseException | None = None
    try:
        asyncio.set_event_loop(loop)
        _run(loop, tasks, main)
    except BaseException as error:
        failure = error
        raise
    finally:
        if _run(loop, tasks, _end_leftovers(tasks)):
            asyncio.set_event_loop(None)
            loop.close()
        else:
            _leave_now(failure)


def _run(loop: asyncio.AbstractEventLoop, tasks: OwnTasks, work: Coroutine[None, None, T]) -> T:
    """Run the loop until our own work is done, whatever else comes out of it meanwhile."""
    task = loop.create_task(work)
    root: asyncio.Task[object] | None = None
    while not task.done():
        if root is None or root.done():
            root = tasks.make_root(asyncio.wait((task,)))
        # A loop raises what ends a program out of any task and callback, and it can be told to stop.
        try:
            loop.run_until_complete(root)
        except BaseException as error:
            if task.done():
                break
            if _is_interrupt(error):
                task.add_done_callback(_pass_over)
                raise
            tasks.report(error)
    return task.result()


def _pass_over(task: asyncio.Task[object]) -> None:
    """Take what a task ends with that was interrupted, so that nobody is told that nobody did."""
    if not task.cancelled():
        task.exception()


def _is_interrupt(error: BaseException) -> bool:
    """Whether it is a Ctrl-C: once a server obeys signals, none of them is raised."""
    return isinstance(error, KeyboardInterrupt) and signal.getsignal(signal.SIGINT) is signal.default_int_handler


async def _end_leftovers(tasks: OwnTasks) -> bool:
    """Cancel the tasks that are left and wait a moment for them and for threads; return whether all have ended."""
    loop = asyncio.get_running_loop()
    left = tasks.left()
    for task in left:
        task.cancel()
    if left:
        await asyncio.wait(left, timeout=_LEFTOVER_TIMEOUT)
    await loop.shutdown_asyncgens()
    threads_ended = loop.create_task(loop.shutdown_default_executor())
    await asyncio.wait((threads_ended,), timeout=_LEFTOVER_TIMEOUT)
    return threads_ended.done() and all(task.done() for task in left)


def _leave_now(failure: BaseException | None) -> NoReturn:
    """End the process although a thread or a task cannot be ended, which would hold the interpreter for ever."""
    code = 0
    if failure is not None:  # nobody above will get to tell it
        code = failure.exit_code if isinstance(failure, SentientError) else 1
        _logger.error("%s", failure, exc_info=None if isinstance(failure, SentientError) else failure)
    _logger.warning("Code of the agent does not end when it is cancelled; the process ends without it")
    end_process(code)


@contextlib.contextmanager
def ended_by_sigterm() -> Generator[None]:
    """End the process at SIGTERM, with exit code 0, as long as a server in this block does not obey signals yet.

    Nothing is answered before that, so nothing has to be drained. Without this the code would be that of a process that
    was killed, and in a container, where it has the number 1, it would not even end.
    """
    process = os.getpid()

    def end(number: int, _frame: FrameType | None) -> None:
        if os.getpid() == process:
            end_process(0)
        signal.signal(number, signal.SIG_DFL)  # in a copy that the agent's code has made of this process
        os.kill(os.getpid(), number)

    if threading.current_thread() is not threading.main_thread():  # no other gets signals
        yield
        return
    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL if before is None else before)


def end_process(code: int) -> NoReturn:
    """End the process at once, whatever runs in it; what was logged and written is kept.

    Args:
        code: The exit code.
    """
    with contextlib.suppress(Exception):
        logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, RuntimeError):  # it may be a signal that came amid a flush
            stream.flush()
    os._exit(code)


def _new_loop() -> asyncio.AbstractEventLoop:
    try:
        import uvloop  # noqa: PLC0415 - absent on some systems
    except ImportError:  # there are no wheels for Windows
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()

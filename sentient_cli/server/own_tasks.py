"""Which tasks of a loop are the server's own: code of an agent neither finds nor ends them.

`asyncio.all_tasks` gives what was made within runs. What a task made there raises that would end the whole loop is told
with its run. Facts: https://docs.python.org/3/library/asyncio-extending.html#task-lifetime-support
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, NamedTuple, TypeVar, cast
from weakref import WeakSet

from sentient_cli.runtime.loading.frames import is_user_file
from sentient_cli.runtime.run import Run, current_run

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator

__all__ = ["OwnTasks"]

T = TypeVar("T")
_logger = logging.getLogger(__name__)


class _Blamed(NamedTuple):
    error: BaseException
    run: Run
    task: asyncio.Task[object]


class OwnTasks:
    """Makes the tasks of a loop.

    Args:
        loop: Whose. It has no tasks yet.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._tasks: WeakSet[asyncio.Task[object]] = WeakSet()
        self._roots: WeakSet[asyncio.Task[object]] = WeakSet()
        self._blamed: _Blamed | None = None
        loop.set_task_factory(self._make)

    def make_root(self, coroutine: Coroutine[object, object, object]) -> asyncio.Task[object]:
        """Make a task that the loop runs for. Libraries look for it, so code of an agent finds it and may end it."""
        root = asyncio.Task(coroutine, loop=self._loop)
        self._roots.add(root)
        return root

    def left(self) -> set[asyncio.Task[object]]:
        """The tasks that have not ended, whoever made them, but the current one and the roots."""
        own = {task for task in self._tasks if not task.done()}
        return (own | asyncio.all_tasks()) - set(self._roots) - {asyncio.current_task()}

    def report(self, error: BaseException) -> None:
        """Log what would have ended the loop.

        Args:
            error: What came out of it.
        """
        blamed, self._blamed = self._blamed, None
        extra = dict[str, str]()
        if blamed is not None and blamed.error is error:
            extra = {"run_id": blamed.run.id, "task": blamed.task.get_name()}
            blamed.task.exception()  # thus it is not told once more when the task is forgotten
        _logger.error("%s; the server goes on", _deed(error), exc_info=_from_user_code(error), extra=extra)

    def _make(
        self,
        loop: asyncio.AbstractEventLoop,
        coroutine: Coroutine[object, object, T] | Generator[object, None, T],
        **options: object,
    ) -> asyncio.Task[T]:
        make = cast("Callable[..., asyncio.Task[T]]", asyncio.Task)
        run = current_run.get()
        if run is not None and asyncio.iscoroutine(coroutine):
            return make(self._watched(coroutine, run), loop=loop, **options)
        task = make(coroutine, loop=loop, **options)
        self._tasks.add(cast("asyncio.Task[object]", task))
        asyncio._unregister_task(task)  # noqa: SLF001 - documented; the underscore is part of its name
        return task

    async def _watched(self, coroutine: Coroutine[object, object, T], run: Run) -> T:
        try:
            return await coroutine
        except (SystemExit, KeyboardInterrupt) as error:
            task = asyncio.current_task()
            if task is not None:
                self._blamed = _Blamed(error, run, task)
            raise


def _deed(error: BaseException) -> str:
    if isinstance(error, asyncio.CancelledError):
        return "Code of the agent cancelled the task that the server runs for"
    if isinstance(error, RuntimeError):
        return "Code of the agent stopped the event loop"
    return f"Code of the agent raised {type(error).__name__} beside its run, which ends other programs"


def _from_user_code(error: BaseException) -> BaseException | None:
    """The error with the frames from the first of the user's own on; None where there are none."""
    trace = error.__traceback__
    while trace is not None and not _is_users(trace.tb_frame.f_code.co_filename):
        trace = trace.tb_next
    return error.with_traceback(trace) if trace is not None else None


def _is_users(filename: str) -> bool:
    # What was compiled by Cython, such as uvloop, names its files as they were where that was done.
    return not filename.endswith(".pyx") and is_user_file(filename)

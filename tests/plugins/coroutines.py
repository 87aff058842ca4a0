"""``async def`` tests: each on a fresh event loop, none may leave a task behind.

Fixtures stay synchronous; what must be opened inside the loop is an async context manager in the test.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Callable, Coroutine, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

_Test = Callable[..., Coroutine[object, object, None]]
_TURNS = 20
"""Loop turns that a task on its way out gets before it counts as left."""
_PATIENCE = 10.0
"""Seconds that cancelled tasks and open generators have to end; a healthy test never waits."""


def _left() -> set[asyncio.Task[object]]:
    return asyncio.all_tasks() - {asyncio.current_task()}


def _named(tasks: set[asyncio.Task[object]]) -> str:
    return ", ".join(sorted(repr(task) for task in tasks))


async def _run(test: _Test, arguments: dict[str, object]) -> None:
    await test(**arguments)
    for _ in range(_TURNS):
        if not _left():
            return
        await asyncio.sleep(0)
    pytest.fail(f"tasks left running: {_named(_left())}")


async def _cancelled() -> set[asyncio.Task[object]]:
    """Cancel every other task; return those that do not end."""
    left = _left()
    for task in left:
        task.cancel()
    return (await asyncio.wait(left, timeout=_PATIENCE))[1] if left else left


@contextmanager
def _event_loop() -> Generator[asyncio.AbstractEventLoop]:
    """An event loop whose closing is bounded: `asyncio.Runner` waits for ever for a task that ignores its end."""
    loop = asyncio.new_event_loop()
    threads = ThreadPoolExecutor(thread_name_prefix="asyncio")
    loop.set_default_executor(threads)
    try:
        yield loop
    finally:
        stubborn = loop.run_until_complete(_cancelled())
        loop.run_until_complete(asyncio.wait_for(loop.shutdown_asyncgens(), _PATIENCE))
        threads.shutdown(wait=False, cancel_futures=True)  # a thread that stays is another guard's to name
        loop.close()
        if stubborn:
            pytest.fail(f"tasks that ignore their end: {_named(stubborn)}")


def _synchronous(test: _Test) -> Callable[..., None]:
    @functools.wraps(test)
    def run(**arguments: object) -> None:
        with _event_loop() as loop:
            loop.run_until_complete(_run(test, arguments))

    return run


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> None:
    """Give pytest a synchronous function in place of a coroutine function, also under hypothesis."""
    test = pyfuncitem.obj
    if inspect.iscoroutinefunction(test):
        pyfuncitem.obj = _synchronous(test)
        return
    given = getattr(test, "hypothesis", None)
    inner = getattr(given, "inner_test", None)
    if inner is not None and inspect.iscoroutinefunction(inner):
        setattr(given, "inner_test", _synchronous(inner))  # noqa: B010 hypothesis has no type for it

"""``async def`` tests: each on a fresh event loop, none may leave a task behind.

Fixtures stay synchronous; what must be opened inside the loop is an async context manager in the test.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Callable, Coroutine

import pytest

_Test = Callable[..., Coroutine[object, object, None]]
_TURNS = 20
"""Loop turns that a task on its way out gets before it counts as left."""


async def _run(test: _Test, arguments: dict[str, object]) -> None:
    await test(**arguments)
    current = asyncio.current_task()
    left = asyncio.all_tasks() - {current}
    for _ in range(_TURNS):
        if not left:
            return
        await asyncio.sleep(0)
        left = asyncio.all_tasks() - {current}
    pytest.fail(f"tasks left running: {', '.join(sorted(repr(task) for task in left))}")


def _synchronous(test: _Test) -> Callable[..., None]:
    @functools.wraps(test)
    def run(**arguments: object) -> None:
        with asyncio.Runner() as runner:
            runner.run(_run(test, arguments))

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

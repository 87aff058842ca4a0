"""A run that has ended is kept for its readers, without what only its agent needed."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import weakref
from collections.abc import Callable

import pytest

from sentient_cli.runtime.request import Query
from sentient_cli.runtime.response import Response
from sentient_cli.runtime.session import Session
from tests.host.host_kit import answer, hosting, request

_scope: contextvars.ContextVar[object] = contextvars.ContextVar("scope")


class Heavy:
    """Something whose life can be watched."""


def _plain(heavy: Heavy) -> None:
    raise ValueError("plain")


def _caused(heavy: Heavy) -> None:
    try:
        _plain(heavy)
    except ValueError as error:
        raise RuntimeError("caused") from error


def _in_context(heavy: Heavy) -> None:
    try:
        _plain(heavy)
    except ValueError:
        raise RuntimeError("in context")  # noqa: B904 - what is tested


def _grouped(heavy: Heavy) -> None:
    try:
        _plain(heavy)
    except ValueError as error:
        raise ExceptionGroup("several", [error])  # noqa: B904 - what is tested


@pytest.mark.parametrize("fail", [_plain, _caused, _in_context, _grouped])
async def test_a_failed_run_does_not_keep_its_agents_variables(fail: Callable[[Heavy], None]) -> None:
    kept: list[weakref.ref[Heavy]] = []

    async def failing(session: Session, query: Query, response: Response) -> None:
        heavy = Heavy()
        kept.append(weakref.ref(heavy))
        fail(heavy)

    async with hosting(failing) as host:
        run = await answer(host, "x")
        assert host.runs.get(run.id) is run
        assert run.outcome == "error"
        gc.collect()
        assert kept[0]() is None


async def test_a_kept_run_does_not_keep_the_context_that_began_it() -> None:
    async def quick(session: Session, query: Query, response: Response) -> None:
        await response.complete()
        await asyncio.sleep(0)

    async with hosting(quick) as host:
        heavy = Heavy()
        watched = weakref.ref(heavy)
        context = contextvars.copy_context()
        context.run(_scope.set, heavy)
        task = asyncio.get_running_loop().create_task(host.start_run(request("x")), context=context)
        run = await task
        await run.wait()
        await run.wait()  # asking again is fine
        assert host.runs.get(run.id) is run
        del heavy, context, task
        gc.collect()
        assert watched() is None

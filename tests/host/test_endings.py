"""How runs end that do not end by themselves."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from sentient_cli.errors import RunOverflowError
from sentient_cli.host import HostLimits
from sentient_cli.runtime.log import LogLimits
from sentient_cli.runtime.request import Query
from sentient_cli.runtime.response import Response
from sentient_cli.runtime.session import Session
from tests.host.host_kit import answer, entries, hosting


async def test_an_overflow_that_the_agent_swallows_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    async def flooding(session: Session, query: Query, response: Response) -> None:
        while True:
            with contextlib.suppress(RunOverflowError):
                await response.text_block("FLOOD", "x")
            if response.is_complete:
                await asyncio.Event().wait()

    async with hosting(flooding, limits=HostLimits(log=LogLimits(entries=10))) as host:
        run = await answer(host, "x")
    assert (run.outcome, type(run.failure)) == ("error", RunOverflowError)
    assert [record.getMessage().splitlines()[0].partition(" (")[0] for record in caplog.records] == [
        "The agent 'flooding' failed"
    ]
    assert [entry.type for entry in entries(run)][-2:] == ["event", "run.finished"]


async def test_a_failure_after_the_end_is_still_told(caplog: pytest.LogCaptureFixture) -> None:
    async def late(session: Session, query: Query, response: Response) -> None:
        await response.complete()
        raise ValueError("too late")

    async with hosting(late) as host:
        assert (await answer(host, "x")).outcome == "done"
    assert ["after the response was complete" in record.getMessage() for record in caplog.records] == [True]

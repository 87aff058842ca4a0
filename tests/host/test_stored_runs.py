"""Runs that only a store has: where they stand, and what they said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sentient_cli.clock import SystemClock
from sentient_cli.errors import CursorError, RunNotFoundError
from sentient_cli.host import Host
from sentient_cli.host.owner import this_process
from sentient_cli.host.stored import StoredRun
from sentient_cli.runtime.agent import FunctionAgent
from sentient_cli.runtime.request import Query
from sentient_cli.runtime.response import Response
from sentient_cli.runtime.session import Session
from sentient_cli.store.entry import Entry
from sentient_cli.store.open import open_stores
from tests.host.host_kit import CHAT, answer, hosting

_QUERY = "01JS4F4Z5V0000000000000001"


async def greet(session: Session, query: Query, response: Response) -> None:
    await response.text_block("ANSWER", "hello")


@pytest.fixture(params=["sqlite", "file"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return f"{request.param}:{tmp_path / 'kept'}"


async def test_a_run_of_an_earlier_process(url: str) -> None:
    async with hosting(greet, stores=open_stores(url)) as host:
        run_id = (await answer(host, "x")).id
    async with hosting(greet, stores=open_stores(url)) as later:
        assert later.runs.get(run_id) is None
        assert await later.stored.find(run_id) == StoredRun(run_id, "greet", CHAT, _QUERY, True, "done", 1, 3)
        assert [entry.type for entry in await later.stored.read(run_id, 1)] == ["event", "run.finished"]
        with pytest.raises(CursorError):
            await later.stored.read(run_id, 9)


_DAY = 24 * 3600 * 10**9


@pytest.mark.parametrize(
    ("age", "process", "going_on"),
    [
        (0, "", True),  # whoever wrote it said nothing of itself
        (_DAY, "", False),
        (0, this_process(), True),
        (_DAY, this_process(), False),
        (0, this_process() + "1", False),  # the number of a process that ended was given again
        (0, "another machine:1:1", True),
        (0, "nonsense", True),
    ],
    ids=["unnamed", "unnamed-old", "ours", "ours-old", "ended", "elsewhere", "nonsense"],
)
async def test_a_run_without_an_end(url: str, age: int, process: str, going_on: bool) -> None:
    stores = open_stores(url)
    at = SystemClock().now_ns() - age
    start = json.dumps({"agent": "a", **({"process": process} if process else {})}).encode()
    async with hosting(greet, stores=stores) as host:
        await stores.events.append("abc", [Entry(1, at, "run.started", start), Entry(2, at, "event", b"{}")])
        assert await host.stored.find("abc") == StoredRun("abc", "a", None, None, False, None, 1, 2, going_on)
        assert await host.stored.read("abc", 2) == await host.stored.read("abc", 9) == []


async def test_a_run_whose_beginning_is_not_understood(url: str) -> None:
    stores = open_stores(url)
    now = SystemClock().now_ns()
    async with hosting(greet, stores=stores) as host:
        await stores.events.append("abc", [Entry(1, now, "run.started", b'{"agent":7}'), Entry(2, now, "event", b"{}")])
        assert await host.stored.find("abc") == StoredRun("abc", None, None, None, False, None, 1, 2, True)


async def test_a_run_says_which_process_it_is_of(url: str) -> None:
    async with hosting(greet, stores=open_stores(url)) as host:
        run = await answer(host, "x")
        assert json.loads(run.log.read(0, 1)[0].data)["process"] == this_process()


@pytest.mark.slow
@pytest.mark.parametrize("run_id", ["0" * 32, "x/../y", "", "A", "a" * 3000, "a\nb"])
async def test_a_run_that_no_store_has(url: str, run_id: str, caplog: pytest.LogCaptureFixture) -> None:
    async with hosting(greet, stores=open_stores(url)) as host:
        with pytest.raises(RunNotFoundError):
            await host.stored.find(run_id)
        with pytest.raises(RunNotFoundError):
            await host.stored.read(run_id, 0)
    assert caplog.records == []  # nobody fills the server's log with ids of his own


async def test_a_host_without_stores() -> None:
    host = Host(FunctionAgent(greet), capture=False)
    with pytest.raises(RunNotFoundError):
        await host.stored.find("0" * 32)
    await host.aclose()

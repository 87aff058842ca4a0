"""Memory that an agent keeps from run to run: the process that grows is replaced, and no stream is harmed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.dev.developing import GO, Stream, developing, wait_until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what a process has")

_LEAKING = """
import asyncio
import os
from pathlib import Path

from sentient_cli import Query, Response, Session, agent

KEPT = []


@agent
async def leaking(session: Session, query: Query, response: Response) -> None:
    if query.prompt == "leak":
        KEPT.append(b"x" * (96 << 20))
    async with response.stream("ANSWER") as stream:
        await stream.write(f"{os.getpid()} ")
        while query.prompt == "go" and not Path("go").exists():
            await asyncio.sleep(0.02)
        await stream.write(f"{os.getpid()} ")
"""


@pytest.mark.story("20.5")
def test_a_worker_that_leaks_is_replaced_when_nothing_goes_on_in_it(tmp_path: Path) -> None:
    with developing(tmp_path / "project", agent=_LEAKING, env={"SENTIENT_DEV_GROW_BYTES": str(64 << 20)}) as dev:
        (pid,) = set(dev.ask().split())
        stream = Stream(dev.url, GO)
        mark = dev.mark()
        assert dev.ask("leak").split() == [pid, pid]
        before = len(dev.events)
        dev.go()
        assert stream.words() == {pid}
        assert not [event for event in dev.events[mark:before] if event["event"] in {"notice", "reloading"}]
        told = str(dev.wait("notice", since=mark, where=lambda event: "has grown by" in str(event["text"]))["text"])
        assert told.endswith("a fresh one takes its place")
        dev.wait("reloaded", since=mark)
        wait_until(lambda: pid not in dev.ask(), "another process answers")
        wait_until(lambda: len(dev.workers()) == 1, "the one that had grown is gone")
        assert [event["event"] for event in dev.events].count("reloaded") == 1

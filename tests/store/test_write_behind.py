"""Writing behind: soon, in groups, never in anybody's way, and honest when it fails."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import override

from sentient_cli.errors import LogSequenceError, StoreError
from sentient_cli.store.database import Database
from sentient_cli.store.entry import Entry
from sentient_cli.store.memory import MemoryEventLog
from sentient_cli.store.ports import LogHead
from sentient_cli.store.sqlite import SQLiteEventLog
from sentient_cli.store.writer import WriteBehind
from tests.store.adapters import entries, entry

HOUR = 3600.0


class Scripted(MemoryEventLog):
    """A log that does what a script says before, or after, it appends."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[int] = []
        self.before: list[Exception | None] = []
        self.after: list[Exception | None] = []
        self.gate: asyncio.Event | None = None

    @override
    async def append(self, run_id: str, entries: Sequence[Entry]) -> None:
        if self.gate is not None:
            await self.gate.wait()
        if self.before and (error := self.before.pop(0)) is not None:
            raise error
        await super().append(run_id, entries)
        self.batches.append(len(entries))
        if self.after and (error := self.after.pop(0)) is not None:
            raise error


class Failures(list[tuple[str, str]]):
    def __call__(self, run_id: str, error: StoreError) -> None:
        self.append((run_id, str(error)))


def offer(writer: WriteBehind[Entry], run: str, *items: Entry) -> None:
    writer.offer(run, items, sum(len(item.data) for item in items))


async def test_what_comes_while_the_store_is_busy_goes_out_together() -> None:
    log, failures = Scripted(), Failures()
    log.gate = asyncio.Event()
    writer = WriteBehind(log, on_failure=failures)
    for item in entries(1, 70):
        offer(writer, "r", item)
        await asyncio.sleep(0)
    log.gate.set()
    await writer.flush()
    assert log.batches == [1, 69]
    offer(writer, "r", *entries(71, 73, finished=True))
    await writer.flush()
    assert log.batches == [1, 69, 3]
    await writer.aclose(timeout=5)
    assert failures == []


async def test_closing_writes_what_waits_and_refuses_more() -> None:
    log, failures = Scripted(), Failures()
    writer = WriteBehind(log, on_failure=failures)
    offer(writer, "r", entry(1, "run.started"))
    await writer.aclose(timeout=5)
    await writer.aclose(timeout=5)
    assert await log.read("r") == entries(1, 1)
    offer(writer, "r", entry(2))
    offer(writer, "r", entry(3))
    assert [run for run, _ in failures] == ["r"]


async def test_a_writer_that_was_never_used_closes() -> None:
    await WriteBehind(Scripted(), on_failure=Failures()).aclose(timeout=0)


async def test_a_store_that_recovers_loses_nothing() -> None:
    log, failures = Scripted(), Failures()
    log.before = [StoreError("no"), StoreError("no"), None, StoreError("no")]
    writer = WriteBehind(log, on_failure=failures, backoff=0.001)
    for item in entries(1, 200, finished=True):
        offer(writer, "r", item)
        if item.seq % 50 == 0:
            await asyncio.sleep(0)
    await writer.flush()
    assert await log.read("r") == entries(1, 200, finished=True)
    await writer.aclose(timeout=5)
    assert failures == []


async def test_an_append_that_failed_but_was_stored_is_not_repeated() -> None:
    log, failures = Scripted(), Failures()
    log.after = [StoreError("the answer was lost")]
    writer = WriteBehind(log, on_failure=failures, backoff=0.001)
    for item in entries(1, 3):
        offer(writer, "r", item)
    await writer.flush()
    offer(writer, "r", entry(4, "run.finished"))
    await writer.aclose(timeout=5)
    assert await log.read("r") == entries(1, 4, finished=True)
    assert failures == []


async def test_a_run_that_keeps_failing_is_given_up_once_and_the_others_go_on(tmp_path: Path) -> None:
    log, failures = SQLiteEventLog(Database(tmp_path / "runs.db", busy_timeout=0.001)), Failures()
    await log.append("other", entries(1, 1))
    writer = WriteBehind(log, on_failure=failures, attempts=3, backoff=0.001)
    offer(writer, "r", entry(1, "run.started"))
    await writer.flush()
    blocker = sqlite3.connect(tmp_path / "runs.db", isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    for item in entries(2, 80):
        offer(writer, "r", item)
    await writer.flush()
    blocker.execute("COMMIT")
    blocker.close()
    assert [run for run, _ in failures] == ["r"]
    assert "locked by another process" in failures[0][1]
    offer(writer, "r", entry(81, "run.finished"))
    offer(writer, "other", entry(2, "run.finished"))
    await writer.aclose(timeout=5)
    # A prefix without an end, as after a crash.
    assert await log.head("r") == LogHead(1, 1, finished=False)
    assert await log.head("other") == LogHead(1, 2, finished=True)
    assert len(failures) == 1
    await log.aclose()


@pytest.mark.parametrize("error", [LogSequenceError("out of step"), ZeroDivisionError("a bug")])
async def test_what_no_retry_can_mend_is_given_up_at_once(error: Exception) -> None:
    log, failures = Scripted(), Failures()
    log.before = [error]
    writer = WriteBehind(log, on_failure=failures, backoff=HOUR)
    offer(writer, "r", entry(1, "run.started"))
    await writer.flush()
    assert [run for run, _ in failures] == ["r"]
    offer(writer, "s", entry(1, "run.started"))
    await writer.aclose(timeout=5)
    assert await log.runs() == ["s"]


async def test_memory_is_bounded_and_the_greediest_run_pays() -> None:
    log, failures = Scripted(), Failures()
    log.gate = asyncio.Event()
    writer = WriteBehind(log, on_failure=failures, max_bytes=100_000)
    offer(writer, "small", entry(1, "run.started"))
    for item in entries(1, 200, data=b"1" * 1000):
        offer(writer, "greedy", item)
        await asyncio.sleep(0)
    assert [run for run, _ in failures] == ["greedy"]
    assert "too slow" in failures[0][1]
    log.gate.set()
    offer(writer, "small", entry(2, "run.finished"))
    await writer.aclose(timeout=5)
    assert await log.read("small") == entries(1, 2, finished=True)


async def test_closing_gives_up_what_does_not_end_in_time() -> None:
    log, failures = Scripted(), Failures()
    log.gate = asyncio.Event()
    writer = WriteBehind(log, on_failure=failures)
    offer(writer, "r", entry(1, "run.started"))
    offer(writer, "s", entry(1, "run.started"))
    await writer.aclose(timeout=0.01)
    assert sorted(run for run, _ in failures) == ["r", "s"]
    assert "in time" in failures[0][1]
    assert await log.runs() == []


async def test_a_listener_that_raises_stops_nothing() -> None:
    reported: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: reported.append(context))

    def listener(run_id: str, error: StoreError) -> None:
        raise ZeroDivisionError(run_id)

    log = Scripted()
    log.before = [LogSequenceError("no")]
    writer = WriteBehind(log, on_failure=listener)
    offer(writer, "r", entry(1, "run.started"))
    await writer.flush()
    offer(writer, "s", entry(1, "run.started"))
    await writer.aclose(timeout=5)
    assert await log.runs() == ["s"]
    assert isinstance(reported[0]["exception"], ZeroDivisionError)


@pytest.mark.slow
@given(
    steps=st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 90), st.booleans()), max_size=12),
    faults=st.lists(st.sampled_from(["", "before", "after"]), max_size=6),
)
async def test_whatever_happens_logs_are_whole(steps: list[tuple[str, int, bool]], faults: list[str]) -> None:
    log, failures = Scripted(), Failures()
    log.before = [StoreError("no") if fault == "before" else None for fault in faults]
    log.after = [StoreError("no") if fault == "after" else None for fault in faults]
    writer = WriteBehind(log, on_failure=failures, attempts=20, backoff=0.0)
    offered: dict[str, int] = {}
    for run, count, turn in steps:
        first = offered.get(run, 0) + 1
        for item in entries(first, first + count - 1):
            offer(writer, run, item)
        offered[run] = first + count - 1
        if turn:
            await asyncio.sleep(0)
    await writer.aclose(timeout=30)
    assert failures == []
    for run, last in offered.items():
        assert await log.read(run, limit=100_000) == entries(1, last)

"""What every event log does, whatever keeps it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from sentient_cli.errors import CursorError, CursorExpiredError, LogSequenceError, StoreError
from sentient_cli.store.entry import Entry
from sentient_cli.store.ports import EventLog, LogHead
from tests.store.adapters import DURABLE_LOGS, LOGS, entries, entry, opened_log

pytestmark = pytest.mark.parametrize("adapter", LOGS)

BAD_APPENDS = {
    "no start": [entry(1)],
    "a gap at the start": [entry(2)],
    "seq 0": [entry(0, "run.started")],
    "a gap within": [entry(1, "run.started"), entry(3)],
    "twice the same": [entry(1, "run.started"), entry(1, "run.started")],
    "two starts": [entry(1, "run.started"), entry(2, "run.started")],
    "something after the end": [entry(1, "run.started"), entry(2, "run.finished"), entry(3)],
    "two ends": [entry(1, "run.started"), entry(2, "run.finished"), entry(3, "run.finished")],
    "only an end": [entry(1, "run.finished")],
}


async def test_what_was_appended_is_read(adapter: str, tmp_path: Path) -> None:
    async with opened_log(adapter, tmp_path) as log:
        written = [
            Entry(1, 0, "run.started", b"{}"),
            Entry(2, 2**63 - 1, "event", '{"a":"\u2028 ü 🦊"}'.encode()),
            Entry(3, 5, "something.new", b"not json\n\x00\xff"),
            Entry(4, 5, "event", b""),
            Entry(5, 6, "run.finished", b" null "),
        ]
        await log.append("a-1", written[:2])
        await log.append("a-1", [])
        await log.append("a-1", written[2:])
        assert await log.read("a-1") == written
        assert all(type(item) is Entry and type(item.data) is bytes for item in await log.read("a-1"))


async def test_pages(adapter: str, tmp_path: Path) -> None:
    async with opened_log(adapter, tmp_path) as log:
        written = entries(1, 25, finished=True)
        await log.append("r", written)
        found: list[Entry] = []
        while page := await log.read("r", after=len(found), limit=10):
            found.extend(page)
        assert found == written
        assert await log.read("r", limit=0) == []
        assert await log.read("r", limit=-1) == []


async def test_unknown_runs_read_empty(adapter: str, tmp_path: Path) -> None:
    async with opened_log(adapter, tmp_path) as log:
        for name in ("0f3c", "../../etc/passwd", "", "A", "a/b", "\ud800", "a\0b", "x" * 500):
            assert await log.read(name) == []
            assert await log.read(name, after=7) == []
            assert await log.head(name) is None
            await log.discard(name)
            await log.discard(name, before=3)
        assert await log.runs() == []
        assert await log.unfinished() == []
        assert await log.kept() == []


@pytest.mark.slow
@pytest.mark.parametrize("name", ["../up", "", "A", "a/b", "a.b", "\ud800", "a\n", "ä", "x" * 129])
async def test_names_that_are_no_run_ids_are_refused(adapter: str, tmp_path: Path, name: str) -> None:
    async with opened_log(adapter, tmp_path) as log:
        with pytest.raises(StoreError, match="run id"):
            await log.append(name, entries(1, 1))
        assert await log.runs() == []


@pytest.mark.parametrize("case", BAD_APPENDS)
async def test_appends_that_do_not_continue_leave_nothing(adapter: str, tmp_path: Path, case: str) -> None:
    async with opened_log(adapter, tmp_path) as log:
        with pytest.raises(LogSequenceError):
            await log.append("r", BAD_APPENDS[case])
        assert await log.head("r") is None
        assert await log.runs() == []
        await log.append("r", entries(1, 2))
        with pytest.raises(LogSequenceError):
            await log.append("r", [entry(3), entry(5)])
        assert await log.head("r") == LogHead(1, 2, finished=False)


@pytest.mark.parametrize("bad", [Entry(2, -1, "event", b""), Entry(2, 2**63, "event", b""), Entry(2, 0, "a b", b"")])
async def test_entries_that_cannot_be_kept_are_refused(adapter: str, tmp_path: Path, bad: Entry) -> None:
    async with opened_log(adapter, tmp_path) as log:
        with pytest.raises(StoreError, match="cannot be stored"):
            await log.append("r", [entry(1, "run.started"), bad])
        assert await log.read("r") == []


async def test_nothing_comes_after_the_end(adapter: str, tmp_path: Path) -> None:
    async with opened_log(adapter, tmp_path) as log:
        await log.append("r", entries(1, 3, finished=True))
        assert await log.head("r") == LogHead(1, 3, finished=True)
        with pytest.raises(LogSequenceError, match="finished"):
            await log.append("r", [entry(4)])
        assert len(await log.read("r")) == 3


async def test_cursors(adapter: str, tmp_path: Path) -> None:
    async with opened_log(adapter, tmp_path) as log:
        await log.append("r", entries(1, 5))
        assert await log.read("r", after=5) == []
        for cursor in (-1, 6, 2**70):
            with pytest.raises(CursorError):
                await log.read("r", after=cursor)
        with pytest.raises(CursorError):
            await log.read("unknown", after=-1)


async def test_discarding_a_part(adapter: str, tmp_path: Path) -> None:
    async with opened_log(adapter, tmp_path) as log:
        await log.append("r", entries(1, 5))
        for before in (-3, 0, 1):
            await log.discard("r", before=before)
        assert await log.head("r") == LogHead(1, 5, finished=False)
        await log.discard("r", before=4)
        assert await log.head("r") == LogHead(4, 5, finished=False)
        assert await log.read("r", after=3) == entries(4, 5)
        with pytest.raises(CursorExpiredError) as caught:
            await log.read("r", after=2)
        assert caught.value.first_seq == 4
        await log.append("r", entries(6, 7))
        await log.discard("r", before=99)
        assert await log.head("r") == LogHead(8, 7, finished=False)
        assert await log.read("r", after=7) == []
        await log.append("r", entries(8, 9, finished=True))
        assert await log.read("r", after=7) == entries(8, 9, finished=True)
        await log.discard("r", before=99)
        assert await log.head("r") == LogHead(10, 9, finished=True)
        with pytest.raises(LogSequenceError):
            await log.append("r", [entry(10)])
        assert await log.runs() == ["r"]
        assert await log.unfinished() == []


async def test_discarding_a_run(adapter: str, tmp_path: Path) -> None:
    async with opened_log(adapter, tmp_path) as log:
        await log.append("r", entries(1, 3))
        await log.append("s", entries(1, 3))
        await log.discard("r")
        assert await log.head("r") is None
        assert await log.runs() == ["s"]
        with pytest.raises(LogSequenceError):
            await log.append("r", entries(4, 5))
        await log.append("r", entries(1, 2))
        assert await log.read("r") == entries(1, 2)
        assert await log.runs() == ["r", "s"]


async def test_lists_of_runs(adapter: str, tmp_path: Path) -> None:
    async with opened_log(adapter, tmp_path) as log:
        for name in ("b", "c", "a"):
            await log.append(name, entries(1, 2, finished=name == "c"))
        await log.append("b", entries(3, 3))
        assert await log.runs() == ["a", "c", "b"]
        assert await log.runs(limit=2) == ["a", "c"]
        assert await log.unfinished() == ["b", "a"]
        assert await log.unfinished(limit=1) == ["b"]
        kept = await log.kept()
        assert [(run.run_id, run.finished) for run in kept] == [("a", False), ("c", True), ("b", False)]
        assert kept[2].last_at == entry(3).at
        assert all(run.size > 0 for run in kept)


async def test_large_data_comes_back_whole(adapter: str, tmp_path: Path) -> None:
    large = b'"' + b"x" * (300 * 1024) + b'"'
    async with opened_log(adapter, tmp_path) as log:
        written = [entry(1, "run.started"), entry(2, data=large), entry(3, data=large), entry(4, data=large[:-1])]
        await log.append("r", written)
        await log.append("s", written)
        assert await log.read("r") == written
        sizes = {run.run_id: run.size for run in await log.kept()}
        assert sizes["r"] >= len(large)
        await log.discard("r", before=3)
        assert await log.read("r", after=2) == written[2:]
        await log.discard("r")
        assert await log.read("s") == written


async def test_of_two_writers_one_wins(adapter: str, tmp_path: Path) -> None:
    async with opened_log(adapter, tmp_path) as log:
        await log.append("r", entries(1, 1))

        async def attempt(number: int) -> bool:
            try:
                await log.append("r", [entry(2, data=b"%d" % number), entry(3, data=b"%d" % number)])
            except LogSequenceError:
                return False
            return True

        won = await asyncio.gather(*(attempt(number) for number in range(8)))
        assert won.count(True) == 1
        winner = b"%d" % won.index(True)
        assert [item.data for item in await log.read("r", after=1)] == [winner, winner]


async def test_one_bad_append_does_not_harm_its_neighbours(adapter: str, tmp_path: Path) -> None:
    async with opened_log(adapter, tmp_path) as log:
        results = await asyncio.gather(
            *(log.append(f"r{number}", entries(1 + number % 2, 3)) for number in range(20)), return_exceptions=True
        )
        assert [isinstance(result, LogSequenceError) for result in results] == [False, True] * 10
        assert sorted(await log.runs()) == sorted(f"r{number}" for number in range(0, 20, 2))


async def test_waiting(adapter: str, tmp_path: Path) -> None:
    async with opened_log(adapter, tmp_path) as log:
        waiter = asyncio.create_task(log.wait("r", after=0))
        await asyncio.sleep(0)
        await log.append("r", entries(1, 1))
        await waiter
        await log.wait("r", after=0)
        following = asyncio.create_task(_follow(log, "r"))
        for seq in range(2, 41):
            await log.append("r", entries(seq, seq, finished=seq == 40))
        assert await following == entries(1, 40, finished=True)
        await log.wait("r", after=40)


async def _follow(log: EventLog, run_id: str) -> list[Entry]:
    found: list[Entry] = []
    while not found or found[-1].type != "run.finished":
        await log.wait(run_id, after=len(found))
        found.extend(await log.read(run_id, after=len(found), limit=7))
    return found


async def _until(log: EventLog, seq: int) -> None:
    while len(await log.read("r")) < seq:
        await log.wait("r", after=seq - 1)


async def test_waiting_can_be_cancelled(adapter: str, tmp_path: Path) -> None:
    async with opened_log(adapter, tmp_path) as log:
        await log.append("r", entries(1, 1))
        waiters = [asyncio.create_task(_until(log, 2)) for _ in range(5)]
        await log.head("r")
        for waiter in waiters[:4]:
            waiter.cancel()
        await asyncio.wait(waiters[:4])
        assert all(waiter.cancelled() for waiter in waiters[:4])
        await log.append("r", entries(2, 2))
        await waiters[4]


async def test_closing_wakes_and_refuses(adapter: str, tmp_path: Path) -> None:
    async with opened_log(adapter, tmp_path) as log:
        await log.append("r", entries(1, 1))
        waiter = asyncio.create_task(log.wait("r", after=1))
        await log.head("r")
        await log.aclose()
        await log.aclose()
        await asyncio.gather(waiter, return_exceptions=True)
        with pytest.raises(StoreError, match="closed"):
            await log.append("r", entries(2, 2))
        with pytest.raises(StoreError, match="closed"):
            await log.read("r")
        with pytest.raises(StoreError, match="closed"):
            await log.runs()
        with pytest.raises(StoreError, match="closed"):
            await log.discard("r")


async def test_what_was_kept_is_there_when_opened_again(adapter: str, tmp_path: Path) -> None:
    if adapter not in DURABLE_LOGS:
        return
    large = b'"' + b"x" * (300 * 1024) + b'"'
    written = [*entries(1, 3), entry(4, data=large)]
    async with opened_log(adapter, tmp_path) as log:
        await log.append("r", written)
        await log.append("s", entries(1, 2, finished=True))
    async with opened_log(adapter, tmp_path) as log:
        assert await log.read("r") == written
        assert await log.runs() == ["s", "r"]
        assert await log.unfinished() == ["r"]
        await log.append("r", entries(5, 5, finished=True))
        assert await log.head("r") == LogHead(1, 5, finished=True)


async def test_two_stores_over_the_same_place(adapter: str, tmp_path: Path) -> None:
    if adapter not in DURABLE_LOGS:
        return
    async with opened_log(adapter, tmp_path) as one, opened_log(adapter, tmp_path) as two:
        await one.append("r", entries(1, 1))
        assert await two.head("r") == LogHead(1, 1, finished=False)
        waiter = asyncio.create_task(_until(two, 2))
        await two.append("q", entries(1, 1))
        await one.append("r", entries(2, 2))
        await waiter
        with pytest.raises(LogSequenceError):
            await two.append("r", entries(2, 2))
        await two.append("r", entries(3, 3))
        await one.discard("r", before=3)
        assert await two.read("r", after=2) == entries(3, 3)
        with pytest.raises(CursorExpiredError):
            await two.read("r")
        await one.discard("r")
        assert await two.read("r") == []
        await two.append("r", entries(1, 9))
        assert await one.read("r") == entries(1, 9)

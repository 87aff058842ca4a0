"""What workers send is kept, by one writer, within bounds, whatever the disk does."""

from __future__ import annotations

import asyncio
import resource
import signal
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentient_cli.clock import SystemClock
from sentient_cli.dev.messages import EntriesHead
from sentient_cli.dev.recording.hublog import HubLog
from sentient_cli.dev.recording.recorder import Recorder
from sentient_cli.errors import StoreError
from sentient_cli.host.owner import this_process
from sentient_cli.host.stored import StoredRuns
from sentient_cli.store.entry import Entry
from sentient_cli.store.file import FileEventLog
from sentient_cli.store.memory import MemoryStateStore
from sentient_cli.store.open import Stores
from sentient_cli.store.ports import EventLog, LogHead
from sentient_cli.store.rules import BLOB_BYTES
from tests.dev.recording_kit import Channel, entries, entry, frame

HOUR = 3600.0


class Notices(list[str]):
    def __init__(self) -> None:
        super().__init__()
        self._more = asyncio.Event()

    def __call__(self, text: str, fix: str) -> None:
        self.append(text)
        self._more.set()

    async def until(self, count: int) -> None:
        """Return once there are so many."""
        while len(self) < count:
            self._more.clear()
            await self._more.wait()


@asynccontextmanager
async def recording(
    directory: Path,
    notices: Notices,
    *,
    keep_runs: int = 1000,
    keep_bytes: int = 1 << 28,
    max_bytes: int = 1 << 26,
    window: float = 0.0,
) -> AsyncGenerator[Recorder]:
    log = FileEventLog(directory)
    recorder = Recorder(log, notices, keep_runs=keep_runs, keep_bytes=keep_bytes, max_bytes=max_bytes, window=window)
    try:
        yield recorder
    finally:
        await recorder.aclose(timeout=5)


async def test_frames_are_kept_as_they_came(tmp_path: Path) -> None:
    notices = Notices()
    async with recording(tmp_path, notices) as recorder:
        recorder.take(*frame("a-1", entries(1, 3)))
        recorder.take(*frame("b-1", entries(1, 2)))
        recorder.take(*frame("a-1", entries(4, 9, finished=True)))
        await recorder.flush()
        assert await recorder.log.read("a-1") == entries(1, 9, finished=True)
        recorder.take(*frame("b-1", entries(3, 3, finished=True)))
        await recorder.flush()
        assert await recorder.log.read("b-1") == entries(1, 3, finished=True)
    assert notices == []


async def test_an_end_is_written_at_once_and_all_that_waits_with_it(tmp_path: Path) -> None:
    async with recording(tmp_path, Notices(), window=HOUR) as recorder:
        recorder.take(*frame("a", entries(1, 3)))
        recorder.take(*frame("b", entries(1, 2, finished=True)))
        await recorder.log.wait("a", after=0)
        await recorder.log.wait("b", after=0)
        assert await recorder.log.head("b") == LogHead(1, 2, finished=True)


async def test_what_a_worker_that_died_has_sent_is_written_at_once(tmp_path: Path) -> None:
    async with recording(tmp_path, Notices(), window=HOUR) as recorder:
        recorder.take(*frame("a", entries(1, 3)))
        recorder.abandon(["a", "unknown"])
        await recorder.log.wait("a", after=0)
        assert await recorder.log.head("a") == LogHead(1, 3, finished=False)


async def test_closing_writes_what_waits(tmp_path: Path) -> None:
    async with recording(tmp_path, Notices(), window=HOUR) as recorder:
        recorder.take(*frame("a", entries(1, 3)))
    await recorder.aclose(timeout=5)
    recorder.take(*frame("b", entries(1, 3)))
    log = FileEventLog(tmp_path)
    assert [run.run_id for run in await log.kept()] == ["a"]
    await log.aclose()


async def test_large_data_is_there_before_its_line(tmp_path: Path) -> None:
    channel = Channel()
    hub_log = HubLog(tmp_path, channel)
    data = b'"' + b"x" * BLOB_BYTES + b'"'
    await hub_log.append("a", [entry(1, "run.started"), entry(2, "event", data), entry(3, "run.finished")])
    async with recording(tmp_path, Notices()) as recorder:
        for blob in channel.blobs:
            recorder.take_blob(*blob)
        for sent in channel.entries:
            recorder.take(*sent)
        await recorder.flush()
    assert [found.data for found in await hub_log.read("a")] == [b"{}", data, b"{}"]
    await hub_log.aclose()


async def test_a_hole_leaves_a_prefix_without_an_end(tmp_path: Path) -> None:
    async with recording(tmp_path, Notices()) as recorder:
        recorder.take(*frame("a", entries(1, 3)))
        await recorder.flush()
        recorder.take(*frame("a", entries(5, 6)))
        recorder.take(*frame("b", entries(1, 2)))
        await recorder.flush()
        recorder.take(*frame("a", entries(4, 8, finished=True)))
        recorder.take(*frame("b", entries(4, 5)))
        recorder.take(*frame("b", entries(6, 6)))
        await recorder.flush()
        assert await recorder.log.head("a") == LogHead(1, 3, finished=False)
        assert await recorder.log.head("b") == LogHead(1, 2, finished=False)


def outside(directory: Path) -> list[Path]:
    return list(directory.rglob("x*"))


@pytest.mark.parametrize(
    "head", [EntriesHead("../../x", 1, 2, False), EntriesHead("a", 0, 1, False), EntriesHead("a", 1, 3, False)]
)
async def test_a_worker_that_lies_harms_nobody(tmp_path: Path, head: EntriesHead) -> None:
    async with recording(tmp_path / "runs", Notices()) as recorder:
        recorder.take(head, frame("x", entries(1, 2))[1])
        recorder.take(*frame("good", entries(1, 2)))
        await recorder.flush()
        assert await recorder.log.runs() == ["good"]
    assert not outside(tmp_path)


@contextmanager
def full_disk(size: int) -> Generator[None]:
    """No file may be longer than so many bytes, for a while."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


async def test_a_full_disk_is_said_once_and_nothing_is_lost_when_there_is_room_again(tmp_path: Path) -> None:
    notices = Notices()
    async with recording(tmp_path, notices) as recorder:
        recorder.take(*frame("a", entries(1, 3)))
        await recorder.flush()
        with full_disk(0):
            recorder.take(*frame("a", entries(4, 6)))
            recorder.take(*frame("b", entries(1, 1)))
            await notices.until(1)
            recorder.take(*frame("a", entries(7, 9, finished=True)))
            recorder.take(*frame("b", entries(2, 2)))
            await asyncio.sleep(0)
        await recorder.flush()
        assert await recorder.log.read("a") == entries(1, 9, finished=True)
        assert await recorder.log.read("b") == entries(1, 2)
        await notices.until(2)
    assert [text.partition(":")[0] for text in notices] == [
        "Runs are not being recorded",
        "Runs are being recorded again",
    ]


async def test_a_disk_that_stays_full_costs_runs_and_no_memory(tmp_path: Path) -> None:
    notices = Notices()
    async with recording(tmp_path, notices, max_bytes=100_000) as recorder:
        recorder.take(*frame("big", entries(1, 3)))
        await recorder.flush()
        with full_disk(0):
            recorder.take(*frame("small", entries(1, 1)))
            await notices.until(1)
            for seq in range(4, 400):
                recorder.take(*frame("big", entries(seq, seq, data=b'"' + b"x" * 1000 + b'"')))
            assert recorder._waiting_bytes < 200_000
        recorder.take(*frame("big", entries(400, 401, finished=True)))
        recorder.take(*frame("small", entries(2, 2, finished=True)))
        await recorder.flush()
        assert await recorder.log.head("big") == LogHead(1, 3, finished=False)
        assert await recorder.log.head("small") == LogHead(1, 2, finished=True)
        recorder.take(*frame("next", entries(1, 2, finished=True)))
        await recorder.flush()
        assert await recorder.log.head("next") == LogHead(1, 2, finished=True)
    assert notices[-1] == "Runs are being recorded again; 1 of them are not whole"


async def test_a_directory_that_is_none_is_said_and_the_end_does_not_hang(tmp_path: Path) -> None:
    notices = Notices()
    (tmp_path / "file").write_text("")
    log = FileEventLog(tmp_path / "file" / "runs")
    recorder = Recorder(log, notices, window=0.0)
    recorder.take(*frame("a", entries(1, 3)))
    await notices.until(1)
    await recorder.aclose(timeout=0.01)
    assert len(notices) == 1


async def test_a_run_that_the_disk_refuses_for_a_reason_of_its_own_is_given_up(tmp_path: Path) -> None:
    async with recording(tmp_path, Notices()) as recorder:
        (tmp_path / "a.jsonl").write_text('{"format":"sentient.run-log","schema":99,"run":"a","created":1}\n')
        recorder.take(*frame("a", entries(1, 3)))
        for number in range(6):
            recorder.take(*frame(f"b{number}", entries(1, 2, finished=True)))
            recorder._wake.set()
            await recorder.log.wait(f"b{number}", after=0)
        await recorder.flush()
        assert len(await recorder.log.runs()) == 6


async def test_the_oldest_are_forgotten_by_count(tmp_path: Path) -> None:
    async with recording(tmp_path, Notices(), keep_runs=3) as recorder:
        for number in range(6):
            recorder.take(*frame(f"r{number}", entries(1, 2, finished=number != 1)))
            await recorder.flush()
        await recorder.prune()
        # The one that goes on is never touched.
        assert await recorder.log.runs() == ["r5", "r4", "r1"] or await recorder.log.runs() == ["r5", "r4", "r3", "r1"]
        recorder.abandon(["r1"])
        await recorder.prune()
        assert await recorder.log.runs() == ["r5", "r4", "r3"]


async def test_the_oldest_are_forgotten_by_bytes_while_runs_come(tmp_path: Path) -> None:
    async with recording(tmp_path, Notices(), keep_bytes=100_000) as recorder:
        for number in range(30):
            recorder.take(*frame(f"r{number}", entries(1, 2, finished=True, data=b'"' + b"x" * 10_000 + b'"')))
            await recorder.flush()
            if recorder._pruning is not None:
                await recorder._pruning
        assert sum(run.size for run in await recorder.log.kept()) <= 120_000
        assert (await recorder.log.runs())[0] == "r29"


async def test_no_single_run_takes_it_all(tmp_path: Path) -> None:
    notices = Notices()
    async with recording(tmp_path, notices, keep_bytes=40_000) as recorder:
        for seq in range(1, 40):
            recorder.take(*frame("a", entries(seq, seq, data=b'"' + b"x" * 1000 + b'"')))
            await recorder.flush()
        head = await recorder.log.head("a")
        assert head is not None
        assert head.last_seq < 12
    assert len(notices) == 1


async def test_the_runs_of_a_worker_that_is_gone_are_interrupted(tmp_path: Path) -> None:
    channel = Channel()
    hub_log: EventLog = HubLog(tmp_path, channel)
    now = SystemClock().now_ns()
    # The number of a process that ended was given again: that is how another process's run looks.
    for run, process in (("live-1", this_process()), ("gone-2", this_process() + "1")):
        start = b'{"agent":"echo","process":"%b"}' % process.encode()
        await hub_log.append(run, [Entry(1, now, "run.started", start)])
    async with recording(tmp_path, Notices(), window=HOUR) as recorder:
        for sent in channel.entries:
            recorder.take(*sent)
        recorder.abandon(["gone-2"])
        await recorder.flush()
    stored = StoredRuns(Stores(hub_log, MemoryStateStore()), SystemClock(), 600)
    assert [(await stored.find(run)).going_on for run in ("live-1", "gone-2")] == [True, False]
    found = await stored.find("gone-2")
    assert (found.finished, found.outcome, found.last_seq) == (False, None, 1)
    await hub_log.aclose()


async def test_a_worker_reads_what_the_hub_has_written_and_forgets_nothing(tmp_path: Path) -> None:
    channel = Channel()
    hub_log = HubLog(tmp_path, channel)
    await hub_log.append("a", entries(1, 2))
    await hub_log.append("a", [])
    assert (await hub_log.read("a"), await hub_log.head("a")) == ([], None)
    waiting = asyncio.create_task(hub_log.wait("a", after=0))
    async with recording(tmp_path, Notices()) as recorder:
        recorder.take(*channel.entries[0])
        await recorder.flush()
        await waiting
        assert await hub_log.read("a") == entries(1, 2)
        assert await hub_log.runs() == await hub_log.unfinished() == ["a"]
        assert await hub_log.kept() == []
        await hub_log.discard("a")
        assert await hub_log.runs() == ["a"]
        assert [run.run_id for run in await recorder.log.kept()] == ["a"]
    results = await hub_log.append_all([("a", entries(3, 3)), ("../b", entries(1, 1))])
    assert [result is None for result in results] == [True, False]
    assert channel.drained == 3
    channel.gone = True
    with pytest.raises(StoreError, match="gone"):
        await hub_log.append("a", entries(4, 4))
    await hub_log.aclose()


@pytest.mark.slow
@given(steps=st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 40), st.booleans(), st.booleans()), max_size=12))
async def test_whatever_comes_is_kept_in_order(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int, bool, bool]]
) -> None:
    sent: dict[str, int] = {}
    ended: set[str] = set()
    async with recording(tmp_path_factory.mktemp("runs"), Notices(), window=HOUR) as recorder:
        for run, count, flush, finish in steps:
            if run in ended:
                continue
            first = sent.get(run, 0) + 1
            last = max(first + count - 1, 2 if finish else 1)
            recorder.take(*frame(run, entries(first, last, finished=finish)))
            sent[run] = last
            if finish:
                ended.add(run)
            if flush:
                await recorder.flush()
        await recorder.flush()
        for run, last in sent.items():
            assert await recorder.log.read(run, limit=10_000) == entries(1, last, finished=run in ended)

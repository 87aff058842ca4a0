"""Stores under real processes: killed in the middle, racing, holding locks, with a disk that is full."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sentient_cli.errors import StoreError
from sentient_cli.store.database import Database
from sentient_cli.store.file import FileEventLog
from sentient_cli.store.ports import EventLog, LogHead
from sentient_cli.store.sqlite import SQLiteEventLog
from tests.store.adapters import DURABLE_LOGS, entries, opened_log
from tests.store.appender import BATCH, RACE_LENGTH

pytestmark = pytest.mark.parametrize("adapter", DURABLE_LOGS)


def start(repository: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.store.appender", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=repository,
        env={**os.environ, "PYTHONPATH": str(repository)},
    )


def line_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def finish(process: subprocess.Popen[str]) -> list[str]:
    output, _ = process.communicate(timeout=150)
    assert process.returncode == 0
    return output.split("\n")[:-1]


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 7, 40])
async def test_killed_while_appending(adapter: str, tmp_path: Path, repository: Path, count: int) -> None:
    with start(repository, "endless", adapter, str(tmp_path)) as process:
        for _ in range(count):
            line_of(process)
        process.send_signal(signal.SIGKILL)
        assert process.stdout is not None
        confirmed = [int(line) for line in process.stdout.read().split()]  # `communicate` forgets what is buffered
    acknowledged = max([*confirmed, count * BATCH])
    async with opened_log(adapter, tmp_path) as log:
        found = await log.read("r", limit=1_000_000)
        assert [item.seq for item in found] == list(range(1, len(found) + 1))
        # All or none: the append that was interrupted is there whole or not at all.
        assert len(found) in {acknowledged, acknowledged + BATCH}
        assert {len(item.data) for item in found} <= {5_000, 300 * 1024}
        assert await log.unfinished() == ["r"]
        await log.append("r", entries(len(found) + 1, len(found) + 2, finished=True))
    async with opened_log(adapter, tmp_path) as log:
        assert await log.head("r") == LogHead(1, len(found) + 2, finished=True)
        assert (await log.read("r", limit=1_000_000))[:-2] == found


@pytest.mark.slow
async def test_two_processes_race(adapter: str, tmp_path: Path, repository: Path) -> None:
    with (
        start(repository, "race", adapter, str(tmp_path)) as one,
        start(repository, "race", adapter, str(tmp_path)) as two,
    ):
        won = [int(line) for line in finish(one)], [int(line) for line in finish(two)]
    assert sorted([*won[0], *won[1]]) == list(range(1, RACE_LENGTH + 1))
    async with opened_log(adapter, tmp_path) as log:
        assert await log.read("r") == entries(1, RACE_LENGTH)


async def test_watching_another_process(adapter: str, tmp_path: Path, repository: Path) -> None:
    async with opened_log(adapter, tmp_path) as log:
        await log.append("other", entries(1, 1))
        with start(repository, "race", adapter, str(tmp_path)) as process:
            seen = 0
            while seen < RACE_LENGTH:
                await log.wait("r", after=seen)
                seen += len(await log.read("r", after=seen))
            finish(process)


@pytest.mark.slow
async def test_a_full_disk_is_an_error_and_harms_nothing(adapter: str, tmp_path: Path, repository: Path) -> None:
    with start(repository, "full", adapter, str(tmp_path)) as process:
        error, counts = finish(process)
    last, found = counts.split()
    assert error.startswith("StoreError: The store")
    assert last == found
    async with opened_log(adapter, tmp_path) as log:
        assert await log.head("r") == LogHead(1, int(last), finished=False)
        await log.append("r", entries(int(last) + 1, int(last) + 1, finished=True))


def _log(adapter: str, path: Path, timeout: float) -> tuple[EventLog, Path]:
    if adapter == "sqlite":
        return SQLiteEventLog(Database(path / "runs.db", busy_timeout=timeout)), path / "runs.db"
    return FileEventLog(path / "runs", lock_timeout=timeout), path / "runs"


@pytest.mark.slow
async def test_a_lock_of_another_process_only_delays(adapter: str, tmp_path: Path, repository: Path) -> None:
    log, place = _log(adapter, tmp_path, 30)
    await log.append("r", entries(1, 2))
    with start(repository, "hold", adapter, str(place)) as holder:
        assert line_of(holder) == "locked"
        waiting = asyncio.create_task(log.append("r", entries(3, 4)))
        for _ in range(50):
            # The loop turns and reads are answered while the write waits.
            assert await log.read("r") == entries(1, 2)
            assert not waiting.done()
        # Who opens the store only now reads as well.
        late, _ = _log(adapter, tmp_path, 30)
        assert await late.head("r") == LogHead(1, 2, finished=False)
        await late.aclose()
        finish(holder)
        await waiting
    assert await log.read("r") == entries(1, 4)
    await log.aclose()


async def test_a_lock_that_is_held_too_long_is_an_error(adapter: str, tmp_path: Path, repository: Path) -> None:
    log, place = _log(adapter, tmp_path, 0.05)
    await log.append("r", entries(1, 2))
    with start(repository, "hold", adapter, str(place)) as holder:
        assert line_of(holder) == "locked"
        with pytest.raises(StoreError, match="locked by another process"):
            await log.append("r", entries(3, 4))
        finish(holder)
    await log.append("r", entries(3, 4))
    assert await log.read("r") == entries(1, 4)
    await log.aclose()

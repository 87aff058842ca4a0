"""Stores from a URL, and forgetting what is no longer to be kept."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from sentient_cli.errors import ConfigError, StoreError
from sentient_cli.store.entry import Entry
from sentient_cli.store.memory import MemoryEventLog
from sentient_cli.store.open import keep, open_stores
from sentient_cli.store.ports import EventLog
from tests.store.adapters import LOGS, entries, opened_log


class StoppedClock:
    def now_ns(self) -> int:
        return 1_000_000_000_000

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)


@pytest.mark.parametrize("url", ["memory", "sqlite:{path}/a/runs.db", "sqlite://{path}/runs.db", "file:{path}/runs"])
async def test_urls(url: str, tmp_path: Path) -> None:
    stores = open_stores(url.format(path=tmp_path))
    assert sorted(os.listdir(tmp_path)) == ["home", "work"]  # noqa: PTH208 - nothing waits for it
    await stores.ready()
    await stores.events.append("r", entries(1, 2))
    await stores.state.put("k", b"v", expected=0)
    assert await stores.events.runs() == ["r"]
    await stores.aclose()
    await stores.aclose()


async def test_the_home_directory_and_the_working_directory(tmp_path: Path) -> None:
    for url, path in (("sqlite:~/runs.db", "home/runs.db"), ("sqlite:runs.db", "work/runs.db")):
        stores = open_stores(url)
        await stores.ready()
        assert (tmp_path / path).exists()
        await stores.aclose()


@pytest.mark.parametrize(
    "url", ["", "memory:", "memory:x", "sqlite", "sqlite:", "sqlite: ", "file:", "postgres://x", "file:a\0b", "~x"]
)
def test_bad_urls(url: str) -> None:
    with pytest.raises(ConfigError, match="store"):
        open_stores(url)


def test_a_home_that_is_not_known() -> None:
    with pytest.raises(ConfigError, match="home"):
        open_stores("file:~nobody-of-this-name/runs")


async def test_faults_are_known_when_it_is_made_ready(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    stores = open_stores(f"sqlite:{tmp_path}/file/runs.db")
    with pytest.raises(StoreError):
        await stores.ready()
    await stores.aclose()
    with pytest.raises(StoreError, match="closed"):
        await stores.ready()


async def _fill(log: EventLog) -> None:
    """Five finished runs, 1 to 5 seconds ago with the newest last, and one that goes on."""
    for age in (5, 4, 3, 2, 1):
        at = 1_000_000_000_000 - age * 1_000_000_000
        started, finished = Entry(1, at, "run.started", b"1" * 1000), Entry(2, at, "run.finished", b"1" * 1000)
        await log.append(f"ago-{age}", [started, finished])
    await log.append("goes-on", [Entry(1, 0, "run.started", b"1" * 9000)])


@pytest.mark.parametrize("adapter", LOGS)
async def test_keeping_some(adapter: str, tmp_path: Path) -> None:
    async with opened_log(adapter, tmp_path) as log:
        await _fill(log)
        assert await keep(log, StoppedClock()) == []
        assert await keep(log, StoppedClock(), seconds=4.5, count=9, size=10**9) == ["ago-5"]
        assert await keep(log, StoppedClock(), count=3) == ["ago-4"]
        assert await keep(log, StoppedClock(), size=5000) == ["ago-3"]
        assert await log.runs() == ["goes-on", "ago-1", "ago-2"]
        assert await keep(log, StoppedClock(), count=0) == ["ago-1", "ago-2"]
        assert await log.runs() == ["goes-on"]


async def test_what_was_interrupted_is_forgotten_once_it_is_surely_over() -> None:
    log = MemoryEventLog()
    for name, ago in (("live", 5), ("killed", 500)):
        await log.append(name, [Entry(1, (1000 - ago) * 10**9, "run.started", b"{}")])
    assert await keep(log, StoppedClock(), count=0, seconds=1, size=0) == []
    assert await keep(log, StoppedClock(), count=0, seconds=1, size=0, longest=100) == ["killed"]
    assert await log.runs() == ["live"]


@pytest.mark.parametrize("adapter", LOGS)
async def test_all_runs_are_looked_at_however_many_there_are(
    adapter: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sentient_cli.store.prune._PAGE", 7)
    names = [f"run-{number:03}" for number in range(40)]
    async with opened_log(adapter, tmp_path) as log:
        for name in names:
            await log.append(name, [Entry(1, 10**9, "run.started", b"{}"), Entry(2, 10**9, "run.finished", b"{}")])
        assert [run.run_id for run in await log.kept(skip=35)] == names[4::-1]
        assert sorted(await keep(log, StoppedClock(), count=10)) == names[:30]
        assert await keep(log, StoppedClock(), seconds=1) == names[:29:-1]

"""What happens to files before anybody watches them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from pathlib import Path

from sentient_cli.config import DevSettings
from sentient_cli.dev.messages import Watched
from sentient_cli.dev.watching.later import LaterWatches
from sentient_cli.dev.watching.watches import Watches
from tests.dev.watch_kit import PATIENCE, let_time_pass


class _Later:
    """Watches that begin when they are told to, and what they tell."""

    def __init__(self, project: Path) -> None:
        self.watches = LaterWatches(project, lambda since: Watches(project, DevSettings(), _notify, (), since))
        self.begin = asyncio.Event()
        self._told: asyncio.Queue[frozenset[Path]] = asyncio.Queue()
        self.following = asyncio.create_task(self.watches.follow(self._told.put_nowait, self.begin.wait()))

    async def told(self) -> frozenset[Path]:
        return await asyncio.wait_for(self._told.get(), PATIENCE)


def _notify(what: str, fix: str) -> None:
    raise AssertionError((what, fix))


@contextlib.asynccontextmanager
async def _later(project: Path) -> AsyncGenerator[_Later]:
    let_time_pass()
    later = _Later(project)
    await asyncio.sleep(0)  # it waits
    try:
        yield later
    finally:
        later.following.cancel()
        await asyncio.wait([later.following])


async def test_settings_that_change_before_files_are_watched_hold(tmp_path: Path) -> None:
    agent, other = tmp_path / "agent.py", tmp_path / "words.foo"
    agent.write_text("1")
    async with _later(tmp_path) as later:
        later.watches.watch(Watched(include=("*.foo",)))
        other.write_text("1")
        later.begin.set()
        assert await later.told() == {other}
        agent.write_text("2")
        assert await later.told() == {agent}
        later.watches.watch(Watched())
        agent.write_text("3")
        assert await later.told() == {agent}


async def test_files_that_are_removed_before_files_are_watched_are_told_once(tmp_path: Path) -> None:
    gone = [tmp_path / name for name in ("sentient.toml", ".env", "prompt.md")]
    ignored = tmp_path / "notes.bin"
    for path in (*gone, ignored):
        path.write_text("")
    async with _later(tmp_path) as later:
        for path in (*gone, ignored):
            path.unlink()
        later.begin.set()
        assert await later.told() == set(gone)
        gone[-1].write_text("again")
        assert await later.told() == {gone[-1]}


async def test_a_project_that_is_gone_has_no_files(tmp_path: Path) -> None:
    async with _later(tmp_path / "nowhere") as later:
        later.begin.set()
        await asyncio.sleep(0)
        assert not later.following.done()

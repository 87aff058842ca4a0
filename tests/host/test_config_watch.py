"""Files of settings that change: when they are read, and when what is wrong with them is told."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

import pytest

from sentient_cli.config.watching import Contents, contents_of, doorways
from sentient_cli.host import config_watch
from sentient_cli.host.config_watch import ConfigWatch

_PATIENCE = 60


class _Settings:
    """Files of which one says ``well`` when it is well."""

    def __init__(self, *files: Path) -> None:
        self._files = files
        self.known: Contents | None = None
        self.tries: list[tuple[str, bool]] = []
        self.then: list[Callable[[], object]] = []
        self._tried = asyncio.Event()

    def files(self) -> tuple[Path, ...]:
        return self._files

    async def take(self, *, sure: bool) -> bool:
        seen = contents_of(self._files)
        text = self._files[0].read_text() if self._files[0].exists() else "none"
        self.tries.append((text, sure))
        if self.then:
            self.then.pop(0)()
        self._tried.set()
        if sure or text == "well":
            self.known = seen
        return text == "well"

    async def tried(self, text: str, *, sure: bool) -> None:
        async with asyncio.timeout(_PATIENCE):
            while (text, sure) not in self.tries:
                self._tried.clear()
                await self._tried.wait()


def _refuses(*_: object) -> int:
    return -1


@contextlib.asynccontextmanager
async def _watching(settings: _Settings) -> AsyncGenerator[None]:
    task = asyncio.create_task(ConfigWatch(settings).run())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_half_of_a_file_is_no_fault(tmp_path: Path) -> None:
    file = tmp_path / "sentient.toml"
    file.write_text("we")
    settings = _Settings(file)
    settings.then.append(lambda: file.write_text("well"))  # its writer goes on
    async with _watching(settings):
        await settings.tried("well", sure=False)
    assert settings.tries == [("we", False), ("well", False)]


async def test_a_fault_is_told_once_the_file_stays_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "sentient.toml"
    file.write_text("wrong")
    settings = _Settings(file)
    async with _watching(settings):
        await settings.tried("wrong", sure=True)
        file.write_text("well")
        await settings.tried("well", sure=False)
    assert settings.tries == [("wrong", False), ("wrong", True), ("well", False)]


async def test_what_is_empty_or_gone_may_come_back(tmp_path: Path) -> None:
    file = tmp_path / "sentient.toml"
    file.write_text("well")
    settings = _Settings(file)
    async with _watching(settings):
        await settings.tried("well", sure=False)
        file.unlink()
        await settings.tried("none", sure=True)
    assert settings.tries == [("well", False), ("none", True)]


async def test_what_is_put_back_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config_watch, "_LOOK_EVERY", 0.05)
    file, other = tmp_path / "sentient.toml", tmp_path / ".env"
    file.write_text("well")
    settings = _Settings(file, other)
    async with _watching(settings):
        await settings.tried("well", sure=False)
        file.write_text("")
        os.utime(file)
        file.write_text("well")
        seen = asyncio.Event()
        settings.then.append(seen.set)
        other.write_text("A=1")  # and this is told, so all of it was seen
        async with asyncio.timeout(_PATIENCE):
            await seen.wait()
    assert settings.tries == [("well", False)] * 2


@pytest.mark.slow
@pytest.mark.parametrize("told", [True, False])
async def test_directories_that_come_later_are_heard_too(
    told: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if told:
        monkeypatch.setattr(config_watch, "_LOOK_EVERY", 3600.0)
    else:  # as where the system has no watches left
        monkeypatch.setattr(config_watch, "listen", _refuses)
        monkeypatch.setattr(config_watch, "_LOOK_OFTEN", 0.05)
    file = tmp_path / "a" / "b" / "config.toml"
    settings = _Settings(file)
    settings.known = {}
    async with _watching(settings):
        file.parent.mkdir(parents=True)
        await asyncio.to_thread(file.write_text, "well")
        await settings.tried("well", sure=False)
        for text in ("not well", "well"):
            file.with_name("new").write_text(text)
            file.with_name("new").replace(file)
            await settings.tried(text, sure=text != "well")


@pytest.mark.slow
async def test_a_link_on_the_way_leads_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config_watch, "_LOOK_EVERY", 3600.0)
    for name, text in (("one", "well"), ("two", "other")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "sentient.toml").write_text(text)
    current = tmp_path / "current"
    current.symlink_to("one")
    settings = _Settings(current / "sentient.toml")
    async with _watching(settings):
        await settings.tried("well", sure=False)
        (tmp_path / "next").symlink_to(tmp_path / "two")
        (tmp_path / "next").replace(current)
        await settings.tried("other", sure=True)
        (tmp_path / "two" / "sentient.toml").write_text("more")  # where it leads now is heard
        await settings.tried("more", sure=True)


def test_rings_of_links_and_things_that_are_no_files(tmp_path: Path) -> None:
    (tmp_path / "ring").symlink_to("ring")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    found = [tmp_path / name for name in ("ring", "pipe", "folder", "ring/sentient.toml", "pipe/sentient.toml")]
    assert {path.name for path in contents_of(found)} <= {"ring", "sentient.toml"}
    assert doorways(found)[os.path.realpath(tmp_path)] == {"ring", "pipe", "folder"}

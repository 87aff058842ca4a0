"""What is told of saves, as editors and git make them, with real files and the system's own events."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import subprocess
import threading
from pathlib import Path

import pytest

from sentient_cli.dev.watching import stamps
from sentient_cli.dev.watching.watch import Scope, Watcher
from tests.dev.watch_kit import PATIENCE, inotify_descriptors, let_time_pass, watching


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project that was saved a minute ago."""
    folder = tmp_path / "project"
    (folder / "prompts").mkdir(parents=True)
    for name in ("agent.py", ".env", "sentient.toml", "prompts/system.md"):
        (folder / name).write_text(f"{name} as it was\n")
        os.utime(folder / name, ns=(0, stamps.now_ns() - 60_000_000_000))
    return folder


@pytest.fixture
def scope(project: Path) -> Scope:
    return Scope(project)


@pytest.mark.parametrize("name", ["agent.py", ".env", "sentient.toml", "prompts/system.md"])
async def test_a_plain_save(project: Path, scope: Scope, name: str) -> None:
    let_time_pass()
    async with watching(scope) as told:
        (project / name).write_text("new\n")
        await told.about(project / name)


async def test_an_atomic_save_is_one_change_of_one_file(project: Path, scope: Scope) -> None:
    let_time_pass()
    async with watching(scope) as told:
        for number in range(3):
            temporary = project / f"tmp{number}.py"  # a name that would matter
            temporary.write_text(f"number {number}\n")
            temporary.replace(project / "agent.py")
            await told.about(project / "agent.py")
        assert await told.quiet(project / "beacon.py") == []


async def test_a_save_with_a_backup_as_vim_makes_it(project: Path, scope: Scope) -> None:
    let_time_pass()
    async with watching(scope) as told:
        (project / ".agent.py.swp").write_bytes(b"swap")
        (project / "4913").write_text("")
        (project / "4913").unlink()
        (project / "agent.py").rename(project / "agent.py~")
        (project / "agent.py").write_text("new\n")
        (project / "agent.py~").unlink()
        await told.until(lambda: project / "agent.py" in told.paths)
        assert set(told.paths) == {project / "agent.py"}


async def test_what_holds_the_same_is_not_told_again(project: Path, scope: Scope) -> None:
    let_time_pass()
    agent = project / "agent.py"
    async with watching(scope) as told:
        agent.write_text("one\n")
        await told.about(agent)
        for _ in range(3):
            agent.touch()
            agent.write_text("one\n")
            (project / "agent.py.tmp").write_text("one\n")
            (project / "agent.py.tmp").replace(agent)
            assert await told.quiet(project / "beacon.py") == []
        agent.write_text("two\n")
        await told.about(agent)


async def test_files_that_come_and_go(project: Path, scope: Scope) -> None:
    let_time_pass()
    async with watching(scope) as told:
        deep = project / "one" / "two" / "three" / "deep.py"
        deep.parent.mkdir(parents=True)
        deep.write_text("1")
        await told.about(deep)
        deep.write_text("2")
        await told.about(deep)
        shutil.rmtree(project / "one")
        await told.about(deep)
        (project / "agent.py").unlink()
        await told.about(project / "agent.py")
        (project / "agent.py").write_text("again")
        await told.about(project / "agent.py")


async def test_directories_that_are_moved(tmp_path: Path, project: Path, scope: Scope) -> None:
    outside = tmp_path / "outside"
    (outside / "inner").mkdir(parents=True)
    (outside / "inner" / "tool.py").write_text("1")
    let_time_pass()
    async with watching(scope) as told:
        outside.rename(project / "moved")
        tool = project / "moved" / "inner" / "tool.py"
        await told.about(tool)
        tool.write_text("2")
        await told.about(tool)
        (project / "moved").rename(project / "again")
        await told.about(tool, project / "again" / "inner" / "tool.py")
        (project / "again" / "inner" / "tool.py").write_text("3")
        await told.about(project / "again" / "inner" / "tool.py")
        (project / "again").rename(tmp_path / "away")
        await told.about(project / "again" / "inner" / "tool.py")
        (tmp_path / "away" / "inner" / "tool.py").write_text("4")
        assert await told.quiet(project / "beacon.py") == []


async def test_a_file_replaced_by_a_directory_and_back(project: Path, scope: Scope) -> None:
    let_time_pass()
    agent = project / "agent.py"
    async with watching(scope) as told:
        agent.unlink()
        agent.mkdir()
        (agent / "inner.py").write_text("1")
        await told.about(agent, agent / "inner.py")
        shutil.rmtree(agent)
        agent.write_text("a file again")
        await told.about(agent, agent / "inner.py")


async def test_the_project_deleted_and_made_again(project: Path, scope: Scope) -> None:
    let_time_pass()
    async with watching(scope) as told:
        for number in range(2):
            shutil.rmtree(project)
            await told.about(project / "agent.py")
            project.mkdir()  # noqa: ASYNC240 - nothing waits on this loop
            (project / "agent.py").write_text(f"again {number}")
            await told.about(project / "agent.py")
            (project / "agent.py").write_text(f"and again {number}")
            await told.about(project / "agent.py")


async def test_a_directory_deleted_and_made_again_at_once(project: Path, scope: Scope) -> None:
    inner = project / "package" / "inner"
    inner.mkdir(parents=True)
    (inner / "tool.py").write_text("1")
    let_time_pass()
    async with watching(scope) as told:
        for number in range(5):
            shutil.rmtree(project / "package")
            inner.mkdir(parents=True)
            (inner / "tool.py").write_text(f"2 {number}")
            await told.about(inner / "tool.py")
            (inner / "tool.py").write_text(f"3 {number}")
            await told.about(inner / "tool.py")


async def test_a_save_each_few_milliseconds(project: Path, scope: Scope) -> None:
    let_time_pass()
    agent = project / "agent.py"
    async with watching(scope) as told:
        for number in range(200):
            agent.write_text(f"number {number}")
            await asyncio.sleep(0.002)
        await told.until(lambda: bool(told.sets))
        seen = len(told.sets)
        assert 1 <= seen < 200
        agent.write_text("the last")
        await told.until(lambda: len(told.sets) > seen)


async def test_changes_while_nobody_asks_are_one(project: Path, scope: Scope) -> None:
    let_time_pass()
    watcher = Watcher(scope)
    names = [f"module_{number}.py" for number in range(300)]
    async with contextlib.aclosing(watcher.changes()) as changes:
        asking = asyncio.ensure_future(anext(changes))
        await asyncio.wait_for(watcher.started(), PATIENCE)
        (project / "agent.py").write_text("new")
        assert await asyncio.wait_for(asking, PATIENCE) == {project / "agent.py"}
        for text in ("one", "two"):
            for name in names:
                (project / name).write_text(text)
        (project / "agent.py").write_text("newer")
        (project / "agent.py").write_text("new")  # as it was told
        missing = {project / name for name in names}
        while missing:
            changed = await asyncio.wait_for(anext(changes), PATIENCE)
            assert changed <= missing
            missing -= changed


async def test_what_was_saved_before_the_watch_began(project: Path, scope: Scope) -> None:
    let_time_pass()
    watcher = Watcher(scope)
    (project / "agent.py").write_text("saved in between")
    async with contextlib.aclosing(watcher.changes()) as changes:
        assert await asyncio.wait_for(anext(changes), PATIENCE) == {project / "agent.py"}


def _git(project: Path, *arguments: str) -> None:
    names = ["-c", "user.name=x", "-c", "user.email=x@localhost", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *names, *arguments], cwd=project, check=True, capture_output=True)


@pytest.mark.slow
async def test_a_switch_of_branches_is_one_or_two_sets(project: Path, scope: Scope) -> None:
    files = [project / f"package_{number % 7}" / f"module_{number}.py" for number in range(150)]
    for file in files:
        file.parent.mkdir(exist_ok=True)
        file.write_text("main")
    _git(project, "init", "--quiet", "--initial-branch=main")
    _git(project, "add", ".")
    _git(project, "commit", "--quiet", "--message", "main")
    _git(project, "switch", "--quiet", "--create", "other")
    for file in files[:100]:
        file.write_text("other")
    for file in files[100:]:
        file.unlink()
    _git(project, "commit", "--quiet", "--all", "--message", "other")
    let_time_pass()
    async with watching(scope) as told:
        for branch in ("main", "other"):
            await asyncio.to_thread(_git, project, "switch", "--quiet", branch)
            await told.until(lambda: set(told.paths) == set(files))
            assert len(told.sets) <= 3
            told.sets.clear()


async def test_nothing_is_told_while_git_works(project: Path, scope: Scope) -> None:
    _git(project, "init", "--quiet")
    lock = project / ".git" / "index.lock"
    let_time_pass()
    async with watching(scope) as told:
        lock.touch()
        (project / "agent.py").write_text("half of a switch")
        await asyncio.to_thread((project / "prompts" / "system.md").write_text, "the other half")
        await asyncio.sleep(0.2)
        assert told.sets == []
        lock.unlink()
        await told.until(lambda: set(told.paths) == {project / "agent.py", project / "prompts" / "system.md"})


async def test_a_lock_that_git_left_behind_is_waited_for_once(project: Path, scope: Scope) -> None:
    _git(project, "init", "--quiet")
    (project / ".git" / "index.lock").touch()
    let_time_pass()
    async with watching(scope) as told:
        for number in range(5):
            (project / "agent.py").write_text(f"number {number}")
            await told.about(project / "agent.py")


async def test_cancelling_ends_every_thread_and_descriptor(project: Path, scope: Scope) -> None:
    let_time_pass()
    for number in range(5):
        async with watching(scope) as told:
            (project / f"package_{number}").mkdir()
            (project / f"package_{number}" / "tool.py").write_text("1")
            await told.about(project / f"package_{number}" / "tool.py")
        names = [thread.name for thread in threading.enumerate()]
        assert not [name for name in names if name == "sentient-watch"]
    while inotify_descriptors():  # noqa: ASYNC110 - the native threads close them
        await asyncio.sleep(0.001)


async def test_cancelled_while_it_begins(project: Path, scope: Scope) -> None:
    task = asyncio.ensure_future(anext(Watcher(scope).changes()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

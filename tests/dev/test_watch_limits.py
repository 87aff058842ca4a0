"""No watches left, no descriptors left, a process that stood still, and a hundred thousand files."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from sentient_cli.dev.watching.watch import Scope
from tests.dev.watch_kit import PATIENCE, watching
from tests.dev.watch_limits import REFUSED
from tests.plugins.isolation import REPOSITORY

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="its limits are those of Linux")


class _Program:
    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        self.process = process
        self._lines = process.stdout

    async def line(self) -> list[str]:
        line = await asyncio.wait_for(self._lines.readline(), PATIENCE)
        if not line and await self.process.wait() == REFUSED:
            pytest.skip("this system has no namespaces")
        return line.decode().strip().split("|")

    async def until(self, *names: str) -> None:
        missing = set(names)
        while missing:
            kind, *told = await self.line()
            assert kind == "changed", (kind, told)
            missing -= set(told)


@asynccontextmanager
async def _program(folder: Path, *limit: str) -> AsyncGenerator[_Program]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.dev.watch_limits", str(folder), *limit),
        stdout=asyncio.subprocess.PIPE,
        cwd=REPOSITORY,
        limit=2**24,
    )
    try:
        yield _Program(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def _queue() -> int:
    """How many events the kernel keeps for a process that does not read them."""
    return int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("limit", "fix"), [(("watches", "3"), "fs.inotify.max_user_watches"), (("descriptors",), "max_user_instances")]
)
async def test_a_system_that_refuses_is_looked_at_instead(tmp_path: Path, limit: tuple[str, ...], fix: str) -> None:
    for number in range(8):
        (tmp_path / f"package_{number}").mkdir()
        (tmp_path / f"package_{number}" / "tool.py").write_text("1")
    async with _program(tmp_path, *limit) as program:
        lines = [await program.line() for _ in range(2)]
        notice = next(line for line in lines if line[0] == "notice")
        assert fix in notice[2]
        assert "sudo sysctl" in notice[2]
        (tmp_path / "package_3" / "tool.py").write_text("2")
        await program.until("tool.py")
        (tmp_path / "package_9").mkdir()
        (tmp_path / "package_9" / "new.py").write_text("1")
        await program.until("new.py")
        (tmp_path / "package_9" / "new.py").unlink()
        await program.until("new.py")


async def test_bells_make_room_for_what_has_to_be_watched(tmp_path: Path) -> None:
    project = tmp_path / "project"
    for number in range(8):
        (project / f"package_{number}").mkdir(parents=True)
    async with _program(project, "watches", "26") as program:
        assert await program.line() == ["started"]
        for number in range(9, 12):  # gathering them takes 23 watches at once, and 34 with their bells
            (project / f"package_{number}").mkdir()
            (project / f"package_{number}" / f"new_{number}.py").write_text("1")
            await program.until(f"new_{number}.py")


async def test_nothing_is_lost_while_the_process_stands_still(tmp_path: Path) -> None:
    files = [tmp_path / f"package_{number % 20}" / f"module_{number}.py" for number in range(600)]
    for file in files:
        file.parent.mkdir(exist_ok=True)
        file.write_text("1")
    holds = _queue()
    async with _program(tmp_path, "none") as program:
        assert await program.line() == ["started"]
        program.process.send_signal(signal.SIGSTOP)
        for number in range(holds + 100):
            files[number % len(files)].chmod(0o600 + number // len(files) % 2)
        changed = files[::15]  # the queue is full: these have no events
        for file in changed:
            file.write_text("2")
        program.process.send_signal(signal.SIGCONT)
        await program.until(*(file.name for file in changed))


@pytest.mark.slow
async def test_many_files(tmp_path: Path) -> None:
    for number in range(600):
        folder = tmp_path / f"group_{number // 50}" / f"package_{number}"
        folder.mkdir(parents=True)
        for name in range(5):
            (folder / f"module_{name}.py").touch()
    async with watching(Scope(tmp_path)) as told:
        told.sets.clear()
        for number in (0, 599):
            path = tmp_path / f"group_{number // 50}" / f"package_{number}" / "module_4.py"
            path.write_text("new")
            await told.about(path)


async def test_a_project_that_is_a_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sentient_cli.dev.watching.tree._MOST", 10)
    for number in range(20):
        (tmp_path / f"package_{number}").mkdir()
    async with watching(Scope(tmp_path)) as told:
        (tmp_path / "agent.py").write_text("1")
        await told.about(tmp_path / "agent.py")
        assert [what for what, _ in told.notices] == ["There are more than 10 directories; not all are watched"]

"""Which files matter: patterns, ignores, virtual environments, links, and files from elsewhere."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import threading
from pathlib import Path

import pytest

from sentient_cli.config import DevSettings
from sentient_cli.dev.watching import stamps
from sentient_cli.dev.watching.digests import Digests
from sentient_cli.dev.watching.watch import Scope, Watcher
from tests.dev.watch_kit import PATIENCE, let_time_pass, matters, watching, write

_TEMPORARY = [
    *(".agent.py.swp", ".agent.py.swx", "agent.py~", ".#agent.py", "#agent.py#", "agent.py.tmp", "agent.py.tmp.12.34"),
    *("agent.py___jb_tmp___", "agent.py___jb_old___", ".goutputstream-X1", "agent.py.bak", "agent.py.crswap", "4913"),
]


@pytest.mark.parametrize("name", _TEMPORARY)
def test_what_editors_leave_beside_a_file(name: str) -> None:
    assert not matters(Scope(Path("/p")), f"/p/{name}")


@pytest.mark.parametrize(
    "directory", [".git", ".venv", "venv", "node_modules", "__pycache__", ".mypy_cache", ".sentient"]
)
def test_directories_that_never_matter(directory: str) -> None:
    assert not matters(Scope(Path("/p")), f"/p/inner/{directory}/agent.py")
    assert matters(Scope(Path(f"/{directory}/p")), f"/{directory}/p/agent.py")  # what a root lies in is no matter


def test_patterns() -> None:
    settings = DevSettings(include=("*.csv", "data/*.bin", "Makefile"), ignore=("build", "notes/*.md", "test_*"))
    scope = Scope.of(Path("/p"), settings)
    for name in ("a.csv", "x/a.csv", "data/a.bin", "Makefile", "notes.md", "notes/a.py", "builder/a.py"):
        assert matters(scope, f"/p/{name}"), name
    for name in (
        "a.bin",
        "x/data/a.bin",
        "build/a.py",
        "x/build/y/a.py",
        "notes/a.md",
        "test_a.py",
        "x/test_y/a.py",
        "a",
    ):
        assert not matters(scope, f"/p/{name}"), name
    assert not matters(scope, "/q/a.py")


async def test_nothing_ignored_is_told(tmp_path: Path) -> None:
    for name in ("node_modules/a", ".git", "x/__pycache__", "env"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "env" / "pyvenv.cfg").touch()
    let_time_pass()
    async with watching(Scope(tmp_path, ignore=["data"])) as told:
        for name in ("node_modules/a/a.py", ".git/a.py", "x/__pycache__/a.pyc", "x/__pycache__/a.py", "env/a.py"):
            (tmp_path / name).write_text("x")
        (tmp_path / "data").mkdir()
        (tmp_path / "data" / "a.py").write_text("x")
        (tmp_path / "run.log").write_text("x")
        (tmp_path / "late").mkdir()
        (tmp_path / "late" / "pyvenv.cfg").touch()
        (tmp_path / "late" / "lib").mkdir()
        (tmp_path / "late" / "lib" / "a.py").write_text("x")
        assert await told.quiet(tmp_path / "beacon.py") == []
        assert await told.quiet(tmp_path / "beacon.py") == []


async def test_a_directory_that_turns_out_to_be_an_environment(tmp_path: Path) -> None:
    (tmp_path / "env").mkdir()
    (tmp_path / "env" / "a.py").write_text("x")
    let_time_pass()
    async with watching(Scope(tmp_path)) as told:
        (tmp_path / "env" / "a.py").write_text("xx")
        await told.about(tmp_path / "env" / "a.py")
        (tmp_path / "env" / "pyvenv.cfg").touch()
        await told.quiet(tmp_path / "beacon.py")
        (tmp_path / "env" / "a.py").write_text("xxx")
        assert await told.quiet(tmp_path / "beacon.py") == []


async def test_links_to_files_elsewhere(tmp_path: Path) -> None:
    project, shared = tmp_path / "project", tmp_path / "shared"
    for folder in (project, shared, shared / "v1", shared / "v2"):
        folder.mkdir()
    for version in ("v1", "v2"):
        (shared / version / "prompt.md").write_text(version)
    (shared / "prompt.md").write_text("1")
    (shared / "now").symlink_to("v1")
    (project / "prompt.md").symlink_to(shared / "prompt.md")
    (project / "mounted.md").symlink_to(shared / "now" / "prompt.md")
    (project / "broken.md").symlink_to(shared / "none.md")
    let_time_pass()
    async with watching(Scope(project)) as told:
        (shared / "prompt.md").write_text("2")
        await told.about(project / "prompt.md")
        (shared / "new.md").write_text("3")
        (shared / "new.md").replace(shared / "prompt.md")
        await told.about(project / "prompt.md")
        (shared / "next").symlink_to("v2")
        (shared / "next").replace(shared / "now")
        await told.about(project / "mounted.md")
        (shared / "none.md").write_text("there now")
        await told.about(project / "broken.md")
        (project / "prompt.md").unlink()
        (project / "prompt.md").symlink_to(shared / "v1" / "prompt.md")
        await told.about(project / "prompt.md")
        (shared / "v1" / "prompt.md").write_text("4")
        await told.about(project / "prompt.md")


async def test_links_to_directories_are_not_walked(tmp_path: Path) -> None:
    project, outside = tmp_path / "project", tmp_path / "outside"
    project.mkdir()
    outside.mkdir()
    (project / "loop").symlink_to(project)
    (project / "self").symlink_to("self")
    (project / "elsewhere").symlink_to(outside)
    (project / "prompts.md").symlink_to(outside)
    let_time_pass()
    async with watching(Scope(project)) as told:
        (outside / "agent.py").write_text("1")
        assert await told.quiet(project / "beacon.py") == []
        (project / "elsewhere" / "agent.py").write_text("2")
        assert await told.quiet(project / "beacon.py") == []
        assert [what for what, _ in told.notices] == [
            f"{project / name} is a link to a directory elsewhere, and is not watched"
            for name in sorted(("elsewhere", "prompts.md"))
        ]


async def test_more_places(tmp_path: Path) -> None:
    project, extra, real = tmp_path / "project", tmp_path / "extra", tmp_path / "real"
    for folder in (project, extra, real):
        folder.mkdir()
    (tmp_path / "linked").symlink_to(real)
    (tmp_path / "settings.ini").write_text("1")
    late, missing = tmp_path / "late", tmp_path / "none" / "agent.py"
    places = [extra, tmp_path / "linked", tmp_path / "settings.ini", late, missing]
    let_time_pass()
    async with watching(Scope(project, extra=places)) as told:
        for path in (extra / "a.py", tmp_path / "linked" / "a.py", tmp_path / "settings.ini"):
            path.write_text("2")
            await told.about(path)
        late.mkdir()
        (late / "a.py").write_text("1")
        await told.about(late / "a.py")
        (late / "a.py").write_text("2")
        await told.about(late / "a.py")
        missing.parent.mkdir()
        missing.write_text("1")
        await told.about(missing)
        shutil.rmtree(extra)
        await told.about(extra / "a.py")
        extra.mkdir()
        (extra / "a.py").write_text("3")
        await told.about(extra / "a.py")


async def test_what_a_generation_read(tmp_path: Path) -> None:
    project, library = tmp_path / "project", tmp_path / "library"
    for folder in (project, library, library / "site-packages"):
        folder.mkdir()
    (project / "agent.py").write_text("1")
    files = [library / "tool.py", library / "words.bin", library / "site-packages" / "x.py", project / "grammar.xyz"]
    for file in files:
        file.write_text("1")
    let_time_pass()
    read = stamps.now_ns()
    async with watching(Scope(project)) as told:
        files[0].write_text("2")  # after it was read, before it is watched
        told.watcher.reads([*files, project / "agent.py"], read)
        await told.about(files[0])
        for file in files:
            file.write_text("3")
            await told.about(file)
        (library / "other.py").write_text("1")
        assert await told.quiet(project / "beacon.py") == []
        told.watcher.reads([library / "package"])
        (library / "package").mkdir()
        (library / "package" / "late.py").write_text("1")
        told.watcher.reads([library / "package"])
        (library / "package" / "late.py").write_text("2")
        await told.about(library / "package" / "late.py")


async def test_code_that_went_after_it_was_read_and_before_it_is_watched(tmp_path: Path) -> None:
    project, other = tmp_path / "project", tmp_path / "other"
    for folder in (project, other):
        folder.mkdir()
    let_time_pass()
    read = stamps.now_ns()
    code = project / "agent.py"
    code.write_text("1")
    code.unlink()
    async with watching(Scope(project)) as told:
        gone = [code, project / ".env", other / "elsewhere.py"]
        told.watcher.reads(gone, read)
        await told.about(code)
        told.watcher.reads(gone, read)  # by code that is loaded anew, and was told of it
        assert await told.quiet(project / "beacon.py") == []


async def test_what_is_asked_for_before_anybody_listens_is_looked_at_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sentient_cli.dev.watching.looking._SWEEP", 3600.0)
    project, library = tmp_path / "project", tmp_path / "library"
    for folder in (project, library):
        folder.mkdir()
    (library / "tool.py").write_text("1")
    read = stamps.now_ns()
    (library / "tool.py").write_text("2")
    watcher = Watcher(Scope(project))
    watcher.reads([library / "tool.py"], read)
    async with contextlib.aclosing(watcher.changes()) as changes:
        assert await asyncio.wait_for(anext(changes), PATIENCE) == {library / "tool.py"}


async def test_a_file_that_was_a_directory_when_it_was_asked_for(tmp_path: Path) -> None:
    project, agent = tmp_path / "project", tmp_path / "elsewhere" / "agent.py"
    project.mkdir()
    agent.mkdir(parents=True)
    async with watching(Scope(project)) as told:
        told.watcher.reads([agent])
        for number in range(2):
            (agent / "inner.py").write_text(str(number))
            await told.about(agent / "inner.py")
            shutil.rmtree(agent)
            agent.write_text("a file")
            await told.about(agent, agent / "inner.py")
            agent.write_text("a file that is saved")
            await told.about(agent)
            agent.unlink()
            agent.mkdir()
            await told.about(agent)


async def test_whoever_asks_for_files_does_not_wait_for_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project, library = tmp_path / "project", tmp_path / "library"
    project.mkdir()
    library.mkdir()
    files = [library / f"module_{number}.py" for number in range(50)]
    for file in files:
        file.write_text("1")
    looked: set[str] = set()
    realpath = os.path.realpath

    def looking(path: str) -> str:
        looked.add(threading.current_thread().name.partition("_")[0])
        return realpath(path)

    async with watching(Scope(project)) as told:
        monkeypatch.setattr(os.path, "realpath", looking)
        told.watcher.reads(files)
        let_time_pass()
        files[-1].write_text("2")
        await told.about(files[-1])
    assert looked == {"sentient-look"}


async def test_a_project_behind_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "project").symlink_to("real")
    let_time_pass()
    async with watching(Scope(tmp_path / "project")) as told:
        (tmp_path / "real" / "agent.py").write_text("1")
        await told.about(tmp_path / "project" / "agent.py")


async def test_names_that_are_no_text(tmp_path: Path) -> None:
    top = os.fsencode(tmp_path)
    inner, outer = top + b"/\xff\xfe/a.py", top + b"/\xfd.py"
    write(inner, "1")
    let_time_pass()
    async with watching(Scope(tmp_path)) as told:
        for number, path in enumerate((inner, outer, inner)):
            write(path, f"number {number}")
            await told.about(Path(os.fsdecode(path)))
        (tmp_path / "agent.py").write_text("1")
        await told.about(tmp_path / "agent.py")


async def test_special_files(tmp_path: Path) -> None:
    let_time_pass()
    async with watching(Scope(tmp_path)) as told:
        os.mkfifo(tmp_path / "pipe.py")
        assert await told.quiet(tmp_path / "beacon.py") == []
        (tmp_path / "pipe.py").unlink()
        (tmp_path / "pipe.py").write_text("a file")
        await told.about(tmp_path / "pipe.py")
        (tmp_path / "large.txt").write_bytes(b"x" * 5_000_000)
        await told.about(tmp_path / "large.txt")
        with (tmp_path / "large.txt").open("ab") as file:
            file.write(b"y")
        await told.about(tmp_path / "large.txt")


def test_what_became_a_directory_or_a_pipe_ends_no_watch_and_leaves_nothing_open(tmp_path: Path) -> None:
    digests = Digests()
    place = tmp_path / "agent.py"
    place.write_text("one")
    assert digests.differs(str(place))
    before = len(list(Path("/proc/self/fd").iterdir()))
    place.unlink()
    place.mkdir()
    assert digests.differs(str(place)), "it is no file any more"
    assert not digests.differs(str(place))
    place.rmdir()
    os.mkfifo(place)
    assert not digests.differs(str(place))
    place.unlink()
    place.write_text("one")
    assert digests.differs(str(place))
    assert len(list(Path("/proc/self/fd").iterdir())) <= before

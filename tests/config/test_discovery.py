"""Which `sentient dev` runs where."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentient_cli import paths
from sentient_cli.config import discovery
from sentient_cli.config.discovery import Announcement, find, nearest
from sentient_cli.config.processes import state_of, this_process

_ENDS_UNSEEN = """
import os, signal, sys
from pathlib import Path
from sentient_cli.config.discovery import Announcement
announcement = Announcement(Path(sys.argv[1]), "1.0").__enter__()
assert announcement.publish("http://127.0.0.1:8000", "greeter")
print(announcement.sockets, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(autouse=True)
def runtime_directory(isolated: None) -> None:
    """As the system makes it when a user comes; what others can enter is not taken."""
    Path(os.environ["XDG_RUNTIME_DIR"]).mkdir(mode=0o700, exist_ok=True)


def _folder() -> Path:
    return paths.runtime_dir() / "dev"


def _files() -> list[Path]:
    return sorted(_folder().iterdir()) if _folder().is_dir() else []


def _change(**changes: object) -> Path:
    """Another file like the one that is there, with other values."""
    (path,) = _files()
    other = path.with_name(f"{path.name.partition('-')[0]}-999999999.json")
    other.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    return other


def _project(name: str) -> Path:
    path = Path(name).absolute()
    path.mkdir(parents=True)
    return path


def test_one_that_answers_is_found_and_is_gone_after_its_end() -> None:
    project = _project("weather")
    with Announcement(project, "1.2.3") as announcement:
        assert find() == []  # it does not answer yet
        assert announcement.publish("http://127.0.0.1:8000", "greeter")
        (server,) = find()
        assert (server.url, server.agent, server.version) == ("http://127.0.0.1:8000", "greeter", "1.2.3")
        assert (server.project, server.pid) == (project.resolve(), os.getpid())
        assert (server.token_file, server.sockets) == (announcement.token_file, announcement.sockets)
        assert find(project) == [server]
        assert find(project.parent) == []
        announcement.token_file.write_text("secret")
    assert find() == []
    assert _files() == []
    assert not announcement.sockets.exists()


def test_what_it_writes_is_private() -> None:
    previous = os.umask(0)  # so that nothing but our own care keeps others out
    try:
        with Announcement(Path(), "1"):
            (path,) = _files()
            modes = [each.stat().st_mode & 0o777 for each in (path, _folder(), _folder().parent)]
    finally:
        os.umask(previous)
    assert modes == [0o600, 0o700, 0o700]


def test_what_a_killed_one_left_is_removed() -> None:
    project = _project("weather")
    killed = subprocess.run(
        [sys.executable, "-c", _ENDS_UNSEEN, project], stdout=subprocess.PIPE, text=True, check=False, timeout=150
    )
    assert killed.returncode == -signal.SIGKILL
    sockets = Path(killed.stdout.strip())
    assert sockets.is_dir()
    assert len(_files()) == 1
    assert find() == []
    assert _files() == []
    assert not sockets.exists()


def test_a_process_that_has_the_same_number_is_another_one() -> None:
    machine, pid, _ = this_process().split(":")
    with Announcement(Path(), "1") as announcement:
        announcement.publish("http://127.0.0.1:8000", "greeter")
        stale = _change(process=f"{machine}:{pid}:0", sockets=None)
        assert [server.process for server in find()] == [this_process()]
        assert not stale.exists()


def test_those_of_another_machine_are_left_alone() -> None:
    with Announcement(Path(), "1") as announcement:
        announcement.publish("http://127.0.0.1:8000", "greeter")
        other = _change(process="elsewhere:1:1")
        assert len(find()) == 1
        assert other.exists()
        other.unlink()
    assert state_of("elsewhere:1:1") == "elsewhere"
    assert state_of("nonsense") == "elsewhere"


@pytest.mark.parametrize("name", ["precious", "sentient-dev-link"])
def test_nothing_is_removed_but_directories_of_sockets(name: str) -> None:
    precious = _project("precious")
    (precious / "file").touch()
    if name != "precious":
        Path(name).symlink_to(precious)
    machine, _, _ = this_process().split(":")
    with Announcement(Path(), "1") as announcement:
        announcement.publish("http://127.0.0.1:8000", "greeter")
        stale = _change(process=f"{machine}:{os.getpid()}:0", sockets=str(Path(name).absolute()))
        find()
        assert not stale.exists()
    assert (precious / "file").exists()


def test_the_nearest_project_is_meant_else_the_only_one() -> None:
    outer, inner, elsewhere = _project("outer"), _project("outer/inner/deep"), _project("elsewhere")
    assert nearest(inner) is None
    with Announcement(outer, "1") as first, Announcement(inner.parent, "1") as second:
        first.publish("http://127.0.0.1:1", "outer")
        found = nearest(elsewhere)
        assert found is not None
        assert found.agent == "outer"
        second.publish("http://127.0.0.1:2", "inner")
        chosen = [nearest(folder) for folder in (outer, inner, inner.parent, elsewhere)]
        assert [each.agent if each else None for each in chosen] == ["outer", "inner", "inner", None]


def test_two_of_one_project_are_found_the_oldest_first() -> None:
    with Announcement(Path(), "1") as announcement:
        announcement.publish("http://127.0.0.1:1", "first")
        second = _change(url="http://127.0.0.1:2", agent="second")
        assert [server.agent for server in find(Path())] == ["first", "second"]
        second.unlink()


def test_where_nothing_can_be_written_it_is_not_found_and_does_not_fail() -> None:
    _folder().parent.write_text("in the way")
    with Announcement(Path(), "1") as announcement:
        assert announcement.sockets.is_dir()
        assert not announcement.publish("http://127.0.0.1:8000", "greeter")
        assert find() == []


def _a_pipe(path: Path) -> None:
    os.mkfifo(path)


def _a_link(path: Path) -> None:
    (path.parent.parent / "elsewhere.json").write_text("{}")
    path.symlink_to(path.parent.parent / "elsewhere.json")


def _a_folder(path: Path) -> None:
    path.mkdir()


def _unreadable(path: Path) -> None:
    path.write_text("[" * 100_000)


@pytest.mark.parametrize("put", [_a_pipe, _a_link, _a_folder, _unreadable])
def test_what_is_no_file_of_ours_is_passed_over(put: Callable[[Path], None]) -> None:
    _folder().mkdir(parents=True)
    put(_folder() / "0123-1.json")
    assert find() == []


@given(
    st.dictionaries(
        st.sampled_from(["url", "project", "agent", "process", "version", "pid", "token_file", "sockets"]),
        st.none() | st.integers() | st.text() | st.lists(st.text()),
    )
    | st.none()
    | st.lists(st.text())
)
def test_whatever_a_file_says_nothing_breaks(content: object) -> None:
    server = discovery._server(json.loads(json.dumps(content)))
    assert server is None or isinstance(server.url, str)

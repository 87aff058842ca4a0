"""Hub, workers and fork server killed at random moments, with streams open and requests arriving: nothing is left."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import threading
from collections.abc import Generator
from pathlib import Path

import httpx
import pytest

from tests.dev.developing import AGENT, Developing, Stream, children, developing, wait_until

_STREAMS = 6
_NEVER = "a file that nobody makes"
_KILLS = 6


class _Load:
    """Streams that never end by themselves, and requests one after the other.

    Args:
        url: Of the server.
    """

    def __init__(self, url: str) -> None:
        self.answered = 0
        self._url = url
        self._over = threading.Event()
        self._streams = [Stream(url, _NEVER) for _ in range(_STREAMS)]
        self._asking = threading.Thread(target=self._ask, daemon=True)
        self._asking.start()

    def _ask(self) -> None:
        while not self._over.is_set():
            with contextlib.suppress(httpx.HTTPError):
                self.answered += httpx.get(f"{self._url}/health", timeout=150).status_code == 200

    def refill(self) -> None:
        """Open as many streams as there were; those that ended with their worker are no more."""
        alive = [stream for stream in self._streams if not stream.ended]
        self._streams = [*alive, *(Stream(self._url, _NEVER, wait=False) for _ in range(_STREAMS - len(alive)))]

    def wait_for_one(self) -> None:
        """Wait until another request is answered."""
        before = self.answered
        wait_until(lambda: self.answered > before, "it goes on to answer")

    def end(self) -> None:
        """Every stream has come to an end, and nobody asks any more."""
        self._over.set()
        self._asking.join(150)
        for stream in self._streams:
            stream.finish()


@contextlib.contextmanager
def _loaded(dev: Developing) -> Generator[_Load]:
    load = _Load(dev.url)
    try:
        yield load
    finally:
        if dev.process.poll() is None:
            dev.process.kill()
        load.end()


def _family(project: Path) -> list[int]:
    """Everybody who is in this directory, but for those that have ended."""
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            is_ours = entry.name.isdigit() and (entry / "cwd").readlink() == project
            if is_ours and "\nState:\tZ" not in (entry / "status").read_text():
                found.append(int(entry.name))
    return found


def _files(*places: Path) -> set[str]:
    return {str(path) for place in places for path in place.rglob("*") if not path.is_dir() or path.parent in places}


def _wait_for_nobody(url: str) -> None:
    host, _, port = url.removeprefix("http://").rpartition(":")

    def is_free() -> bool:
        with socket.socket() as client:
            return client.connect_ex((host, int(port))) != 0

    wait_until(is_free, "nobody holds the port")


@pytest.mark.slow
@pytest.mark.story("20.5")
@pytest.mark.parametrize("seed", range(3))
def test_a_hub_that_is_killed_under_load_leaves_nothing(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    project = tmp_path / "project"
    project.mkdir()
    (project / "sentient.toml").write_text("")
    temporary, runtime = tmp_path / "temporary", tmp_path / "runtime"
    for place in (temporary, runtime):
        place.mkdir(mode=0o700)
    env = {"TMPDIR": str(temporary), "XDG_RUNTIME_DIR": str(runtime)}
    version = "one"
    for round_ in range(2):
        with developing(project, env=env, code=-signal.SIGKILL) as dev, _loaded(dev) as load:
            everybody = _family(project)
            assert dev.process.pid in everybody
            for number in range(_KILLS):
                victims = children(dev.process.pid)
                # The hub may go while it loads code; and after too many ends nothing is started until there is a save.
                if number % 3 == 2 or chance.random() < 0.4:
                    version = f"save-{round_}-{number}"
                    dev.write("agent.py", AGENT.format(version=version))
                for pid in chance.sample(victims, min(len(victims), chance.randint(0, 2))):
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                load.refill()
                load.wait_for_one()
            dev.process.kill()
            wait_until(lambda: not _family(project), f"nobody is left of {_family(project)}")
            _wait_for_nobody(dev.url)
        assert dev.process.poll() == -signal.SIGKILL
    with developing(project, env=env) as dev:
        assert dev.ask() == version
        assert len(list((temporary).glob("sentient-dev-*"))) == 1, "that of earlier ones is gone"
        last = dev.get("/_sentient/runs", token=True).json()
        assert {row["outcome"] for row in last} <= {"done", "lost"}
    assert _files(temporary, runtime / "sentient" / "dev") == set()
    runs = project / ".sentient" / "runs"
    odd = [path for path in runs.iterdir() if path.suffix not in {".jsonl", ".db"} and path.name != ".lock"]
    assert [path.name for path in odd] == [".gitignore"]
    assert _family(project) == []

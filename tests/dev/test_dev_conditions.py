"""What the machine does to ``dev``: little memory, another time, processes that are killed."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import cast

import httpx
import pytest

from tests.dev.developing import AGENT, GO, Developing, Stream, children, developing, wait_until

# -- memory ----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.story("20.5")
def test_an_import_that_takes_more_memory_than_there_is(tmp_path: Path) -> None:
    limit = "import resource\nresource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))\n"
    with developing(tmp_path / "project") as dev:
        mark = dev.write("agent.py", f"{limit}HELD = bytearray(8 << 30)\n{AGENT.format(version='two')}")
        problem = cast("dict[str, object]", dev.wait("broken", since=mark)["problem"])
        assert "MemoryError" in str(problem["why"])
        assert (Path(str(problem["file"])).name, problem["line"]) == ("agent.py", 3)
        assert problem["fix"]
        assert dev.ask() == "one"


@pytest.mark.slow
@pytest.mark.story("20.5")
def test_an_import_of_two_gigabytes(tmp_path: Path) -> None:
    held = "HELD = bytes(1) * (2 << 30)\n"
    with developing(tmp_path / "project") as dev:
        stream = Stream(dev.url, GO)
        mark = dev.write("agent.py", held + AGENT.format(version="two"))
        dev.wait("reloaded", since=mark)
        assert dev.ask() == "two"
        assert dev.save("three")
        assert dev.ask() == "three"
        dev.go()
        assert stream.words() == {"one"}
        wait_until(lambda: len(dev.workers()) == 1, "what held so much is gone")


# -- files -----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.story("20.5")
def test_a_hundred_thousand_files_are_watched(tmp_path: Path) -> None:
    project = tmp_path / "project"
    for folder in range(1000):
        place = project / f"part{folder:03}"
        place.mkdir(parents=True)
        for number in range(100):
            (place / f"data{number:02}.py").touch()
    with developing(project) as dev:
        assert dev.ask() == "one"
        last = dev.wait("reloaded", since=dev.write("part999/data99.py", "VALUE = 1\n"))
        assert last["changed"] == ["part999/data99.py"]
        assert dev.save("two")["changed"] == ["agent.py"]
        assert dev.ask() == "two"


# -- time ------------------------------------------------------------------------------------------------------------

_CLOCK = """
import time

_real = time.time_ns

def _time_ns():
    try:
        with open("clock.hours") as file:
            return _real() + int(file.read()) * 3600 * 10**9
    except (OSError, ValueError):
        return _real()

time.time_ns = _time_ns
"""
"""What time it is follows a file."""


@pytest.mark.slow
@pytest.mark.story("20.5")
def test_a_clock_that_is_set_back_and_forth(tmp_path: Path) -> None:
    with developing(tmp_path / "project", prelude=_CLOCK) as dev:
        stream = Stream(dev.url, GO)
        for number, hours in enumerate((-5, 5, 0)):
            (dev.project / "clock.hours").write_text(str(hours))
            dev.save(f"save-{number}")
            assert dev.ask() == f"save-{number}"
        (dev.project / "clock.hours").write_text("-7")
        lost = Stream(dev.url, "never")
        wait_until(lambda: len(dev.get("/_sentient/runs", token=True).json()) == 5, "all have begun")
        os.kill(max(dev.workers()), signal.SIGKILL)
        ended = dev.wait("run-ended", where=lambda event: event["outcome"] == "lost")
        assert cast("float", ended["total_ms"]) >= 0
        assert lost.finish() is not None
        dev.go()
        assert stream.words() == {"one"}
        dev.wait("run-ended", where=lambda event: event["prompt"] == GO and event["outcome"] == "done")
        assert all(cast("float", event["total_ms"]) >= 0 for event in dev.events if event["event"] == "run-ended")

        def outcomes() -> list[str]:
            return sorted(str(row["outcome"]) for row in dev.get("/_sentient/runs", token=True).json())

        wait_until(lambda: outcomes() == ["done"] * 4 + ["lost"], "each is recorded to its end")


# -- a system that watches nothing -------------------------------------------------------------------------------------

_NO_WATCHES = """
import ctypes, pathlib, sys

if ctypes.CDLL(None).unshare(0x10000000):  # CLONE_NEWUSER: a namespace has limits of its own
    sys.exit(77)
pathlib.Path("/proc/sys/user/max_inotify_watches").write_text("2")
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="a limit of Linux")
@pytest.mark.story("20.5")
def test_saves_are_live_where_the_system_has_no_watches_left(tmp_path: Path) -> None:
    if subprocess.run([sys.executable, "-c", _NO_WATCHES], check=False, capture_output=True).returncode:
        pytest.skip("this system has no namespaces")
    for number in range(6):
        (tmp_path / "project" / f"package_{number}").mkdir(parents=True)
    with developing(tmp_path / "project", prelude=_NO_WATCHES) as dev:
        notice = dev.wait("notice")
        assert "watches no more files" in str(notice["text"])
        assert "sudo sysctl fs.inotify.max_user_watches" in str(notice["fix"])
        stream = Stream(dev.url, GO)
        dev.save("two")
        assert dev.ask() == "two"
        mark = dev.write("agent.py", "x = (\n")
        assert dev.wait("broken", since=mark)["serving"]
        dev.save("three")
        dev.go()
        assert stream.words() == {"one"}
        assert [event["event"] for event in dev.events].count("notice") == 1


# -- runs of older code ----------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.story("20.5", "18.6")
def test_a_run_is_watched_again_and_cancelled_after_reloads(tmp_path: Path) -> None:
    with developing(tmp_path / "project") as dev:
        stream = Stream(dev.url, GO)
        run = str(dev.wait("run-started")["run"])
        dev.save("two")
        dev.save("three")
        assert dev.get(f"/runs/{run}").json()["status"] == "running"
        events = f"{dev.url}/runs/{run}/events"
        with httpx.stream("GET", events, headers={"Last-Event-ID": "2"}, timeout=150) as again:
            lines = again.iter_lines()
            first = next(line for line in lines if line.startswith("id:"))
            assert int(first[3:]) > 2
            assert '"one ' in next(line for line in lines if line.startswith("data:"))
            cancelled = httpx.post(f"{dev.url}/runs/{run}/cancel", timeout=150)
            assert (cancelled.status_code, cancelled.json()["status"]) == (202, "cancelling")
            assert "event: done" in list(lines)
        assert any('"error_code":499' in line for line in stream.finish())
        wait_until(lambda: len(dev.workers()) == 1, "the code of that run is gone")
        state = dev.get(f"/runs/{run}").json()
        assert (state["status"], state["outcome"]) == ("finished", "cancelled")
        assert "event: done" in dev.get(f"/runs/{run}/events").text
        assert dev.ask() == "three"


# -- processes that are killed ---------------------------------------------------------------------------------------


def _answers(dev: Developing, version: str) -> Callable[[], bool]:
    def answers() -> bool:
        with contextlib.suppress(httpx.HTTPError):  # whoever is asked just then may be the victim
            return dev.ask() == version
        return False

    return answers


@pytest.mark.slow
@pytest.mark.story("20.5")
@pytest.mark.parametrize("seed", range(2))
def test_whoever_is_killed_the_next_question_is_answered(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    with developing(tmp_path / "project", code=-signal.SIGKILL) as dev:
        version = "one"
        for number in range(12):
            victims = children(dev.process.pid)  # workers, and the fork server if it is there again
            if chance.random() < 0.3:  # while it is loaded
                version = f"save-{number}"
                dev.write("agent.py", AGENT.format(version=version))
            for pid in chance.sample(victims, chance.randint(min(1, len(victims)), len(victims))):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            wait_until(_answers(dev, version), f"{version} answers")
            if number % 3 == 2:
                version = f"mended-{number}"
                dev.save(version)
        wait_until(lambda: len(dev.workers()) == 1, "one is left")
        everybody = children(dev.process.pid)
        dev.process.kill()
        wait_until(lambda: not any(Path(f"/proc/{pid}/exe").exists() for pid in everybody), "nothing outlives it")
    with developing(dev.project) as dev:
        assert dev.ask() == version

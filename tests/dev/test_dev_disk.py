"""A disk that takes nothing any more, and a place that is none: the agent answers all the same."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.dev.developing import Developing, developing, wait_until
from tests.support.wire import PATIENCE

pytestmark = [
    pytest.mark.measured,
    pytest.mark.usefixtures("unmeasured"),  # its disk would be full for the figures too
    pytest.mark.skipif(sys.platform != "linux", reason="of Linux"),
]

FULL = """
import resource

resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
"""
"""No file can grow: as on a full disk."""


@pytest.fixture
def small_disk(tmp_path: Path) -> Generator[Path]:
    """A disk of 256 KiB."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "none", str(place)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("no disk can be mounted here")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def notices(dev: Developing, words: str) -> list[str]:
    """What was said that has these words."""
    return [text for event in dev.events if words in (text := str(event.get("text", "")))]


def _answers_and_says_so_once(dev: Developing) -> None:
    assert dev.ask() == "one"
    dev.save("two")
    assert dev.ask() == "two"
    assert len(notices(dev, "Sessions are forgotten")) == 1


@pytest.mark.slow
@pytest.mark.story("20.5")
def test_a_disk_that_is_full_at_the_start(tmp_path: Path) -> None:
    place = tmp_path / "run"
    place.mkdir(mode=0o700)  # in memory on most systems
    with developing(tmp_path / "project", prelude=FULL, env={"XDG_RUNTIME_DIR": str(place)}) as dev:
        _answers_and_says_so_once(dev)
        assert len(notices(dev, "Runs are not being recorded")) == 1
        assert dev.state()["status"] == "ready"


@pytest.mark.story("20.5")
def test_no_place_for_anything_is_an_error_of_its_own(tmp_path: Path) -> None:
    with developing(tmp_path / "project", prelude=FULL, ready=False, code=5) as dev:
        dev.process.wait(PATIENCE)


@pytest.mark.slow
@pytest.mark.story("20.5")
def test_a_place_for_what_is_kept_that_is_none(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.write_text("a file where a directory belongs")
    with developing(tmp_path / "project", env={"XDG_STATE_HOME": str(state)}) as dev:
        _answers_and_says_so_once(dev)
        assert len(notices(dev, "Runs are not being recorded")) == 1
        state.unlink()
        dev.save("three")
        assert dev.ask() == "three"
        assert len(notices(dev, "Sessions are forgotten")) == 1


@pytest.mark.slow
@pytest.mark.story("20.5")
def test_a_disk_that_fills_while_runs_are_recorded(tmp_path: Path, small_disk: Path) -> None:
    with developing(tmp_path / "project", env={"XDG_STATE_HOME": str(small_disk)}) as dev:
        assert dev.ask() == "one"
        mark = dev.mark()
        filling = small_disk / "filling"
        descriptor = os.open(filling, os.O_WRONLY | os.O_CREAT)
        with contextlib.suppress(OSError):  # no space is left
            while os.write(descriptor, bytes(4096)):
                pass
        os.close(descriptor)
        for _ in range(3):
            assert dev.ask() == "one"
        dev.wait("notice", since=mark, where=lambda event: "Runs are not being recorded" in str(event["text"]))
        dev.save("two")
        assert dev.ask() == "two"
        filling.unlink()
        dev.wait("notice", since=mark, where=lambda event: "Runs are being recorded again" in str(event["text"]))
        wait_until(lambda: len(dev.get("/_sentient/runs", token=True).json()) == 5, "all of them are there")

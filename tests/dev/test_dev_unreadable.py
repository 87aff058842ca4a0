"""What the user of ``sentient dev`` may not read, and what is elsewhere than it seems."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import cast

import pytest

from tests.dev.developing import AGENT, developing

pytestmark = [pytest.mark.measured, pytest.mark.skipif(sys.platform != "linux", reason="of Linux")]

AS_OTHERS = """
import ctypes

libc = ctypes.CDLL(None)
header, rights = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
for right in (1, 2):
    libc.prctl(24, right, 0, 0, 0)
libc.capget(header, rights)
for which in (0, 1):
    rights[which] &= ~0b110
libc.capset(header, rights)
"""
"""Gives up what lets root read everything (CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH); nothing for other users."""


def _problem(event: dict[str, object]) -> dict[str, object]:
    return cast("dict[str, object]", event["problem"])


@pytest.mark.story("20.5")
def test_a_folder_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    data = tmp_path / "project" / "data"
    data.mkdir(parents=True)
    (data / "pg.py").write_text("")
    data.chmod(0)
    try:
        with developing(tmp_path / "project", prelude=AS_OTHERS) as dev:
            assert dev.ask() == "one"
            dev.save("two")
            assert dev.ask() == "two"
    finally:
        data.chmod(0o700)


@pytest.mark.story("20.5")
def test_an_agent_file_that_cannot_be_read_is_said_to_be_so(tmp_path: Path) -> None:
    with developing(tmp_path / "project", prelude=AS_OTHERS) as dev:
        file = dev.project / "agent.py"
        mark = dev.mark()
        file.chmod(0)
        dev.write("other.txt", "a save of something else")
        problem = _problem(dev.wait("broken", since=mark))
        assert "Permission denied" in str(problem["why"])
        assert "chmod" in str(problem["fix"])
        assert dev.ask() == "one"
        mark = dev.mark()
        file.chmod(0o600)
        dev.write("other.txt", "and another one")
        dev.wait("reloaded", since=mark)


@pytest.mark.slow
@pytest.mark.story("20.5")
def test_an_agent_file_that_is_a_link_to_one_elsewhere(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "shared.py").write_text(AGENT.format(version="one"))
    project = tmp_path / "project"
    project.mkdir()
    (project / "agent.py").symlink_to(elsewhere / "shared.py")
    with developing(project, version=None) as dev:
        assert dev.ask() == "one"
        mark = dev.mark()
        (elsewhere / "shared.py").write_text(AGENT.format(version="two"))
        dev.wait("reloaded", since=mark)
        assert dev.ask() == "two"

"""``dev`` in tmux: start, run, broken save, mended save, crash, help, in small terminals and in one that changes."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Generator, Mapping
from pathlib import Path

import httpx
import pytest

from tests.dev.developing import AGENT, body, wait_until
from tests.support.served import environment

pytestmark = pytest.mark.slow

_SCROLLBACK = "-500"
_LONG = "What is the weather like in Reykjavík on the first weekend of December, and in 東京? 🌦️ \x1b[31mred"
_CRASH = 'if query.prompt == "crash":\n        __import__("ctypes").string_at(0)\n    async with response'
_REMAINS = re.compile(r"\x1b|\[[0-9;]+m|\[K|\[J")
"""Of escape sequences that were cut, or shown as text."""


class Tmux:
    """A terminal of tmux, of a server of its own.

    Args:
        place: Where its socket is.
    """

    def __init__(self, place: Path) -> None:
        self._command = ["tmux", "-f", os.devnull, "-S", str(place / "tmux")]

    def do(self, *arguments: str, env: Mapping[str, str] | None = None) -> str:
        """Run a command of tmux."""
        return subprocess.run([*self._command, *arguments], check=True, capture_output=True, text=True, env=env).stdout

    def screen(self) -> list[str]:
        """What is seen."""
        return self.do("capture-pane", "-p").split("\n")

    def shows(self, text: str) -> None:
        """Wait until something is seen."""
        wait_until(lambda: any(text in line for line in self.screen()), f"{text!r} is shown: {self.screen()}")

    def press(self, key: str) -> None:
        """Press a key."""
        self.do("send-keys", key)

    def broken_lines(self) -> list[str]:
        """Lines that the terminal had to break since they were too long."""
        lines = self.do("capture-pane", "-p", "-S", _SCROLLBACK).split("\n")
        joined = self.do("capture-pane", "-p", "-J", "-S", _SCROLLBACK).split("\n")
        return [line for line in (each.rstrip() for each in joined) if line and line not in {x.rstrip() for x in lines}]


@pytest.fixture
def tmux(tmp_path: Path) -> Generator[Tmux]:
    """A terminal, ended with the test."""
    if shutil.which("tmux") is None:
        pytest.skip("there is no tmux")
    terminal = Tmux(tmp_path)
    yield terminal
    with contextlib.suppress(subprocess.CalledProcessError):
        terminal.do("kill-server")


def _start(tmux: Tmux, place: Path, columns: int, rows: int, **more: str) -> Path:
    project, home = place / "project", place / "home"
    for folder in (project, home):
        folder.mkdir(exist_ok=True)
    (project / "agent.py").write_text(_agent("one"))
    command = f"{sys.executable} -m sentient_cli dev --port 0; echo it ended with $?; read line"
    env = {**environment(home), "TERM": "xterm-256color", **more}
    size = ("-x", str(columns), "-y", str(rows))
    tmux.do("new-session", "-d", *size, "-c", str(project), command, env=env)
    tmux.shows("q quit")
    return project


def _agent(version: str) -> str:
    return AGENT.format(version=version).replace("async with response", _CRASH, 1)


def _url(tmux: Tmux) -> str:
    found = re.search(r"http://127\.0\.0\.1:\d+", "\n".join(tmux.screen()))
    assert found is not None
    return found[0]


def _ask(url: str, prompt: str = "") -> None:
    with contextlib.suppress(httpx.HTTPError):
        httpx.post(f"{url}/assist", json=body(prompt), timeout=150)


def _seen(tmux: Tmux, columns: int, *texts: str) -> None:
    """Wait until this is seen, one below the other; what is seen is whole."""
    for text in texts:
        tmux.shows(text)
    lines = tmux.screen()
    assert max(map(len, lines)) <= columns
    assert not _REMAINS.search("\n".join(lines)), lines
    places = [next(number for number, line in enumerate(lines) if text in line) for text in texts]
    assert places == sorted(places), lines


@pytest.mark.story("20.5", "E18.3")
@pytest.mark.parametrize(("columns", "rows"), [(60, 15), (80, 24), (40, 18)])
def test_every_screen_fits_a_small_terminal(tmux: Tmux, tmp_path: Path, columns: int, rows: int) -> None:
    project = _start(tmux, tmp_path, columns, rows)
    url = _url(tmux)
    _seen(tmux, columns, "sentient dev", "versions", url, "r reload", "q quit")
    for name in ("go", _LONG):  # files for which the answers to these questions wait
        (project / name).touch()
    _ask(url, "go")
    _seen(tmux, columns, "✓ go")
    _ask(url, _LONG)
    _seen(tmux, columns, "✓ What is the")
    (project / "agent.py").write_text("\n\n\n" + "x = (  # " + "a long line of code " * 9)
    _seen(tmux, columns, "no valid Python", "'(' was never closed", "agent.py:4", "▸ 4 │ x = (")
    _ask(url)
    _seen(tmux, columns, "✓ (no text)")
    (project / "agent.py").write_text(_agent("two"))
    _seen(tmux, columns, "mended and reloaded")
    tmux.press("?")
    _seen(tmux, columns, "load the code again", "end, as Ctrl-C does", "The page, with its events")
    _ask(url, "crash")
    _seen(tmux, columns, "why It used memory", "agent.py:14", "▸ 14 │", "Reloaded")
    broken = tmux.broken_lines()
    assert len(broken) <= 1, "nothing is broken by the terminal but the link"
    assert all(line.startswith(f"  {url}/#token=") for line in broken)
    tmux.press("q")
    tmux.shows("it ended with 0")


@pytest.mark.story("20.5", "E18.3")
def test_a_window_that_changes_its_size_is_drawn_as_before(tmux: Tmux, tmp_path: Path) -> None:
    project = _start(tmux, tmp_path, 100, 30)
    url = _url(tmux)
    with httpx.stream("POST", f"{url}/assist", json=body("never " + "and " * 30), timeout=150) as answer:
        assert answer.status_code == 200
        tmux.shows("● never and and")
        for columns, rows in ((60, 15), (80, 24), (45, 20)):
            tmux.do("resize-window", "-x", str(columns), "-y", str(rows))
            (project / "agent.py").write_text(_agent(f"of-{columns}"))
            tmux.shows("agent.py reloaded")
            _seen(tmux, columns, "● never and")
            wait_until(lambda: sum("● never" in line for line in tmux.screen()) == 1, "it stands there once")
    tmux.shows("■ never and")
    wait_until(lambda: not any("● never" in line for line in tmux.screen()), "and ends where it stood")
    tmux.press("q")
    tmux.shows("it ended with 0")


@pytest.mark.story("20.5")
def test_a_day_in_tmux(tmux: Tmux, tmp_path: Path) -> None:
    project = _start(tmux, tmp_path, 80, 30)
    for part in ("Agent     versions", "URL       http://127.0.0.1:", "Python", "r reload   o open page"):
        tmux.shows(part)
    tmux.press("r")
    tmux.shows("Reloaded")
    (project / "agent.py").write_text("x = (\n")
    tmux.shows("agent.py is no valid Python")
    (project / "agent.py").write_text(AGENT.format(version="two"))
    tmux.shows("mended and reloaded")
    tmux.press("C-c")
    tmux.shows("it ended with 0")


@pytest.mark.story("20.5", "E18.3")
def test_over_ssh_the_command_for_the_page_is_shown_whole(tmux: Tmux, tmp_path: Path) -> None:
    _start(tmux, tmp_path, 80, 24, SSH_CONNECTION="10.0.0.9 51000 10.0.0.5 22", USER="ann")
    url = _url(tmux)
    port = url.rpartition(":")[2]
    tmux.press("o")
    _seen(tmux, 80, "There is no browser here", f"  ssh -N -L {port}:127.0.0.1:{port} ann@10.0.0.5", f"  {url}/#token=")
    tmux.press("q")
    tmux.shows("it ended with 0")

"""`sentient dev` at a terminal: its keys, its signals, and the terminal that it leaves."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from sentient_cli.config.discovery import find
from tests.cli.dev_day import READY, TOKEN
from tests.cli.dev_terminal import OWN_SEQUENCES, developing

_KEYS = "r reload   o open page   d debug   c clear   ? help   q quit"


@pytest.fixture(autouse=True)
def runtime_directory(isolated: None) -> None:
    """As the system makes it when a user comes; what others can enter is not taken."""
    Path(os.environ["XDG_RUNTIME_DIR"]).mkdir(mode=0o700, exist_ok=True)


@pytest.mark.story("20.5")
def test_a_day_with_every_key() -> None:
    with developing() as terminal:
        terminal.wait_for(_KEYS)
        assert not terminal.echoes()
        assert TOKEN not in terminal.text()
        (server,) = find(Path.cwd())
        assert (server.agent, server.pid) == (READY.agent, terminal.process.pid)
        assert server.url in terminal.text()
        for keys, said in (
            ("r", "Reloaded"),
            ("x\x1b[Aquit all of this", ""),  # what means nothing, an arrow, and what was pasted
            ("d", "The page (o) shows what happens in a run"),
            ("o", "Open this where there is one"),
            ("?", "load the code again"),
        ):
            terminal.type(keys)
            terminal.wait_for(said)
        assert f"{server.url}/#token={TOKEN}\x1b".encode() in terminal.raw  # whole, for whoever copies it
        terminal.type("c")
        terminal.wait_until(lambda: b"\x1b[H\x1b[2J" in terminal.raw)
        terminal.wait_until(lambda: "load the code again" not in terminal.text())
        assert server.url in terminal.text()
        terminal.type("q")
        assert terminal.end() == 0
        assert terminal.modes() == terminal.before
        assert "x" not in terminal.lines()
        assert b"\x1b" not in OWN_SEQUENCES.sub(b"", terminal.raw)
    assert find() == []
    assert server.sockets is not None
    assert not server.sockets.exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_and_leaves_the_terminal_as_it_was(number: signal.Signals) -> None:
    with developing() as terminal:
        terminal.wait_for(_KEYS)
        terminal.process.send_signal(number)
        assert terminal.end() == 0
        assert terminal.modes() == terminal.before
        assert terminal.lines()[-1] == ""
    assert find() == []


def test_a_hangup_loads_the_code_again_and_ends_it_without_its_terminal() -> None:
    with developing() as terminal:
        terminal.wait_for(_KEYS)
        terminal.process.send_signal(signal.SIGHUP)
        terminal.wait_for("Reloaded")
        terminal.hang_up()
        assert terminal.process.wait() == 0
    assert find() == []


def test_the_shell_can_stop_it_and_go_on_with_it() -> None:
    with developing(under_shell=True) as terminal:
        terminal.wait_for(_KEYS)
        for _ in range(2):
            terminal.type("\x1a")
            terminal.wait_until(terminal.is_stopped)
            assert terminal.modes() == terminal.before
            os.kill(terminal.job, signal.SIGCONT)
            terminal.wait_until(lambda: not terminal.echoes())
        terminal.type("r")
        terminal.wait_for("Reloaded")
        terminal.type("\x03")
        assert terminal.end() == 0
        assert terminal.modes() == terminal.before


def test_keys_are_read_again_after_a_stop_that_it_did_not_see() -> None:
    with developing(under_shell=True) as terminal:
        terminal.wait_for(_KEYS)
        for _ in range(2):
            os.kill(terminal.job, signal.SIGSTOP)
            terminal.wait_until(terminal.is_stopped)
            terminal.set_as_shells_do()
            os.kill(terminal.job, signal.SIGCONT)
            terminal.wait_until(lambda: not terminal.echoes())
        terminal.type("r")
        terminal.wait_for("Reloaded")
        terminal.type("q")
        assert terminal.end() == 0
        assert terminal.modes() == terminal.before


def test_a_terminal_that_can_do_nothing_gets_plain_lines_and_keys() -> None:
    with developing(environment={"TERM": "dumb"}) as terminal:
        terminal.wait_for(_KEYS)
        terminal.type("r")
        terminal.wait_for("Reloaded")
        terminal.type("q")
        assert terminal.end() == 0
    assert b"\x1b" not in terminal.raw


def test_without_colours_there_is_still_bold() -> None:
    with developing(environment={"NO_COLOR": "1"}, columns=40) as terminal:
        terminal.wait_for("r reload   ? help   q quit")
        terminal.type("rq")
        assert terminal.end() == 0
    assert b"\x1b[1m" in terminal.raw
    assert b"\x1b[3" not in terminal.raw

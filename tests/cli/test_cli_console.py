"""The one output object."""

from __future__ import annotations

import io
import json
import os
import pty
from pathlib import Path

import pytest

from sentient_cli.cli import commands, invocation
from sentient_cli.cli.commands import COMMANDS, find_command, load_command
from sentient_cli.cli.console import Console
from sentient_cli.errors import UsageError


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def _console(
    *, terminal: bool = False, stdin: str = "", **environment: str
) -> tuple[Console, io.StringIO, io.StringIO]:
    kind = _Terminal if terminal else io.StringIO
    stdout, stderr = kind(), kind()
    return Console(stdout, stderr, kind(stdin), environment=environment), stdout, stderr


def test_data_and_talk_go_their_ways() -> None:
    console, stdout, stderr = _console()
    console.data("data \x1b[31m")
    console.json_line({"a": "\x1b\u202e"})
    console.say("talk \x1b[31m Bearer abcdef123456")
    console.warn("careful")
    console.flush()
    assert stdout.getvalue() == 'data \n{"a": "\\u001b\\u202e"}\n'
    assert stderr.getvalue() == "talk  Bearer [redacted]\nWarning: careful\n"


def test_quiet_and_verbose() -> None:
    console, _, stderr = _console()
    console.detail("one")
    console.quiet = True
    console.say("talk")
    console.verbose = 1
    console.detail("one")
    console.detail("two", level=2)
    assert stderr.getvalue() == "one\n"


@pytest.mark.parametrize(
    ("terminal", "environment", "no_color", "expected"),
    [
        (True, {}, False, True),
        (False, {}, False, False),
        (True, {}, True, False),
        (True, {"NO_COLOR": "1"}, False, False),
        (True, {"NO_COLOR": ""}, False, True),
        (True, {"TERM": "dumb"}, False, False),
        (False, {"FORCE_COLOR": "1"}, False, True),
        (False, {"FORCE_COLOR": "0"}, False, False),
        (False, {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False, False),
    ],
)
def test_when_there_is_color(terminal: bool, environment: dict[str, str], no_color: bool, expected: bool) -> None:
    console, _, _ = _console(terminal=terminal, **environment)
    console.no_color = no_color
    assert console.color() is console.color(stderr=True) is expected
    console.rich(stderr=True).print("x", style="red")
    console.error(UsageError("wrong"))
    assert console.stderr is not None
    written = console.stderr
    assert isinstance(written, io.StringIO)
    assert ("\x1b[" in written.getvalue()) is expected


@pytest.mark.parametrize(
    ("environment", "system"),
    [
        ({"COLORTERM": "truecolor"}, "truecolor"),
        ({"TERM": "xterm-256color"}, "256"),
        ({"TERM": "xterm"}, "standard"),
    ],
)
def test_how_much_color(environment: dict[str, str], system: str) -> None:
    console, _, _ = _console(terminal=True, **environment)
    assert console.rich().color_system == system


@pytest.mark.parametrize(("columns", "width"), [("7", 20), ("50", 50), ("x", 80), ("", 80), ("0", 80), ("²", 80)])
def test_the_width(columns: str, width: int) -> None:
    console, _, _ = _console(COLUMNS=columns)
    assert console.width() == console.width(stderr=True) == width


def test_the_width_of_a_real_terminal() -> None:
    leader, follower = pty.openpty()
    with os.fdopen(leader, "w"), os.fdopen(follower, "w") as terminal:
        os.set_blocking(leader, False)
        console = Console(terminal, terminal, environment={})
        assert console.width() == 80
        assert console.color()


def test_nobody_is_asked_without_a_terminal() -> None:
    console, _, stderr = _console(stdin="answer\n")
    with pytest.raises(UsageError, match="--name") as caught:
        console.ask("Name?", flag="--name")
    assert caught.value.exit_code == 2
    assert stderr.getvalue() == ""


def test_somebody_at_a_terminal_is_asked() -> None:
    console, stdout, stderr = _console(terminal=True, stdin="Ada\r\n")
    assert console.ask("Name?", flag="--name") == "Ada"
    assert (stdout.getvalue(), stderr.getvalue()) == ("", "Name? ")
    with pytest.raises(UsageError, match="The input ended"):
        console.ask("Name?", flag="--name")
    console.json = True
    with pytest.raises(UsageError):
        console.ask("Name?", flag="--name")


def test_keys_that_move_the_cursor_are_no_text() -> None:
    console, _, _ = _console(terminal=True, stdin="A\x1b[Dda\x1b[C\x1b[3~\n")
    assert console.ask("Name?", flag="--name") == "Ada"


def test_a_stream_that_was_closed_later() -> None:
    console, stdout, _ = _console()
    stdout.close()
    assert not console.color()
    assert console.width() == 80


def test_json_for_what_is_no_json() -> None:
    console, stdout, _ = _console()
    console.json_line({"path": Path("a"), "delete": "\x7f"})
    assert stdout.getvalue().isprintable() or stdout.getvalue().strip().isprintable()
    assert json.loads(stdout.getvalue()) == {"path": "a", "delete": "\x7f"}


@pytest.mark.slow
@pytest.mark.parametrize("row", COMMANDS, ids=lambda row: row.name)
def test_every_command_of_the_table_is_there(row: commands.CommandRow) -> None:
    function = load_command(row)
    assert function.__name__ == row.name.replace("-", "_")
    assert (function.__doc__ or "").splitlines()[0].endswith(".")
    assert find_command(row.name) == row


def test_a_command_that_is_not_there() -> None:
    assert find_command("nothing") is None


def test_outside_of_main_there_is_an_invocation_too() -> None:
    here = invocation.current()
    assert here is invocation.current()
    assert here.program == "sentient"

"""How `sentient dev` looks, at any width and whatever it is told."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import cast

import pyte
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import fields, replace
from rich.cells import cell_len

from sentient_cli.cli.dev_json import event_line
from sentient_cli.cli.dev_screen import Action, Item, Looks, Screen, Size, Told
from sentient_cli.cli.dev_text import Pen, fold, shorten, width_of
from sentient_cli.dev.messages import Problem
from sentient_cli.dev.report import (
    DevEvent,
    Notice,
    Output,
    Reloaded,
    Reloading,
    Retired,
    RunEnded,
    RunStarted,
    Stopping,
    WorkerDied,
)
from sentient_cli.redact import redactor
from tests.cli.dev_day import BROKEN, READY, TOKEN, day

NOON = datetime(2026, 1, 2, 12, 0, 0, tzinfo=UTC)
LIVE = Looks(styled=True, color=True, live=True, keys=True, version="1.0", python="3.13.1")
HOSTILE = "a\x1b[2J\x1b]0;title\x07\u202eb\r\n\tc\x9b31m\u200bd" + "e" * 300
_NEW_LINE = 20
"""The mode in which a line feed returns too, as a terminal's driver makes it."""
ACTIONS: list[Action] = ["help", "blank", "clear", "leave", "resume", "end"]


def screen(looks: Looks, *, columns: int = 80, rows: int = 24, encoding: str = "utf-8") -> Screen:
    return Screen(Pen(encoding), lambda: Size(columns, rows), looks)


def shown(items: list[Item], looks: Looks, *, columns: int = 80, rows: int = 24, encoding: str = "utf-8") -> str:
    """All that is written."""
    painter = screen(looks, columns=columns, rows=rows, encoding=encoding)
    return "".join(painter.paint(item, NOON) for item in items)


def seen(text: str, *, columns: int = 80, rows: int = 24) -> list[str]:
    """What stands in a terminal, from the top of its scrollback."""
    emulator = pyte.HistoryScreen(columns, rows, history=10_000, ratio=0.5)
    emulator.set_mode(_NEW_LINE)
    pyte.Stream(emulator).feed(text)
    above = ["".join(row[column].data for column in range(columns)) for row in emulator.history.top]
    return [line.rstrip() for line in [*above, *emulator.display]]


def events() -> list[Item]:
    return [event for _, event in day()]


def hostile(event: DevEvent) -> DevEvent:
    """An event whose texts are whatever somebody made them."""
    texts = {
        name: HOSTILE
        for name in ("prompt", "error", "text", "fix", "how", "agent", "environment", "env_file")
        if isinstance(getattr(event, name, None), str)
    }
    if isinstance(event, Reloaded | Reloading):
        return replace(event, changed=(HOSTILE,))
    return changed(event, texts)


def changed(event: DevEvent, texts: dict[str, str]) -> DevEvent:
    values = {field.name: getattr(event, field.name) for field in fields(event)}
    make = cast("Callable[..., DevEvent]", type(event))
    return make(**{**values, **texts})


@pytest.mark.parametrize("columns", [20, 21, 22, 23, 40, 41, 43, 44, 45, 55, 56, 57, 58, 74, 76, 77, 80, 120, 200])
def test_nothing_is_wider_than_the_terminal(columns: int) -> None:
    looks = Looks(keys=True, version="1.0", python="3.13.1", verbose=1)
    items: list[Item] = [*events(), *(hostile(event) for _, event in day()), *ACTIONS]
    for item in items:
        for line in shown([item], looks, columns=columns).splitlines():
            assert cell_len(line) < columns or "http://" in line


def test_the_figures_stand_below_each_other() -> None:
    runs = [
        RunEnded("1", 1, "short", "done", 1, 3.21, 38.2),
        RunEnded("2", 1, "a question that is much longer than there is room for", "done", 12_345, 812.0, 71_000.0),
        RunEnded("3", 1, "漢字の質問ですが、とても長いので切られます", "cancelled", 7, None, 5_000_000.0),
        RunEnded("4", 1, "", "deadline", 0, None, 600_000.0),
    ]
    lines = shown(list(runs), Looks()).splitlines()
    assert [line[12:].split("  ")[0] for line in lines] == [
        "short",
        "a question that is much long…",
        "漢字の質問ですが… · cancelled",
        "(no text) · out of time",
    ]
    assert {cell_len(line) for line in lines} == {79}
    assert len({cell_len(line.partition(" event")[0]) for line in lines}) == 1
    assert len({cell_len(line.partition("first")[0]) for line in lines[:2]}) == 1


def test_a_debugger_is_told_where_to_attach() -> None:
    text = shown([changed(READY, {"debugger": "127.0.0.1:5678"})], LIVE)
    assert "  Debugger  listens on 127.0.0.1:5678" in seen(text)
    assert "Debugger" not in shown([READY], LIVE)


def test_what_is_broken_shows_the_line() -> None:
    text = shown([BROKEN], Looks(project="/home/ann/weather"))
    assert text == (
        "12:00:00  ✗ agent.py: not reloaded, the code before answers\n"
        "\n"
        "    agent.py is no valid Python\n"
        "    why '(' was never closed\n"
        "    at  agent.py:12\n"
        "    fix Correct agent.py, line 12\n"
        "\n"
        "      10 │ @agent\n"
        "      11 │ async def helper(session: Session, query: Query, response: Response…\n"
        '    ▸ 12 │     await response.text_block("PLAN", f"Look up {query.prompt}"\n'
        '      13 │     async with response.stream("FINAL_RESPONSE") as stream:\n'
        "      14 │         await stream.write(query.prompt)\n"
        "\n"
    )


def test_the_first_code_may_be_broken() -> None:
    text = shown([replace(BROKEN, changed=(), serving=None)], Looks())
    assert "✗ Not loaded, waiting for the next save" in text


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "no-such-encoding"])
def test_every_encoding_can_carry_it(encoding: str) -> None:
    text = shown([*events(), *ACTIONS], Looks(), encoding=encoding)
    text.encode("latin-1" if encoding == "latin-1" else "ascii")
    assert all(cell_len(line) < 80 or "http://" in line for line in text.splitlines())


def test_what_others_wrote_cannot_move_the_cursor_or_hide() -> None:
    items: list[Item] = [hostile(event) for _, event in day()]
    own = re.compile(r"\x1b\[[0-9;]*m|\x1b\[[0-9]*A|\x1b\[K|\x1b\[J|\x1b\[H\x1b\[2J|\r")
    text = own.sub("", shown([*items, Told(HOSTILE, HOSTILE), *ACTIONS], LIVE))
    assert all(character.isprintable() or character == "\n" for character in text)


def test_secrets_are_masked_but_for_the_link_that_is_asked_for() -> None:
    redactor.register("hunter2-hunter2")
    redactor.register(TOKEN)
    items: list[Item] = [
        READY,
        RunEnded("1", 1, "my hunter2-hunter2", "error", 0, None, 1.0, "hunter2-hunter2 is wrong"),
        Output(1, "hunter2-hunter2", "stdout"),
        Notice("hunter2-hunter2", "hunter2-hunter2"),
    ]
    assert "hunter2" not in shown(items, LIVE)
    assert TOKEN not in shown(items, LIVE)
    assert TOKEN in shown(["clear", READY, "help"], LIVE)
    assert TOKEN in shown([READY], Looks(keys=False))
    lines = [event_line(item, NOON) for item in items if not isinstance(item, str | Told)]
    assert "hunter2" not in "".join(lines)
    assert json.loads(lines[0])["inspect_url"].endswith(TOKEN)


@given(st.text(), st.integers(2, 60))
@example("a  b", 2)
@example("  indented text", 8)
def test_folding_loses_nothing_but_space(text: str, width: int) -> None:
    lines = fold(text, width)
    assert "".join("".join(lines).split()) == "".join(text.split())
    assert all(width_of(line) <= width for line in lines)


@given(st.text(), st.integers(0, 60))
def test_shortening_keeps_the_beginning(text: str, width: int) -> None:
    short = shorten(text, width)
    assert width_of(short) <= width
    assert short == text or text.startswith(short.removesuffix("…"))


# -- what changes in place -------------------------------------------------------------------------------------------


def running(number: int) -> RunStarted:
    return RunStarted(str(number), 1, f"question {number}")


def ended(number: int, outcome: str = "done") -> RunEnded:
    return RunEnded(str(number), 9, f"question {number}", outcome, 3, 1.0, 2.0)


def test_runs_are_shown_while_they_go_on_and_stay_once_they_have_ended() -> None:
    painter = screen(LIVE)
    text = "".join(painter.paint(running(number), NOON) for number in range(5))
    lines = [line for line in seen(text) if line]
    assert [line[12:] for line in lines] == ["question 0", "question 1", "question 2", "and 2 more"]
    text += "".join(painter.paint(ended(number), NOON) for number in (3, 0, 4, 1))
    lines = [line for line in seen(text) if line]
    assert [line[10:22] for line in lines] == [
        "✓ question 3",
        "✓ question 0",
        "✓ question 4",
        "✓ question 1",
        "● question 2",
    ]


def test_saves_in_a_row_take_one_line() -> None:
    items: list[Item] = []
    for generation in range(2, 6):
        items += [Reloading(generation, ("agent.py",)), Reloaded(generation, 0.04, ("agent.py",))]
    assert [line for line in seen(shown(items, LIVE)) if line] == [
        "12:00:00  ↻ agent.py reloaded ×4                                          40 ms"  # noqa: RUF001 - as drawn
    ]
    items += [Reloaded(7, 0.04, ("other.py",)), ended(1)]
    lines = [line[12:30].strip() for line in seen(shown(items, LIVE)) if line]
    assert lines == ["agent.py reloaded", "other.py reloaded", "question 1"]
    assert shown(items, Looks()).count("agent.py reloaded") == 4


def test_a_save_that_is_broken_again_takes_the_place_of_the_one_before() -> None:
    again = replace(BROKEN, problem=replace_problem("Something else is wrong"))
    mended = Reloaded(6, 0.05, ("agent.py",), mended=True)
    text = "\n".join(seen(shown([BROKEN, again, mended, ended(1)], LIVE, rows=40), rows=40))
    assert "no valid Python" not in text
    assert text.index("Something else is wrong") < text.index("mended and reloaded") < text.index("question 1")
    small = "\n".join(seen(shown([BROKEN, again, ended(1)], LIVE, rows=12), rows=12))
    assert "no valid Python" in small  # too long to be replaced on this screen
    brief = replace(BROKEN, problem=Problem("agent-import", "Something brief is wrong"))
    both = "\n".join(seen(shown([brief, BROKEN, ended(1)], LIVE, rows=14), rows=14))
    assert "no valid Python" in both
    assert "brief" not in both


def replace_problem(what: str) -> Problem:
    return replace(BROKEN.problem, what=what)


def test_a_narrower_window_leaves_no_rest_of_the_lines_above() -> None:
    columns = 80
    painter = Screen(Pen("utf-8"), lambda: Size(columns, 24), LIVE)
    question = RunStarted("1", 1, "a question of more than forty columns, so that it is wrapped")
    assert "A" not in painter.paint(question, NOON).split("●", maxsplit=1)[0]
    columns = 40
    assert painter.paint(running(2), NOON).startswith("\r\x1b[1A")  # two rows of one line, from the end of the second


def test_the_screen_is_given_up_and_taken_again() -> None:
    text = shown([READY, Reloaded(2, 0.04, ("agent.py",)), running(1), "leave", "resume", ended(1), "end"], LIVE)
    lines = [line for line in seen(text, rows=40) if line]
    assert sum("agent.py reloaded" in line for line in lines) == 1
    assert lines[-1].startswith("12:00:00  ✓ question 1")
    assert shown(["end"], LIVE) == ""


def test_a_cleared_screen_has_what_matters() -> None:
    lines = [line for line in seen(shown([READY, ended(1), running(2), "clear"], LIVE)) if line]
    assert lines == [f"  {READY.url}  {READY.agent}", "12:00:00  ● question 2"]


# -- what is left out ------------------------------------------------------------------------------------------------


def test_quiet_shows_only_what_went_wrong() -> None:
    quiet = replace(LIVE, quiet=True)
    fine: list[Item] = [READY, running(1), ended(1), Reloaded(2, 0.1, ("a.py",)), Notice("x"), Output(1, "x", "stdout")]
    assert shown(fine, quiet) == ""
    assert shown([*fine, "resume", "end"], quiet) == ""
    for bad in (BROKEN, ended(2, "error"), ended(3, "lost"), WorkerDied(1, "killed", 2), Output(1, "x", "error")):
        assert shown([bad], quiet) != ""


@pytest.mark.parametrize(
    ("level", "wanted"), [("warning", True), ("info", False), ("stdout", True), ("stderr", True), ("error", True)]
)
def test_the_log_is_shown_from_a_level_on(level: str, wanted: bool) -> None:
    assert (shown([Output(1, "words", level)], Looks(level="warning")) != "") is wanted


@pytest.mark.parametrize(
    ("event", "calm", "verbose"),
    [
        (Retired(3), "", "generation 3"),
        (Retired(3, cancelled=1), "one run on old code was cancelled", "one run on old code was cancelled"),
        (Stopping(0), "", ""),
        (Stopping(2), "2 runs were cancelled", "2 runs were cancelled"),
    ],
)
def test_details_are_for_those_who_want_them(event: DevEvent, calm: str, verbose: str) -> None:
    for looks, words in ((Looks(), calm), (Looks(verbose=1), verbose)):
        text = shown([event], looks)
        assert words in text
        assert bool(text) is bool(words)


def test_much_output_is_cut() -> None:
    lines = shown([Output(1, "\n".join("ab" * 5 for _ in range(500)), "stdout")], Looks()).splitlines()
    assert len(lines) == 101
    assert lines[-1].endswith("400 more lines")


@pytest.mark.slow
def test_one_endless_line_costs_what_its_length_does(monkeypatch: pytest.MonkeyPatch) -> None:
    measured: list[int] = []

    def counting(text: str) -> int:
        measured.append(len(text))
        return cell_len(text)

    monkeypatch.setattr("rich.cells.cell_len", counting)
    for text, left in (("漢字" * 20_000, "970"), ("漢 " * 20_000, "700"), ("ab" * 200_000, "5234")):
        *lines, last = shown([Output(1, text, "stdout")], Looks()).splitlines()
        assert len(lines) == 100
        assert {cell_len(line) for line in lines} <= {78, 79}
        assert last.endswith(f" {left} more lines")
    assert sum(measured) < 1_000_000


def test_every_event_is_a_line_of_json() -> None:
    lines = [event_line(event, NOON) for _, event in day()]
    parsed: list[dict[str, object]] = [json.loads(line) for line in lines]
    assert all(line.isascii() and line.isprintable() for line in lines)
    assert {str(each["event"]) for each in parsed} >= {"ready", "run-started", "run-ended", "worker-died", "broken"}
    broken = next(each for each in parsed if each["event"] == "broken")
    assert broken["problem"] == {name: getattr(BROKEN.problem, name) for name in BROKEN.problem.__struct_fields__}
    assert broken["time"] == "2026-01-02T12:00:00.000+00:00"

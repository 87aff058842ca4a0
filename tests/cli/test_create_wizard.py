"""The questions of `sentient create`, on a real terminal."""

from __future__ import annotations

import contextlib
import io
import os
import re
import sys
from collections.abc import Generator
from pathlib import Path

import pexpect
import pyte
import pytest

from sentient_cli.scaffold.pristine import load
from tests.plugins.isolation import REPOSITORY
from tests.scaffold.create_kit import FAKE_UV, fake, shot, template
from tests.support import commands

_COLUMNS, _ROWS = 80, 24


class _Terminal:
    def __init__(self, child: pexpect.spawn[bytes], raw: io.BytesIO) -> None:
        self.child = child
        self._raw = raw

    def answer(self, question: str, answer: str) -> None:
        """Wait for a question and its prompt, and type a line."""
        self.child.expect_exact(question.encode())
        self.child.expect_exact(b"> ")
        self.child.sendline(answer)

    def ends(self) -> int:
        """Wait for the end; the exit code."""
        self.child.expect(pexpect.EOF)
        self.child.close()
        assert self.child.signalstatus is None
        return int(self.child.exitstatus or 0)

    def text(self) -> str:
        """What a reader sees, scrolled back to the start."""
        screen = pyte.HistoryScreen(_COLUMNS, _ROWS, history=1000, ratio=0.5)
        pyte.ByteStream(screen).feed(self._raw.getvalue())
        above = ["".join(row[column].data for column in range(_COLUMNS)) for row in screen.history.top]
        return "\n".join(line.rstrip() for line in [*above, *screen.display]).rstrip()

    @property
    def raw(self) -> bytes:
        return self._raw.getvalue()


@contextlib.contextmanager
def _creating(*arguments: str, **environment: str) -> Generator[_Terminal]:
    raw = io.BytesIO()
    child: pexpect.spawn[bytes] = pexpect.spawn(
        sys.executable,
        commands.attached("create", *arguments),
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), **environment},
        dimensions=(_ROWS, _COLUMNS),
        timeout=150,
    )
    child.logfile_read = raw
    try:
        yield _Terminal(child, raw)
    finally:
        child.close(force=True)


_QUESTIONS = (
    *("Which template?", "What is it for?", "Who writes it?", "Under which licence?"),
    *("Who runs its language model?", "What else?"),
)


def _walk(terminal: _Terminal) -> None:
    terminal.answer("What is the project called?", "3d")
    terminal.answer("cannot be called '3d'", "my-agent")
    terminal.answer("Which template?", "9")
    terminal.answer("Type a number", "basic")
    terminal.answer("What is it for?", "")
    terminal.answer("Who writes it?", "Ann")
    terminal.answer("Under which licence?", "MIT-0")
    terminal.answer("Who runs its language model?", "")
    terminal.answer("What else?", "1,x")
    terminal.answer("Type numbers", "3,1")


@pytest.mark.slow  # the next test walks the same questions and installs nothing
@pytest.mark.story("20.1")
def test_a_few_questions_make_a_project(tmp_path: Path) -> None:
    path = fake(tmp_path / "tools", "uv", FAKE_UV)
    with _creating(PATH=path) as terminal:
        _walk(terminal)
        assert terminal.ends() == 0, terminal.text()
    text = terminal.text()
    assert "✓ Its tests pass" in text
    assert text.splitlines()[-1].endswith("(see .env.example).")
    assert len(text[text.index("my-agent is ready") :].splitlines()) <= 8
    assert all(len(line) <= _COLUMNS for line in text.splitlines())
    answers = load(Path("my-agent")).answers
    assert (answers["author"], answers["license"], answers["features"]) == ("Ann", "MIT-0", ["vscode", "ci"])


@pytest.mark.slow
@pytest.mark.story("20.1")
def test_the_answers_are_the_defaults_of_the_next_time() -> None:
    with _creating("--no-install", "--no-git") as terminal:
        _walk(terminal)
        assert terminal.ends() == 0, terminal.text()
    with _creating("second", "--no-install", "--no-git") as again:
        for question in _QUESTIONS:
            again.answer(question, "")
        assert again.ends() == 0, again.text()
    answers = load(Path("second")).answers
    assert (answers["author"], answers["license"], answers["features"]) == ("Ann", "MIT-0", ["vscode", "ci"])


@pytest.mark.slow
@pytest.mark.story("20.1")
@pytest.mark.parametrize("key", ["\x03", pytest.param("\x04", marks=pytest.mark.slow)])
def test_leaving_at_every_question_leaves_nothing(key: str) -> None:
    questions = ["called?", *_QUESTIONS]
    answers = ["my-agent", *[""] * len(_QUESTIONS)]
    before = shot(Path.cwd())
    for last in (0, 1, len(questions) - 1):
        with _creating("--no-install") as terminal:
            for question, answer in zip(questions[:last], answers, strict=False):
                terminal.answer(question, answer)
            terminal.child.expect_exact(questions[last].encode())
            terminal.child.expect_exact(b"> ")
            terminal.child.send(key)
            assert terminal.ends() == (130 if key == "\x03" else 2), terminal.text()
        assert "Traceback" not in terminal.text()
        assert shot(Path.cwd()) == before


@pytest.mark.slow
@pytest.mark.story("20.1")
def test_no_colour_and_a_dumb_terminal() -> None:
    with _creating("my-agent", "--yes", "--no-install", NO_COLOR="1") as plain:
        assert plain.ends() == 0
    assert not re.search(rb"\x1b\[[0-9;]*3[0-9]m", plain.raw)
    with _creating("second", "--yes", "--no-install", TERM="dumb") as dumb:
        assert dumb.ends() == 0
    assert b"\x1b" not in dumb.raw


@pytest.mark.story("E20.3")
@pytest.mark.parametrize(
    ("answer", "made"), [("y", True), ("", False), pytest.param("no", False, marks=pytest.mark.slow)]
)
def test_what_a_template_wants_is_asked_about(tmp_path: Path, answer: str, made: bool) -> None:
    marker = tmp_path / "marker"
    questions = f"_tasks: ['touch {marker}']\ncount:\n  type: int\n  help: How many?\n  default: 3\n"
    questions += "token:\n  type: str\n  secret: true\n  default: none\n"
    folder = template(tmp_path / "t", {"a.txt.jinja": "{{ count }} {{ token }}"}, questions)
    with _creating("x", "-t", str(folder), "--no-install", "--no-git") as terminal:
        terminal.answer("Allow it?", answer)
        if made:
            terminal.answer("How many?", "many")
            terminal.answer("no whole number", "5")
            terminal.answer("token", "verysecret")
        assert terminal.ends() == (0 if made else 5), terminal.text()
    assert f"run   touch {marker}"[:60] in terminal.text()
    assert marker.exists() == made
    assert "verysecret" not in terminal.text()
    if made:
        assert Path("x/a.txt").read_text() == "5 verysecret"


@pytest.mark.slow
@pytest.mark.story("20.1")
def test_defaults_ask_only_for_the_name() -> None:
    with _creating("--defaults", "--no-install") as terminal:
        terminal.answer("called?", "")
        assert terminal.ends() == 0, terminal.text()
    assert load(Path("my-agent")).template == "basic"

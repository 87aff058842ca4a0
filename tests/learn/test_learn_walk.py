"""`sentient learn`, walked from end to end in a real terminal, each step done as a learner does it."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import textwrap
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pexpect
import pytest

from sentient_cli.cli.main import main
from sentient_cli.scaffold.learn.lessons import LESSONS, find_lesson
from tests.plugins.isolation import REPOSITORY
from tests.support import commands
from tests.support.wire import Wire

_LATER = [""] * (len(LESSONS) - 2)
_ANSWERS = Path("learn-agent/answers.toml")


def _plain(written: str) -> str:
    """What was written without colours, in one line."""
    return " ".join(re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", written).split())


class Learner:
    """Somebody at a terminal."""

    def __init__(self, child: pexpect.spawn[str], lesson: str) -> None:
        self.child = child
        self.lesson = lesson

    def types(self, line: str) -> str:
        """Type a line; what was written until the next prompt."""
        self.child.sendline(line)
        self.child.expect(r"(?:\n|\x1b\[J)(\w+) > $")
        match = self.child.match
        assert isinstance(match, re.Match)
        self.lesson = match[1]
        return _plain(str(self.child.before))

    def leaves(self, line: str) -> str:
        self.child.sendline(line)
        self.child.expect(pexpect.EOF)
        return _plain(str(self.child.before))


@contextmanager
def _learning(port: int, *arguments: str) -> Generator[Learner]:
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "SENTIENT_SERVER_PORT": str(port)}
    child: pexpect.spawn[str] = pexpect.spawn(
        sys.executable,
        commands.attached("learn", *arguments),
        env=environment,
        dimensions=(40, 100),
        encoding="utf-8",
        timeout=150,
    )
    child.logfile_read = io.StringIO()
    try:
        child.expect(r"(?:\n|\x1b\[J)(\w+) > $")
        match = child.match
        assert isinstance(match, re.Match)
        yield Learner(child, match[1])
    finally:
        child.close(force=True)


def _learn(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return commands.run_text("learn", *arguments, environment={**os.environ, **environment})


def _replace(file: Path, old: str, new: str) -> None:
    text = file.read_text("utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), "utf-8")


def _states() -> list[str]:
    return [json.loads(line)["state"] for line in _learn("--list", "--json").stdout.splitlines()]


def _example(lesson: str, first: str, last: str) -> str:
    """The lines of a lesson's text from one on to another, as a learner writes them into a file."""
    found = find_lesson(lesson)
    assert found is not None
    text = found.text.replace("{{", "{").replace("}}", "}").replace("{module}", "learn_agent.agent")
    lines = text.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(f"    {first}"))
    end = next(number for number, line in enumerate(lines[start:], start) if line.strip().startswith(last))
    return textwrap.dedent("\n".join(lines[start : end + 1])) + "\n"


def _create(learner: Learner, _port: int) -> None:
    assert "Not yet: There is no learn-agent in" in learner.types("")
    assert "Press Enter at each question" in learner.types("h")
    assert "belong into another terminal" in learner.types("rm -rf /")
    assert "no command line" in learner.types("sentient 'create")
    learner.types("sentient create learn-agent --yes --no-install --no-git")


def _talk(learner: Learner, port: int) -> None:
    assert "`sentient dev` does not run in learn-agent. Start it with `sentient dev &`" in learner.types("")
    assert "ended with exit code" in learner.types("sentient dev --nothing")
    assert "did not start" in learner.types("sentient dev --nothing &")
    assert f"URL http://127.0.0.1:{port}" in learner.types("$ sentient dev &")
    assert "I answer questions" in learner.types('sentient chat -m "What can you do?"')


def _edit(learner: Learner, _port: int) -> None:
    assert "answers.toml has no rule" in learner.types("")
    _write_the_rule()


def _write_the_rule() -> None:
    with _ANSWERS.open("a") as file:
        file.write(_example("edit", "[[rule]]", "answer"))


def _reload(learner: Learner, _port: int) -> None:
    assert "I am all yours." in learner.types('sentient chat -m "Who are you?"')
    _replace(_ANSWERS, 'yours."', "yours.")
    said = learner.types("")
    assert "Not yet: The offline script" in said
    assert "Generation 2 goes on answering. Mend it, and save" in said
    assert "answers.toml: not reloaded, the code before answers" in said
    assert "I am all yours." in learner.types('sentient chat -m "Who are you?"')
    _replace(_ANSWERS, "I am all yours.", 'I am mended."')


def _tool(learner: Learner, _port: int) -> None:
    assert "is as it was made" in learner.types("")
    agent = Path("learn-agent/src/learn_agent/agent.py")
    tool = _example("tool", "@tool", "return")
    _replace(agent, "@agent\n", f"{tool}\n\n@agent\n")
    said = learner.types("")
    assert "Generation 4 goes on answering" in said
    assert "name 'tool' is not defined" in said
    _replace(agent, "Session, agent, llm", "Session, agent, llm, tool")
    use = _example("tool", "await", "await").strip()
    _replace(agent, "await response.stream_llm(ANSWER, llm.stream(conversation(session, question)))", use)


def _test(learner: Learner, _port: int) -> None:
    assert "no test of yours yet" in learner.types("")
    test = Path("learn-agent/tests/test_tool.py")
    text = _example("test", "from sentient_cli", "assert run")
    test.write_text(text.replace("== 4", "== 5"))
    said = learner.types("")
    assert "Not yet: The tests do not pass" in said
    assert "assert 4 == 5" in said
    test.write_text(text)
    assert re.search(r"\d passed", learner.types("pytest"))


_STEPS = {
    "create": (_create, "from `basic`; its agent is in src/learn_agent/agent.py"),
    "talk": (_talk, "It says: I answer questions"),
    "edit": (_edit, "answers.toml has an answer to 'Who are you?' now"),
    "reload": (_reload, "Generation 4 answers, and nothing was started anew: I am mended."),
    "tool": (_tool, "I asked it to count four words, and it says: The tool `count_words` gave: 4"),
    "test": (_test, "All tests pass"),
}


@pytest.mark.slow
@pytest.mark.story("20.7")
@pytest.mark.timeout(400)
def test_from_end_to_end(free_port: int) -> None:
    assert list(_STEPS) == [lesson.name for lesson in LESSONS], "each lesson is walked"
    with _learning(free_port) as learner:
        for name, (do, expected) in _STEPS.items():
            assert learner.lesson == name
            do(learner, free_port)
            last = name == LESSONS[-1].name
            said = learner.leaves("") if last else learner.types("")
            assert "Done: " in said
            assert expected in said
    assert learner.child.exitstatus == 0
    assert _states() == ["done"] * len(LESSONS)
    done = _learn()
    assert (done.returncode, done.stdout.startswith("That was all.")) == (0, True)


@pytest.mark.story("20.7")
def test_it_is_left_and_gone_on_with(free_port: int) -> None:
    assert commands.run("create", "learn-agent", "--yes", "--no-install", "--no-git").returncode == 0
    with _learning(free_port) as learner:
        assert "2 of 6" in learner.types("skip")
        assert "goes on here" in learner.leaves("q")
    assert _states() == ["skipped", "now", *_LATER]
    with _learning(free_port) as learner:
        assert learner.lesson == "talk"
        assert "2 of 6" in learner.types("t")
        served = learner.types("sentient dev &")
        assert f"URL http://127.0.0.1:{free_port}" in served
        token = re.search(rf"Page http://127.0.0.1:{free_port}/#token=([\w-]+)", served)
        assert token is not None, served
        with Wire(("127.0.0.1", free_port)) as wire:
            assert wire.request("GET", "/_sentient/entries", {"Authorization": f"Bearer {token[1]}"}).status == 200
        _write_the_rule()
        assert "Done: It says: I answer questions" in learner.types("")
        assert "Done: answers.toml has an answer" in learner.types("")
        assert "Done: Generation 2 answers" in learner.types("")
        learner.child.kill(signal.SIGTERM)
        learner.child.expect(pexpect.EOF)
    assert learner.child.exitstatus == 130
    with socket.socket() as gone:
        assert gone.connect_ex(("127.0.0.1", free_port)) != 0, "what runs behind is gone"
    with _learning(free_port) as learner:
        assert learner.lesson == "tool"
        learner.child.sendeof()
        learner.child.expect(pexpect.EOF)
    with _learning(free_port, "--step", "4") as learner:
        assert learner.lesson == "reload"
        assert "`sentient dev` does not run in learn-agent" in learner.types("")
        learner.child.sendintr()
        learner.child.expect(pexpect.EOF)
    assert learner.child.exitstatus == 130
    assert _learn("--reset").returncode == 0
    assert _states() == ["now", "", *_LATER]


@pytest.mark.story("20.7")
def test_without_a_terminal_it_looks_once() -> None:
    done = _learn()
    assert done.returncode == 1
    assert "  sentient create learn-agent --template basic" in done.stdout
    assert "Not yet: There is no learn-agent" in done.stderr
    assert commands.run("create", "learn-agent", "--yes", "--no-install", "--no-git").returncode == 0
    told = json.loads(_learn("--json").stdout)
    assert (told["lesson"], told["done"], told["next"]) == ("create", True, "talk")
    state = Path("learn-agent/.sentient/template.toml")
    _replace(state, 'id = "basic"', 'id = "advanced"')
    told = json.loads(_learn("--json", "--step", "create").stdout)
    assert (told["done"], "made from `advanced`" in told["said"]) == (False, True)
    _replace(state, 'id = "advanced"', 'id = "basic"')
    assert json.loads(_learn("--skip", "--json").stdout) == {"skipped": "talk", "next": "edit"}
    assert _states() == ["done", "skipped", "now", *_LATER[1:]]
    (Path("learn-agent") / "answers.toml").write_text("no toml [")
    told = json.loads(_learn("--json").stdout)
    assert (told["done"], "is not understood" in told["said"]) == (False, True)
    (Path("learn-agent") / "sentient.toml").write_text("[server]\nprot = 1\n")
    told = json.loads(_learn("--json", "--step", "create").stdout)
    assert (told["done"], "server.prot" in told["said"]) == (False, True)
    assert _learn("--step", "nothing").returncode == 2
    assert json.loads(_learn("--reset", "--json").stdout) == {"reset": True}


@pytest.mark.slow  # it starts pytest twice; the checks themselves are tested beside it
@pytest.mark.story("20.7")
@pytest.mark.parametrize("options", [("--skip", "--reset"), ("--skip", "--list"), ("--step", "serve", "--reset")])
def test_what_cannot_both_be_wanted_is_refused(options: tuple[str, ...]) -> None:
    done = commands.run_text("learn", *options)
    assert done.returncode == 2
    assert "exclude each other" in done.stderr


def test_the_last_steps_are_checked_for_real() -> None:
    def look(step: str) -> tuple[bool, str]:
        told = json.loads(_learn("--json", "--step", step).stdout)
        return told["done"], str(told["said"])

    assert commands.run("create", "learn-agent", "--yes", "--no-install", "--no-git").returncode == 0
    assert look("tool") == (False, "src/learn_agent/agent.py is as it was made")
    with Path("learn-agent/src/learn_agent/agent.py").open("a") as file:
        file.write("# mine\n")
    assert "does not run in learn-agent" in look("tool")[1]
    assert "no test of yours yet" in look("test")[1]
    test = Path("learn-agent/tests/test_mine.py")
    test.write_text("def test_mine() -> None:\n    assert 4 == 5\n")
    assert look("test") == (False, "The tests do not pass")
    test.write_text("def test_mine() -> None:\n    assert 5 == 5\n")
    done, said = look("test")
    assert (done, said.startswith("All tests pass")) == (True, True)


@pytest.mark.story("20.7")
def test_elsewhere(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    told = json.loads(_learn("--json", "--project", str(other)).stdout)
    assert str(other) in told["said"]
    told = json.loads(_learn("--json").stdout)
    assert str(other) in told["said"], "the place is remembered"


@pytest.mark.parametrize("width", ["30", "80"])
def test_every_lesson_fits(width: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", width)
    for lesson in LESSONS:
        assert main(["learn", "--step", lesson.name]) == 1
        shown = capsys.readouterr().out
        prose = [line for line in shown.splitlines() if not line.startswith("  ")]
        assert max(map(len, prose)) <= int(width)
        assert "{project}" not in shown


def test_lessons_are_found_by_name_and_number() -> None:
    assert [find_lesson(str(number)) for number in range(1, len(LESSONS) + 1)] == list(LESSONS)
    assert find_lesson("0") is None
    assert find_lesson(str(len(LESSONS) + 1)) is None


@pytest.mark.slow
@pytest.mark.parametrize("kept", ["no json", "{}", "[]", '{"base": 1, "done": 5, "skipped": []}'])
def test_a_damaged_memory_begins_anew(kept: str) -> None:
    state = Path(os.environ["XDG_STATE_HOME"]) / "sentient"
    state.mkdir(parents=True)
    (state / "learn.json").write_text(kept)
    assert _states()[0] == "now"

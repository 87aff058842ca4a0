"""What the checks of `sentient learn` say of a project that is not there yet, half done, or served by something odd."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from sentient_cli.config.discovery import Announcement
from sentient_cli.scaffold.learn import checks
from sentient_cli.scaffold.learn.checks import Outcome, created, edited, has_tool, reloaded, talked
from sentient_cli.scaffold.learn.workspace import PROJECT, Workspace
from tests.client.fault_server import Exchange, done, error, text, threaded
from tests.support import commands

RULE = '[[rule]]\nmatch = "(?i)who are you"\nanswer = "A lighthouse"\n'


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project as `create` makes it."""
    base = tmp_path_factory.mktemp("made")
    home = {"HOME": str(base), "XDG_CONFIG_HOME": str(base / "c"), "XDG_STATE_HOME": str(base / "s")}
    arguments = ["create", PROJECT, "--yes", "--no-install", "--no-git"]
    done_ = commands.run(*arguments, directory=base, environment={**os.environ, **home})
    assert done_.returncode == 0, done_.stderr
    return base / PROJECT


@pytest.fixture
def workspace(made: Path, tmp_path: Path, isolated: None) -> Workspace:
    shutil.copytree(made, tmp_path / PROJECT)
    Path(os.environ["XDG_RUNTIME_DIR"]).mkdir(mode=0o700, exist_ok=True)
    return Workspace(tmp_path, dict(os.environ))


class Served:
    """What seems to be `sentient dev`: it says of itself what it is told to say."""

    def __init__(self) -> None:
        self.state: object = {"generation": 2, "loading": None, "error": None}
        self.said: bytes = text("A lighthouse", 1, stream="s")

    async def answer(self, exchange: Exchange) -> None:
        if exchange.path.startswith("/_sentient/state"):
            await exchange.answer(200, json.dumps(self.state).encode())
            return
        await exchange.begin()
        await exchange.chunk(self.said + done(2))
        await exchange.end()


@pytest.fixture
def served(workspace: Workspace) -> Generator[Served]:
    fake = Served()
    with threaded(fake.answer) as server, Announcement(workspace.project, "1") as announcement:
        announcement.token_file.write_text("token")
        announcement.publish(server.url, "learner")
        yield fake


def missed(outcome: Outcome, words: str) -> None:
    assert not outcome.done
    assert words in outcome.said


def test_nothing_is_there_yet(tmp_path: Path) -> None:
    missed(created(Workspace(tmp_path)), f"There is no {PROJECT}")


def test_a_project_whose_agent_is_gone(workspace: Workspace) -> None:
    assert created(workspace).done
    (workspace.project / workspace.agent_file).unlink()
    missed(created(workspace), "which is not there")
    missed(has_tool(workspace), "cannot be read")


def test_a_project_of_another_template(workspace: Workspace) -> None:
    for file in (workspace.project / ".sentient").rglob("*.toml"):
        file.write_text(file.read_text().replace('"basic"', '"advanced"'))
    missed(created(workspace), "make it again")


@pytest.mark.parametrize("check", [talked, reloaded])
def test_nothing_is_served(workspace: Workspace, check: Callable[[Workspace], Outcome]) -> None:
    missed(check(workspace), "`sentient dev` does not run")


def test_an_agent_that_fails_or_says_nothing(workspace: Workspace, served: Served) -> None:
    assert talked(workspace) == Outcome(True, "It says: A lighthouse")
    served.said = error("out of order", 500, 1)
    missed(talked(workspace), "out of order")
    served.said = b""
    missed(talked(workspace), "no text came")


def test_answers_that_are_not_edited_or_not_understood(workspace: Workspace) -> None:
    answers = workspace.project / "answers.toml"
    missed(edited(workspace), "has no rule")
    before = answers.read_text()
    answers.write_text(before + "[[rule")
    missed(edited(workspace), "not understood any more")
    answers.write_text(RULE + before)
    assert edited(workspace).done
    answers.write_bytes(b"\xff")
    missed(edited(workspace), "cannot be read")


def test_what_was_saved_has_to_be_what_answers(workspace: Workspace, served: Served) -> None:
    answers = workspace.project / "answers.toml"
    answers.write_text(RULE + answers.read_text())
    assert reloaded(workspace) == Outcome(True, "Generation 2 answers, and nothing was started anew: A lighthouse")
    served.state = {"generation": 1, "loading": None, "error": None}
    missed(reloaded(workspace), "has begun with this answer")
    os.utime(answers, (1, 1))  # long ago: nothing is on its way any more
    served.said = text("A boat", 1, stream="s")
    missed(reloaded(workspace), "but the server says 'A boat'")
    answers.write_text("")
    os.utime(answers, (1, 1))
    missed(reloaded(workspace), "has no rule with an answer")


def test_code_that_is_broken_is_named_with_its_place(workspace: Workspace, served: Served) -> None:
    file = workspace.project / workspace.agent_file
    fault = {"what": "It is broken", "why": "a comma", "file": str(file), "line": 7}
    served.state = {"generation": 3, "loading": None, "error": fault}
    file.write_text(file.read_text() + "\n")
    os.utime(file, (1, 1))
    os.utime(workspace.project / "answers.toml", (1, 1))
    for check in (reloaded, has_tool):
        missed(check(workspace), f"It is broken: a comma ({workspace.agent_file}:7). Generation 3 goes on answering.")
    served.state = {"generation": None, "loading": 1, "error": None}
    served.said = text("There are 4 words", 1, stream="s")
    assert has_tool(workspace).done


@pytest.mark.parametrize("state", [[], "text", None])
def test_a_server_that_does_not_say_how_things_stand(workspace: Workspace, served: Served, state: object) -> None:
    served.state = state
    missed(reloaded(workspace), "does not say how things stand")


@pytest.mark.slow
def test_tests_of_ones_own(workspace: Workspace) -> None:
    missed(checks.tested(workspace), "has no test of yours yet")
    mine = workspace.project / "tests" / "test_mine.py"
    mine.write_text("def test_mine() -> None:\n    assert False, 'not yet'\n")
    outcome = checks.tested(workspace)
    missed(outcome, "The tests do not pass")
    assert "not yet" in outcome.detail
    mine.write_text("def test_mine() -> None:\n    pass\n")
    outcome = checks.tested(workspace)
    assert (outcome.done, outcome.said.startswith("All tests pass")) == (True, True)

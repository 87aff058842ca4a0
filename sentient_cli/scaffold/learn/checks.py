"""Whether a lesson was done: looked up in the project, asked of the agent that is served, run as its tests."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import PurePosixPath
from typing import cast

from sentient_cli.errors import NetworkError, SentientError
from sentient_cli.sanitize import sanitize_line
from sentient_cli.scaffold.doctor.asking import ask
from sentient_cli.scaffold.learn.developing import Standing, look_again, standing
from sentient_cli.scaffold.learn.workspace import PROJECT, Reply, Workspace
from sentient_cli.scaffold.pristine import load

__all__ = ["Outcome", "created", "edited", "has_tool", "reloaded", "talked", "tested"]

QUESTION = "What can you do?"
IDENTITY = "Who are you?"
_COUNT = 'count_words text="Count these four words"'
_ANSWERS = "answers.toml"
_TEST_SECONDS = 180.0
_SHOWN = 100
_TAIL = 12
_TEMPLATE = "basic"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a check found.

    Args:
        done: Whether the lesson was done.
        said: What was seen, or what is missing, for a reader.
        detail: Longer material, such as the end of what the tests said.
    """

    done: bool
    said: str
    detail: str = ""


_Check = Callable[[Workspace], Outcome]


def _explained(check: _Check) -> _Check:
    @wraps(check)
    def checked(workspace: Workspace) -> Outcome:
        try:
            return check(workspace)
        except NetworkError as error:
            return Outcome(False, _fault(workspace) or _told(error))
        except SentientError as error:
            return Outcome(False, _told(error))
        except (OSError, UnicodeDecodeError) as error:
            return Outcome(False, f"A file cannot be read: {error}")

    return checked


def _told(error: SentientError) -> str:
    return f"{error.what}. {error.fix}".rstrip(". ")


def _fault(workspace: Workspace) -> str:
    """What keeps the last save from being loaded; empty when nothing does, or nobody knows."""
    try:
        now = standing(workspace.project)
    except NetworkError:
        return ""
    return _mend(now) if now.problem else ""


def _mend(now: Standing) -> str:
    where = f" ({now.place})" if now.place else ""
    goes_on = f"Generation {now.generation} goes on answering. " if now.generation is not None else ""
    return f"{_short(now.problem)}{where}. {goes_on}Mend it, and save"


def _short(text: str) -> str:
    line = sanitize_line(text)
    return line if len(line) <= _SHOWN else line[: _SHOWN - 1] + "…"


@_explained
def created(workspace: Workspace) -> Outcome:
    """There is a project, with an agent in it."""
    if not workspace.project.is_dir():
        return Outcome(False, f"There is no {PROJECT} in {workspace.base} yet")
    template = load(workspace.project).template
    if template != _TEMPLATE:
        return Outcome(False, f"It was made from `{template}`, and the lessons are about `{_TEMPLATE}`: make it again")
    file = workspace.agent_file
    if not (workspace.project / file).is_file():
        return Outcome(False, f"Its settings name an agent in {file}, which is not there")
    return Outcome(True, f"{workspace.project} was made from `{template}`; its agent is in {file}")


@_explained
def talked(workspace: Workspace) -> Outcome:
    """The agent is served, and answers."""
    reply = workspace.question(QUESTION)
    if reply.error or not reply.text:
        return Outcome(False, f"It did not answer: {_short(reply.error) or 'no text came'}")
    return Outcome(True, f"It says: {_short(reply.text)}")


@_explained
def edited(workspace: Workspace) -> Outcome:
    """It has a new answer in its file."""
    try:
        before, now = _rules(workspace.as_made(_ANSWERS)), _rules(_answers(workspace))
        wanted = _identity(now)
    except (tomllib.TOMLDecodeError, re.error) as error:
        return Outcome(False, f"{_ANSWERS} is not understood any more: {error}")
    if not wanted or now == before:
        return Outcome(False, f"{_ANSWERS} has no rule with an answer to {IDENTITY!r} yet")
    return Outcome(True, f"{_ANSWERS} has an answer to {IDENTITY!r} now")


@_explained
def reloaded(workspace: Workspace) -> Outcome:
    """What was saved last is what answers, and it is not what the server began with."""
    wanted, said = "", ""

    def settled() -> bool:
        nonlocal wanted, said
        now = standing(workspace.project)
        if now.problem or now.generation is None:
            return False
        try:
            wanted = _identity(_rules(_answers(workspace)))
        except (tomllib.TOMLDecodeError, re.error):
            return False  # the server says so in a moment
        said = workspace.question(IDENTITY).text
        return bool(wanted) and said == wanted

    as_saved = look_again(workspace.project, workspace.project / _ANSWERS, settled)
    now = standing(workspace.project)
    if now.problem or now.generation is None:
        return Outcome(False, _mend(now) if now.problem else "The agent is still being loaded")
    if not wanted:
        return Outcome(False, f"{_ANSWERS} has no rule with an answer to {IDENTITY!r}")
    if not as_saved:
        return Outcome(False, f"The file says {_short(wanted)!r}, but the server says {_short(said)!r}. Was it saved?")
    if now.generation == 1:
        return Outcome(False, "The server has begun with this answer. Change it, save, and look again")
    return Outcome(True, f"Generation {now.generation} answers, and nothing was started anew: {_short(said)}")


def _answers(workspace: Workspace) -> str:
    return (workspace.project / _ANSWERS).read_text("utf-8")


def _identity(rules: list[tuple[str, str]]) -> str:
    """The answer to who it is; empty when there is none."""
    return next((answer for pattern, answer in rules if re.search(pattern, IDENTITY)), "").strip()


def _rules(text: str) -> list[tuple[str, str]]:
    """The patterns of a script and what is said to them."""
    rules = cast("list[dict[str, object]]", tomllib.loads(text).get("rule", []))
    return [(str(rule["match"]), str(rule["answer"])) for rule in rules if "match" in rule and "answer" in rule]


@_explained
def has_tool(workspace: Workspace) -> Outcome:
    """The model has a tool that counts the words of a text."""
    file = workspace.project / workspace.agent_file
    if file.read_text("utf-8") == workspace.as_made(str(workspace.agent_file)):
        return Outcome(False, f"{workspace.agent_file} is as it was made")
    reply = Reply(())

    def counted() -> bool:
        nonlocal reply
        reply = workspace.question(_COUNT)
        return re.search(r"\b4\b", reply.text) is not None  # which a model without the tool does not say

    if look_again(workspace.project, file, counted):
        return Outcome(True, f"I asked it to count four words, and it says: {_short(reply.text)}")
    what = f"it failed: {_short(reply.error)}" if reply.error else f"it says: {_short(reply.text)}"
    return Outcome(False, _fault(workspace) or f"I asked it to count four words, and {what}")


@_explained
def tested(workspace: Workspace) -> Outcome:
    """There is a further test, and all pass."""
    made = load(workspace.project).rendering.files
    before = [file.content.decode("utf-8", "replace") for name, file in made.items() if _is_test(name)]
    folder = workspace.project / "tests"
    now = [file.read_text("utf-8") for file in sorted(folder.rglob("*.py"))]
    if len(_tests(now)) <= len(_tests(before)):
        return Outcome(False, f"{PROJECT}/tests has no test of yours yet")
    ran = ask(
        [workspace.python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--color=no"],
        where=workspace.project,
        environment=workspace.environment,
        seconds=_TEST_SECONDS,
    )
    last = (ran.out.strip().splitlines() or [""])[-1]
    if ran.late:
        return Outcome(False, f"The tests had not ended after {_TEST_SECONDS:.0f} s")
    if "No module named pytest" in ran.error:
        return Outcome(False, f"pytest is not installed for {workspace.python}: `pip install pytest`")
    if ran.code != 0:
        return Outcome(False, "The tests do not pass", "\n".join((ran.out + ran.error).splitlines()[-_TAIL:]))
    passed = re.search(r"\d+ passed", last)
    return Outcome(True, f"All tests pass: {passed[0] if passed else last}")


def _is_test(name: PurePosixPath) -> bool:
    return name.parts[0] == "tests" and name.suffix == ".py"


def _tests(texts: list[str]) -> list[str]:
    found: list[str] = []
    for text in texts:
        try:
            tree = ast.parse(text)
        except SyntaxError:
            continue  # pytest says where
        functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
        found += [function.name for function in functions if function.name.startswith("test")]
    return found

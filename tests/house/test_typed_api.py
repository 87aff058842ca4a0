"""What the type checkers of a user see in the installed package, at both ends of the Python versions."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.sources import depth
from tests.plugins.isolation import REPOSITORY
from tests.plugins.places import make_environment
from tests.support.served import Served, environment
from tests.support.wire import ask_all

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300), pytest.mark.story("19.1", "19.2", "19.5", "19.6")]

_WRONG = """\
from sentient_cli import Agent, Event, Query, Response, Session, is_error


class Wrong(Agent):
    async def assist(self, session: Session, query: Query) -> None: ...


async def calls(response: Response, query: Query) -> None:
    await response.text_block("A", 3)
    await response.text_block("A", "x", metadata={"a": {"b": 1}})
    query.promt


def guards(event: Event) -> int:
    return event.content.error_code if is_error(event) else event.content
"""
_WRONG_LINES = {5, 9, 10, 11, 15}
_WRONG_GENERICS = """\
from sentient_cli import Session, StateKey, llm, tool

VISITS = StateKey("visits", int)


@tool
def add(a: int, b: int = 1) -> int:
    return a + b


@tool
async def look_up(city: str) -> str:
    return city


async def wrong(session: Session) -> None:
    add("1")
    add(1, c=2)
    (await look_up.call({"city": "Rome"})) + 1
    look_up("Rome").upper()
    await session.state.set(VISITS, "1")
    await session.state.change(VISITS, lambda visits: str(visits))
    (await llm.generate("hi")).output
    (await llm.generate("hi", output=int)).output.upper()
    await llm.run_tools("hi", [look_up, print])
"""
_WRONG_GENERIC_LINES = set(range(17, 26))
_VERSIONS = ["3.11", "3.14"]
_OLDEST = REPOSITORY / ".ci" / "lock" / "oldest.txt"


@pytest.fixture(scope="module")
def installed(wheelhouse: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment that has the wheel, and nothing of this repository.

    The program that is checked is one that works: what is installed there serves it.
    """
    (wheel,) = wheelhouse.glob("sentient_agent_cli-*.whl")
    python = make_environment(tmp_path_factory.mktemp("installed") / "env", str(wheel))
    folder = tmp_path_factory.mktemp("served")
    right, _ = _programs(folder)
    command = [str(python.with_name("sentient")), "serve", f"{right.name}:echo", "--port", "0"]
    quiet = subprocess.DEVNULL
    server = Served(
        subprocess.Popen(
            command, stdin=quiet, stdout=quiet, stderr=subprocess.PIPE, text=True, cwd=folder, env=environment(folder)
        )
    )
    try:
        server.port = int(server.wait_line(r"Serving .* on http://\S+:(\d+)")[1])
        assert [frame.event for frame in ask_all(server.address, "hi")] == ["ANSWER", "done"]
    finally:
        server.stop_if_running()
    return python


@pytest.fixture(scope="module")
def oldest(wheelhouse: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment with the oldest type checkers that the documentation names."""
    assert (wheelhouse / ".stamp-slow").exists(), "the oldest type checkers are not there: run `make test-all`"
    return make_environment(tmp_path_factory.mktemp("oldest") / "env", "--require-hashes", "-r", str(_OLDEST))


def _check(
    python: Path, folder: Path, *arguments: str, tools: Path = Path(sys.executable)
) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(python.parent), os.environ.get("PATH", "")])
    return subprocess.run(
        [str(tools), "-m", *arguments],
        cwd=folder,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )


def _mypy(python: Path, file: Path, version: str, tools: Path = Path(sys.executable)) -> set[int]:
    flags = ["--strict", "--config-file=", f"--python-executable={python}", f"--python-version={version}"]
    done = _check(python, file.parent, "mypy", *flags, file.name, tools=tools)
    assert done.returncode in {0, 1}, done.stderr + done.stdout
    lines = {int(line) for line in re.findall(rf"^{file.name}:(\d+): error", done.stdout, re.MULTILINE)}
    assert bool(lines) == bool(done.returncode), done.stdout
    return lines


def _basedpyright(python: Path, file: Path, version: str, tools: Path = Path(sys.executable)) -> set[int]:
    settings = {"typeCheckingMode": "strict", "pythonVersion": version}
    (file.parent / "pyrightconfig.json").write_text(json.dumps(settings))
    arguments = (f"--pythonpath={python}", "--outputjson", file.name)
    done = _check(python, file.parent, "basedpyright", *arguments, tools=tools)
    report = json.loads(done.stdout)
    assert report["summary"]["filesAnalyzed"] == 1
    return {entry["range"]["start"]["line"] + 1 for entry in report["generalDiagnostics"]}


def _programs(folder: Path) -> tuple[Path, Path]:
    right, wrong = folder / "right.py", folder / "wrong.py"
    right.write_bytes((REPOSITORY / "tests" / "house" / "typed_agent.py").read_bytes())
    wrong.write_text(_WRONG)
    return right, wrong


@pytest.mark.parametrize("version", _VERSIONS)
def test_a_users_program_is_checked_against_the_installed_package(
    installed: Path, tmp_path: Path, version: str
) -> None:
    right, wrong = _programs(tmp_path)
    for checker in (_mypy, _basedpyright):
        assert checker(installed, right, version) == set()
        assert checker(installed, wrong, version) == _WRONG_LINES


@pytest.mark.story("E19.2")
def test_the_oldest_type_checkers_see_the_same(installed: Path, oldest: Path, tmp_path: Path) -> None:
    right, wrong = _programs(tmp_path)
    for checker in (_mypy, _basedpyright):
        assert checker(installed, right, "3.11", oldest) == set()
        assert checker(installed, wrong, "3.11", oldest) == _WRONG_LINES
    page = (REPOSITORY / "docs" / "agents.md").read_text("utf-8")
    (mypy,) = _version(oldest, "mypy")
    basedpyright, pyright = _version(oldest, "basedpyright")
    assert f"mypy {mypy}, pyright {pyright} and basedpyright {basedpyright}" in page


def _version(python: Path, tool: str) -> list[str]:
    done = subprocess.run([str(python), "-m", tool, "--version"], capture_output=True, text=True, check=True)
    return re.findall(r"\d+\.\d+\.\d+", done.stdout)


_SIGNATURES = """\
import importlib, inspect, json

shown = {}
for package in ("", ".llm", ".testing", ".compat", ".config"):
    module = importlib.import_module(f"sentient_cli{package}")
    for name in module.__all__:
        thing = getattr(module, name)
        if inspect.isclass(thing) and thing is not object or inspect.isfunction(thing):
            functions = [thing, *vars(thing).values()]
            types = [each for one in functions for each in getattr(one, "__annotations__", {}).values()]
            error = inspect.isclass(thing) and issubclass(thing, Exception)
            example = error or ">>> " in (thing.__doc__ or "")
            shown[f"{module.__name__}.{name}"] = {"types": [str(each) for each in types], "example": example}
print(json.dumps(shown))
"""
_MAX_DEPTH = 3


@pytest.mark.story("19.3", "E19.1")
def test_the_installed_package_shows_examples_and_plain_signatures(installed: Path, tmp_path: Path) -> None:
    done = subprocess.run([str(installed), "-c", _SIGNATURES], cwd=tmp_path, capture_output=True, text=True, check=True)
    shown = json.loads(done.stdout)
    assert len(shown) > 80
    assert [name for name, one in shown.items() if not one["example"]] == []
    assert [name for name, one in shown.items() for types in one["types"] if depth(types) > _MAX_DEPTH] == []


def test_every_public_type_of_the_installed_package_is_complete(installed: Path, tmp_path: Path) -> None:
    done = _check(
        installed, tmp_path, "basedpyright", "--verifytypes", "sentient_cli", "--ignoreexternal", "--outputjson"
    )
    report = json.loads(done.stdout)["typeCompleteness"]
    assert report["completenessScore"] == 1
    assert report["pyTypedPath"].startswith(str(installed.parent.parent))

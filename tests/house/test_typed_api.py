"""What the type checkers of a user see in the installed package, at both ends of the Python versions."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.plugins.isolation import REPOSITORY
from tests.plugins.places import make_environment

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300), pytest.mark.story("19.1", "19.5", "19.6")]

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
_VERSIONS = ["3.11", "3.14"]


@pytest.fixture(scope="module")
def installed(wheelhouse: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment that has the wheel, and nothing of this repository."""
    (wheel,) = wheelhouse.glob("sentient_agent_cli-*.whl")
    return make_environment(tmp_path_factory.mktemp("installed") / "env", str(wheel))


def _check(python: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(python.parent), os.environ.get("PATH", "")])
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=folder,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )


def _mypy(python: Path, file: Path, version: str) -> set[int]:
    flags = ["--strict", "--config-file=", f"--python-executable={python}", f"--python-version={version}"]
    done = _check(python, file.parent, "mypy", *flags, file.name)
    assert done.returncode in {0, 1}, done.stderr + done.stdout
    lines = {int(line) for line in re.findall(rf"^{file.name}:(\d+): error", done.stdout, re.MULTILINE)}
    assert bool(lines) == bool(done.returncode), done.stdout
    return lines


def _basedpyright(python: Path, file: Path, version: str) -> set[int]:
    settings = {"typeCheckingMode": "strict", "pythonVersion": version}
    (file.parent / "pyrightconfig.json").write_text(json.dumps(settings))
    done = _check(python, file.parent, "basedpyright", f"--pythonpath={python}", "--outputjson", file.name)
    report = json.loads(done.stdout)
    assert report["summary"]["filesAnalyzed"] == 1
    return {entry["range"]["start"]["line"] + 1 for entry in report["generalDiagnostics"]}


@pytest.mark.parametrize("version", _VERSIONS)
def test_a_users_program_is_checked_against_the_installed_package(
    installed: Path, tmp_path: Path, version: str
) -> None:
    right, wrong = tmp_path / "right.py", tmp_path / "wrong.py"
    right.write_bytes((REPOSITORY / "tests" / "house" / "typed_agent.py").read_bytes())
    wrong.write_text(_WRONG)
    for checker in (_mypy, _basedpyright):
        assert checker(installed, right, version) == set()
        assert checker(installed, wrong, version) == _WRONG_LINES


def test_every_public_type_of_the_installed_package_is_complete(installed: Path, tmp_path: Path) -> None:
    done = _check(
        installed, tmp_path, "basedpyright", "--verifytypes", "sentient_cli", "--ignoreexternal", "--outputjson"
    )
    report = json.loads(done.stdout)["typeCompleteness"]
    assert report["completenessScore"] == 1
    assert report["pyTypedPath"].startswith(str(installed.parent.parent))

"""What a user installs: the wheel, its scripts, its locks."""

from __future__ import annotations

import re
import subprocess
import tomllib
import zipfile
from pathlib import Path

import pytest

from tests.plugins.isolation import REPOSITORY
from tests.plugins.places import make_environment


@pytest.fixture
def wheel(wheelhouse: Path) -> Path:
    (found,) = wheelhouse.glob("sentient_agent_cli-*.whl")
    return found


def _dependencies() -> set[str]:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]
    return {re.split(r"[^\w-]", line, maxsplit=1)[0].lower().replace("_", "-") for line in project["dependencies"]}


def test_the_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert "sentient_cli/py.typed" in names
    assert {name.split("/")[0].split("-")[0] for name in names} <= {"sentient_cli", "sentient_agent_cli"}
    assert not [name for name in names if "__pycache__" in name or name.endswith(".pyc")]
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_the_lock_holds_every_dependency() -> None:
    lock = (REPOSITORY / ".ci" / "lock" / "runtime.txt").read_text("utf-8")
    assert _dependencies() - set(re.findall(r"^([a-z0-9-]+)==", lock, re.MULTILINE)) == set()


def test_each_choice_of_a_dependency_has_its_reason() -> None:
    page = (REPOSITORY / "docs" / "decisions.md").read_text("utf-8").replace("_", "-")
    assert [name for name in _dependencies() if f"| {name} |" not in page] == []


@pytest.mark.slow
@pytest.mark.story("C1")
def test_a_fresh_install_has_both_scripts(wheel: Path, tmp_path: Path) -> None:
    python = make_environment(tmp_path / "fresh", str(wheel))
    for script in ("sentient", "sentient-agent-cli"):
        command = [str(python.parent / script), "--version"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert wheel.name.split("-")[1] in done.stdout


@pytest.mark.slow
def test_the_reference_is_the_version_that_agents_were_written_for(reference_python: Path) -> None:
    script = "from importlib.metadata import version; print(version('sentient-agent-framework'))"
    done = subprocess.run([str(reference_python), "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "0.3.0"
